/* Finds parts of a script that act outside its transaction (lint rule RB011). */
#include "database/postgres/postgres.h"

#include <string.h>

#include "sql/statement.h"

#define DEPTH 4 /* of nested DO blocks */

/* Functions. A name that ends with "*" stands for all names with that beginning. */
static const struct {
    const char *name;
    const char *does;
} functions[] = {
    {"dblink*", "runs statements in another session"},
    {"lo_import", "reads a file of the server"},
    {"lo_export", "writes a file of the server"},
    {"pg_read_*", "reads files of the server"},
    {"pg_ls_*", "reads folders of the server"},
    {"pg_stat_file", "reads files of the server"},
    {"pg_file_*", "writes files of the server"},
    {"pg_create_logical_replication_slot", "creates a replication slot"},
    {"pg_create_physical_replication_slot", "creates a replication slot"},
    {"pg_copy_logical_replication_slot", "creates a replication slot"},
    {"pg_copy_physical_replication_slot", "creates a replication slot"},
    {"pg_drop_replication_slot", "drops a replication slot"},
    {"pg_replication_slot_advance", "moves a replication slot"},
    {"pg_logical_slot_get_*", "moves a replication slot"},
    {"pg_replication_origin_*", "changes a replication origin"},
    {"pg_logical_emit_message", "writes a message to the log of changes"},
    {"pg_terminate_backend", "ends other sessions"},
    {"pg_cancel_backend", "ends statements of other sessions"},
    {"pg_reload_conf", "reloads the server's settings"},
    {"pg_rotate_logfile", "rotates the server's log"},
    {"pg_promote", "promotes the server"},
    {"pg_switch_wal", "begins another file of the log of changes"},
    {"pg_create_restore_point", "writes a restore point"},
    {"pg_backup_*", "begins or ends a base backup"},
    {"pg_wal_replay_*", "pauses or resumes recovery"},
    {"pg_stat_reset*", "resets statistics"},
    {"setval", "moves a sequence"},
};

static const char *function_does(const rb_token *token)
{
    RB_AUTO(rb_free_str) char *name = rb_token_folded(token);
    for (size_t i = 0; name && i < sizeof functions / sizeof *functions; i++) {
        const char *listed = functions[i].name;
        const char *star = strchr(listed, '*');
        if (star ? strncmp(name, listed, (size_t)(star - listed)) == 0 : strcmp(name, listed) == 0)
            return functions[i].does;
    }
    return NULL;
}

typedef struct search {
    const char *text; /* of the whole script */
    rb_outside_found *found;
    void *context;
    int depth;
} search;

static void report(const search *s, const rb_token *at, const char *what, const char *does)
{
    RB_AUTO(rb_free_str)
    char *message =
        rb_format("%s %s, which no rollback undoes; do that outside of migrations", what, does);
    s->found(s->context, (size_t)(at->text - s->text), message);
}

/* Checks a statement. For COPY, the words after FROM or TO show what it reads or writes. */
static void check_statement(const search *s, const rb_sql_statement *statement)
{
    const rb_token *head = statement->head;
    const bool two = statement->heads > 1;
    if (two && rb_token_is(&head[0], "alter") && rb_token_is(&head[1], "system"))
        report(s, &head[0], "ALTER SYSTEM", "changes the server's settings");
    if (two && rb_token_is(&head[1], "subscription"))
        report(s, &head[0], "a SUBSCRIPTION", "connects to another server");
    if (rb_token_is(&head[0], "load"))
        report(s, &head[0], "LOAD", "loads a library into the session");
    if (rb_token_is(&head[0], "checkpoint"))
        report(s, &head[0], "CHECKPOINT", "writes the server's files");
}

static void check_text(const search *s, const char *text, size_t len);

static void check_tokens(const search *s, const rb_sql_statement *statement, rb_sql *sql)
{
    const bool copy = rb_token_is(&statement->head[0], "copy");
    const bool block = rb_token_is(&statement->head[0], "do");
    const size_t end = statement->has_data ? statement->data : statement->end;
    rb_token last = {.kind = RB_TOKEN_END};
    for (rb_token token; rb_sql_next(&token, sql) && sql->at <= end; last = token) {
        const bool name = last.kind == RB_TOKEN_WORD || last.kind == RB_TOKEN_QUOTED;
        const char *does = name && rb_token_is(&token, "(") ? function_does(&last) : NULL;
        if (does) {
            RB_AUTO(rb_free_str) char *call = rb_format("%.*s()", (int)last.len, last.text);
            RB_AUTO(rb_free_str) char *safe = rb_safe(call);
            report(s, &last, safe, does);
        }
        if (copy && (rb_token_is(&last, "from") || rb_token_is(&last, "to"))) {
            if (rb_token_is(&token, "program"))
                report(s, &token, "COPY PROGRAM", "runs a program of the server");
            else if (token.kind == RB_TOKEN_STRING)
                report(s, &token, "COPY", "reads or writes a file of the server");
        }
        if (block && token.kind == RB_TOKEN_STRING && s->depth < DEPTH) {
            const search inner = {s->text, s->found, s->context, s->depth + 1};
            size_t quote = token.text[0] == '$' ? strcspn(token.text + 1, "$") + 2 : 1;
            if (token.len >= 2 * quote)
                check_text(&inner, token.text + quote, token.len - 2 * quote);
        }
    }
}

static void check_text(const search *s, const char *text, size_t len)
{
    rb_sql sql;
    rb_sql_statement statement;
    rb_sql_init(&sql, text, len, RB_POSTGRESQL);
    while (rb_sql_statement_next(&statement, &sql)) {
        rb_sql words = sql;
        words.at = statement.start;
        check_statement(s, &statement);
        check_tokens(s, &statement, &words);
    }
}

void rb_pg_outside(const char *sql, size_t len, rb_outside_found *found, void *context)
{
    const search s = {sql, found, context, 0};
    check_text(&s, sql, len);
}
