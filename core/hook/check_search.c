#include "hook/check_search.h"

#include <stdlib.h>
#include <string.h>

#include "git/object.h"

void rb_guard_search_clear(rb_guard_search *search)
{
    for (size_t i = 0; i < search->place_count; i++) {
        free(search->places[i].folder);
        free(search->places[i].layout);
        free(search->places[i].engine);
        rb_json_free(search->places[i].released);
        rb_json_free(search->places[i].same);
    }
    free(search->places);
    rb_json_free(search->news);
}

bool rb_guard_place_is(const rb_guard_place *place, const rb_manifest_database *database)
{
    return strcmp(place->directory, database->directory) == 0 &&
           strcmp(place->layout, database->layout) == 0;
}

/* Adds a folder of releases, unless it is known. `line` is "LAYOUT ENGINE DIRECTORY", of length
 * len. */
static void add_place(rb_guard_search *search, const char *line, size_t len)
{
    for (size_t i = 0; i < search->place_count; i++)
        if (strlen(search->places[i].folder) == len &&
            memcmp(search->places[i].folder, line, len) == 0)
            return;
    const char *space = memchr(line, ' ', len);
    if (!space || !memchr(space + 1, ' ', (size_t)(line + len - space - 1)))
        return;
    search->places = rb_realloc(search->places, search->place_count + 1, sizeof *search->places);
    rb_guard_place *place = &search->places[search->place_count++];
    *place = (rb_guard_place){.folder = rb_strndup(line, len),
                              .layout = rb_strndup(line, strcspn(line, " ")),
                              .released = json_object(),
                              .same = json_object()};
    const char *engine = place->folder + strlen(place->layout) + 1;
    place->engine = rb_strndup(engine, strcspn(engine, " "));
    place->directory = engine + strlen(place->engine) + 1;
}

void rb_guard_find_places(rb_guard_search *search)
{
    for (size_t i = 0; i < search->chain->n; i++) {
        const rb_listed_release *listed = search->chain->items[i].listed;
        size_t len;
        for (const char *line = listed ? listed->folders : ""; *line;
             line += len + (line[len] != 0)) {
            len = strcspn(line, "\n");
            add_place(search, line, len);
        }
    }
}

char *rb_guard_spell(const char *up, const char *down)
{
    return rb_format("%s %s", up, down);
}

static void add_line(rb_buf *out, const char *before, const rb_oid *oid)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(oid, hex);
    rb_buf_printf(out, "%s%s\n", before, hex);
}

/* Appends the range of new commits for `git rev-list`: `tip`, or everything that is pushed, without
 * what the remote is known to have. On a server all refs still have their old values, so these show
 * what it has. */
static void add_range(rb_buf *out, const rb_guard_search *search, const rb_oid *tip)
{
    const rb_pushes *pushes = search->pushes;
    if (tip)
        add_line(out, "", tip);
    for (size_t i = 0; i < pushes->n; i++) {
        const rb_pushed *pushed = &pushes->items[i];
        if (!tip && pushed->has_commit)
            add_line(out, "", &pushed->commit);
        if (search->remote && !rb_oid_is_zero(&pushed->remote) &&
            rb_object_exists(search->guard->repo, &pushed->remote))
            add_line(out, "^", &pushed->remote);
    }
}

enum rb_code rb_guard_find_commit(char out[RB_OID_HEX], const rb_guard_search *search,
                                  const rb_oid *tip, const rb_strs *paths, rb_err *err)
{
    static const char *const first[] = {"rev-list", "--max-count=1", "--full-history", "--stdin",
                                        "--not"};
    RB_AUTO(rb_strs_clear) rb_strs strings = {0};
    RB_AUTO(rb_buf_clear) rb_buf range = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        rb_strs_add(&strings, first[i]);
    if (search->remote) {
        rb_strs_take(&strings, rb_format("--remotes=%s", search->remote));
    } else {
        rb_strs_add(&strings, "--branches");
        rb_strs_add(&strings, "--tags");
    }
    rb_strs_add(&strings, "--");
    for (size_t i = 0; i < paths->n; i++)
        rb_strs_take(&strings, rb_repo_pathspec(paths->items[i]));
    const char **args = rb_calloc(strings.n + 1, sizeof *args);
    for (size_t i = 0; i < strings.n; i++)
        args[i] = strings.items[i];
    add_range(&range, search, tip);
    enum rb_code code = rb_repo_git_with(&text, search->guard->repo, args, &range, err);
    free(args);
    RB_TRY(code);
    out[0] = '\0';
    if (text.len >= RB_OID_HEX - 1) {
        memcpy(out, text.data, RB_OID_HEX - 1);
        out[RB_OID_HEX - 1] = '\0';
    }
    return RB_OK;
}

enum rb_code rb_guard_is_news(bool *out, rb_guard_search *search, const rb_strs *paths, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf key = {0};
    for (size_t i = 0; i < paths->n; i++)
        rb_buf_add_safe(&key, paths->items[i], strlen(paths->items[i]) + 1);
    const json_t *known = json_object_get(search->news, rb_buf_str(&key));
    if (!known) {
        char commit[RB_OID_HEX];
        RB_TRY(rb_guard_find_commit(commit, search, NULL, paths, err));
        json_object_set_new(search->news, rb_buf_str(&key), json_boolean(*commit != '\0'));
        known = json_object_get(search->news, rb_buf_str(&key));
    }
    *out = json_is_true(known);
    return RB_OK;
}

static void add_released(rb_guard_search *search, const rb_manifest_database *database)
{
    size_t at = 0;
    while (at < search->place_count && !rb_guard_place_is(&search->places[at], database))
        at++;
    for (size_t i = 0; at < search->place_count && i < database->migration_count; i++) {
        const rb_manifest_migration *m = &database->migrations[i];
        RB_AUTO(rb_free_str) char *bytes = rb_guard_spell(m->up, m->down);
        json_t *known = json_object_get(search->places[at].released, m->id);
        if (!known) {
            known = json_object();
            if (json_object_set_new(search->places[at].released, m->id, known) != 0)
                continue; /* not UTF-8, so it cannot be in the manifest */
        }
        rb_json_set_str(known, bytes, NULL);
    }
}

void rb_guard_open_released(rb_guard_search *search)
{
    if (search->opened)
        return;
    search->opened = true;
    rb_chain_open_all(search->chain);
    for (size_t i = 0; i < search->chain->n; i++) {
        const rb_release *release = search->chain->items[i].release;
        for (size_t j = 0; release && j < release->manifest->database_count; j++)
            add_released(search, &release->manifest->databases[j]);
    }
}

bool rb_guard_differs(const rb_migration *found, const rb_manifest_migration *was)
{
    const char *down = found->down.present ? found->down.sha256 : "";
    return strcmp(found->up.sha256, was->up) != 0 || (*was->down && strcmp(down, was->down) != 0);
}
