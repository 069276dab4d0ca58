/* The check that released migrations still exist. Those that were moved are found by their bytes
 * and ids. */
#include <stdlib.h>
#include <string.h>

#include "git/refs.h"
#include "git/tree.h"
#include "hook/check_search.h"

/* All migrations of a commit, in the folders that its own settings or a release name. */
struct present {
    json_t *ups;   /* SHA-256 of an up script -> list of SHA-256 of down scripts ("": none) */
    json_t *ids;   /* id -> "UP DOWN", the SHA-256 of both scripts */
    json_t *kept;  /* ids in the folder of a release; check_folder() reports changes of these */
    rb_strs paths; /* folders that were read, and the settings file */
};

static void present_clear(struct present *present)
{
    rb_json_free(present->ups);
    rb_json_free(present->ids);
    rb_json_free(present->kept);
    rb_strs_clear(&present->paths);
}

/* Adds the migrations of a folder. A folder that does not exist, or cannot be read in that layout,
 * adds none: the released migrations must then be in others. */
static void add_set(struct present *present, rb_guard_search *search, const rb_oid *tree,
                    const char *folder, const char *layout, const char *engine, bool kept)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    if (!rb_strs_has(&present->paths, folder))
        rb_strs_add(&present->paths, folder);
    if (rb_migrations_read(&set, search->guard->repo, tree, folder, layout, engine, RB_IGNORED) !=
        RB_OK)
        return;
    search->bytes += set->bytes;
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *m = &set->items[i];
        const char *down = m->down.present ? m->down.sha256 : "";
        RB_AUTO(rb_free_str) char *bytes = rb_format("%s %s", m->up.sha256, down);
        json_t *downs = json_object_get(present->ups, m->up.sha256);
        if (!downs) {
            downs = json_array();
            json_object_set_new(present->ups, m->up.sha256, downs);
        }
        json_array_append_new(downs, json_string(down));
        rb_json_set_str(present->ids, m->id, bytes);
        if (kept)
            rb_json_set_str(present->kept, m->id, NULL);
    }
}

static void list_present(struct present *out, rb_guard_search *search, const rb_oid *commit,
                         const rb_oid *tree)
{
    RB_AUTO(rb_config_freep) rb_config *own = NULL;
    *out = (struct present){.ups = json_object(), .ids = json_object(), .kept = json_object()};
    rb_strs_add(&out->paths, RB_CONFIG_FILE);
    if (rb_config_at(&own, search->guard->repo, commit, RB_IGNORED) != RB_OK)
        own = NULL;
    for (size_t i = 0; own && i < own->database_count; i++)
        add_set(out, search, tree, own->databases[i].migrations, own->databases[i].layout,
                own->databases[i].engine, false);
    for (size_t i = 0; i < search->place_count; i++)
        add_set(out, search, tree, search->places[i].directory, search->places[i].layout,
                search->places[i].engine, true);
}

/* Finds the commit of the ref on the remote before the push; false if it is unknown. */
static bool find_there(rb_oid *commit, rb_oid *tree, const rb_guard_search *search,
                       const rb_pushed *pushed)
{
    rb_repo *repo = search->guard->repo;
    return !rb_oid_is_zero(&pushed->remote) && rb_object_commit(commit, repo, &pushed->remote) &&
           rb_commit_tree(tree, repo, commit, RB_IGNORED) == RB_OK;
}

/* Collects the migrations that the ref had before the push. If the ref followed that release
 * already, the push is not responsible for what was missing then. */
static enum rb_code list_there(struct present *out, rb_guard_search *search,
                               const rb_pushed *pushed, const rb_release *base, rb_err *err)
{
    rb_oid commit;
    rb_oid tree;
    bool follows = false;
    if (!find_there(&commit, &tree, search, pushed))
        return RB_OK;
    RB_TRY(rb_commit_reaches(&follows, search->guard->repo, &commit, &base->commit, err));
    if (follows)
        list_present(out, search, &commit, &tree);
    return RB_OK;
}

static bool has_bytes(const struct present *present, const rb_manifest_migration *was)
{
    rb_json_each (down, json_object_get(present->ups, was->up))
        if (!*was->down || strcmp(json_string_value(down), was->down) == 0)
            return true;
    return false;
}

/* True if the migration exists with the bytes that a release has under its id. */
static bool has_released(const struct present *present, const rb_guard_search *search,
                         const rb_manifest_migration *was)
{
    const char *bytes = rb_json_str(present->ids, was->id);
    for (size_t j = 0; bytes && j < search->place_count; j++)
        if (json_object_get(json_object_get(search->places[j].released, was->id), bytes))
            return true;
    return false;
}

static bool is_present(const struct present *present, const rb_guard_search *search,
                       const rb_manifest_migration *was)
{
    return has_bytes(present, was) || json_object_get(present->kept, was->id) ||
           has_released(present, search, was);
}

static bool has_same_folder(const rb_guard_search *search, const rb_oid *tree, const rb_oid *before,
                            const char *folder)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry now = {0};
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry was = {0};
    rb_repo *repo = search->guard->repo;
    return rb_tree_find(&now, repo, tree, folder, RB_IGNORED) == RB_OK &&
           rb_tree_find(&was, repo, before, folder, RB_IGNORED) == RB_OK &&
           rb_oid_equal(&now.oid, &was.oid);
}

/* Returns the newest release that the commit follows and that is not bad, or NULL. */
static enum rb_code find_base(const rb_release **out, const rb_guard_search *search,
                              const rb_oid *commit, rb_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < search->chain->n; i++) {
        const rb_chain_item *item = &search->chain->items[i];
        bool reached = false;
        if (!item->release || item->bad)
            continue;
        RB_TRY(
            rb_commit_reaches(&reached, search->guard->repo, commit, &item->release->commit, err));
        if (!reached)
            continue;
        *out = item->release;
        return RB_OK;
    }
    return RB_OK;
}

static bool has_all(rb_guard_search *search, const rb_oid *tree,
                    const rb_manifest_database *database)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    if (rb_migrations_read(&set, search->guard->repo, tree, database->directory, database->layout,
                           database->engine, RB_IGNORED) != RB_OK)
        return false;
    search->bytes += set->bytes;
    for (size_t i = 0; i < database->migration_count; i++) {
        const rb_migration *now = rb_migrations_find(set, database->migrations[i].id);
        if (!now || rb_guard_differs(now, &database->migrations[i]))
            return false;
    }
    return true;
}

/* True if the commit has all migrations of the release, in the same folders. Adds these to
 * folders. */
static bool continues_release(rb_strs *folders, rb_guard_search *search, const rb_oid *tree,
                              const rb_release *release)
{
    rb_oid before;
    if (!release ||
        rb_commit_tree(&before, search->guard->repo, &release->commit, RB_IGNORED) != RB_OK)
        return false;
    for (size_t i = 0; i < release->manifest->database_count; i++) {
        const rb_manifest_database *database = &release->manifest->databases[i];
        if (!has_same_folder(search, tree, &before, database->directory) &&
            !has_all(search, tree, database))
            return false;
        rb_strs_add(folders, database->directory);
    }
    return true;
}

enum rb_code rb_guard_continues(bool *out, rb_guard_search *search, const rb_pushed *pushed,
                                const rb_oid *tree, rb_err *err)
{
    const rb_chain_item **nearest = NULL;
    RB_AUTO(rb_strs_clear) rb_strs folders = {0};
    rb_repo *repo = search->guard->repo;
    size_t n;
    enum rb_code code =
        rb_chain_nearest_good(&nearest, &n, search->chain, repo, &pushed->commit, err);
    *out = code == RB_OK;
    for (size_t i = 0; *out && i < n; i++)
        *out = continues_release(&folders, search, tree, rb_chain_open(search->chain, nearest[i]));
    free(nearest);
    for (size_t i = 0; *out && i < search->place_count; i++) {
        RB_AUTO(rb_tree_entry_clear) rb_tree_entry found = {0};
        const char *directory = search->places[i].directory;
        *out = rb_strs_has(&folders, directory) ||
               rb_tree_find(&found, repo, tree, directory, RB_IGNORED) != RB_OK;
    }
    return code;
}

static enum rb_code refuse_gone(rb_refusals *out, rb_guard_search *search,
                                const struct present *present, const rb_pushed *pushed,
                                const rb_release *base, const rb_manifest_database *database,
                                const char *id, size_t more, rb_err *err)
{
    char commit[RB_OID_HEX] = "";
    bool news;
    RB_TRY(rb_guard_is_news(&news, search, &present->paths, err));
    if (news)
        RB_TRY(rb_guard_find_commit(commit, search, &pushed->commit, &present->paths, err));
    if (!*commit)
        return RB_OK; /* the remote has this commit, so it is not new */
    RB_AUTO(rb_free_str) char *others = more ? rb_format(" and %zu more", more) : rb_strdup("");
    rb_refusals_add(
        out, rb_format("commit %.10s", commit),
        "(%s) %s migration %s%s, which was released with %s\n"
        "restore its files (git checkout %s -- %s), or only move them (git mv), and write the "
        "change as a new migration%s",
        pushed->remote_ref,
        json_object_get(present->ids, id) ? "moves and changes" : "deletes or changes", id, others,
        base->tag, base->tag, database->directory,
        search->remote ? "; RBTOOL=0 git push sends it all the same" : "");
    return RB_OK;
}

enum rb_code rb_guard_check_released(rb_refusals *out, rb_guard_search *search,
                                     const rb_pushed *pushed, const rb_oid *tree, rb_err *err)
{
    const rb_release *base;
    rb_oid before_tree;
    RB_AUTO(present_clear) struct present present = {0};
    RB_AUTO(present_clear) struct present there = {0};
    const size_t before = out->n;
    RB_TRY(find_base(&base, search, &pushed->commit, err));
    if (base)
        RB_TRY(rb_commit_tree(&before_tree, search->guard->repo, &base->commit, err));
    for (size_t i = 0; base && i < base->manifest->database_count && out->n == before; i++) {
        const rb_manifest_database *database = &base->manifest->databases[i];
        const char *first = NULL;
        size_t gone = 0;
        if (has_same_folder(search, tree, &before_tree, database->directory))
            continue;
        if (!present.ups) {
            list_present(&present, search, &pushed->commit, tree);
            RB_TRY(list_there(&there, search, pushed, base, err));
        }
        for (size_t j = 0; j < database->migration_count; j++) {
            if (is_present(&present, search, &database->migrations[j]) ||
                (there.ups && !is_present(&there, search, &database->migrations[j])))
                continue;
            first = first ? first : database->migrations[j].id;
            gone++;
        }
        if (gone > 0)
            RB_TRY(
                refuse_gone(out, search, &present, pushed, base, database, first, gone - 1, err));
    }
    return RB_OK;
}

/* True if HEAD of the repository points to this ref. */
static bool is_head(const rb_guard_search *search, const rb_pushed *pushed)
{
    static const char *const args[] = {"symbolic-ref", "--quiet", "HEAD", NULL};
    RB_AUTO(rb_buf_clear) rb_buf name = {0};
    if (rb_repo_git(&name, search->guard->repo, args, RB_IGNORED) != RB_OK || name.len == 0)
        return false;
    rb_buf_truncate(&name, name.len - 1);
    return strcmp(rb_buf_str(&name), pushed->remote_ref) == 0;
}

static void refuse_missing(rb_refusals *out, const rb_pushed *pushed, const rb_release *release,
                           const rb_manifest_database *database, const char *id)
{
    char commit[RB_OID_HEX];
    rb_oid_hex(&pushed->commit, commit);
    rb_refusals_add(out, rb_format("commit %.10s", commit),
                    "(%s) does not have migration %s as it was released with %s\n"
                    "restore its files (git checkout %s -- %s), or push it as another branch",
                    pushed->remote_ref, id, release->tag, release->tag, database->directory);
}

/* True if all migrations that existed before still exist, released or not. */
static bool keeps_all(const struct present *now, const struct present *was)
{
    rb_json_each_member (up, downs, was->ups) {
        const json_t *left = json_object_get(now->ups, up);
        rb_json_each (down, downs) {
            bool found = false;
            rb_json_each (other, left)
                found = found || json_equal(down, other);
            if (!found)
                return false;
        }
    }
    return true;
}

/* Reports migrations of releases that are not bad which existed before and are missing now. */
static void check_kept(rb_refusals *out, const rb_guard_search *search, const rb_pushed *pushed,
                       const struct present *now, const struct present *was)
{
    for (size_t i = 0; i < search->chain->n; i++) {
        const rb_release *release = search->chain->items[i].release;
        for (size_t j = 0;
             release && !search->chain->items[i].bad && j < release->manifest->database_count;
             j++) {
            const rb_manifest_database *database = &release->manifest->databases[j];
            for (size_t k = 0; k < database->migration_count; k++) {
                const rb_manifest_migration *m = &database->migrations[k];
                if (!has_bytes(was, m) || has_bytes(now, m) || has_released(now, search, m))
                    continue;
                refuse_missing(out, pushed, release, database, m->id);
                return;
            }
        }
    }
}

enum rb_code rb_guard_check_head(rb_refusals *out, rb_guard_search *search, rb_err *err)
{
    for (size_t i = 0; !search->remote && i < search->pushes->n; i++) {
        const rb_pushed *pushed = &search->pushes->items[i];
        rb_oid before;
        rb_oid old;
        rb_oid new;
        if (!pushed->has_commit || !is_head(search, pushed) ||
            !find_there(&before, &old, search, pushed))
            continue;
        RB_TRY(rb_commit_tree(&new, search->guard->repo, &pushed->commit, err));
        bool same = has_same_folder(search, &new, &old, RB_CONFIG_FILE);
        for (size_t j = 0; same && j < search->place_count; j++)
            same = has_same_folder(search, &new, &old, search->places[j].directory);
        if (same)
            return RB_OK;
        RB_AUTO(present_clear) struct present now = {0};
        RB_AUTO(present_clear) struct present was = {0};
        list_present(&was, search, &before, &old);
        list_present(&now, search, &pushed->commit, &new);
        if (keeps_all(&now, &was))
            continue;
        rb_guard_open_released(search);
        check_kept(out, search, pushed, &now, &was);
    }
    return RB_OK;
}
