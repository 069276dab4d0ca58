#include "database/sqlite/effects.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/loss.h"
#include "sql/alter_parser.h"
#include "sql/token.h"

struct rb_write {
    enum rb_write_kind kind;
    char *table;
    char *column;
    bool in_trigger;
};

void rb_effects_note(rb_sqlite *db, enum rb_write_kind kind, const char *schema, const char *table,
                     const char *column, bool in_trigger)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (!state->effects || !table || (schema && strcmp(schema, "main") != 0) ||
        strncasecmp(table, "sqlite_", 7) == 0)
        return;
    if ((state->write_count & (state->write_count + 1)) ==
        0) /* the array is full at 0, 1, 3, 7, ... */
        state->writes =
            rb_realloc(state->writes, state->write_count * 2 + 1, sizeof *state->writes);
    state->writes[state->write_count++] =
        (struct rb_write){kind, rb_strdup(table), column ? rb_strdup(column) : NULL, in_trigger};
}

void rb_effects_forget(rb_sqlite_state *state)
{
    for (size_t i = 0; i < state->write_count; i++) {
        free(state->writes[i].table);
        free(state->writes[i].column);
    }
    free(state->writes);
    state->writes = NULL;
    state->write_count = 0;
}

/* Properties of a statement that its words show. */
typedef struct statement {
    bool replaces; /* OR REPLACE */
    bool explains; /* EXPLAIN: nothing runs */
    bool refers;   /* REFERENCES */
    bool is_new;   /* it computes values that differ each time: random(), the time */
    rb_ddl ddl;
} statement;

static void read_statement(statement *out, const char *sql, size_t len)
{
    static const char *const volatiles[] = {"RANDOM", "RANDOMBLOB", "CURRENT_TIMESTAMP",
                                            "CURRENT_DATE", "CURRENT_TIME"};
    const char *at = sql;
    const char *end = sql + len;
    rb_token token;
    *out = (statement){0};
    for (size_t i = 0; rb_token_next(&token, &at, end); i++) {
        out->explains = out->explains || (i == 0 && rb_token_is(&token, "EXPLAIN"));
        out->replaces = out->replaces || rb_token_is(&token, "REPLACE");
        out->refers = out->refers || rb_token_is(&token, "REFERENCES");
        for (size_t k = 0; k < sizeof volatiles / sizeof *volatiles; k++)
            out->is_new = out->is_new || rb_token_is(&token, volatiles[k]);
        out->is_new = out->is_new || (token.kind == RB_TOKEN_STRING && token.len == 5 &&
                                      strncasecmp(token.text, "'now'", 5) == 0);
    }
}

/* Sets *out if an INSERT can destroy rows. In a virtual table it may be a command, such as
 * 'delete-all' of a full-text index; and a table's definition can make a plain INSERT replace rows.
 */
static enum rb_code insert_destroys(bool *out, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = rb_sqlite_text(table);
    RB_AUTO(rb_free_str) char *sql = NULL;
    rb_token token;
    statement definition;
    *out = false;
    RB_TRY(rb_sqlite_string(&sql, db,
                            rb_format("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND"
                                      " name = %s COLLATE NOCASE",
                                      name),
                            err));
    if (!sql)
        return RB_OK;
    read_statement(&definition, sql, strlen(sql));
    const char *at = sql;
    const char *end = sql + strlen(sql);
    bool is_virtual = rb_token_next(&token, &at, end) && rb_token_next(&token, &at, end) &&
                      rb_token_is(&token, "VIRTUAL");
    *out = definition.replaces || is_virtual;
    return RB_OK;
}

static void set_column(json_t *effect, const char *key, const char *column, const char *how)
{
    json_t *columns = json_object_get(effect, key);
    if (!columns) {
        columns = json_object();
        json_object_set_new(effect, key, columns);
    }
    RB_AUTO(rb_free_str) char *name = rb_loss_key(column);
    json_object_set_new_nocheck(columns, name, json_string(how));
}

/* Gives the column of an ALTER TABLE the case of the schema. */
static enum rb_code spell_column(rb_ddl *ddl, rb_sqlite *db, const char *table, rb_err *err)
{
    RB_AUTO(rb_free_str) char *own = rb_sqlite_text(table);
    RB_AUTO(rb_free_str) char *column = rb_sqlite_text(ddl->column ? ddl->column : "");
    RB_AUTO(rb_free_str) char *spelled = NULL;
    RB_TRY(rb_sqlite_string(&spelled, db,
                            rb_format("SELECT name FROM pragma_table_xinfo(%s, 'main') WHERE name ="
                                      " %s COLLATE NOCASE",
                                      own, column),
                            err));
    if (spelled) {
        free(ddl->column);
        ddl->column = RB_TAKE(spelled);
    }
    return RB_OK;
}

static void add_alter(json_t *effects, json_t *effect, const rb_ddl *ddl)
{
    switch (ddl->kind) {
    case RB_DDL_RENAME_TABLE:
        rb_json_set_str(effect, "renamed", ddl->new_name);
        json_object_set_new(rb_loss_effect(effects, ddl->new_name), "arrived", json_true());
        break;
    case RB_DDL_RENAME_COLUMN:
        set_column(effect, "columns", ddl->column, "rename");
        break;
    case RB_DDL_DROP_COLUMN:
        set_column(effect, "columns", ddl->column, "drop");
        break;
    default: /* adding a column destroys nothing */
        break;
    }
}

static enum rb_code add_insert(json_t *effect, rb_sqlite *db, const struct rb_write *w,
                               const statement *s, rb_err *err)
{
    bool destroys = s->replaces || w->in_trigger;
    if (!destroys && !json_object_get(effect, "inserts"))
        RB_TRY(insert_destroys(&destroys, db, w->table, err));
    if (destroys)
        json_object_set_new(effect, "rows", json_true());
    json_object_set_new(effect, "inserts", json_true());
    return RB_OK;
}

static enum rb_code add_write(rb_sqlite *db, const struct rb_write *w, statement *s, rb_err *err)
{
    json_t *effect = rb_loss_effect(rb_sqlite_state_of(db)->effects, w->table);
    bool is_rowid = !w->column || !*w->column || strcasecmp(w->column, "ROWID") == 0;
    switch (w->kind) {
    case RB_WRITE_INSERT:
        return add_insert(effect, db, w, s, err);
    case RB_WRITE_UPDATE:
        if (s->replaces || is_rowid)
            json_object_set_new(effect, "rows", json_true());
        if (!is_rowid)
            set_column(effect, "columns", w->column, "update");
        if (!is_rowid && s->is_new)
            set_column(effect, "generated", w->column, "update");
        return RB_OK;
    case RB_WRITE_DROP:
        json_object_set_new(effect, "dropped", json_true());
        json_object_set_new(effect, "rows", json_true());
        return RB_OK;
    case RB_WRITE_DELETE:
        json_object_set_new(effect, "rows", json_true());
        return RB_OK;
    case RB_WRITE_ALTER:
        RB_TRY(spell_column(&s->ddl, db, w->table, err));
        add_alter(rb_sqlite_state_of(db)->effects, effect, &s->ddl);
        if (s->refers) /* the default of a new column may have no parent */
            json_object_set_new(effect, "inserts", json_true());
        return RB_OK;
    }
    return RB_OK;
}

enum rb_code rb_effects_add(rb_sqlite *db, const char *sql, size_t len, rb_err *err)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    enum rb_code code = RB_OK;
    if (state->write_count == 0)
        return RB_OK;
    statement s;
    read_statement(&s, sql, len);
    rb_ddl_read(&s.ddl, sql, len);
    for (size_t i = 0; i < state->write_count && code == RB_OK && !s.explains; i++)
        code = add_write(db, &state->writes[i], &s, err);
    rb_ddl_clear(&s.ddl);
    rb_effects_forget(state);
    return code;
}
