/* The check of migrations in a push. Environments have applied released migrations, so their bytes
 * must not change. */
#include <string.h>

#include "git/refs.h"
#include "git/tree.h"
#include "hook/check_search.h"
#include "ledger/ledger.h"

#define SCRIPTS_LIMIT (1u << 30) /* bytes of scripts that a server reads for one push */

/* Sets *out to false if no pushed commit touches a migrations folder, as in most pushes. A server
 * does not rely on its settings for this, because an earlier push may have changed them. */
static enum rb_code is_touched(bool *out, rb_guard_search *search, rb_err *err)
{
    const rb_config *settings;
    *out = true;
    if (!search->remote)
        return RB_OK;
    RB_TRY(rb_guard_settings(&settings, search->guard, err));
    if (!settings)
        return RB_OK;
    /* Only use the settings if they have databases: otherwise a commit may touch the folder of a
     * former database. */
    RB_AUTO(rb_strs_clear) rb_strs folders = {0};
    for (size_t i = 0; i < settings->database_count; i++)
        rb_strs_add(&folders, settings->databases[i].migrations);
    /* include the settings, because they may name other folders */
    rb_strs_add(&folders, RB_CONFIG_FILE);
    return rb_guard_is_news(out, search, &folders, err);
}

/* Finds the release followed by tip that has this migration with other bytes. NULL if none has, or
 * if a release has exactly these bytes. */
static enum rb_code find_release(const rb_release **out, const rb_guard_search *search,
                                 const rb_guard_place *place, const rb_oid *tip,
                                 const rb_migration *found, rb_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < search->chain->n; i++) {
        const rb_release *release = search->chain->items[i].release;
        for (size_t j = 0; release && j < release->manifest->database_count; j++) {
            const rb_manifest_database *database = &release->manifest->databases[j];
            const rb_manifest_migration *was = NULL;
            for (size_t k = 0; rb_guard_place_is(place, database) && k < database->migration_count;
                 k++)
                if (strcmp(database->migrations[k].id, found->id) == 0)
                    was = &database->migrations[k];
            bool reached = false;
            if (was)
                RB_TRY(
                    rb_commit_reaches(&reached, search->guard->repo, tip, &release->commit, err));
            if (reached && !rb_guard_differs(found, was)) {
                *out = NULL;
                return RB_OK;
            }
            if (reached && !search->chain->items[i].bad)
                *out = release;
        }
    }
    return RB_OK;
}

static enum rb_code check_migration(rb_refusals *out, rb_guard_search *search,
                                    const rb_guard_place *place, const rb_pushed *pushed,
                                    const rb_migration *found, rb_err *err)
{
    const rb_release *release;
    RB_TRY(find_release(&release, search, place, &pushed->commit, found, err));
    if (!release)
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs paths = {0};
    rb_strs_add(&paths, found->up.path);
    if (found->down.present)
        rb_strs_add(&paths, found->down.path);
    else
        rb_strs_add(&paths, place->directory);
    char commit[RB_OID_HEX] = "";
    bool news;
    RB_TRY(rb_guard_is_news(&news, search, &paths, err));
    if (news)
        RB_TRY(rb_guard_find_commit(commit, search, &pushed->commit, &paths, err));
    if (!*commit)
        return RB_OK; /* the remote has this commit, so it is not new */
    rb_refusals_add(out, rb_format("commit %.10s", commit),
                    "(%s) changes migration %s, which was released with %s (%s)\n"
                    "restore it (git checkout %s -- %s) and write a new migration%s",
                    pushed->remote_ref, found->id, release->tag, found->up.path, release->tag,
                    found->up.path,
                    search->remote ? "; RBTOOL=0 git push sends it all the same" : "");
    return RB_OK;
}

/* True if the remote's ref had the same content at this path before the push. */
static bool is_as_before(const rb_guard_search *search, const rb_pushed *pushed, const char *path,
                         const rb_oid *now)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry was = {0};
    rb_repo *repo = search->guard->repo;
    rb_oid commit;
    rb_oid tree;
    return !rb_oid_is_zero(&pushed->remote) && rb_object_commit(&commit, repo, &pushed->remote) &&
           rb_commit_tree(&tree, repo, &commit, RB_IGNORED) == RB_OK &&
           rb_tree_find(&was, repo, &tree, path, RB_IGNORED) == RB_OK &&
           rb_oid_equal(&was.oid, now);
}

/* Checks the migrations of one folder in one pushed ref. */
static enum rb_code check_folder(rb_refusals *out, rb_guard_search *search,
                                 const rb_guard_place *place, const rb_pushed *pushed,
                                 const rb_oid *tree, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry folder = {0};
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    char hex[RB_OID_HEX];
    if (rb_tree_find(&folder, search->guard->repo, tree, place->directory, err) != RB_OK)
        return RB_OK; /* the folder does not exist: nothing in it was changed */
    rb_oid_hex(&folder.oid, hex);
    if (json_object_get(place->same, hex))
        return RB_OK;
    if (rb_migrations_read(&set, search->guard->repo, tree, place->directory, place->layout,
                           place->engine, err) != RB_OK) {
        if (is_as_before(search, pushed, place->directory, &folder.oid))
            return RB_OK;
        err->code = RB_ERROR;
        return rb_err_prefix(err, "cannot tell whether %s changes released migrations%s",
                             pushed->remote_ref,
                             search->remote ? " (RBTOOL=0 git push sends it all the same)" : "");
    }
    bool same = true;
    search->bytes += set->bytes;
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *found = &set->items[i];
        const json_t *known = json_object_get(place->released, found->id);
        RB_AUTO(rb_free_str)
        char *bytes =
            rb_guard_spell(found->up.sha256, found->down.present ? found->down.sha256 : "");
        if (!known || json_object_get(known, bytes))
            continue;
        same = false;
        RB_TRY(check_migration(out, search, place, pushed, found, err));
    }
    if (same)
        rb_json_set_str(place->same, hex, NULL);
    return RB_OK;
}

/* Limits the bytes of scripts that a server reads: it reads those of every commit that a ref
 * receives. */
static enum rb_code check_bytes(const rb_guard_search *search, rb_err *err)
{
    if (search->remote || search->bytes <= SCRIPTS_LIMIT)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "the migrations of this push have more than %u bytes of scripts together, which "
                   "is the limit\npush fewer branches and tags at a time",
                   SCRIPTS_LIMIT);
}

/* False for the ledger. Its commits are checked by rb_guard_push_ledger(); walking them as code
 * would read every entry, however large. */
static bool is_code(const rb_pushed *pushed)
{
    return pushed->has_commit && strcmp(pushed->remote_ref, RB_LEDGER_REF) != 0;
}

static enum rb_code check_all(rb_refusals *out, rb_guard_search *search, rb_err *err)
{
    RB_TRY(rb_guard_chain(&search->chain, search->guard, err));
    rb_guard_find_places(search);
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    const size_t refusals = out->n;
    bool touched;
    for (size_t i = 0; i < search->pushes->n; i++) {
        const rb_pushed *pushed = &search->pushes->items[i];
        rb_oid tree;
        char hex[RB_OID_HEX];
        if (!is_code(pushed))
            continue;
        rb_oid_hex(&pushed->commit, hex);
        if (json_object_get(seen, hex))
            continue;
        rb_json_set_str(seen, hex, NULL);
        RB_TRY(check_bytes(search, err));
        RB_TRY(rb_commit_tree(&tree, search->guard->repo, &pushed->commit, err));
        bool continues;
        RB_TRY(rb_guard_continues(&continues, search, pushed, &tree, err));
        if (continues)
            continue;
        RB_TRY(is_touched(&touched, search, err));
        if (!touched)
            break;
        rb_guard_open_released(search);
        const size_t before = out->n;
        for (size_t j = 0; j < search->place_count; j++)
            RB_TRY(check_folder(out, search, &search->places[j], pushed, &tree, err));
        if (out->n == before)
            RB_TRY(rb_guard_check_released(out, search, pushed, &tree, err));
    }
    RB_TRY(check_bytes(search, err));
    return out->n == refusals ? rb_guard_check_head(out, search, err) : RB_OK;
}

/* True if a verified release that is not bad has this commit. chain may be NULL: not loaded. */
static bool is_release(const rb_chain *chain, const rb_oid *commit)
{
    for (size_t i = 0; chain && i < chain->n; i++) {
        const rb_chain_item *item = &chain->items[i];
        if (item->listed && !item->bad && rb_oid_equal(&item->commit, commit))
            return true;
    }
    return false;
}

enum rb_code rb_guard_push_migrations(rb_refusals *out, rb_guard *guard, const char *remote,
                                      const rb_pushes *pushes, rb_err *err)
{
    RB_AUTO(rb_guard_search_clear)
    rb_guard_search search = {
        .guard = guard, .remote = remote, .pushes = pushes, .news = json_object()};
    bool any = false;
    bool releases = true;
    for (size_t i = 0; i < pushes->n; i++) {
        const rb_pushed *pushed = &pushes->items[i];
        any = any || is_code(pushed);
        releases = releases && (!is_code(pushed) || is_release(guard->chain, &pushed->commit));
    }
    if (!any)
        return RB_OK;
    bool touched = true;
    if (!releases) /* for releases, rb_guard_continues() needs no process of git */
        RB_TRY(is_touched(&touched, &search, err));
    return touched ? check_all(out, &search, err) : RB_OK;
}
