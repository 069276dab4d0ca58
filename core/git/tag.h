/*
 * Tags: refs/tags/NAME and the tag objects behind them, as raw bytes. Nothing is parsed here but
 * what git itself must parse; room trust splits and checks.
 */
#ifndef RB_GIT_TAG_H
#define RB_GIT_TAG_H

#include "git/repository.h"

#define RB_TAG_LIMIT (16u << 20) /* bytes; a larger tag object is refused */

typedef struct rb_tag {
    char *name;     /* without refs/tags/ */
    rb_oid object;  /* the tag object, or the object itself when the tag is lightweight */
    bool annotated; /* raw holds a tag object */
    rb_buf raw;     /* exact bytes of the object */
} rb_tag;

/* RB_FOUND if the tag does not exist; RB_ERROR if its object is missing or corrupt. */
enum rb_code rb_tag_read(rb_tag **out, rb_repo *repo, const char *name, rb_err *err) RB_MUST_USE;
/* A tag object by id, with the name its ref should have; from any thread. */
enum rb_code rb_tag_read_object(rb_tag **out, rb_repo *repo, const rb_oid *object, const char *name,
                                rb_err *err) RB_MUST_USE;
/* Bytes of the tag object, by its header; 0 for any other object, and for one that is missing. */
size_t rb_tag_size(rb_repo *repo, const rb_oid *object);
/* What a tag object says that it is on; false where it says nothing. */
bool rb_tag_target(rb_oid *out, const rb_tag *tag);
void rb_tag_free(rb_tag *tag);
RB_DEFINE_AUTO(rb_tag, rb_tag_free)

/* What every tag's ref names, without reading the objects; sorted bytewise by name. */
typedef struct rb_tag_ref {
    char *name;
    rb_oid object;
    bool resolved; /* false: there is no object; rb_tag_read() says why */
} rb_tag_ref;

typedef struct rb_tag_refs {
    rb_tag_ref *items;
    size_t n;
    size_t cap;
} rb_tag_refs;

enum rb_code rb_tag_refs_read(rb_tag_refs *out, rb_repo *repo, rb_err *err) RB_MUST_USE;
void rb_tag_refs_clear(rb_tag_refs *refs);

/* Names of all tags that match the glob (fnmatch), sorted bytewise. */
enum rb_code rb_tag_names(rb_strs *out, rb_repo *repo, const char *glob, rb_err *err) RB_MUST_USE;

/*
 * Writes the object, checks it as `git mktag` would, then creates refs/tags/name with
 * `git update-ref`, so that the user's hooks run. A name that is taken is refused (RB_FOUND).
 */
enum rb_code rb_tag_create(rb_oid *out, rb_repo *repo, const char *name, const void *raw,
                           size_t len, rb_err *err) RB_MUST_USE;

/* Order of versions in tag names: digits by value, 1.0-rc1 before 1.0 (git's versionsort with
 * "-" as suffix); bytewise where that is a tie. */
int rb_tag_compare(const char *a, const char *b);

#endif
