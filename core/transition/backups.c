#include "transition/backups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/text.h"
#include "database/backup.h"
#include "transition/known_good.h"
#include "transition/plan.h"

#define DAY 86400
#define TABLES_LIMIT 200 /* tables of a restore that the ledger entry lists */

/* Lists the live releases, and those that a revert of them would go to. */
static enum rb_code in_use(rb_strs *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_live_clear) rb_live live = {0};
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_TRY(rb_state_live(&live, state, err));
    RB_TRY(rb_state_history(&rows, state, true, err));
    for (int part = 0; part < RB_PARTS; part++) {
        const char *before = live.tag[part] ? rb_known_good_recorded(&rows, live.tag[part]) : NULL;
        if (live.tag[part])
            rb_strs_add(out, live.tag[part]);
        if (before)
            rb_strs_add(out, before);
    }
    return RB_OK;
}

/* Returns what was restored of a table or column, and "of": how much the backup has of it. Of a
 * table without a key it has whole rows, although values are at risk. */
static json_t *describe_restored(const json_t *done, const json_t *items)
{
    const char *column = rb_json_str(done, "column");
    int64_t of = 0;
    rb_json_each (item, items) {
        const char *part = rb_json_str(item, "column");
        if (!rb_json_same(json_object_get(item, "table"), json_object_get(done, "table")))
            continue;
        if (!column)
            of = rb_json_int(item, "rows", 0);
        else if (rb_text_same(part, column))
            of = rb_json_int(item, "values", 0);
    }
    int64_t n = rb_json_int(done, "restored", 0);
    const int64_t most = of - rb_json_int(done, "missing", 0);
    if (of > 0 && n > most) /* some were lost and restored again */
        n = most;
    return rb_json_make("table:J column:s restored:i of:j", json_object_get(done, "table"), column,
                        n, of > 0 ? json_integer(of) : NULL);
}

static json_t *describe(const rb_env *env, const rb_backup_row *row, const rb_strs *used)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(env->root, row->file);
    RB_AUTO(rb_free_str) char *shown = rb_safe(path);
    struct stat st;
    bool exists = rb_at_look(&st, path) == 0;
    bool hidden = !exists && errno == EACCES; /* from this user */
    int64_t until = row->at + (int64_t)env->keep_backups * DAY;
    bool needed = (row->from && rb_strs_has(used, row->from)) || rb_strs_has(used, row->to);
    const char *state = row->pruned ? "pruned"
                        : exists    ? "available"
                        : hidden    ? "unreadable"
                                    : "missing";
    json_t *restored = json_array();
    json_t *item = rb_json_make(
        "id:s database:s kind:s from:s to:s at:i path:s bytes:i state:s keptUntil:i expired:b "
        "items:J restored:j",
        row->transition, row->database, row->kind, row->from, row->to, row->at, shown,
        exists ? (int64_t)st.st_size : row->bytes, state, until,
        exists && !needed && until < time(NULL), row->items, restored);
    rb_json_each (done, row->restored)
        if (rb_json_int(done, "restored", 0) > 0)
            json_array_append_new(restored, describe_restored(done, row->items));
    return item;
}

enum rb_code rb_backups_list(json_t **out, const rb_env *env, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    RB_AUTO(rb_strs_clear) rb_strs used = {0};
    if (state) {
        RB_TRY(in_use(&used, state, err));
        RB_TRY(rb_state_backups(&rows, state, NULL, NULL, err));
    }
    *out = json_array();
    for (size_t i = 0; i < rows.n; i++)
        json_array_append_new(*out, describe(env, &rows.items[i], &used));
    return RB_OK;
}

bool rb_backups_have(rb_state *state, const char *transition)
{
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    bool found = false;
    if (rb_state_backups(&rows, state, NULL, NULL, RB_IGNORED) != RB_OK)
        return false;
    for (size_t i = 0; i < rows.n; i++)
        found |= strcmp(rows.items[i].transition, transition) == 0;
    return found;
}

static enum rb_code prune(json_t *pruned, const rb_env *env, rb_state *state,
                          const rb_backup_row *row, const rb_strs *used, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *item = describe(env, row, used);
    RB_AUTO(rb_free_str) char *path = rb_path_join(env->root, row->file);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    if (!json_is_true(json_object_get(item, "expired")))
        return RB_OK;
    RB_TRY(rb_dir_remove(path, err));
    (void)rb_dir_remove_empty(dir);
    RB_TRY(rb_state_backup_pruned(state, row->id, time(NULL), err));
    rb_json_set_str(item, "state", "pruned");
    json_array_append(pruned, item);
    return RB_OK;
}

enum rb_code rb_backups_prune(json_t **pruned, const rb_env *env, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    RB_AUTO(rb_strs_clear) rb_strs used = {0};
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    RB_TRY(in_use(&used, state, err));
    RB_TRY(rb_state_backups(&rows, state, NULL, NULL, err));
    for (size_t i = 0; i < rows.n; i++)
        RB_TRY(prune(list, env, state, &rows.items[i], &used, err));
    RB_TRY(rb_state_flush(state, err));
    *pruned = json_incref(list);
    return RB_OK;
}

/* Restoring: */

static enum rb_code no_backup(const rb_backup_restore *rq, const rb_backup_rows *rows, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf known = {0};
    const char *env = rq->env->name;
    for (size_t i = 0; i < rows->n; i++)
        if (strcmp(rows->items[i].transition, rq->id) == 0)
            rb_buf_printf(&known, "%s%s", known.len ? ", " : "", rows->items[i].database);
    if (known.len && !rq->database)
        return rb_fail(err, RB_ERROR,
                       "transition %s backed up several databases: %s\nname one: `rbtool restore "
                       "%s --database NAME --env %s`",
                       rq->id, known.data, rq->id, env);
    return rb_fail(err, RB_ERROR,
                   "environment %s has no backup %s%s%s\nlist them with `rbtool "
                   "backups --env %s`",
                   env, rq->id, rq->database ? " of database " : "",
                   rq->database ? rq->database : "", env);
}

static const rb_backup_row *choose(const rb_backup_restore *rq, const rb_backup_rows *rows)
{
    const rb_backup_row *found = NULL;
    for (size_t i = 0; i < rows->n; i++) {
        const rb_backup_row *row = &rows->items[i];
        if (strcmp(row->transition, rq->id) != 0 ||
            (rq->database && strcmp(row->database, rq->database) != 0))
            continue;
        if (found)
            return NULL;
        found = row;
    }
    return found;
}

static enum rb_code check_file(const rb_backup_row *row, const char *path, rb_err *err)
{
    char sha256[RB_SHA256_HEX];
    if (row->pruned)
        return rb_fail(err, RB_ERROR, "the backup %s was removed by `rbtool backups --prune`",
                       row->transition);
    if (!rb_file_exists(path))
        return rb_fail(err, RB_ERROR, "the backup %s does not exist\nput the file back", path);
    RB_TRY(rb_sha256_file(sha256, path, err));
    if (strcmp(sha256, row->sha256) == 0)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "the backup %s was changed: its SHA-256 is %s, the journal says %s\nput the "
                   "file back",
                   path, sha256, row->sha256);
}

static int64_t total(const json_t *tables, const char *member)
{
    int64_t sum = 0;
    rb_json_each (entry, tables)
        sum += rb_json_int(entry, member, 0);
    return sum;
}

/* Returns what the ledger entry will contain. */
static json_t *detail_of(const rb_backup_restore *rq, const rb_backup_row *row, const char *id,
                         const json_t *report)
{
    json_t *tables = json_array();
    rb_json_each (entry, report)
        if (entry_at < TABLES_LIMIT)
            json_array_append_new(tables, rb_json_make("table:J column:J restored:J missing:J",
                                                       json_object_get(entry, "table"),
                                                       json_object_get(entry, "column"),
                                                       json_object_get(entry, "restored"),
                                                       json_object_get(entry, "missingCount")));
    json_t *ignored = rq->options.ignore ? rb_json_strs(rq->options.ignore) : json_array();
    return rb_json_make(
        "id:s transition:s database:s path:s table:s ignored:j deleted:b overwrite:b restored:i "
        "missing:i tables:j finished:i host:s user:s version:s",
        id, row->transition, row->database, row->file, rq->options.table, ignored,
        rq->options.deleted, rq->options.overwrite, total(report, "restored"),
        total(report, "missingCount"), tables, (int64_t)time(NULL), rq->host, rq->user,
        rq->version);
}

/* Commits with a row in the database's journal. If the process ends before it writes the
 * environment's journal, that row shows whether the restore was committed. */
static enum rb_code commit(const rb_backup_restore *rq, const rb_backup_row *row, rb_db *db,
                           const json_t *report, rb_err *err)
{
    RB_AUTO(rb_free_str) char *id = rb_transition_id();
    RB_AUTO(rb_json_freep) json_t *detail = detail_of(rq, row, id, report);
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    RB_AUTO(rb_json_freep) json_t *catalog = NULL;
    RB_AUTO(rb_json_freep) json_t *done = json_array();
    rb_json_each (entry, report)
        if (rb_json_int(entry, "restored", 0) > 0)
            json_array_append(done, entry);
    RB_TRY(rb_db_catalog(&catalog, db, err));
    RB_TRY(rb_db_journal_pins(&pins, db, err));
    const rb_db_outcome outcome = {.before = catalog, .after = catalog};
    RB_TRY(rb_db_journal_add(db, id, NULL, NULL, &outcome, pins, err));
    RB_TRY(rb_state_restore_begin(rq->state, id, row->id, detail, err));
    RB_TRY(rb_state_backup_restored(rq->state, row->id, id, done, err));
    RB_TRY(rb_state_flush(rq->state, err));
    RB_TRY(rb_db_commit(db, err));
    return rb_state_restore_end(rq->state, id, true, err);
}

enum rb_code rb_backups_settle(const rb_env *env, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *restores = NULL;
    RB_TRY(rb_state_restores(&restores, state, err));
    rb_json_each (restore, restores) {
        RB_AUTO(rb_db_closep) rb_db *db = NULL;
        const char *id = rb_json_str(restore, "id");
        const char *url = rb_env_database(env, rb_json_str(restore, "database"));
        bool committed;
        if (!url || json_is_true(json_object_get(restore, "committed")))
            continue;
        RB_TRY(rb_db_open(&db, url, RB_DB_READ, err));
        RB_TRY(rb_db_journal_has(&committed, db, id, err));
        RB_TRY(rb_state_restore_end(state, id, committed, err));
    }
    return RB_OK;
}

static enum rb_code restore(json_t **tables, const rb_backup_restore *rq, const rb_backup_row *row,
                            rb_db *db, const char *path, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *before = NULL;
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    RB_AUTO(rb_restore_freep) rb_restore *part = NULL;
    RB_TRY(rb_db_begin(db, err));
    RB_TRY(rb_db_references(&before, db, err));
    RB_TRY(rb_db_restore_compare(&part, db, path, &rq->options, err));
    RB_TRY(rb_db_restore(&report, part, db, err));
    RB_TRY(rb_db_references_kept(db, before, err));
    if (rq->dry_run || total(report, "restored") == 0)
        rb_db_rollback(db);
    else
        RB_TRY(commit(rq, row, db, report, err));
    *tables = json_incref(report);
    return RB_OK;
}

/* Gives the table that a person names the case that the backup has. */
static enum rb_code spell_table(const char **name, const rb_backup_row *row, rb_err *err)
{
    const char *table = *name;
    const char *folded = NULL;
    if (!table)
        return RB_OK;
    rb_json_each (item, row->items) {
        const char *found = rb_json_str(item, "table");
        if (strcmp(found, table) == 0)
            return RB_OK;
        if (strcasecmp(found, table) == 0)
            folded = found;
    }
    *name = folded;
    if (folded)
        return RB_OK;
    RB_AUTO(rb_free_str) char *names = rb_backup_names(row->items);
    return rb_fail(err, RB_ERROR, "backup %s of database %s has no table %s\nit has %s",
                   row->transition, row->database, table, names);
}

static enum rb_code restore_from(json_t **report, const rb_backup_restore *asked,
                                 const rb_backup_row *row, rb_err *err)
{
    rb_backup_restore request = *asked;
    const rb_backup_restore *rq = &request;
    const char *url = rb_env_database(rq->env, row->database);
    RB_AUTO(rb_free_str) char *path = rb_path_join(rq->env->root, row->file);
    RB_AUTO(rb_free_str) char *shown = rb_safe(path);
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    if (!url)
        return rb_fail(err, RB_ERROR,
                       "environment %s has no url for database %s\nadd it under "
                       "environments.%s.databases in rbtool.json",
                       rq->env->name, row->database, rq->env->name);
    RB_TRY(spell_table(&request.options.table, row, err));
    RB_TRY(check_file(row, path, err));
    RB_TRY(rb_db_open(&db, url, RB_DB_WRITE, err));
    const rb_db_limits limits = rb_env_limits(rq->env);
    RB_TRY(rb_db_limit(db, &limits, err));
    enum rb_code code = restore(&tables, rq, row, db, path, err);
    if (code != RB_OK)
        return code == RB_FOUND ? rb_err_prefix(err, "backup %s", row->transition) : code;
    *report = rb_json_make("backup:s database:s path:s dryRun:b restored:i missing:i tables:J",
                           row->transition, row->database, shown, rq->dry_run,
                           total(tables, "restored"), total(tables, "missingCount"), tables);
    return RB_OK;
}

enum rb_code rb_backups_restore(json_t **report, const rb_backup_restore *rq, rb_err *err)
{
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    RB_TRY(rb_backups_settle(rq->env, rq->state, err));
    RB_TRY(rb_state_backups(&rows, rq->state, NULL, NULL, err));
    const rb_backup_row *row = choose(rq, &rows);
    return row ? restore_from(report, rq, row, err) : no_backup(rq, &rows, err);
}
