/*
 * Loads libpq when the first PostgreSQL database is opened. libpq depends on Kerberos, LDAP and two
 * TLS libraries: linking it would double the start time of every command.
 *
 * Files of this folder include this header instead of <libpq-fe.h> and call libpq's functions by
 * their names. rb_libpq_load() must succeed first; code that has a PGconn or PGresult can rely on
 * that.
 */
#ifndef RB_DATABASE_POSTGRES_LIBPQ_H
#define RB_DATABASE_POSTGRES_LIBPQ_H

#include <libpq-fe.h>

#include "base/err.h"

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

typedef struct rb_libpq {
#define RB_LIBPQ_MEMBER(name) __typeof__(&(name)) name;
    RB_LIBPQ(RB_LIBPQ_MEMBER)
#undef RB_LIBPQ_MEMBER
} rb_libpq;

extern rb_libpq rb_libpq_functions;

/* Loads libpq if it is not loaded yet. RB_ERROR says what to install. */
enum rb_code rb_libpq_load(rb_err *err);

#ifndef RB_LIBPQ_ITSELF /* libpq.c needs the plain names */
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
#endif

#endif
