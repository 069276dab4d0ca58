#define RB_LIBPQ_ITSELF
#include "database/postgres/libpq.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* The library of the headers that rbtool is compiled with. */
#define SONAME "libpq.so.5"

rb_libpq rb_libpq_functions;

/* Only one thread opens databases, so that no lock is needed. */
enum rb_code rb_libpq_load(rb_err *err)
{
    static void *library;
    static bool complete;
    if (complete)
        return RB_OK;
    if (!library)
        library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return rb_fail(err, RB_ERROR,
                       "cannot load libpq to use a PostgreSQL database: %s\n"
                       "install it (Debian: apt-get install libpq5)",
                       dlerror());
        /* ISO C does not allow to convert an object pointer to a function pointer; POSIX does. */
#define FIND(name)                                                                                 \
    {                                                                                              \
        void *found = dlsym(library, #name);                                                       \
        if (!found)                                                                                \
            return rb_fail(err, RB_ERROR, "%s lacks %s\ninstall libpq of PostgreSQL 15 or later",  \
                           SONAME, #name);                                                         \
        memcpy(&rb_libpq_functions.name, &found, sizeof found);                                    \
    }
    RB_LIBPQ(FIND)
    complete = true;
    return RB_OK;
}
