/* Detects which engine a set of migrations is written for: by the names of files and folder, then
 * by words that only one engine's grammar has, else by running the up scripts in empty databases.
 */
#include <stdlib.h>
#include <string.h>

#include "database/database.h"
#include "init.h"
#include "proof/proof.h"
#include "sql/statement.h"

enum dialect { SQLITE, POSTGRES, MYSQL, DIALECTS };

/* Words that are types or clauses in only one of the engines. */
static const struct {
    const char *word;
    enum dialect dialect;
} words[] = {{"autoincrement", SQLITE}, {"pragma", SQLITE},        {"rowid", SQLITE},
             {"serial", POSTGRES},      {"bigserial", POSTGRES},   {"smallserial", POSTGRES},
             {"jsonb", POSTGRES},       {"timestamptz", POSTGRES}, {"bytea", POSTGRES},
             {"plpgsql", POSTGRES},     {"tsvector", POSTGRES},    {"auto_increment", MYSQL},
             {"unsigned", MYSQL},       {"longtext", MYSQL},       {"engine", MYSQL}};

/* Counts the words of each engine in a script, except in comments and strings. */
static void count(size_t seen[DIALECTS], const rb_script *script)
{
    rb_sql sql;
    rb_token t;
    rb_sql_init(&sql, script->text, strlen(script->text), "postgresql");
    while (rb_sql_next(&t, &sql)) {
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            seen[words[i].dialect] += rb_token_is(&t, words[i].word);
        const bool cast = rb_token_is(&t, "::");
        seen[POSTGRES] += cast || (t.kind == RB_TOKEN_STRING && t.text[0] == '$');
    }
}

static bool runs_in(const char *engine, const rb_migrations *set, rb_err *err)
{
    RB_AUTO(rb_proof_clear) rb_proof proof = {0};
    bool *none_new = rb_calloc(
        set->n + 1, sizeof *none_new); /* all false: proves none, only runs the up scripts */
    const rb_proof_request request = {.engine = engine,
                                      .set = set,
                                      .is_new = none_new,
                                      .limits = {.seconds = RB_DB_LIMITS_SECONDS,
                                                 .memory = RB_DB_LIMITS_MEMORY,
                                                 .size = RB_DB_LIMITS_SIZE}};
    const enum rb_code code = rb_proof_make(&proof, &request, err);
    free(none_new);
    return code == RB_OK;
}

const char *rb_init_engine(char **why, const char *folder, const rb_migrations *set)
{
    size_t seen[DIALECTS] = {0};
    rb_err err = {0};
    *why = NULL;
    for (size_t i = 0; i < set->engines.n; i++)
        if (rb_engine_known(set->engines.items[i]))
            return rb_strs_has(&set->engines, "sqlite") ? "sqlite" : "postgresql";
    if (strcasestr(folder, "sqlite"))
        return "sqlite";
    if (strcasestr(folder, "postgres"))
        return "postgresql";
    for (size_t i = 0; i < set->n; i++)
        if (set->items[i].up.text)
            count(seen, &set->items[i].up);
    if (strcasestr(folder, "mysql") || strcasestr(folder, "mariadb") ||
        (seen[MYSQL] > seen[SQLITE] && seen[MYSQL] > seen[POSTGRES])) {
        *why = rb_strdup("they are written for MySQL");
        return "mysql";
    }
    if (seen[POSTGRES] > seen[SQLITE])
        return "postgresql";
    if (seen[SQLITE] > 0 || runs_in("sqlite", set, &err))
        return "sqlite";
    rb_err other = {0};
    if (runs_in("postgresql", set, &other))
        return "postgresql";
    *why = rb_format("they do not run in an empty SQLite database: %s", rb_err_line(&err));
    return NULL;
}
