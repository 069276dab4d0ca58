/* Decides what scripts and data tests may do, as SQLite's authorizer. */
#include "database/sqlite/effects.h"

#include <sqlite3.h>
#include <string.h>
#include <strings.h>

/* PRAGMAs that read, or whose effect ends with the connection or the transaction. */
static const char *const allowed_pragmas[] = {
    "analysis_limit",     "application_id",   "cache_size",   "defer_foreign_keys",
    "foreign_key_check",  "foreign_key_list", "foreign_keys", "ignore_check_constraints",
    "index_info",         "index_list",       "index_xinfo",  "integrity_check",
    "legacy_alter_table", "optimize",         "quick_check",  "recursive_triggers",
    "table_info",         "table_list",       "table_xinfo",  "user_version",
};

static bool pragma_allowed(const char *name, const char *value)
{
    static const char *const acting[] = {"incremental_vacuum", "shrink_memory", "wal_checkpoint"};
    for (size_t i = 0; i < sizeof allowed_pragmas / sizeof *allowed_pragmas; i++)
        if (strcasecmp(name, allowed_pragmas[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof acting / sizeof *acting; i++)
        if (strcasecmp(name, acting[i]) == 0)
            return false;
    return value == NULL;
}

static bool deny(rb_sqlite *db, const char *why, const char *what)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(what ? what : "");
    rb_buf_clear(&db->denied);
    rb_buf_printf(&db->denied, "%s%s", why, safe);
    return false;
}

bool rb_sqlite_may_change(rb_sqlite *db, const char *table)
{
    static const char *const own[] = {"rbtool_applied", "rbtool_journal", "rbtool_checksums"};
    bool ours = table && strncasecmp(table, "rbtool ", 7) ==
                             0; /* rbtool's temporary tables, see restore.c */
    for (size_t i = 0; table && i < sizeof own / sizeof *own; i++)
        ours = ours || strcasecmp(table, own[i]) == 0;
    if (ours)
        return deny(db, "a script may not change rbtool's own table ", table);
    return true;
}

bool rb_sqlite_may_call(rb_sqlite *db, const char *function)
{
    return rb_sqlite_usable(RB_PART_FUNCTION, function) ||
           deny(db, "a script may call only functions that work on data; take out ", function);
}

/* one, two: arguments of the action, https://www.sqlite.org/c3ref/c_alter_table.html. */
static bool is_allowed(rb_sqlite *db, int action, const char *one, const char *two)
{
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return deny(db, "a script may not reach other database files; take out ATTACH or DETACH ",
                    one);
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return deny(db,
                    "all scripts run in one transaction of rbtool's; take out the script's own ",
                    action == SQLITE_SAVEPOINT ? "SAVEPOINT" : one);
    case SQLITE_PRAGMA:
        return pragma_allowed(one, two) ||
               deny(db, "a script may not change how the file is kept; take out PRAGMA ", one);
    case SQLITE_CREATE_VTABLE:
        if (!rb_sqlite_usable(RB_PART_MODULE, two ? two : ""))
            return deny(db, "a script may not create a virtual table with the module ", two);
        return rb_sqlite_may_change(db, one);
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_VIEW:
        return rb_sqlite_may_change(db, two) && rb_sqlite_may_change(db, one);
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_VIEW:
    case SQLITE_DROP_TABLE:
    case SQLITE_DROP_VTABLE:
        return rb_sqlite_may_change(db, one);
    case SQLITE_ALTER_TABLE:
        return rb_sqlite_may_change(db, two);
    default:
        return true;
    }
}

static void note_write(rb_sqlite *db, int action, const char *one, const char *two,
                       const char *schema, bool in_trigger)
{
    if (action == SQLITE_INSERT)
        rb_effects_note(db, RB_WRITE_INSERT, schema, one, NULL, in_trigger);
    else if (action == SQLITE_UPDATE)
        rb_effects_note(db, RB_WRITE_UPDATE, schema, one, two, in_trigger);
    else if (action == SQLITE_DELETE)
        rb_effects_note(db, RB_WRITE_DELETE, schema, one, NULL, in_trigger);
    else if (action == SQLITE_DROP_TABLE || action == SQLITE_DROP_VTABLE)
        rb_effects_note(db, RB_WRITE_DROP, schema, one, NULL, in_trigger);
    else if (action == SQLITE_ALTER_TABLE)
        rb_effects_note(db, RB_WRITE_ALTER, one, two, NULL, in_trigger);
}

int rb_sqlite_authorize(void *context, int action, const char *one, const char *two,
                        const char *schema, const char *trigger)
{
    rb_sqlite_state *state = context;
    rb_sqlite *db = state->db;
    /* Triggers and views are the user's code, even if a statement of rbtool runs them. */
    if (action == SQLITE_FUNCTION && (trigger || state->guard != RB_GUARD_NONE))
        return rb_sqlite_may_call(db, two) ? SQLITE_OK : SQLITE_DENY;
    if (state->guard == RB_GUARD_NONE)
        return SQLITE_OK;
    state->untidy |= action == SQLITE_PRAGMA || (schema && strcmp(schema, "temp") == 0);
    if (!is_allowed(db, action, one, two))
        return SQLITE_DENY;
    note_write(db, action, one, two, schema, trigger != NULL);
    return SQLITE_OK;
}

char *rb_sqlite_explain_limit(rb_sqlite *db, enum rb_code *code)
{
    const rb_db_limits *l = &rb_sqlite_state_of(db)->limits;
    const char *where = l->where ? l->where : "limits";
    const char *of_seconds = l->statements ? "" : ".seconds";
    enum rb_sqlite_limit hit = rb_sqlite_limit_hit(db);
    *code = hit ? RB_FOUND : RB_ERROR;
    switch (hit) {
    case RB_LIMIT_SECONDS:
        return rb_format("it ran longer than %d s, the limit; if it has to, raise %s%s in "
                         "rbtool.json",
                         l->seconds, where, of_seconds);
    case RB_LIMIT_MEMORY:
        return rb_format("it needed more than %d MiB of memory, the limit; if it has to, raise "
                         "%s.memory in rbtool.json",
                         l->memory, where);
    case RB_LIMIT_SIZE:
        return rb_format("it made the scratch database larger than %d MiB, the limit, or the disk "
                         "of the temporary files is full; if it has to, raise %s.size in "
                         "rbtool.json",
                         l->size, where);
    case RB_LIMIT_NONE:
        break;
    }
    return NULL;
}
