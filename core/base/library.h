/*
 * Loads a shared library when one of its functions is needed first. Archives and PostgreSQL take
 * libraries that depend on Kerberos, LDAP, libxml2 and ICU: linking them would make every start of
 * rbtool take longer than a whole git command.
 *
 * A library stays loaded. Several threads may load libraries at once.
 */
#ifndef RB_BASE_LIBRARY_H
#define RB_BASE_LIBRARY_H

#include "base/err.h"

typedef struct rb_library {
    const char *soname;       /* of the version whose headers rbtool is compiled with */
    const char *purpose;      /* what it is needed for: "to write an archive" */
    const char *package;      /* the Debian package that has it */
    const char *const *names; /* its functions that rbtool calls, NULL-terminated */
    void *functions;          /* a struct with a function pointer for each name, in this order */
} rb_library;

/* For a list such as X(archive_entry_new) X(archive_entry_free): the members of the struct, and the
 * names. */
#define RB_LIBRARY_MEMBER(name) __typeof__(&(name)) name;
#define RB_LIBRARY_NAME(name) #name,

/* Fills in *library->functions. RB_ERROR says what to install. */
enum rb_code rb_library_load(const rb_library *library, rb_err *err);

#endif
