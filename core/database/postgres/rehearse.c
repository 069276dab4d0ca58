/*
 * Makes temporary copies to run scripts on: a scratch database with the schema from pg_dump and, if
 * wanted, the rows, which are copied from session to session. Everything is read in one snapshot,
 * with locks that do not block writers.
 */
#include "database/postgres/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "database/tracking.h"

#define DUMP_LIMIT (256u << 20) /* bytes of a schema */

/* Returns the first line that a program printed: what follows is its context. */
static char *first_line(const rb_buf *printed)
{
    RB_AUTO(rb_free_str)
    char *line = rb_strndup(rb_buf_str(printed), strcspn(rb_buf_str(printed), "\n"));
    return rb_safe(line);
}

/* Sets the session's connection for a client program in its environment, so that no password
 * appears in the list of processes. */
static void add_connection(rb_strs *env, rb_pg *pg)
{
    PQconninfoOption *options = PQconninfo(pg->conn);
    for (PQconninfoOption *o = options; o && o->keyword; o++)
        if (o->envvar && o->val && *o->val)
            rb_strs_take(env, rb_format("%s=%s", o->envvar, o->val));
    PQconninfoFree(options);
}

/* Removes \restrict and \unrestrict, which pg_dump writes since 15.14: they are commands of psql.
 */
static void remove_commands(char *sql)
{
    for (char *line = sql; line && *line;) {
        char *next = strchr(line, '\n');
        if (strncmp(line, "\\restrict ", 10) == 0 || strncmp(line, "\\unrestrict ", 12) == 0)
            memset(line, ' ', next ? (size_t)(next - line) : strlen(line));
        line = next ? next + 1 : NULL;
    }
}

/* Runs pg_dump. section: "pre-data" or "post-data"; NULL: both. *out: a new string. */
static enum rb_code dump(char **out, rb_pg *from, const char *snapshot, const char *section,
                         rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs env = {0};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_AUTO(rb_free_str) char *of = rb_format("--snapshot=%s", snapshot);
    RB_AUTO(rb_free_str) char *part = rb_format("--section=%s", section ? section : "");
    const char *const argv[] = {"pg_dump",
                                "--schema-only",
                                "--no-owner",
                                "--no-acl",
                                "--no-subscriptions",
                                "--no-security-labels",
                                "--no-tablespaces",
                                "--no-password",
                                "--lock-wait-timeout=10s",
                                of,
                                section ? part : NULL,
                                NULL};
    add_connection(&env, from);
    rb_strs_add(&env, "PGCLIENTENCODING=UTF8");
    rb_strs_add(&env, "LC_ALL=C");
    const char **list = rb_calloc(env.n + 1, sizeof *list);
    for (size_t i = 0; i < env.n; i++)
        list[i] = env.items[i];
    const rb_process process = {.argv = argv, .env = list, .output_limit = DUMP_LIMIT};
    enum rb_code code = rb_process_run(&result, &process, err);
    free(list);
    RB_TRY(code);
    if (result.status != 0) {
        RB_AUTO(rb_free_str) char *why = first_line(&result.err);
        return rb_fail(err, RB_ERROR,
                       "database %s: pg_dump cannot read the schema: %.500s\nrun pg_dump "
                       "--schema-only as the same role, with a pg_dump of the server's version",
                       from->shown, why);
    }
    if (result.out.len >= DUMP_LIMIT)
        return rb_fail(err, RB_ERROR, "database %s: its schema has more than %u MiB", from->shown,
                       DUMP_LIMIT >> 20);
    *out = rb_buf_detach(&result.out);
    remove_commands(*out);
    return RB_OK;
}

static enum rb_code copy_schema(rb_pg *to, rb_pg *from, const char *snapshot, const char *section,
                                rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = NULL;
    RB_TRY(dump(&sql, from, snapshot, section, err));
    RB_TRY(rb_pg_scratch_roles(to, sql, err));
    if (rb_pg_exec(to, sql, err) != RB_OK)
        return rb_err_prefix(err, "the schema of %s cannot be created in a scratch database",
                             from->shown);
    return rb_pg_settle(to, err);
}

/* Rows: */

/* Sends the rows of a COPY from one session to the other. */
static enum rb_code pipe_rows(rb_pg *to, rb_pg *from, rb_err *err)
{
    char *line;
    int len;
    bool sent = true;
    while ((len = PQgetCopyData(from->conn, &line, 0)) > 0) {
        sent = sent && PQputCopyData(to->conn, line, len) == 1;
        PQfreemem(line);
    }
    const char *why = len == -2 ? "the rows cannot be read" : NULL;
    sent = PQputCopyEnd(to->conn, why) == 1 && sent;
    RB_AUTO(rb_pg_clear) PGresult *read = PQgetResult(from->conn);
    RB_AUTO(rb_pg_clear) PGresult *written = PQgetResult(to->conn);
    for (PGresult *more; (more = PQgetResult(from->conn)) != NULL;)
        PQclear(more);
    for (PGresult *more; (more = PQgetResult(to->conn)) != NULL;)
        PQclear(more);
    if (PQresultStatus(read) != PGRES_COMMAND_OK)
        return rb_pg_fail(err, from, read, "database %s: its rows cannot be read", from->shown);
    if (!sent || PQresultStatus(written) != PGRES_COMMAND_OK)
        return rb_pg_fail(err, to, written, "the rows of %s cannot be copied", from->shown);
    return RB_OK;
}

static enum rb_code start_copy(rb_pg *pg, const char *sql, ExecStatusType wanted, rb_err *err)
{
    RB_AUTO(rb_pg_clear) PGresult *result = PQexec(pg->conn, sql);
    if (PQresultStatus(result) == wanted)
        return RB_OK;
    return rb_pg_fail(err, pg, result, "database %s: `%s`", pg->shown, sql);
}

/* Copies the rows of a table, {"sql","columns"}. columns: those that hold data, quoted and
 * separated by commas. */
static enum rb_code copy_table(rb_pg *to, rb_pg *from, const json_t *table, rb_err *err)
{
    const char *name = rb_json_str(table, "sql");
    const char *columns = rb_json_str(table, "columns");
    RB_AUTO(rb_free_str)
    char *out = rb_format("COPY (SELECT %s FROM ONLY %s) TO STDOUT", columns, name);
    RB_AUTO(rb_free_str) char *in = rb_format("COPY %s(%s) FROM STDIN", name, columns);
    if (!*columns)
        return RB_OK;
    RB_TRY(start_copy(to, in, PGRES_COPY_IN, err));
    enum rb_code code = start_copy(from, out, PGRES_COPY_OUT, err);
    if (code == RB_OK)
        return pipe_rows(to, from, err);
    (void)!PQputCopyEnd(to->conn, "the rows cannot be read");
    for (PGresult *more; (more = PQgetResult(to->conn)) != NULL;)
        PQclear(more);
    return code;
}

/* Copies the rows of all tables; own: only of the tables that record applied migrations. */
static enum rb_code copy_rows(rb_pg *to, rb_pg *from, bool own, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *tables = NULL;
    RB_AUTO(rb_json_freep) json_t *sequences = NULL;
    RB_TRY(rb_pg_json(
        &tables, from,
        "SELECT coalesce(json_agg(json_build_object('sql', format('%I.%I', n.nspname, c.relname),"
        " 'name', c.relname, 'tool', n.nspname = 'sqitch', 'columns', (SELECT "
        "coalesce(string_agg(quote_ident(a.attname), ', '"
        " ORDER BY a.attnum), '') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND"
        " NOT a.attisdropped AND a.attgenerated = ''))), '[]') FROM pg_class c JOIN pg_namespace n"
        " ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname"
        " !~ '^(pg_|information_schema$)' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid ="
        " 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')",
        NULL, 0, err));
    rb_json_each (table, tables) {
        const char *name = rb_json_str(table, "name");
        bool applied = (rb_tracking_owns(name) && strcmp(name, "rbtool_journal") != 0) ||
                       json_is_true(json_object_get(table, "tool"));
        if (!own || applied)
            RB_TRY(copy_table(to, from, table, err));
    }
    if (own)
        return RB_OK;
    RB_TRY(
        rb_pg_json(&sequences, from,
                   "SELECT coalesce(json_agg(format('%I.%I', schemaname, sequencename) ||"
                   " E'\\t' || last_value), '[]') FROM pg_sequences WHERE last_value IS NOT NULL",
                   NULL, 0, err));
    rb_json_each (table, sequences) {
        const char *text = json_string_value(table);
        const char *tab = strrchr(text, '\t');
        RB_AUTO(rb_free_str) char *name = rb_strndup(text, (size_t)(tab - text));
        const char *params[] = {name, tab + 1};
        int64_t ignored;
        RB_TRY(rb_pg_int(&ignored, to, "SELECT setval($1::regclass, $2::int8)", params, 2, err));
    }
    return RB_OK;
}

/* ANALYZE alone would take the server's own catalogs as well, longer than a small database. */
static enum rb_code analyze(rb_pg *to, rb_err *err)
{
    RB_AUTO(rb_free_str) char *sql = NULL;
    RB_TRY(rb_pg_text(&sql, to,
                      "SELECT 'ANALYZE ' || string_agg(oid::regclass::text, ', ') FROM"
                      " pg_catalog.pg_class WHERE oid >= 16384 AND relkind IN ('r', 'm')",
                      NULL, 0, err));
    return sql ? rb_pg_exec(to, sql, err) : RB_OK;
}

/* Copying: */

enum copying { COPY_SCHEMA, COPY_ROWS, COPY_AND_KEEP };

static enum rb_code copy_all(rb_pg *to, rb_pg *from, const char *snapshot, enum copying how,
                             rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *kept = json_object();
    if (how == COPY_SCHEMA) {
        RB_TRY(copy_schema(to, from, snapshot, NULL, err));
        return copy_rows(to, from, true, err);
    }
    RB_TRY(copy_schema(to, from, snapshot, "pre-data", err));
    RB_TRY(copy_rows(to, from, false, err));
    RB_TRY(copy_schema(to, from, snapshot, "post-data", err));
    if (how == COPY_AND_KEEP)
        RB_TRY(rb_pg_keep(kept, &to->base, err));
    return analyze(to, err);
}

static enum rb_code copy_snapshot(rb_db **out, rb_pg *from, enum copying how, rb_err *err)
{
    RB_AUTO(rb_free_str) char *snapshot = NULL;
    rb_db *made;
    rb_err ignored;
    RB_TRY(rb_pg_scratch(&made, RB_DB_CLOCK_REAL, err));
    RB_AUTO(rb_pg_closep) rb_pg *copy = rb_pg_of(made);
    RB_TRY(rb_pg_exec(from, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
    enum rb_code code = rb_pg_text(&snapshot, from, "SELECT pg_export_snapshot()", NULL, 0, err);
    if (code == RB_OK)
        code = copy_all(copy, from, snapshot, how, err);
    (void)!rb_pg_exec(from, "ROLLBACK", &ignored);
    RB_TRY(code);
    *out = made;
    copy = NULL;
    return RB_OK;
}

enum rb_code rb_pg_rehearse(rb_db **out, rb_db *of, const char *dir, bool rows, rb_err *err)
{
    (void)dir; /* the scratch server has its own folder */
    return copy_snapshot(out, rb_pg_of(of), rows ? COPY_AND_KEEP : COPY_SCHEMA, err);
}

/* Rows of a dump: of COPY, which end with "\\.", or of an INSERT, whose quotes are balanced. */
enum rows { ROWS_NONE, ROWS_COPY, ROWS_INSERT };

/* Reads the statements of a dump without comments and rows, which might not fit into memory.
 * *archive is true, and nothing is read, for what pg_restore loads: an archive, a tar file, or a
 * folder, which cannot be read as a file.
 */
static enum rb_code read_dump(rb_buf *out, bool *archive, const char *path, rb_err *err)
{
    FILE *file = fopen(path, "re");
    RB_AUTO(rb_free_str) char *line = NULL;
    size_t room = 0;
    enum rows rows = ROWS_NONE;
    bool quoted = false;
    ssize_t n = file ? getline(&line, &room, file) : -1;
    *archive = n <= 0 || strncmp(line, "PGDMP", 5) == 0 || strncmp(line, "toc.dat", 7) == 0;
    for (; !*archive && n > 0 && out->len < DUMP_LIMIT; n = getline(&line, &room, file)) {
        if (rows == ROWS_NONE && strncmp(line, "INSERT INTO ", 12) == 0)
            rows = ROWS_INSERT;
        if (rows == ROWS_NONE && strncmp(line, "--", 2) != 0)
            rb_buf_add(out, line, (size_t)n);
        for (const char *at = line; rows == ROWS_INSERT && (at = strchr(at, '\'')); at++)
            quoted = !quoted;
        if (rows == ROWS_NONE && strncmp(line, "COPY ", 5) == 0 && strstr(line, " FROM stdin;\n"))
            rows = ROWS_COPY;
        else if (rows == ROWS_COPY ? strcmp(line, "\\.\n") == 0
                                   : !quoted && n > 1 && strcmp(line + n - 2, ";\n") == 0)
            rows = ROWS_NONE;
    }
    if (file)
        (void)fclose(file);
    if (out->len < DUMP_LIMIT)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "%s has more than %u MiB of statements besides its rows\nwrite an archive with "
                   "`pg_dump -Fc --no-owner --no-acl`",
                   path, DUMP_LIMIT >> 20);
}

/* Refuses a compressed dump, by its first bytes. */
static enum rb_code check_packed(const char *path, rb_err *err)
{
    static const struct {
        const char *magic;
        const char *program;
    } packers[] = {{"\x1f\x8b", "gunzip"},
                   {"\xfd"
                    "7zXZ",
                    "unxz"},
                   {"\x28\xb5\x2f\xfd", "unzstd"},
                   {"BZh", "bunzip2"}};
    char head[8] = {0};
    RB_AUTO(rb_buf_clear) rb_buf quoted = {0};
    FILE *file = fopen(path, "re");
    if (file) {
        (void)!fread(head, 1, sizeof head - 1, file);
        (void)fclose(file);
    }
    rb_text_quote(&quoted, path);
    for (size_t i = 0; i < sizeof packers / sizeof *packers; i++)
        if (strncmp(head, packers[i].magic, strlen(packers[i].magic)) == 0)
            return rb_fail(
                err, RB_ERROR,
                "the dump %s is compressed\nwrite it out with `%s -c <%s >dump.sql`, and "
                "give that file to --from",
                path, packers[i].program, rb_buf_str(&quoted));
    return RB_OK;
}

/* Returns what is special about a dump that cannot be loaded, or "". */
static const char *peculiar(const char *sql, const char *why)
{
    if (strstr(sql, "\nCREATE DATABASE "))
        return "it was written with --create, which makes a database of its own: ";
    return strstr(why, "ERROR:  relation \"") && strstr(why, "does not exist")
               ? "it lacks a table, as --data-only and --table leave it out: "
               : "";
}

/* Loads a file of pg_dump: plain SQL with psql, an archive or folder with pg_restore. */
static enum rb_code load_dump(rb_pg *to, const char *file, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs env = {0};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_AUTO(rb_buf_clear) rb_buf sql = {0};
    bool archive;
    RB_TRY(check_packed(file, err));
    RB_TRY(read_dump(&sql, &archive, file, err));
    const char *const psql[] = {"psql", "-Xqw", "-v", "ON_ERROR_STOP=1", "-f", file, NULL};
    const char *const restore[] = {"pg_restore",      "--no-owner", "--no-acl",
                                   "--exit-on-error", "-w",         "-d",
                                   to->scratch,       file,         NULL};
    if (!archive)
        RB_TRY(rb_pg_scratch_roles(to, rb_buf_str(&sql), err));
    add_connection(&env, to);
    const char **list = rb_calloc(env.n + 1, sizeof *list);
    for (size_t i = 0; i < env.n; i++)
        list[i] = env.items[i];
    const rb_process process = {.argv = archive ? restore : psql, .env = list};
    enum rb_code code = rb_process_run(&result, &process, err);
    free(list);
    RB_TRY(code);
    if (result.status == 0)
        return analyze(to, err);
    RB_AUTO(rb_free_str) char *why = first_line(&result.err);
    return rb_fail(err, RB_ERROR,
                   "%s cannot be loaded into a scratch database: %.500s\n%swrite it with `pg_dump "
                   "--no-owner --no-acl`",
                   file, why, peculiar(rb_buf_str(&sql), why));
}

enum rb_code rb_pg_copy(char **url, rb_db *db, const char *dump, const char *into, rb_err *err)
{
    rb_db *made;
    (void)into;
    RB_TRY(dump ? rb_pg_scratch(&made, RB_DB_CLOCK_REAL, err)
                : copy_snapshot(&made, rb_pg_of(db), COPY_ROWS, err));
    RB_AUTO(rb_pg_closep) rb_pg *copy = rb_pg_of(made);
    if (dump)
        RB_TRY(load_dump(copy, dump, err));
    *url = rb_pg_scratch_url(copy);
    return RB_OK;
}
