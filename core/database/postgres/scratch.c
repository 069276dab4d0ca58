/* Scratch databases: each is a database of its own in the private cluster (cluster.h). */
#include "database/postgres/cluster.h"
#include "database/postgres/postgres.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sql/token.h"

#define KEPT_OPEN 24    /* databases that are not dropped at once: that takes longer than to stop */
#define LEAVE_MS 2000   /* for a session that was closed to leave its database */
#define ROLE_LIMIT 1000 /* roles created for one script */

static char *url_of(const char *database, const char *role)
{
    return rb_format("postgresql:///%s?host=%s&port=5432&user=%s&options=", database,
                     rb_pg_cluster_dir(), role);
}

static enum rb_code connect_as(rb_pg **out, const char *database, const char *role, rb_err *err)
{
    RB_AUTO(rb_free_str) char *url = url_of(database, role);
    RB_TRY(rb_pg_connect(out, url, RB_DB_WRITE, err));
    free((*out)->shown);
    (*out)->shown = rb_strdup("(scratch)");
    return RB_OK;
}

static enum rb_code connect_admin(rb_pg **out, rb_err *err)
{
    return connect_as(out, "postgres", RB_PG_CLUSTER_ADMIN, err);
}

/* What every scratch database begins with: roles that a script gives its objects to may own them.
 */
static enum rb_code prepare_cluster(rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_TRY(connect_as(&admin, "template1", RB_PG_CLUSTER_ADMIN, err));
    return rb_pg_exec(admin,
                      "DO $$ BEGIN IF to_regrole('" RB_PG_CLUSTER_OWNER "') IS NULL THEN"
                      " CREATE ROLE " RB_PG_CLUSTER_OWNER " LOGIN; END IF; END $$;"
                      " GRANT CREATE ON SCHEMA public TO PUBLIC",
                      err);
}

enum rb_code rb_pg_scratch_start(const rb_db_limits *limits, rb_err *err)
{
    bool started;
    RB_TRY(rb_pg_cluster_start(&started, limits, err));
    return started ? prepare_cluster(err) : RB_OK;
}

/* Waits until no session is in a database: PostgreSQL itself looks every 100 ms only. */
static enum rb_code wait_until_left(rb_pg *admin, const char *database, rb_err *err)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    int64_t sessions = 1;
    for (int ms = 0; sessions > 0 && ms < LEAVE_MS; ms += 2) {
        RB_TRY(rb_pg_int(&sessions, admin,
                         "SELECT count(*) FROM pg_stat_activity WHERE datname = $1", &database, 1,
                         err));
        if (sessions > 0)
            nanosleep(&pause, NULL);
    }
    return RB_OK;
}

static enum rb_code create_database(rb_pg *admin, const char *name, const char *template_,
                                    rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *sql =
        rb_format("CREATE DATABASE %s OWNER " RB_PG_CLUSTER_OWNER " TEMPLATE %s", name, template_);
    return rb_pg_exec(admin, sql, err);
}

/* state: the name of the database that it is a copy of. */
static enum rb_code open_copy(rb_db **out, rb_pg *admin, const char *state, rb_err *err)
{
    static size_t made;
    RB_AUTO(rb_pg_disconnectp) rb_pg *pg = NULL;
    RB_AUTO(rb_free_str) char *name = rb_format("scratch_%d_%zu", (int)getpid(), ++made);
    RB_TRY(create_database(admin, name, state, err));
    RB_TRY(connect_as(&pg, name, RB_PG_CLUSTER_OWNER, err));
    pg->scratch = name;
    pg->number = made;
    name = NULL;
    *out = &pg->base;
    pg = NULL;
    return RB_OK;
}

enum rb_code rb_pg_scratch(rb_db **out, int64_t clock, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    (void)clock; /* the server's stands for nobody: see cluster.h */
    RB_TRY(rb_pg_scratch_start(NULL, err));
    RB_TRY(connect_admin(&admin, err));
    return open_copy(out, admin, "template1", err);
}

void rb_pg_scratch_close(rb_pg *pg)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_free_str) char *name = pg->scratch;
    const bool drop = name && pg->number > KEPT_OPEN;
    rb_err ignored;
    pg->scratch = NULL;
    rb_pg_disconnect(pg);
    if (!drop || connect_admin(&admin, &ignored) != RB_OK)
        return;
    RB_AUTO(rb_free_str) char *sql = rb_format("DROP DATABASE %s WITH (FORCE)", name);
    (void)!wait_until_left(admin, name, &ignored);
    (void)!rb_pg_exec(admin, sql, &ignored);
}

static char *state_name(const char *key)
{
    return rb_format("state_%.40s", key);
}

static enum rb_code has_state(bool *out, rb_pg *admin, const char *name, rb_err *err)
{
    int64_t n = 0;
    RB_TRY(
        rb_pg_int(&n, admin, "SELECT count(*) FROM pg_database WHERE datname = $1", &name, 1, err));
    *out = n > 0;
    return RB_OK;
}

enum rb_code rb_pg_scratch_keep(rb_db *db, const char *key, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_pg_disconnectp) rb_pg *again = NULL;
    RB_AUTO(rb_free_str) char *name = state_name(key);
    bool has = false;
    RB_TRY(connect_admin(&admin, err));
    RB_TRY(has_state(&has, admin, name, err));
    if (has)
        return RB_OK;
    PQfinish(pg->conn); /* a database that somebody uses is not copied */
    pg->conn = NULL;
    RB_TRY(wait_until_left(admin, pg->scratch, err));
    RB_TRY(create_database(admin, name, pg->scratch, err));
    RB_TRY(connect_as(&again, pg->scratch, RB_PG_CLUSTER_OWNER, err));
    PQfreeCancel(pg->cancel);
    pg->conn = again->conn;
    pg->cancel = again->cancel;
    again->conn = NULL;
    again->cancel = NULL;
    return RB_OK;
}

enum rb_code rb_pg_scratch_at(rb_db **out, const char *key, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_free_str) char *name = state_name(key);
    bool has = false;
    *out = NULL;
    RB_TRY(rb_pg_scratch_start(NULL, err));
    RB_TRY(connect_admin(&admin, err));
    RB_TRY(has_state(&has, admin, name, err));
    return has ? open_copy(out, admin, name, err) : RB_OK;
}

/* Roles that scripts name. */

/* GRANT ... TO x, REVOKE ... FROM x, OWNER TO x, POLICY ... TO x, SET ROLE x, FOR ROLE x,
 * AUTHORIZATION x: what of a statement makes TO and FROM lead to roles. */
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
    rb_sql_init(&sql, text, len, "postgresql");
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
            RB_TRY(connect_admin(&admin, err));
        if (known == 0)
            RB_TRY(rb_pg_exec(admin, sql, err));
    }
    return RB_OK;
}
