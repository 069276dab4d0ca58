/*
 * Urls of databases, as text: the only place that knows their schemes. A url is "sqlite:PATH" or
 * "postgresql://...", whether this rbtool has a driver for it or not.
 */
#ifndef RB_DATABASE_URL_H
#define RB_DATABASE_URL_H

#include <stdbool.h>

#include "base/buf.h"

#define RB_URL_WORDS "sqlite:PATH or postgresql://..."
#define RB_URL_LIST "sqlite:PATH, postgresql://..."

/* Names of the engines that a configuration may name; ends with NULL. */
extern const char *const rb_engines[];

/* The engine of a url and what follows its scheme; NULL if the scheme is not known, or nothing
 * follows it. rest may be NULL. */
const char *rb_url_engine(const char *url, const char **rest);
/* The path of a database that is a file, borrowed from url; NULL for others. */
const char *rb_url_file(const char *url);
/* The same url with another path; a new string. */
char *rb_url_with_file(const char *url, const char *path);
/* The url without passwords; a new string. */
char *rb_url_public(const char *url);
/* True if libpq would take a part of the password for a host, port or name, and show it: an "@" or
 * "/" of the password is not written as a percent sign. */
bool rb_url_is_ambiguous(const char *url);

#endif
