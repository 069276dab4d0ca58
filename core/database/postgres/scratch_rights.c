/* What scripts may do in a scratch database besides what the owner of a database may: name roles,
 * create extensions that are allowed, and use untrusted languages where their code is trusted. */
#include "database/postgres/cluster.h"
#include "database/postgres/postgres.h"

#include <string.h>

#include "sql/token.h"

#define ROLE_LIMIT 1000 /* roles created for one script */

/* Roles that scripts name: */

/* The words that show whether TO and FROM in a statement are followed by roles: GRANT ... TO x,
 * REVOKE ... FROM x, OWNER TO x, POLICY ... TO x, SET ROLE x, FOR ROLE x, AUTHORIZATION x. */
struct words {
    bool to;
    bool from;
    rb_token last;
};

static bool leads_to_role(struct words *words, const rb_token *token)
{
    const bool role = rb_token_is(token, "role") &&
                      (rb_token_is(&words->last, "set") || rb_token_is(&words->last, "for"));
    const bool leads = role || rb_token_is(token, "authorization") ||
                       (words->to && rb_token_is(token, "to")) ||
                       (words->from && rb_token_is(token, "from"));
    if (rb_token_is(token, ";"))
        *words = (struct words){0};
    words->to |=
        rb_token_is(token, "grant") || rb_token_is(token, "owner") || rb_token_is(token, "policy");
    words->from |= rb_token_is(token, "revoke");
    words->last = *token;
    return leads;
}

static bool is_role_word(const char *name)
{
    static const char *const words[] = {"public", "current_user", "current_role", "session_user",
                                        "none",   "group",        "all",          "default"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return strncmp(name, "pg_", 3) == 0;
}

static bool is_name(const rb_token *token)
{
    return token->kind == RB_TOKEN_WORD || token->kind == RB_TOKEN_QUOTED;
}

static void find_roles(rb_strs *out, const char *text, size_t len)
{
    rb_sql sql;
    rb_token token;
    struct words words = {0};
    bool expected = false;
    bool named = false; /* the last token was a role */
    rb_sql_init(&sql, text, len, RB_POSTGRESQL);
    while (rb_sql_next(&token, &sql) && out->n < ROLE_LIMIT) {
        RB_AUTO(rb_free_str) char *name = is_name(&token) ? rb_token_folded(&token) : NULL;
        const bool listed = expected || (named && rb_token_is(&token, ","));
        named = expected && name;
        if (named && !is_role_word(name) && !rb_strs_has(out, name))
            rb_strs_add(out, name);
        expected = leads_to_role(&words, &token) || (listed && rb_token_is(&token, ",")) ||
                   (listed && rb_token_is(&token, "group"));
        if (token.kind == RB_TOKEN_STRING && token.text[0] == '$' && token.len < len)
            find_roles(out, token.text + strcspn(token.text + 1, "$") + 2,
                       token.len - strcspn(token.text + 1, "$") - 2);
    }
}

enum rb_code rb_pg_scratch_roles(rb_pg *pg, const char *text, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    if (rb_pg_scratch_server(NULL)) /* there, roles are up to the server's administrator */
        return RB_OK;
    find_roles(&names, text, strlen(text));
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        RB_AUTO(rb_free_str) char *quoted = rb_pg_quote(name);
        RB_AUTO(rb_free_str)
        char *sql = rb_format("CREATE ROLE %s; GRANT %s TO " RB_PG_CLUSTER_OWNER, quoted, quoted);
        int64_t known = 0;
        RB_TRY(rb_pg_int(&known, pg, "SELECT count(*) FROM pg_roles WHERE rolname = $1", &name, 1,
                         err));
        if (known == 0 && !admin)
            RB_TRY(rb_pg_scratch_admin(&admin, err));
        if (known == 0)
            RB_TRY(rb_pg_exec(admin, sql, err));
    }
    return RB_OK;
}

/* Extensions and languages: */

/* Returns the name in CREATE EXTENSION [IF NOT EXISTS] NAME or ALTER EXTENSION NAME UPDATE, as a
 * new string; NULL for any other statement. */
static char *extension_of(const char *statement)
{
    rb_sql sql;
    rb_token token;
    rb_sql_init(&sql, statement, strlen(statement), RB_POSTGRESQL);
    const bool creates = rb_sql_next(&token, &sql) && rb_token_is(&token, "create");
    if ((!creates && !rb_token_is(&token, "alter")) || !rb_sql_next(&token, &sql) ||
        !rb_token_is(&token, "extension") || !rb_sql_next(&token, &sql))
        return NULL;
    if (creates && rb_token_is(&token, "if"))
        for (int i = 0; i < 3 && rb_sql_next(&token, &sql);)
            i++;
    RB_AUTO(rb_free_str) char *name = is_name(&token) ? rb_token_folded(&token) : NULL;
    const bool updates = rb_sql_next(&token, &sql) && rb_token_is(&token, "update");
    return creates || updates ? RB_TAKE(name) : NULL;
}

bool rb_pg_scratch_is_allowed(const char *statement)
{
    RB_AUTO(rb_free_str) char *name = extension_of(statement);
    return name && rb_pg_trusts_extension(name) && rb_pg_scratch_has_admin();
}

/* The query makes the session notice the change: it opens pg_authid by name. */
enum rb_code rb_pg_scratch_superuser(rb_pg *pg, bool on, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_free_str) char *role = rb_pg_quote(PQuser(pg->conn));
    RB_AUTO(rb_free_str)
    char *sql = rb_format("ALTER ROLE %s %s", role, on ? "SUPERUSER" : "NOSUPERUSER");
    int64_t is = 0;
    RB_TRY(rb_pg_scratch_admin(&admin, err));
    RB_TRY(rb_pg_exec(admin, sql, err));
    if (PQtransactionStatus(pg->conn) == PQTRANS_INERROR)
        return RB_OK;
    RB_TRY(rb_pg_int(&is, pg,
                     "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user", NULL,
                     0, err));
    return (is != 0) == on ? RB_OK
                           : rb_fail(err, RB_ERROR,
                                     "internal error: the role of the scripts has "
                                     "other rights than it was given");
}

char *rb_pg_scratch_hint(const char *statement, const char *message)
{
    RB_AUTO(rb_free_str) char *name = extension_of(statement);
    if (name)
        return rb_format("only a superuser may create it, and scripts are none in a proof; if you "
                         "trust this extension: git config --add rbtool.allowExtension %s",
                         name);
    return strstr(message, "language") == NULL
               ? NULL
               : rb_strdup("its functions could do on this computer what the server can; if you "
                           "trust the scripts of this repository: git config rbtool.trustCode "
                           "true, or --trust-code of `rbtool release` and `rbtool prove`");
}
