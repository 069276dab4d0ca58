#include "sql/alter_parser.h"

#include <stdlib.h>

#include "sql/token.h"

#define HEAD 12 /* number of tokens that identify a DROP or ALTER statement */

typedef struct head {
    rb_token items[HEAD];
    size_t n;
    size_t at;
} head;

static bool take(head *h, const char *word)
{
    if (h->at >= h->n || !rb_token_is(&h->items[h->at], word))
        return false;
    h->at++;
    return true;
}

static char *take_name(head *h)
{
    if (h->at >= h->n || h->items[h->at].kind > RB_TOKEN_STRING)
        return NULL;
    return rb_token_name(&h->items[h->at++]);
}

/* Takes [SCHEMA.]NAME and returns the name; NULL if the next token is not a name. */
static char *take_table(head *h)
{
    char *name = take_name(h);
    if (!name || !take(h, "."))
        return name;
    free(name);
    return take_name(h);
}

static void read_alter(rb_ddl *out, head *h)
{
    out->table = take_table(h);
    if (take(h, "DROP")) {
        take(h, "COLUMN");
        out->kind = RB_DDL_DROP_COLUMN;
        out->column = take_name(h);
    } else if (take(h, "ADD")) {
        out->kind = RB_DDL_ADD_COLUMN;
    } else if (take(h, "RENAME")) {
        if (take(h, "TO")) {
            out->kind = RB_DDL_RENAME_TABLE;
        } else {
            take(h, "COLUMN");
            out->kind = RB_DDL_RENAME_COLUMN;
            out->column = take_name(h);
            take(h, "TO");
        }
        out->new_name = take_name(h);
    }
}

static bool complete(const rb_ddl *ddl)
{
    bool column = ddl->kind == RB_DDL_DROP_COLUMN || ddl->kind == RB_DDL_RENAME_COLUMN;
    bool renamed = ddl->kind == RB_DDL_RENAME_TABLE || ddl->kind == RB_DDL_RENAME_COLUMN;
    return ddl->table && (!column || ddl->column) && (!renamed || ddl->new_name);
}

static void read_head(head *h, const char *sql, size_t len)
{
    const char *at = sql;
    rb_token token;
    *h = (head){0};
    while (h->n < HEAD && rb_token_next(&token, &at, sql + len)) {
        if (h->n > 0 || !rb_token_is(&token, ";"))
            h->items[h->n++] = token;
    }
}

void rb_ddl_read(rb_ddl *out, const char *sql, size_t len)
{
    head h;
    *out = (rb_ddl){0};
    read_head(&h, sql, len);
    if (take(&h, "DROP") && take(&h, "TABLE")) {
        if (take(&h, "IF"))
            take(&h, "EXISTS");
        out->kind = RB_DDL_DROP_TABLE;
        out->table = take_table(&h);
    } else if (take(&h, "ALTER") && take(&h, "TABLE")) {
        read_alter(out, &h);
    }
    if (!complete(out))
        rb_ddl_clear(out);
}

void rb_ddl_clear(rb_ddl *ddl)
{
    free(ddl->table);
    free(ddl->column);
    free(ddl->new_name);
    *ddl = (rb_ddl){0};
}
