/*
 * Parses database urls; the only module that knows their schemes. A url is "sqlite:PATH" or
 * "postgresql://...", whether or not rbtool has a driver for it.
 */
#ifndef RB_DATABASE_URL_H
#define RB_DATABASE_URL_H

#include <stdbool.h>

#include "base/buf.h"

#define RB_URL_WORDS "sqlite:PATH or postgresql://..."

/* Returns the engine of a url, and what follows its scheme in *rest, which may be NULL. NULL if the
 * scheme is unknown or nothing follows it. */
const char *rb_url_engine(const char *url, const char **rest);
/* Returns the path of a database that is a file, borrowed from url; NULL for others. */
const char *rb_url_file(const char *url);
/* Returns the url with another path. A new string. */
char *rb_url_with_file(const char *url, const char *path);
/* Returns the url without passwords. A new string. */
char *rb_url_public(const char *url);
/* True if the password has an "@" or "/" that is not percent-encoded. libpq would take a part of it
 * for a host, port or name, and show it in errors. */
bool rb_url_is_ambiguous(const char *url);

#endif
