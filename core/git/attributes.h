/*
 * gitattributes(5) of a tree. Only the .gitattributes files in the tree count (not info/attributes
 * or core.attributesFile), so that everybody gets the same answer for a release.
 *
 * git itself answers, from an index in a temporary folder that has only these files: `git
 * check-attr --source` exists since git 2.40, and libgit2 1.5 reads the other files as well,
 * applies negated patterns, and ignores quoted ones. The first question about a tree asks for all
 * of its files at once. Nothing is run if no file sets one of the attributes.
 */
#ifndef RB_GIT_ATTRIBUTES_H
#define RB_GIT_ATTRIBUTES_H

#include "git/tree.h"

typedef struct rb_attributes rb_attributes; /* several threads may use one object */

rb_attributes *rb_attributes_new(rb_repo *repo, const rb_oid *tree);
void rb_attributes_free(rb_attributes *attributes);
RB_DEFINE_AUTO(rb_attributes, rb_attributes_free)

/* Sets *out to the value of an attribute of a file of the tree: of filter, working-tree-encoding,
 * eol or ident. NULL if it is unset or unspecified, "set" if it has no value. Borrowed. */
enum rb_code rb_attributes_get(const char **out, rb_attributes *attributes, const char *path,
                               const char *name, rb_err *err);

#endif
