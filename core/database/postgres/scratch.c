/* Scratch databases in the private cluster (cluster.h), or in the server that RBTOOL_SCRATCH_URL
 * names. */
#include "database/postgres/cluster.h"
#include "database/postgres/postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "sql/token.h"

#define KEPT_OPEN 24 /* databases that are left to be removed with the cluster: that is faster */
#define SERVER_PREFIX "rbtool_scratch_"
#define RANDOM_BYTES 6
#define STATES_KEPT "12" /* states in a cluster that is kept for the next command */
#define LEAVE_MS 2000    /* milliseconds until a closed session has left its database */

/* The server of RBTOOL_SCRATCH_URL, used instead of a private cluster. */
static struct {
    char *url;                         /* NULL: a private cluster is used */
    char prefix[32];                   /* begins the names of rbtool's databases and role */
    char secret[2 * RANDOM_BYTES + 1]; /* password of rbtool's role */
    bool own_role;  /* the url's role is a superuser, so that scripts get a role of their own */
    pid_t owner;    /* the process that checked the server */
    pid_t guardian; /* the process that drops the databases when `owner` has ended */
    int alive;
} server;

static const char *prefix(void)
{
    return server.url ? server.prefix : "scratch";
}

/* Returns the server's url with another database; scripts: with the role for scripts, if there is
 * one. */
static char *server_url(const char *database, bool scripts)
{
    const char *authority = strstr(server.url, "://") + 3;
    const char *path = authority + strcspn(authority, "/?");
    const char *query = strchr(path, '?');
    RB_AUTO(rb_free_str)
    char *role = scripts && server.own_role
                     ? rb_format("user=%s&password=%s&", server.prefix, server.secret)
                     : rb_strdup("");
    return rb_format("%.*s/%s?%s%s%s", (int)(path - server.url), server.url, database,
                     query ? query + 1 : "", query && query[1] ? "&" : "", role);
}

static struct {
    rb_strs extensions;
    bool code;
} trusted;

void rb_pg_scratch_allow(const rb_strs *extensions, bool code)
{
    for (size_t i = 0; i < extensions->n; i++)
        rb_strs_add(&trusted.extensions, extensions->items[i]);
    trusted.code |= code;
}

bool rb_pg_trusts_code(void)
{
    return trusted.code;
}

bool rb_pg_trusts_extension(const char *name)
{
    return !trusted.code && rb_strs_has(&trusted.extensions, name);
}

static char *url_of(const char *database, const char *role)
{
    if (server.url)
        return server_url(database, strcmp(role, RB_PG_CLUSTER_OWNER) == 0);
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

enum rb_code rb_pg_scratch_admin(rb_pg **out, rb_err *err)
{
    if (server.url)
        return rb_pg_connect(out, server.url, RB_DB_WRITE, err);
    return connect_as(out, "postgres", RB_PG_CLUSTER_ADMIN, err);
}

/* Drops all databases and the role that rbtool created in a server which others use, too. */
static void drop_all(void)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_pg_clear) PGresult *names = NULL;
    RB_AUTO(rb_free_str) char *pattern = rb_format("%s%%", server.prefix);
    const char *params[] = {pattern};
    if (rb_pg_scratch_admin(&admin, RB_IGNORED) != RB_OK ||
        rb_pg_rows(&names, admin, "SELECT datname FROM pg_database WHERE datname LIKE $1", params,
                   1, RB_IGNORED) != RB_OK)
        return;
    for (int i = 0; i < PQntuples(names); i++) {
        RB_AUTO(rb_free_str)
        char *sql = rb_format("DROP DATABASE %s WITH (FORCE)", PQgetvalue(names, i, 0));
        (void)!rb_pg_exec(admin, sql, RB_IGNORED);
    }
    RB_AUTO(rb_free_str) char *sql = rb_format("DROP ROLE IF EXISTS %s", server.prefix);
    if (server.own_role)
        (void)!rb_pg_exec(admin, sql, RB_IGNORED);
}

static enum rb_code start_guardian(rb_err *err)
{
    int alive[2];
    int ready[2];
    if (pipe2(alive, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0)
        return rb_fail_errno(err, RB_ERROR, "a pipe cannot be created");
    const rb_pg_guard guard = {.alive = alive[0], .ready = ready[1]};
    server.guardian = fork();
    if (server.guardian == 0) {
        rb_pg_guard_wait(&guard);
        drop_all();
        _exit(0);
    }
    close(alive[0]);
    close(ready[0]);
    close(ready[1]);
    server.alive = alive[1];
    return server.guardian > 0 ? RB_OK
                               : rb_fail_errno(err, RB_ERROR, "a process cannot be created");
}

/* Checks that the database of the url is empty, so that an environment's server is not used by
 * mistake. */
static enum rb_code check_server(rb_pg *admin, rb_err *err)
{
    int64_t objects = 0;
    int64_t may_create = 0;
    RB_TRY(rb_pg_int(&objects, admin,
                     "SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n"
                     " ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_'"
                     " AND n.nspname <> 'information_schema') + (SELECT count(*) FROM pg_namespace"
                     " WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema','public'))",
                     NULL, 0, err));
    if (objects > 0)
        return rb_fail(err, RB_ERROR,
                       "RBTOOL_SCRATCH_URL names a database that is not empty: %s\nname an empty "
                       "one of a server for tests; rbtool creates its own databases beside it",
                       admin->shown);
    RB_TRY(rb_pg_int(&may_create, admin,
                     "SELECT CASE WHEN rolsuper THEN 2 WHEN rolcreatedb THEN 1 ELSE 0 END"
                     " FROM pg_roles WHERE rolname = current_user",
                     NULL, 0, err));
    if (may_create == 0)
        return rb_fail(err, RB_ERROR,
                       "the role of RBTOOL_SCRATCH_URL may not create databases\nrun ALTER ROLE "
                       "... CREATEDB there");
    server.own_role = may_create == 2;
    return RB_OK;
}

static enum rb_code start_server(rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    unsigned char random[2 * RANDOM_BYTES];
    if (server.owner)
        return RB_OK;
    RB_TRY(rb_pg_scratch_admin(&admin, err));
    RB_TRY(check_server(admin, err));
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return rb_fail_errno(err, RB_ERROR, "cannot read random numbers to name scratch databases");
    memcpy(server.prefix, SERVER_PREFIX, sizeof SERVER_PREFIX);
    rb_hex_encode(random, RANDOM_BYTES, server.prefix + strlen(SERVER_PREFIX));
    rb_hex_encode(random + RANDOM_BYTES, RANDOM_BYTES, server.secret);
    server.owner = getpid();
    RB_TRY(start_guardian(err));
    RB_AUTO(rb_free_str)
    char *sql = rb_format("CREATE ROLE %s LOGIN %s PASSWORD '%s'", server.prefix,
                          rb_pg_trusts_code() ? "SUPERUSER" : "NOSUPERUSER", server.secret);
    return server.own_role ? rb_pg_exec(admin, sql, err) : RB_OK;
}

bool rb_pg_scratch_server(const char *url)
{
    if (url) {
        free(server.url);
        server.url = rb_strdup(url);
    }
    return server.url != NULL;
}

/* Prepares the cluster for the next command: drops this command's databases, and keeps the newest
 * states. False if that fails. */
static bool tidy_cluster(void)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_pg_clear) PGresult *names = NULL;
    if (!rb_pg_cluster_is_kept() || rb_pg_scratch_admin(&admin, RB_IGNORED) != RB_OK ||
        rb_pg_rows(&names, admin,
                   "SELECT datname FROM (SELECT datname, rank() OVER (PARTITION BY datname LIKE"
                   " 'scratch_state_%' ORDER BY oid DESC) FROM pg_database"
                   " WHERE datname LIKE 'scratch_%') d"
                   " WHERE datname NOT LIKE 'scratch_state_%' OR rank > " STATES_KEPT,
                   NULL, 0, RB_IGNORED) != RB_OK)
        return false;
    for (int i = 0; i < PQntuples(names); i++) {
        RB_AUTO(rb_free_str)
        char *sql = rb_format("DROP DATABASE %s WITH (FORCE)", PQgetvalue(names, i, 0));
        if (rb_pg_exec(admin, sql, RB_IGNORED) != RB_OK)
            return false;
    }
    return true;
}

void rb_pg_scratch_stop(void)
{
    rb_pg_cluster_stop(tidy_cluster());
    if (server.guardian <= 0 || server.owner != getpid())
        return;
    close(server.alive);
    while (waitpid(server.guardian, NULL, 0) < 0 && errno == EINTR)
        continue;
    server.guardian = 0;
    server.owner = 0;
}

/* Creates roles that exist in every scratch database: scripts may make them owners of objects. */
static enum rb_code prepare_cluster(rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_TRY(connect_as(&admin, "template1", RB_PG_CLUSTER_ADMIN, err));
    RB_TRY(rb_pg_exec(admin,
                      "DO $$ BEGIN IF to_regrole('" RB_PG_CLUSTER_OWNER "') IS NULL THEN"
                      " CREATE ROLE " RB_PG_CLUSTER_OWNER " LOGIN; END IF; END $$;"
                      " GRANT CREATE ON SCHEMA public TO PUBLIC",
                      err));
    return rb_pg_exec(admin,
                      rb_pg_trusts_code() ? "ALTER ROLE " RB_PG_CLUSTER_OWNER " SUPERUSER"
                                          : "ALTER ROLE " RB_PG_CLUSTER_OWNER " NOSUPERUSER",
                      err);
}

bool rb_pg_scratch_has_admin(void)
{
    return !server.url || server.own_role;
}

enum rb_code rb_pg_scratch_start(const rb_db_limits *limits, rb_err *err)
{
    bool started;
    if (server.url)
        return start_server(err);
    if (rb_pg_trusts_code()) /* what a superuser changed must not reach the next command */
        rb_pg_cluster_cache(NULL);
    RB_TRY(rb_pg_cluster_start(&started, limits, err));
    return started ? prepare_cluster(err) : RB_OK;
}

/* Waits until no session is connected to a database. PostgreSQL itself would check only every 100
 * ms. */
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

/* Creates a database. scripts: owned by the scripts' role; otherwise a state, which scripts cannot
 * change. In a private cluster, files are copied: a checkpoint costs less than a log of them. */
static enum rb_code create_database(rb_pg *admin, const char *name, const char *template_,
                                    bool scripts, rb_err *err)
{
    const char *role = !server.url ? RB_PG_CLUSTER_OWNER : server.prefix;
    const bool other = scripts && (!server.url || server.own_role);
    const bool files = !server.url && PQserverVersion(admin->conn) >= 150000;
    RB_AUTO(rb_free_str)
    char *sql = rb_format("CREATE DATABASE %s%s%s TEMPLATE %s%s", name, other ? " OWNER " : "",
                          other ? role : "", template_, files ? " STRATEGY file_copy" : "");
    return rb_pg_exec(admin, sql, err);
}

/* Removes settings made by ALTER ROLE ... SET. They belong to the cluster, so that a copy of a
 * database would see those of other scripts. */
static enum rb_code forget_settings(rb_pg *admin, rb_err *err)
{
    return server.url ? RB_OK : rb_pg_exec(admin, "DELETE FROM pg_db_role_setting", err);
}

/* {state: what the session knew of its catalog that was kept last}: the same holds for a copy. */
static json_t *known;

/* Opens a copy of the database named `state`. */
static enum rb_code open_copy(rb_db **out, rb_pg *admin, const char *state, rb_err *err)
{
    static size_t made;
    RB_AUTO(rb_pg_disconnectp) rb_pg *pg = NULL;
    RB_AUTO(rb_free_str) char *name = rb_format("%s_%d_%zu", prefix(), (int)getpid(), ++made);
    RB_TRY(forget_settings(admin, err));
    RB_TRY(create_database(admin, name, state, true, err));
    RB_TRY(connect_as(&pg, name, RB_PG_CLUSTER_OWNER, err));
    pg->scratch = name;
    pg->number = made;
    rb_pg_cluster_use(1);
    name = NULL;
    *out = &pg->base;
    pg = NULL;
    return RB_OK;
}

enum rb_code rb_pg_scratch(rb_db **out, int64_t clock, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    (void)clock; /* a server's clock cannot be set */
    RB_TRY(rb_pg_scratch_start(NULL, err));
    RB_TRY(rb_pg_scratch_admin(&admin, err));
    return open_copy(out, admin, server.url ? "template0" : "template1", err);
}

char *rb_pg_scratch_url(const rb_pg *pg)
{
    return url_of(pg->scratch, RB_PG_CLUSTER_OWNER);
}

void rb_pg_close(rb_pg *pg)
{
    if (!pg || !pg->scratch) {
        rb_pg_disconnect(pg);
        return;
    }
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_free_str) char *name = pg->scratch;
    const bool drop = pg->number > KEPT_OPEN;
    rb_pg_cluster_use(-1);
    pg->scratch = NULL;
    rb_pg_disconnect(pg);
    if (!drop || rb_pg_scratch_admin(&admin, RB_IGNORED) != RB_OK)
        return;
    RB_AUTO(rb_free_str) char *sql = rb_format("DROP DATABASE %s WITH (FORCE)", name);
    (void)!wait_until_left(admin, name, RB_IGNORED);
    (void)!rb_pg_exec(admin, sql, RB_IGNORED);
}

static char *state_name(const char *key)
{
    return rb_format("%s_state_%.24s", prefix(), key);
}

static enum rb_code has_state(bool *out, rb_pg *admin, const char *name, rb_err *err)
{
    int64_t n = 0;
    RB_TRY(
        rb_pg_int(&n, admin, "SELECT count(*) FROM pg_database WHERE datname = $1", &name, 1, err));
    *out = n > 0;
    return RB_OK;
}

/* Copies pg's database to one named `name`, for scripts or as a state. */
static enum rb_code copy_to(rb_pg *pg, rb_pg *admin, const char *name, bool scripts, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *again = NULL;
    PQfinish(pg->conn); /* a database with open sessions cannot be copied */
    pg->conn = NULL;
    RB_TRY(wait_until_left(admin, pg->scratch, err));
    RB_TRY(create_database(admin, name, pg->scratch, scripts, err));
    RB_TRY(forget_settings(admin, err));
    RB_TRY(connect_as(&again, pg->scratch, RB_PG_CLUSTER_OWNER, err));
    PQfreeCancel(pg->cancel);
    pg->conn = again->conn;
    pg->cancel = again->cancel;
    again->conn = NULL;
    again->cancel = NULL;
    return RB_OK;
}

enum rb_code rb_pg_scratch_keep(rb_db *db, const char *key, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_free_str) char *name = state_name(key);
    bool has = false;
    RB_TRY(rb_pg_scratch_admin(&admin, err));
    RB_TRY(has_state(&has, admin, name, err));
    if (has)
        return RB_OK;
    json_decref(known);
    known = json_object();
    json_object_set(known, name, rb_pg_of(db)->known);
    return copy_to(rb_pg_of(db), admin, name, false, err);
}

enum rb_code rb_pg_scratch_lend(char **url, rb_db *db, const char *dir, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_free_str) char *name = rb_format("%s_lent", rb_pg_of(db)->scratch);
    (void)dir;
    RB_TRY(rb_pg_scratch_admin(&admin, err));
    RB_TRY(copy_to(rb_pg_of(db), admin, name, true, err));
    *url = url_of(name, RB_PG_CLUSTER_OWNER);
    return RB_OK;
}

enum rb_code rb_pg_scratch_at(rb_db **out, size_t *which, const rb_strs *keys, rb_err *err)
{
    RB_AUTO(rb_pg_disconnectp) rb_pg *admin = NULL;
    RB_AUTO(rb_json_freep) json_t *states = NULL;
    *out = NULL;
    RB_TRY(rb_pg_scratch_start(NULL, err));
    RB_TRY(rb_pg_scratch_admin(&admin, err));
    RB_TRY(rb_pg_json(&states, admin, "SELECT json_object_agg(datname, 1) FROM pg_database", NULL,
                      0, err));
    for (*which = 0; *which < keys->n; ++*which) {
        RB_AUTO(rb_free_str) char *name = state_name(keys->items[*which]);
        if (!json_object_get(states, name))
            continue;
        RB_TRY(open_copy(out, admin, name, err));
        if (*which == 0)
            rb_pg_of(*out)->known = json_incref(json_object_get(known, name));
        return RB_OK;
    }
    return RB_OK;
}

bool rb_pg_scratch_in_transaction(char *statement)
{
    static const char *const verbs[] = {"create", "drop", "reindex", "refresh", "alter"};
    rb_sql sql;
    rb_token token;
    bool first = true;
    bool found = false;
    rb_sql_init(&sql, statement, strlen(statement), RB_POSTGRESQL);
    for (; rb_sql_next(&token, &sql); first = false) {
        bool verb = false;
        if (first && rb_token_is(&token, "vacuum")) {
            memset(statement, ' ', strlen(statement));
            return true;
        }
        for (size_t i = 0; first && i < sizeof verbs / sizeof *verbs; i++)
            verb |= rb_token_is(&token, verbs[i]);
        if (first && !verb)
            return false;
        if (!rb_token_is(&token, "concurrently"))
            continue;
        memset(statement + (token.text - statement), ' ', token.len);
        found = true;
    }
    return found;
}
