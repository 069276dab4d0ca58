/* What scripts may not do. */
#include "database/sqlite/sqlite.h"

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

static bool not_ours(rb_sqlite *db, const char *table)
{
    if (strcasecmp(table, "rbtool_applied") != 0 && strcasecmp(table, "rbtool_journal") != 0 &&
        strcasecmp(table, "rbtool_checksums") != 0)
        return true;
    return deny(db, "a script may not change rbtool's own table ", table);
}

bool rb_sqlite_allowed(rb_sqlite *db, enum rb_sqlite_action action, const char *name,
                       const char *value)
{
    name = name ? name : "";
    switch (action) {
    case RB_ACTION_ATTACH:
        return deny(db, "a script may not reach other database files; take out ATTACH or DETACH ",
                    name);
    case RB_ACTION_TRANSACTION:
        return deny(db,
                    "all scripts run in one transaction of rbtool's; take out the script's own ",
                    value ? "SAVEPOINT" : name);
    case RB_ACTION_PRAGMA:
        if (pragma_allowed(name, value))
            return true;
        return deny(db, "a script may not change how the file is kept; take out PRAGMA ", name);
    case RB_ACTION_FUNCTION:
        if (rb_sqlite_usable(RB_PART_FUNCTION, name))
            return true;
        return deny(db, "a script may call only functions that work on data; take out ", name);
    case RB_ACTION_MODULE:
        if (!rb_sqlite_usable(RB_PART_MODULE, value ? value : ""))
            return deny(db, "a script may not create a virtual table with the module ", value);
        return not_ours(db, name);
    case RB_ACTION_ATTACHED_TO:
    case RB_ACTION_WRITE:
        return not_ours(db, name);
    }
    return true;
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
