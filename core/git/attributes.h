/*
 * gitattributes(5) of a tree. Only the .gitattributes files in the tree count (not info/attributes
 * or core.attributesFile), so that everybody gets the same answer for a release.
 *
 * libgit2 1.5 cannot do this: it reads the other files as well, applies a negated pattern ("!a.bin
 * -filter"), which git ignores, to all other files, ignores quoted patterns, and needs a commit
 * where there may only be a tree. `git check-attr --source` exists since git 2.40.
 */
#ifndef RB_GIT_ATTRIBUTES_H
#define RB_GIT_ATTRIBUTES_H

#include "git/tree.h"

#define RB_ATTRIBUTES_LIMIT (4u << 20) /* bytes of one file; the limit of git, too */

typedef struct rb_attributes rb_attributes; /* several threads may use one object */

rb_attributes *rb_attributes_new(rb_repo *repo, const rb_oid *tree);
void rb_attributes_free(rb_attributes *attributes);
RB_DEFINE_AUTO(rb_attributes, rb_attributes_free)

/* Returns the value of an attribute of a file; NULL if it is unset, unspecified, or set without a
 * value. The caller owns it. */
enum rb_code rb_attributes_get(char **out, rb_attributes *attributes, const char *path,
                               const char *name, rb_err *err);

/* Sets *out if the attribute is set for the file without a value ("ident", but not "-ident" or
 * "ident=x"). */
enum rb_code rb_attributes_is_set(bool *out, rb_attributes *attributes, const char *path,
                                  const char *name, rb_err *err);

/* Matches a path against a pattern. base: the folder of the file that contains the pattern, "" or
 * with '/' at its end. For tests and the fuzzer. */
bool rb_attributes_match(const char *pattern, const char *base, const char *path);

/* Returns the number of rules in the text of a file. For tests and the fuzzer. */
size_t rb_attributes_count(const char *text, size_t len);

#endif
