/* What scripts may not do, and words for what went wrong. */
#include "database/sqlite/sqlite.h"
#include "database/sqlite/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOCKS_LIMIT (4u << 20)

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
        return not_ours(db, name);
    case RB_ACTION_DROP:
    case RB_ACTION_ALTER:
    case RB_ACTION_WRITE:
        if (db->watch && action != RB_ACTION_WRITE)
            rb_watch_note_ddl(db->watch, name, action == RB_ACTION_DROP,
                              value && strcmp(value, "main") == 0);
        if (db->watch)
            rb_watch_note(db->watch, name);
        return not_ours(db, name);
    }
    return true;
}

static const char *advice(enum rb_sqlite_cause cause)
{
    switch (cause) {
    case RB_CAUSE_FULL:
        return "the disk, or the database's own size limit, is full; free space and run again";
    case RB_CAUSE_IO:
        return "the disk failed; check it, its free space and the system's log, then run again";
    case RB_CAUSE_DAMAGED:
        return "the file is damaged; look with PRAGMA integrity_check and restore a backup";
    case RB_CAUSE_NO_DATABASE:
        return "this is not an SQLite database, or it is encrypted";
    case RB_CAUSE_READONLY:
        return "it cannot be written; check the permissions of the file and its folder";
    case RB_CAUSE_CANNOT_OPEN:
        return "check that the file exists, may be read, and that its folder may be written";
    case RB_CAUSE_INTERRUPTED:
        return "stopped on request";
    default:
        return NULL;
    }
}

/* Parts that a database may need and this process lacks. */
static const char *missing_part(const char *message)
{
    static const char *const parts[] = {"no such module:", "no such collation sequence:",
                                        "no such function:", "no such tokenizer:"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(message, parts[i]))
            return "it comes from a newer SQLite than this one, from an extension or from the "
                   "application; a shared library that has it can be named with git config --add "
                   "rbtool.extension /PATH/TO/LIBRARY.so";
    if (strstr(message, "VACUUM"))
        return "it cannot run together with other scripts in one transaction; take it out";
    return NULL;
}

/* What was too much, and the setting that allows more. */
static char *explain_limit(rb_sqlite *db)
{
    const rb_db_limits *l = &db->limits;
    const char *where = l->where ? l->where : "limits";
    const char *of_seconds = l->statements ? "" : ".seconds";
    switch (rb_sqlite_limit_hit(db)) {
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

char *rb_sqlite_explain(rb_sqlite *db)
{
    if (db->denied.len)
        return rb_strdup(rb_buf_str(&db->denied));
    char *limit = explain_limit(db);
    if (limit)
        return limit;
    rb_buf out = {0};
    const char *message = rb_sqlite_message(db);
    enum rb_sqlite_cause cause = rb_sqlite_cause(db);
    rb_buf_add_safe(&out, message, strlen(message));
    if (cause == RB_CAUSE_BUSY) {
        RB_AUTO(rb_free_str) char *holder = rb_sqlite_lock_holder(db->path);
        rb_buf_printf(&out, ": %s kept it locked for %d s; stop it, or run again when it is done",
                      holder[0] ? holder : "another connection", RB_SQLITE_BUSY_MS / 1000);
    }
    const char *why = advice(cause);
    if (!why)
        why = missing_part(message);
    if (why)
        rb_buf_printf(&out, ": %s", why);
    int saved = cause == RB_CAUSE_IO || cause == RB_CAUSE_CANNOT_OPEN ? rb_sqlite_errno(db) : 0;
    if (saved)
        rb_buf_printf(&out, " (%s)", strerror(saved));
    return rb_buf_detach(&out);
}

enum rb_code rb_sqlite_fail(rb_sqlite *db, const char *doing, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_safe(db->path);
    RB_AUTO(rb_free_str) char *why = rb_sqlite_explain(db);
    enum rb_code code = rb_sqlite_limit_hit(db) ? RB_FOUND : RB_ERROR;
    return rb_fail(err, code, "database sqlite:%s: %s: %s", path, doing, why);
}

static char *process_name(long pid)
{
    RB_AUTO(rb_free_str) char *path = rb_format("/proc/%ld/comm", pid);
    char name[64] = "";
    FILE *file = fopen(path, "re");
    if (file) {
        if (!fgets(name, sizeof name, file))
            name[0] = '\0';
        fclose(file);
    }
    name[strcspn(name, "\n")] = '\0';
    RB_AUTO(rb_free_str) char *safe = rb_safe(name);
    return safe[0] ? rb_format("process %ld (%s)", pid, safe) : rb_format("process %ld", pid);
}

/* One line of /proc/locks, "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF": the process that
 * has such a lock on that file, or 0. Our own is in nobody's way. */
static long holder_in(char *line, const char *kind, const struct stat *st)
{
    const char *fields[6] = {0};
    size_t n = 0;
    char *rest = NULL;
    for (char *field = strtok_r(line, " ", &rest); field && n < 6;
         field = strtok_r(NULL, " ", &rest))
        fields[n++] = field;
    if (n < 6 || strcmp(fields[3], kind) != 0)
        return 0;
    char *end;
    unsigned long major_no = strtoul(fields[5], &end, 16);
    unsigned long minor_no = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
    unsigned long inode = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
    bool same =
        inode == st->st_ino && major_no == major(st->st_dev) && minor_no == minor(st->st_dev);
    long pid = strtol(fields[4], NULL, 10);
    return same && pid != (long)getpid() ? pid : 0;
}

/* /proc/locks, not F_GETLK: closing a second descriptor of the file would drop SQLite's locks. */
static char *holder_of(const char *path, const char *kind)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return NULL;
    FILE *file = fopen("/proc/locks", "re");
    if (!file)
        return NULL;
    char line[256];
    size_t seen = 0;
    long pid = 0;
    while (pid <= 0 && fgets(line, sizeof line, file) && (seen += strlen(line)) < LOCKS_LIMIT)
        pid = holder_in(line, kind, &st);
    fclose(file);
    return pid > 0 ? process_name(pid) : NULL;
}

/* Whoever writes; else it is a reader that a commit waits for. */
char *rb_sqlite_lock_holder(const char *path)
{
    static const char *const kinds[] = {"WRITE", "READ"};
    RB_AUTO(rb_free_str) char *shared = rb_format("%s-shm", path);
    char *holder = NULL;
    for (size_t i = 0; !holder && i < sizeof kinds / sizeof *kinds; i++) {
        holder = holder_of(path, kinds[i]);
        if (!holder)
            holder = holder_of(shared, kinds[i]);
    }
    return holder ? holder : rb_strdup("");
}
