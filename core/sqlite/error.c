/* Error messages of SQLite, with their causes. */
#include "sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/text.h"

#define LOCKS_LIMIT (4u << 20)

static int cause_of(const rb_sqlite *db)
{
    return sqlite3_errcode(db->handle) & 0xff;
}

bool rb_sqlite_is_constraint(const rb_sqlite *db)
{
    return cause_of(db) == SQLITE_CONSTRAINT;
}

/* Appends what to do about a cause. path: in quotes, for a command. */
static void advise(rb_buf *out, int cause, const char *path)
{
    switch (cause) {
    case SQLITE_FULL:
        rb_buf_printf(out,
                      "the disk, or the database's own size limit, is full: see `df -h %s`, free "
                      "space and run again",
                      path);
        break;
    case SQLITE_IOERR:
        rb_buf_printf(out,
                      "the disk failed: check `df -h %s` and the system's log with `journalctl "
                      "-k`, then run again",
                      path);
        break;
    case SQLITE_CORRUPT:
        rb_buf_printf(out,
                      "the file is damaged: see what is wrong with `sqlite3 %s 'PRAGMA "
                      "integrity_check'`, and restore a copy of it",
                      path);
        break;
    case SQLITE_NOTADB:
        rb_buf_printf(out,
                      "it is encrypted, damaged or something else: see what it begins with by "
                      "`head -c 16 %s`, and check the url in rbtool.json",
                      path);
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        rb_buf_printf(out,
                      "check with `ls -la %s` that the file may be read and written, and that its "
                      "folder may be written",
                      path);
        break;
    case SQLITE_INTERRUPT:
        rb_buf_puts(out, "stopped on request");
        break;
    default:
        break;
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

/* Returns the cause of the last failure, and appends what to do about it to `hint`. */
static char *explain(rb_sqlite *db, rb_buf *hint, enum rb_code *code)
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
        rb_buf_printf(&out, ": %s kept it locked for %d s",
                      holder[0] ? holder : "another connection", RB_SQLITE_BUSY_MS / 1000);
        rb_buf_puts(hint, "stop it, or run again when it is done");
    }
    int saved =
        cause == SQLITE_IOERR || cause == SQLITE_CANTOPEN ? sqlite3_system_errno(db->handle) : 0;
    if (saved)
        rb_buf_printf(&out, " (%s)", strerror(saved));
    RB_AUTO(rb_buf_clear) rb_buf path = {0};
    rb_text_quote(&path, db->path);
    const size_t before = hint->len;
    advise(hint, cause, path.data);
    const char *remedy = hint->len == before ? explain_message(message) : NULL;
    if (remedy)
        rb_buf_puts(hint, remedy);
    return rb_buf_detach(&out);
}

char *rb_sqlite_explain(rb_sqlite *db)
{
    enum rb_code ignored;
    RB_AUTO(rb_buf_clear) rb_buf hint = {0};
    RB_AUTO(rb_free_str) char *why = explain(db, &hint, &ignored);
    return rb_format("%s%s%s", why, hint.len > 0 ? ": " : "", rb_buf_str(&hint));
}

enum rb_code rb_sqlite_fail(rb_sqlite *db, const char *doing, rb_err *err)
{
    enum rb_code code;
    RB_AUTO(rb_buf_clear) rb_buf hint = {0};
    RB_AUTO(rb_free_str) char *path = rb_safe(db->path);
    RB_AUTO(rb_free_str) char *why = explain(db, &hint, &code);
    return rb_fail(err, code, "database sqlite:%s: %s: %s\n%s", path, doing, why,
                   rb_buf_str(&hint));
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
