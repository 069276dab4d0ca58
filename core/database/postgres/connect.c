/* Connects to a database, with any url that libpq accepts. */
#include "database/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "database/url.h"

#define CONNECT_SECONDS "10" /* used if the url sets no connect_timeout */

void rb_pg_disconnect(rb_pg *pg)
{
    if (!pg)
        return;
    PQfreeCancel(pg->cancel);
    PQfinish(pg->conn);
    free(pg->url);
    free(pg->shown);
    free(pg->label);
    free(pg->blockers);
    json_decref(pg->written);
    json_decref(pg->known);
    json_decref(pg->known_before);
    json_decref(pg->locks_before);
    json_decref(pg->locks);
    json_decref(pg->prepared);
    json_decref(pg->sent);
    json_decref(pg->restoring);
    json_decref(pg->triggers);
    free(pg);
}

/* Ignores notices, which are meant for interactive users. */
static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static bool sets(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (o->val && strcmp(o->keyword, keyword) == 0)
            return true;
    return false;
}

/* Reports a failed connection. A database that does not exist is recognised by the message, since
 * libpq gives no SQLSTATE here. */
static enum rb_code fail_connect(const rb_pg *pg, rb_err *err)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/";
    const char *name = PQdb(pg->conn);
    const char *host = PQhost(pg->conn);
    RB_AUTO(rb_free_str) char *why = rb_pg_explain(pg, NULL);
    RB_AUTO(rb_free_str)
    char *missing = rb_format("database \"%s\" does not exist", name ? name : "");
    if (name && host && strstr(why, missing) && !name[strspn(name, plain)] &&
        !host[strspn(host, plain)])
        return rb_fail(err, RB_ERROR,
                       "database %s: cannot connect: %s\ncreate it with `createdb -h %s -p %s -U "
                       "%s %s`",
                       pg->shown, why, host, PQport(pg->conn), PQuser(pg->conn), name);
    RB_AUTO(rb_buf_clear) rb_buf hint = {0};
    rb_pg_hint_lost(&hint, pg);
    return rb_fail(
        err, RB_ERROR,
        "database %s: cannot connect: %s\n%s, and whether the environment's url is right",
        pg->shown, why, rb_buf_str(&hint));
}

static enum rb_code connect_url(rb_pg *pg, rb_err *err)
{
    PQconninfoOption *options = PQconninfoParse(pg->url, NULL);
    if (!options ||
        rb_url_is_ambiguous(pg->url)) { /* libpq's own message would show parts of the url */
        PQconninfoFree(options);
        return rb_fail(err, RB_ERROR,
                       "database %s: the url is not one that libpq understands\nwrite "
                       "postgresql://USER:PASSWORD@HOST:PORT/NAME?KEY=VALUE, and in PASSWORD %%25 "
                       "for a percent sign, %%40 for an @, %%2F for a slash",
                       pg->shown);
    }
    const char *keywords[] = {"dbname", "application_name", "client_encoding", "connect_timeout",
                              NULL};
    const char *values[] = {pg->url, "rbtool", "UTF8", CONNECT_SECONDS, NULL};
    if (sets(options, "connect_timeout"))
        keywords[3] = NULL;
    PQconninfoFree(options);
    pg->conn = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(pg->conn) != CONNECTION_OK)
        return fail_connect(pg, err);
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    pg->cancel = PQgetCancel(pg->conn);
    int number = PQserverVersion(pg->conn);
    snprintf(pg->version, sizeof pg->version, "%d.%d", number / 10000, number % 10000);
    return rb_pg_settle(pg, err);
}

enum rb_code rb_pg_connect(rb_pg **out, const char *url, enum rb_db_mode mode, rb_err *err)
{
    RB_TRY(rb_pg_libraries_load(err));
    rb_pg *pg = rb_calloc(1, sizeof *pg);
    pg->url = rb_strdup(url);
    pg->shown = rb_url_public(url);
    pg->mode = mode;
    pg->prepared = json_object();
    pg->sent = json_object();
    enum rb_code code = connect_url(pg, err);
    if (code == RB_OK)
        *out = pg;
    else
        rb_pg_disconnect(pg);
    return code;
}
