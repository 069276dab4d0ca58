/*
 * Scripts with statements that PostgreSQL refuses in a transaction: finds them, and runs them so
 * that an interrupted script can be completed or undone.
 */
#include "database/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>

#include "database/postgres/session.h"
#include "sql/statement.h"

#define WORDS 16 /* tokens read at the start of a statement */

enum kind {
    KIND_PLAIN,      /* runs in a transaction */
    KIND_SETTING,    /* also runs in a transaction, and has no lasting effect */
    KIND_CREATE,     /* CREATE INDEX CONCURRENTLY */
    KIND_DROP,       /* DROP INDEX CONCURRENTLY */
    KIND_DETACH,     /* DETACH PARTITION CONCURRENTLY */
    KIND_REINDEX,    /* REINDEX CONCURRENTLY, or of more than one table */
    KIND_REPEATABLE, /* VACUUM, CLUSTER: may run again */
};

typedef struct statement {
    enum kind kind;
    bool fresh;  /* only creates indexes, so that repeating it is harmless */
    char *name;  /* name of the index or partition; NULL: chosen by PostgreSQL */
    char *table; /* its table, as written in SQL; of REINDEX, what is rebuilt; NULL: several */
} statement;

static void statement_clear(statement *s)
{
    free(s->name);
    free(s->table);
    *s = (statement){0};
}

typedef struct words {
    rb_token at[WORDS];
    size_t n;
} words;

static bool is(const words *w, size_t i, const char *word)
{
    return i < w->n && rb_token_is(&w->at[i], word);
}

static size_t find(const words *w, const char *word)
{
    size_t i = 0;
    while (i < w->n && !is(w, i, word))
        i++;
    return i;
}

/* Returns the index after an optional IF [NOT] EXISTS, ONLY or CONCURRENTLY. */
static size_t after_options(const words *w, size_t i)
{
    static const char *const options[] = {"if", "not", "exists", "only", "concurrently"};
    for (size_t o = 0; o < sizeof options / sizeof *options; o++)
        i += is(w, i, options[o]);
    return i;
}

/* Returns the name at i as written, with its schema if it has one; NULL if no name stands at i. */
static char *name_at(const words *w, size_t i)
{
    size_t last = i;
    if (i >= w->n || (w->at[i].kind != RB_TOKEN_WORD && w->at[i].kind != RB_TOKEN_QUOTED))
        return NULL;
    while (is(w, last + 1, ".") && last + 2 < w->n)
        last += 2;
    const char *end = w->at[last].text + w->at[last].len;
    return rb_strndup(w->at[i].text, (size_t)(end - w->at[i].text));
}

static void read_create(statement *out, const words *w, size_t at)
{
    size_t i = after_options(w, at + 1);
    out->kind = KIND_CREATE;
    out->fresh = true;
    if (!is(w, i, "on") && i < w->n)
        out->name = rb_token_name(&w->at[i]);
    out->table = name_at(w, after_options(w, find(w, "on") + 1));
}

static void read_reindex(statement *out, const words *w)
{
    const size_t index = find(w, "index");
    const size_t table = find(w, "table");
    const size_t what = index < table ? index : table;
    if (find(w, "concurrently") == w->n && what < w->n)
        return;
    out->kind = KIND_REINDEX;
    out->fresh = true;
    out->table = what < w->n ? name_at(w, after_options(w, what + 1)) : NULL;
}

static void read_statement(statement *out, const char *sql, size_t len)
{
    words w = {.n = 0};
    rb_sql in;
    rb_sql_init(&in, sql, len, RB_POSTGRESQL);
    while (w.n < WORDS && rb_sql_next(&w.at[w.n], &in))
        w.n++;
    const size_t concurrently = find(&w, "concurrently");
    *out = (statement){0};
    if (is(&w, 0, "create") && concurrently <= 3 && is(&w, concurrently - 1, "index")) {
        read_create(out, &w, concurrently);
    } else if (is(&w, 0, "drop") && is(&w, 1, "index") && is(&w, 2, "concurrently")) {
        out->kind = KIND_DROP;
        out->name = name_at(&w, after_options(&w, 3));
    } else if (is(&w, 0, "alter") && find(&w, "detach") < w.n && concurrently < w.n) {
        out->kind = KIND_DETACH;
        out->table = name_at(&w, after_options(&w, 2));
        out->name = name_at(&w, find(&w, "partition") + 1);
    } else if (is(&w, 0, "reindex")) {
        read_reindex(out, &w);
    } else if (is(&w, 0, "vacuum") || (is(&w, 0, "cluster") && (w.n == 1 || is(&w, 1, ";")))) {
        out->kind = KIND_REPEATABLE;
        out->fresh = true;
    } else if (is(&w, 0, "set") || is(&w, 0, "reset") || is(&w, 0, "analyze")) {
        out->kind = KIND_SETTING;
        out->fresh = true;
    }
}

/* Where a transaction has to end: */

/* Sets alone and commits of the step. adds: receives the enum values that the script adds. Returns
 * true if it uses one of those in `before`. */
static bool read_script(rb_strs *adds, rb_db_step *step, const rb_script *script,
                        const rb_strs *before)
{
    RB_AUTO(rb_strs_clear) rb_strs own = {0};
    bool uses = false;
    rb_sql sql;
    rb_sql_statement s;
    rb_sql_init(&sql, script->text, script->len, RB_POSTGRESQL);
    while (rb_sql_statement_next(&s, &sql)) {
        statement read;
        read_statement(&read, script->text + s.start, s.end - s.start);
        step->alone |= read.kind != KIND_PLAIN && read.kind != KIND_SETTING;
        statement_clear(&read);
        uses |= rb_pg_uses_values(adds, script->text, &s, before);
        step->commits |= !script->transactional && rb_pg_uses_values(&own, script->text, &s, &own);
    }
    step->alone |= step->commits;
    return uses;
}

void rb_pg_segments(rb_db_step *steps, size_t n)
{
    RB_AUTO(rb_strs_clear) rb_strs added = {0}; /* enum values that no border has committed yet */
    bool after = false;
    for (size_t i = 0; i < n; i++) {
        const rb_migration *m = steps[i].migration;
        const rb_script *script = steps[i].up ? &m->up : &m->down;
        const bool runs = script->present && !m->code && !steps[i].was;
        RB_AUTO(rb_strs_clear) rb_strs adds = {0};
        const bool uses = runs && read_script(&adds, &steps[i], script, &added);
        steps[i].border = after || steps[i].alone || uses;
        after = steps[i].alone;
        if (steps[i].border)
            rb_strs_clear(&added);
        for (size_t v = 0; v < adds.n; v++)
            rb_strs_add(&added, adds.items[v]);
    }
}

/* Running a script alone: */

typedef struct run {
    rb_pg *pg;
    const rb_db_text *sql;
    json_t *had;
    bool again;
    bool settled; /* all statements so far only created indexes */
    size_t ran;
} run;

/* Finds indexes that the script made. $1: their table, or the index that REINDEX rebuilds, in SQL,
 * or NULL; $2: name of the index or NULL; $3: oids that existed before; $4: finished indexes, too.
 * REINDEX names the index that it builds ..._ccnew, and the one that it replaces ..._ccold. */
static const char made_sql[] =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_index i"
    " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE NOT ($3::jsonb ? i.indexrelid::text) AND ($4::bool OR NOT i.indisvalid)"
    " AND ($1::text IS NULL OR to_regclass($1) IN (i.indrelid, i.indexrelid) OR i.indrelid ="
    " (SELECT o.indrelid FROM pg_index o WHERE o.indexrelid = to_regclass($1)))"
    " AND CASE WHEN $2::name IS NULL THEN c.relname ~ $5 ELSE c.relname = $2::name END";

static enum rb_code drop_made(rb_pg *pg, const statement *s, const json_t *had, bool finished,
                              rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf existed = {0};
    RB_AUTO(rb_pg_clear) PGresult *found = NULL;
    if (s->kind != KIND_CREATE && s->kind != KIND_REINDEX)
        return RB_OK;
    rb_json_canonical(&existed, had);
    const bool reindex = s->kind == KIND_REINDEX;
    const char *params[] = {s->table, s->name, rb_buf_str(&existed),
                            finished && !reindex ? "t" : "f",
                            reindex ? "_cc(new|old)[0-9]*$" : "."};
    RB_TRY(rb_pg_rows(&found, pg, made_sql, params, 5, err));
    for (int i = 0; i < PQntuples(found); i++) {
        RB_AUTO(rb_free_str)
        char *sql = rb_format("DROP INDEX CONCURRENTLY %s", PQgetvalue(found, i, 0));
        RB_TRY(rb_pg_exec(pg, sql, err));
    }
    return RB_OK;
}

/* Sets *out if DROP INDEX CONCURRENTLY has marked the index and not removed it, or if the
 * partition's detach is pending. */
static enum rb_code is_half_way(bool *out, rb_pg *pg, const statement *s, rb_err *err)
{
    int64_t found = 0;
    const char *params[] = {s->name};
    if (s->name && s->kind == KIND_DROP)
        RB_TRY(rb_pg_int(&found, pg,
                         "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT"
                         " indisvalid",
                         params, 1, err));
    if (s->name && s->kind == KIND_DETACH)
        RB_TRY(rb_pg_int(&found, pg,
                         "SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass($1) AND"
                         " inhdetachpending",
                         params, 1, err));
    *out = found > 0;
    return RB_OK;
}

/* Sets *out if the statement of an interrupted script took effect. Completes a pending detach
 * first. */
static enum rb_code has_happened(bool *out, run *r, const statement *s, rb_err *err)
{
    int64_t found = 0;
    const char *index[] = {s->table, s->name};
    const char *one[] = {s->name};
    bool pending = false;
    switch (s->kind) {
    case KIND_CREATE:
        RB_TRY(rb_pg_int(&found, r->pg,
                         "SELECT count(*) FROM pg_index JOIN pg_class c ON c.oid = indexrelid"
                         " WHERE indrelid = to_regclass($1) AND relname = $2 AND indisvalid",
                         index, 2, err));
        *out = found > 0;
        return RB_OK;
    case KIND_DROP:
        RB_TRY(rb_pg_int(&found, r->pg, "SELECT to_regclass($1) IS NULL", one, 1, err));
        *out = found > 0;
        return RB_OK;
    case KIND_DETACH:
        RB_TRY(is_half_way(&pending, r->pg, s, err));
        if (pending) {
            RB_AUTO(rb_free_str)
            char *sql = rb_format("ALTER TABLE %s DETACH PARTITION %s FINALIZE", s->table, s->name);
            RB_TRY(rb_pg_exec(r->pg, sql, err));
        }
        RB_TRY(rb_pg_int(&found, r->pg,
                         "SELECT NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid ="
                         " to_regclass($1))",
                         one, 1, err));
        *out = found > 0;
        return RB_OK;
    case KIND_PLAIN:
    case KIND_SETTING:
    case KIND_REINDEX:
    case KIND_REPEATABLE:
        break;
    }
    *out = false;
    return RB_OK;
}

static bool is_known(const statement *s)
{
    return s->kind != KIND_PLAIN && (s->kind != KIND_CREATE || (s->name && s->table)) &&
           ((s->kind != KIND_DROP && s->kind != KIND_DETACH) || s->name);
}

/* Called before each statement: skips it if it took effect before the interruption. */
static enum rb_code decide(bool *skip, void *context, const rb_sql_statement *at, rb_err *err)
{
    run *r = context;
    statement s;
    enum rb_code code = RB_OK;
    read_statement(&s, r->sql->text + at->start, at->end - at->start);
    *skip = false;
    if (r->again && !is_known(&s))
        code = rb_fail(err, RB_HALFWAY,
                       "%s: %s line %zu: it was cut off, and nothing shows whether this statement "
                       "has happened",
                       r->sql->what, r->sql->file,
                       r->sql->line + rb_sql_line(r->sql->text, at->start) - 1);
    if (code == RB_OK && r->again)
        code = has_happened(skip, r, &s, err);
    statement_clear(&s);
    return code;
}

/* Calls `each` for the first `most` statements of the script, until a call fails. */
static enum rb_code for_each(run *r, enum rb_code (*each)(run *, const statement *, rb_err *),
                             size_t most, rb_err *err)
{
    rb_sql sql;
    rb_sql_statement at;
    enum rb_code code = RB_OK;
    rb_sql_init(&sql, r->sql->text, strlen(r->sql->text), RB_POSTGRESQL);
    for (size_t i = 0; i < most && code == RB_OK && rb_sql_statement_next(&at, &sql); i++) {
        statement s;
        read_statement(&s, r->sql->text + at.start, at.end - at.start);
        code = each(r, &s, err);
        statement_clear(&s);
    }
    return code;
}

static enum rb_code drop_unfinished(run *r, const statement *s, rb_err *err)
{
    return drop_made(r->pg, s, r->had, false, err);
}

static enum rb_code drop_all(run *r, const statement *s, rb_err *err)
{
    return drop_made(r->pg, s, r->had, true, err);
}

static enum rb_code look_settled(run *r, const statement *s, rb_err *err)
{
    (void)err;
    r->settled &= s->fresh;
    return RB_OK;
}

static enum rb_code look_half_way(run *r, const statement *s, rb_err *err)
{
    bool half = false;
    RB_TRY(is_half_way(&half, r->pg, s, err));
    r->settled &= !half;
    return RB_OK;
}

/* Undoes the first `ran` statements; the last one may have failed. *left: some could not be undone.
 */
static enum rb_code undo(bool *left, run *r, bool failed, rb_err *err)
{
    *left = true;
    r->settled = true;
    if (PQtransactionStatus(r->pg->conn) != PQTRANS_IDLE)
        return rb_pg_fail(err, r->pg, NULL, "database %s", r->pg->shown);
    RB_TRY(rb_pg_settle(r->pg, err));
    RB_TRY(for_each(r, look_settled, failed && r->ran > 0 ? r->ran - 1 : r->ran, err));
    RB_TRY(for_each(r, look_half_way, r->ran, err));
    RB_TRY(for_each(r, r->settled ? drop_all : drop_unfinished, r->ran, err));
    *left = !r->settled;
    return RB_OK;
}

static enum rb_code look(json_t *had, rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *found = NULL;
    RB_TRY(rb_pg_json(&found, pg,
                      "SELECT coalesce(json_object_agg(indexrelid, indisvalid), '{}') FROM pg_index"
                      " WHERE indexrelid >= 16384",
                      NULL, 0, err));
    json_object_update(had, found);
    return RB_OK;
}

enum rb_code rb_pg_alone(bool *happened, rb_db *db, const rb_db_text *sql, enum rb_alone act,
                         json_t *had, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    run r = {.pg = pg, .sql = sql, .had = had, .again = act == RB_ALONE_AGAIN, .ran = SIZE_MAX};
    rb_err why;
    if (act == RB_ALONE_LOOK)
        return look(had, pg, err);
    if (act == RB_ALONE_UNDO)
        return undo(happened, &r, false, err);
    if (act == RB_ALONE_AGAIN)
        RB_TRY(for_each(&r, drop_unfinished, SIZE_MAX, err));
    enum rb_code code = rb_pg_script_outside(pg, sql, &r.ran, decide, &r, err);
    *happened = true;
    if (code == RB_OK || code == RB_HALFWAY)
        return code;
    if (undo(happened, &r, true, &why) != RB_OK) {
        RB_AUTO(rb_free_str) char *first = rb_strdup(err->message);
        return rb_fail(err, code, "%s; and what it did could not be undone: %s\n%s", first,
                       why.message, why.hint);
    }
    return code;
}
