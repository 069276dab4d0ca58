/*
 * The libraries of PostgreSQL: libpq, and libpg_query, which has PostgreSQL's parser. They are
 * loaded when the first PostgreSQL database is opened (base/library.h).
 *
 * Files of this folder include this header instead of <libpq-fe.h> and <pg_query.h>, and call the
 * functions by their names. rb_pg_libraries_load() must succeed first; code that has an rb_pg, a
 * PGconn or a PGresult can rely on that.
 */
#ifndef RB_DATABASE_POSTGRES_LIBRARIES_H
#define RB_DATABASE_POSTGRES_LIBRARIES_H

#include <libpq-fe.h>
#include <pg_query.h>

#include "base/library.h"

/* The functions of libpq that are used. */
#define RB_LIBPQ(X)                                                                                \
    X(PQbackendPID)                                                                                \
    X(PQcancel)                                                                                    \
    X(PQclear)                                                                                     \
    X(PQconnectdbParams)                                                                           \
    X(PQconninfo)                                                                                  \
    X(PQconninfoFree)                                                                              \
    X(PQconninfoParse)                                                                             \
    X(PQconsumeInput)                                                                              \
    X(PQcopyResult)                                                                                \
    X(PQdb)                                                                                        \
    X(PQerrorMessage)                                                                              \
    X(PQexec)                                                                                      \
    X(PQexecParams)                                                                                \
    X(PQfinish)                                                                                    \
    X(PQfname)                                                                                     \
    X(PQfreeCancel)                                                                                \
    X(PQfreemem)                                                                                   \
    X(PQftype)                                                                                     \
    X(PQgetCancel)                                                                                 \
    X(PQgetCopyData)                                                                               \
    X(PQgetResult)                                                                                 \
    X(PQgetisnull)                                                                                 \
    X(PQgetlength)                                                                                 \
    X(PQgetvalue)                                                                                  \
    X(PQhost)                                                                                      \
    X(PQisBusy)                                                                                    \
    X(PQnfields)                                                                                   \
    X(PQntuples)                                                                                   \
    X(PQport)                                                                                      \
    X(PQprepare)                                                                                   \
    X(PQputCopyData)                                                                               \
    X(PQputCopyEnd)                                                                                \
    X(PQresultErrorField)                                                                          \
    X(PQresultStatus)                                                                              \
    X(PQsendQuery)                                                                                 \
    X(PQsendQueryParams)                                                                           \
    X(PQsendQueryPrepared)                                                                         \
    X(PQserverVersion)                                                                             \
    X(PQsetNoticeReceiver)                                                                         \
    X(PQsetSingleRowMode)                                                                          \
    X(PQsetvalue)                                                                                  \
    X(PQsocket)                                                                                    \
    X(PQstatus)                                                                                    \
    X(PQtransactionStatus)                                                                         \
    X(PQuser)

/* The functions of libpg_query that are used. */
#define RB_PGQUERY(X)                                                                              \
    X(pg_query_free_parse_result)                                                                  \
    X(pg_query_free_plpgsql_parse_result)                                                          \
    X(pg_query_free_split_result)                                                                  \
    X(pg_query_parse)                                                                              \
    X(pg_query_parse_plpgsql)                                                                      \
    X(pg_query_split_with_parser)

typedef struct rb_libpq {
    RB_LIBPQ(RB_LIBRARY_MEMBER)
} rb_libpq;

typedef struct rb_pgquery {
    RB_PGQUERY(RB_LIBRARY_MEMBER)
} rb_pgquery;

extern rb_libpq rb_libpq_functions;
extern rb_pgquery rb_pgquery_functions;

/* Loads both libraries if they are not loaded yet. RB_ERROR says what to install. */
enum rb_code rb_pg_libraries_load(rb_err *err);

#ifndef RB_LIBRARIES_ITSELF /* libraries.c needs the plain names */
#define PQbackendPID rb_libpq_functions.PQbackendPID
#define PQcancel rb_libpq_functions.PQcancel
#define PQclear rb_libpq_functions.PQclear
#define PQconnectdbParams rb_libpq_functions.PQconnectdbParams
#define PQconninfo rb_libpq_functions.PQconninfo
#define PQconninfoFree rb_libpq_functions.PQconninfoFree
#define PQconninfoParse rb_libpq_functions.PQconninfoParse
#define PQconsumeInput rb_libpq_functions.PQconsumeInput
#define PQcopyResult rb_libpq_functions.PQcopyResult
#define PQdb rb_libpq_functions.PQdb
#define PQerrorMessage rb_libpq_functions.PQerrorMessage
#define PQexec rb_libpq_functions.PQexec
#define PQexecParams rb_libpq_functions.PQexecParams
#define PQfinish rb_libpq_functions.PQfinish
#define PQfname rb_libpq_functions.PQfname
#define PQfreeCancel rb_libpq_functions.PQfreeCancel
#define PQfreemem rb_libpq_functions.PQfreemem
#define PQftype rb_libpq_functions.PQftype
#define PQgetCancel rb_libpq_functions.PQgetCancel
#define PQgetCopyData rb_libpq_functions.PQgetCopyData
#define PQgetResult rb_libpq_functions.PQgetResult
#define PQgetisnull rb_libpq_functions.PQgetisnull
#define PQgetlength rb_libpq_functions.PQgetlength
#define PQgetvalue rb_libpq_functions.PQgetvalue
#define PQhost rb_libpq_functions.PQhost
#define PQisBusy rb_libpq_functions.PQisBusy
#define PQnfields rb_libpq_functions.PQnfields
#define PQntuples rb_libpq_functions.PQntuples
#define PQport rb_libpq_functions.PQport
#define PQprepare rb_libpq_functions.PQprepare
#define PQputCopyData rb_libpq_functions.PQputCopyData
#define PQputCopyEnd rb_libpq_functions.PQputCopyEnd
#define PQresultErrorField rb_libpq_functions.PQresultErrorField
#define PQresultStatus rb_libpq_functions.PQresultStatus
#define PQsendQuery rb_libpq_functions.PQsendQuery
#define PQsendQueryParams rb_libpq_functions.PQsendQueryParams
#define PQsendQueryPrepared rb_libpq_functions.PQsendQueryPrepared
#define PQserverVersion rb_libpq_functions.PQserverVersion
#define PQsetNoticeReceiver rb_libpq_functions.PQsetNoticeReceiver
#define PQsetSingleRowMode rb_libpq_functions.PQsetSingleRowMode
#define PQsetvalue rb_libpq_functions.PQsetvalue
#define PQsocket rb_libpq_functions.PQsocket
#define PQstatus rb_libpq_functions.PQstatus
#define PQtransactionStatus rb_libpq_functions.PQtransactionStatus
#define PQuser rb_libpq_functions.PQuser
#define pg_query_free_parse_result rb_pgquery_functions.pg_query_free_parse_result
#define pg_query_free_plpgsql_parse_result rb_pgquery_functions.pg_query_free_plpgsql_parse_result
#define pg_query_free_split_result rb_pgquery_functions.pg_query_free_split_result
#define pg_query_parse rb_pgquery_functions.pg_query_parse
#define pg_query_parse_plpgsql rb_pgquery_functions.pg_query_parse_plpgsql
#define pg_query_split_with_parser rb_pgquery_functions.pg_query_split_with_parser
#endif

#endif
