#define RB_LIBRARIES_ITSELF
#include "database/postgres/libraries.h"

#define PURPOSE "for a PostgreSQL database"

rb_libpq rb_libpq_functions;
rb_pgquery rb_pgquery_functions;

static const char *const libpq_names[] = {RB_LIBPQ(RB_LIBRARY_NAME) NULL};
static const char *const pgquery_names[] = {RB_PGQUERY(RB_LIBRARY_NAME) NULL};

static const rb_library libpq = {"libpq.so.5", PURPOSE, "libpq5", libpq_names, &rb_libpq_functions};
static const rb_library pgquery = {RB_PG_QUERY, PURPOSE, "libpg-query1504.0", pgquery_names,
                                   &rb_pgquery_functions};

enum rb_code rb_pg_libraries_load(rb_err *err)
{
    RB_TRY(rb_library_load(&libpq, err));
    return rb_library_load(&pgquery, err);
}
