/*
 * Tags: refs/tags/NAME and the tag objects to which they lead, as raw bytes. This module parses
 * only what git must parse; core/trust parses and checks the rest.
 */
#ifndef RB_GIT_TAG_H
#define RB_GIT_TAG_H

#include "git/repository.h"

#define RB_TAG_LIMIT (16u << 20) /* bytes; a larger tag object is refused */

typedef struct rb_tag {
    char *name; /* name without refs/tags/ */
    /* id of the tag object; of the commit or other object if the tag is lightweight */
    rb_oid object;
    bool annotated; /* raw holds a tag object */
    rb_buf raw;     /* the tag object's exact bytes */
} rb_tag;

/* Reads a tag. RB_FOUND if it does not exist; RB_ERROR if its object is missing or corrupt. */
enum rb_code rb_tag_read(rb_tag **out, rb_repo *repo, const char *name, rb_err *err);
/* Reads a tag object by id. name: the tag that it should be. Several threads may call this. */
enum rb_code rb_tag_read_object(rb_tag **out, rb_repo *repo, const rb_oid *object, const char *name,
                                rb_err *err);
/* Returns the size of a tag object without reading it; 0 for other objects and a missing one. */
size_t rb_tag_size(rb_repo *repo, const rb_oid *object);
/* Finds the object that the tag's header names; false if there is none. */
bool rb_tag_target(rb_oid *out, const rb_tag *tag);
void rb_tag_free(rb_tag *tag);
RB_DEFINE_AUTO(rb_tag, rb_tag_free)

/* A tag and the id in its ref. The list is sorted by name, bytewise, and made without reading the
 * objects. */
typedef struct rb_tag_ref {
    const char *name;
    rb_oid object;
    bool resolved; /* false: the ref leads to nothing; rb_tag_read() reports why */
} rb_tag_ref;

typedef struct rb_tag_refs {
    rb_tag_ref *items;
    size_t n;
    rb_buf packed; /* packed-refs and the names of loose refs, to which the items point */
    rb_strs loose;
} rb_tag_refs;

enum rb_code rb_tag_refs_read(rb_tag_refs *out, rb_repo *repo, rb_err *err);
void rb_tag_refs_clear(rb_tag_refs *refs);

/* Lists the names of all tags that match the glob (fnmatch), sorted bytewise. */
enum rb_code rb_tag_names(rb_strs *out, rb_repo *repo, const char *glob, rb_err *err);

/*
 * Writes the tag object, checks it as `git mktag` does, then creates refs/tags/name with `git
 * update-ref`, so that the user's hooks run. RB_FOUND if the name is in use.
 */
enum rb_code rb_tag_create(rb_oid *out, rb_repo *repo, const char *name, const void *raw,
                           size_t len, rb_err *err);

/* Compares versions in tag names: numbers by value, and 1.0-rc1 before 1.0 (git's versionsort with
 * "-" as suffix). Bytewise if that gives no difference. */
int rb_tag_compare(const char *a, const char *b);

#endif
