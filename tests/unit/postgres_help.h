/* A private PostgreSQL server for a test program; it ends with the program. */
#ifndef TESTS_UNIT_POSTGRES_HELP_H
#define TESTS_UNIT_POSTGRES_HELP_H

#include "database_help.h"

#include <stdio.h>
#include <unistd.h>

#include <libpq-fe.h>

static char help_pg_dir[200];

static inline int help_pg_start(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "tests/postgres start %d", (int)getpid());
    FILE *out = popen(command, "r");
    assert_non_null(out);
    assert_non_null(fgets(help_pg_dir, sizeof help_pg_dir, out));
    help_pg_dir[strcspn(help_pg_dir, "\n")] = '\0';
    return pclose(out) == 0 ? 0 : -1;
}

static inline int help_pg_stop(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "tests/postgres stop %s", help_pg_dir);
    return system(command) == 0 ? 0 : -1;
}

/* The url of a database of that server. */
static inline char *help_pg_url(const char *name)
{
    return rb_format("postgresql:///%s?host=%s&user=postgres", name, help_pg_dir);
}

/* Statements of another session, one by one. */
static inline void help_pg_sql(const char *url, const char *sql)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

/* An empty database of its own, opened; its name is used once. */
static inline rb_db *help_pg_open(const char *name)
{
    rb_err err;
    rb_db *db = NULL;
    char *server = help_pg_url("postgres");
    char *url = help_pg_url(name);
    char *create = rb_format("CREATE DATABASE %s", name);
    help_pg_sql(server, create);
    help_ok(rb_db_open(&db, url, RB_DB_WRITE, &err), &err);
    free(create);
    free(server);
    free(url);
    return db;
}

#endif
