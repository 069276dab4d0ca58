/*
 * gitattributes(5) of a tree: the .gitattributes files in it and nothing else (no info/attributes,
 * no core.attributesFile), so that everyone gets the same answer for a release.
 *
 * Why not a library: libgit2 1.5 mixes those in, takes a negated pattern ("!a.bin -filter"), which
 * git ignores, for every other file, ignores quoted patterns, and needs a commit where there may
 * only be a tree. `git check-attr --source` came with git 2.40.
 */
#ifndef RB_GIT_ATTRIBUTES_H
#define RB_GIT_ATTRIBUTES_H

#include "git/tree.h"

#define RB_ATTRIBUTES_LIMIT (4u << 20) /* bytes of one file; git has the same notion */

typedef struct rb_attributes rb_attributes; /* may be used from several threads */

rb_attributes *rb_attributes_new(rb_repo *repo, const rb_oid *tree);
void rb_attributes_free(rb_attributes *attributes);
RB_DEFINE_AUTO(rb_attributes, rb_attributes_free)

/* The value of an attribute for a file; NULL when it is unset, unspecified, or set without a
 * value. The caller owns it. */
enum rb_code rb_attributes_get(char **out, rb_attributes *attributes, const char *path,
                               const char *name, rb_err *err);

/* Whether an attribute is set for a file without a value ("ident", not "-ident" or "ident=x"). */
enum rb_code rb_attributes_is_set(bool *out, rb_attributes *attributes, const char *path,
                                  const char *name, rb_err *err);

/* gitignore(5) patterns as gitattributes uses them: base is the folder of the file they are in,
 * "" or with '/' at its end. For tests and the fuzzer. */
bool rb_attributes_match(const char *pattern, const char *base, const char *path);

/* The rules in a file's bytes. For tests and the fuzzer. */
size_t rb_attributes_count(const char *text, size_t len);

#endif
