#include "proof/script_verbs.h"

#include "migration/unwrap.h"

/* True if all statements of a script begin with one of the verbs, and none has one of the words. */
static bool only_has(const rb_script *script, const char *engine, const char *const *verbs,
                     const char *const *words)
{
    rb_sql sql;
    rb_token token;
    bool starts = true;
    rb_sql_init(&sql, script->text, script->len, engine);
    while (rb_sql_next(&token, &sql)) {
        const bool ends = rb_token_is(&token, ";");
        if (rb_sql_one_of(&token, words) || (starts && !ends && !rb_sql_one_of(&token, verbs)))
            return false;
        starts = ends;
    }
    return true;
}

bool rb_script_only_defines(const rb_script *script, const char *engine)
{
    static const char *const verbs[] = {"CREATE", "ALTER", "DROP", NULL};
    static const char *const words[] = {"SELECT", NULL};
    return only_has(script, engine, verbs, words);
}

bool rb_script_only_drops(const rb_script *script, const char *engine)
{
    static const char *const verbs[] = {"ALTER", "DROP", NULL};
    static const char *const words[] = {"ADD", "ATTACH", "SELECT", "SET", "TYPE", "VALIDATE", NULL};
    return only_has(script, engine, verbs, words);
}
