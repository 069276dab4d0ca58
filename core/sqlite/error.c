/* Error messages of SQLite, with their causes. */
#include "sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define LOCKS_LIMIT (4u << 20)

static int cause_of(const rb_sqlite *db)
{
    return sqlite3_errcode(db->handle) & 0xff;
}

bool rb_sqlite_is_constraint(const rb_sqlite *db)
{
    return cause_of(db) == SQLITE_CONSTRAINT;
}

static const char *advice(int cause)
{
    switch (cause) {
    case SQLITE_FULL:
        return "the disk, or the database's own size limit, is full; free space and run again";
    case SQLITE_IOERR:
        return "the disk failed; check it, its free space and the system's log, then run again";
    case SQLITE_CORRUPT:
        return "the file is damaged; look with PRAGMA integrity_check and restore a backup";
    case SQLITE_NOTADB:
        return "this is not an SQLite database, or it is encrypted";
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return "it cannot be written; check the permissions of the file and its folder";
    case SQLITE_CANTOPEN:
        return "check that the file exists, may be read, and that its folder may be written";
    case SQLITE_INTERRUPT:
        return "stopped on request";
    default:
        return NULL;
    }
}

/* Returns the cause and the remedy for a message about something that this process lacks, such as
 * an extension; NULL for other messages. */
static const char *explain_message(const char *message)
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

static char *explain(rb_sqlite *db, enum rb_code *code)
{
    *code = RB_ERROR;
    if (db->denied.len)
        return rb_strdup(rb_buf_str(&db->denied));
    char *known = db->options && db->options->explain ? db->options->explain(db, code) : NULL;
    if (known)
        return known;
    rb_buf out = {0};
    const char *message = sqlite3_errmsg(db->handle);
    int cause = cause_of(db);
    rb_buf_add_safe(&out, message, strlen(message));
    if (cause == SQLITE_BUSY || cause == SQLITE_LOCKED) {
        RB_AUTO(rb_free_str) char *holder = rb_sqlite_lock_holder(db->path);
        rb_buf_printf(&out, ": %s kept it locked for %d s; stop it, or run again when it is done",
                      holder[0] ? holder : "another connection", RB_SQLITE_BUSY_MS / 1000);
    }
    const char *why = advice(cause);
    if (!why)
        why = explain_message(message);
    if (why)
        rb_buf_printf(&out, ": %s", why);
    int saved =
        cause == SQLITE_IOERR || cause == SQLITE_CANTOPEN ? sqlite3_system_errno(db->handle) : 0;
    if (saved)
        rb_buf_printf(&out, " (%s)", strerror(saved));
    return rb_buf_detach(&out);
}

char *rb_sqlite_explain(rb_sqlite *db)
{
    enum rb_code ignored;
    return explain(db, &ignored);
}

enum rb_code rb_sqlite_fail(rb_sqlite *db, const char *doing, rb_err *err)
{
    enum rb_code code;
    RB_AUTO(rb_free_str) char *path = rb_safe(db->path);
    RB_AUTO(rb_free_str) char *why = explain(db, &code);
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

/* Parses a line of /proc/locks, "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF". Returns the
 * process if it holds a lock of that kind on the file; 0 otherwise, and for this process. */
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

/* Reads /proc/locks, because F_GETLK needs a second descriptor, and closing that would drop
 * SQLite's locks. */
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

/* Prefers a process with a write lock. A reader is named if there is none, because it can delay a
 * commit. */
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
