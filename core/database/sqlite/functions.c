/*
 * Lists the functions and modules of SQLite that scripts may use. The list is an allow-list:
 * anything else that the linked library has is refused. Functions of the libraries in git config
 * rbtool.extension are allowed, since the operator chose them.
 */
#include "database/sqlite/sqlite.h"
#include "sql/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sorted, ignoring case. Functions of SQLite 3.37 to 3.51, with every documented build option. */
// clang-format off
static const char *const functions[] = {
    "->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg",
    "bm25", "ceil", "ceiling", "changes", "char", "coalesce", "concat", "concat_ws", "cos",
    "cosh", "count", "cume_dist", "current_date", "current_time", "current_timestamp", "date",
    "datetime", "degrees", "dense_rank", "exp", "first_value", "floor", "format",
    "fts5_get_locale", "fts5_insttoken", "fts5_locale", "fts5_source_id", "geopoly_area",
    "geopoly_bbox", "geopoly_blob", "geopoly_ccw", "geopoly_contains_point",
    "geopoly_group_bbox", "geopoly_json", "geopoly_overlap", "geopoly_regular", "geopoly_svg",
    "geopoly_within", "geopoly_xform", "glob", "group_concat", "hex", "highlight", "if",
    "ifnull", "iif", "instr", "json", "json_array", "json_array_insert", "json_array_length",
    "json_error_position", "json_extract", "json_group_array", "json_group_object",
    "json_insert", "json_object", "json_patch", "json_pretty", "json_quote", "json_remove",
    "json_replace", "json_set", "json_type", "json_valid", "jsonb", "jsonb_array",
    "jsonb_array_insert", "jsonb_extract", "jsonb_group_array", "jsonb_group_object",
    "jsonb_insert", "jsonb_object", "jsonb_patch", "jsonb_remove", "jsonb_replace", "jsonb_set",
    "julianday", "lag", "last_insert_rowid", "last_value", "lead", "length", "like",
    "likelihood", "likely", "ln", "log", "log10", "log2", "lower", "ltrim", "match",
    "matchinfo", "max", "median", "min", "mod", "nth_value", "ntile", "nullif", "octet_length",
    "offsets", "optimize", "percent_rank", "percentile", "percentile_cont", "percentile_disc",
    "pi", "pow", "power", "printf", "quote", "radians", "random", "randomblob", "rank",
    "replace", "round", "row_number", "rtreecheck", "rtreedepth", "rtreenode", "rtrim", "sign",
    "sin", "sinh", "snippet", "soundex", "sqlite_compileoption_get",
    "sqlite_compileoption_used", "sqlite_offset", "sqlite_source_id", "sqlite_version", "sqrt",
    "strftime", "string_agg", "substr", "substring", "subtype", "sum", "tan", "tanh", "time",
    "timediff", "total", "total_changes", "trim", "trunc", "typeof", "unhex", "unicode",
    "unistr", "unistr_quote", "unixepoch", "unlikely", "upper", "zeroblob",
};
// clang-format on

/* Refused because they load program code, use addresses of this process, or write to its log. */
static const char *const refused_functions[] = {"fts3_tokenizer", "fts5", "load_extension",
                                                "sqlite_log"};

/* Modules that CREATE VIRTUAL TABLE may name. */
static const char *const modules[] = {"fts3",      "fts3tokenize", "fts4",  "fts4aux",  "fts5",
                                      "fts5vocab", "geopoly",      "rtree", "rtree_i32"};

/* Modules that show the file, statements or tables of the process; only SELECT may name them. */
static const char *const refused_modules[] = {"bytecode",      "dbstat",      "json_each",
                                              "json_tree",     "jsonb_each",  "jsonb_tree",
                                              "sqlite_dbpage", "sqlite_stmt", "tables_used"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static int by_name(const void *a, const void *b)
{
    return strcasecmp(a, *(const char *const *)b);
}

static bool listed(const char *name, const char *const *list, size_t n)
{
    return bsearch(name, list, n, sizeof *list, by_name) != NULL;
}

bool rb_sqlite_classified(enum rb_sqlite_part part, const char *name)
{
    if (part == RB_PART_FUNCTION)
        return listed(name, functions, COUNT(functions)) ||
               listed(name, refused_functions, COUNT(refused_functions));
    return listed(name, modules, COUNT(modules)) ||
           listed(name, refused_modules, COUNT(refused_modules)) ||
           strncasecmp(name, "pragma_", 7) == 0;
}

/* Lists the names that the library itself has, from a connection without extensions. */
static const rb_strs *linked(enum rb_sqlite_part part)
{
    static rb_strs names[2];
    static bool read[2];
    static const char *const queries[] = {"SELECT DISTINCT name FROM pragma_function_list",
                                          "SELECT name FROM pragma_module_list"};
    RB_AUTO(rb_sqlite_closep) rb_sqlite *db = NULL;
    if (!read[part] && rb_sqlite_open_own(&db, ":memory:", RB_SQLITE_CREATE, RB_IGNORED) == RB_OK &&
        rb_sqlite_each(db, queries[part], NULL, rb_sqlite_add_text, &names[part], RB_IGNORED) ==
            RB_OK)
        read[part] = true;
    return read[part] ? &names[part] : NULL;
}

bool rb_sqlite_usable(enum rb_sqlite_part part, const char *name)
{
    if (part == RB_PART_FUNCTION ? listed(name, functions, COUNT(functions))
                                 : listed(name, modules, COUNT(modules)))
        return true;
    const rb_strs *names = linked(part);
    return names && !rb_strs_has_name(names, name);
}

/* True for a word that is followed by the name of a table or module. Expressions of tables and
 * indexes have no subqueries, so that JOIN ... ON need not be handled. */
static bool names_table(const rb_token *token)
{
    static const char *const words[] = {"TABLE",      "VIEW", "EXISTS", "INTO",
                                        "REFERENCES", "ON",   "USING",  "."};
    for (size_t i = 0; i < COUNT(words); i++)
        if (rb_token_is(token, words[i]))
            return true;
    return false;
}

char *rb_sqlite_unusable_call(size_t *offset, const char *sql, size_t len)
{
    const char *at = sql;
    rb_token before = {.kind = RB_TOKEN_SYMBOL, .text = "", .len = 0};
    rb_token name = before;
    rb_token token;
    for (; rb_token_next(&token, &at, sql + len); before = name, name = token) {
        if (!rb_token_is(&token, "(") || names_table(&before) ||
            (name.kind != RB_TOKEN_WORD && name.kind != RB_TOKEN_QUOTED))
            continue;
        RB_AUTO(rb_free_str) char *called = rb_token_name(&name);
        if (!rb_sqlite_usable(RB_PART_FUNCTION, called)) {
            char *found = called;
            called = NULL;
            *offset = (size_t)(name.text - sql);
            return found;
        }
    }
    return NULL;
}

void rb_sqlite_outside(const char *sql, size_t len, rb_outside_found *found, void *context)
{
    for (size_t from = 0; from < len;) {
        size_t offset;
        RB_AUTO(rb_free_str) char *name = rb_sqlite_unusable_call(&offset, sql + from, len - from);
        if (!name)
            return;
        from += offset;
        RB_AUTO(rb_free_str) char *safe = rb_safe(name);
        RB_AUTO(rb_free_str)
        char *message = rb_format("%s() reaches outside the database, and no environment runs it; "
                                  "remove the call",
                                  safe);
        found(context, from, message);
        from += strcspn(sql + from, "(");
    }
}
