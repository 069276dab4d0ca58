/*
 * Tags: refs/tags/NAME and the tag objects behind them, as raw bytes. Parses only what git itself
 * must parse; core/trust parses and checks the rest.
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
enum rb_code rb_tag_read(rb_tag **out, rb_repo *repo, const char *name, rb_err *err);
/* Reads a tag object by id, with the name that its ref should have. May be called from any thread.
 * */
enum rb_code rb_tag_read_object(rb_tag **out, rb_repo *repo, const rb_oid *object, const char *name,
                                rb_err *err);
/* Returns the size of the tag object, by its header; 0 for any other object and for a missing one.
 * */
size_t rb_tag_size(rb_repo *repo, const rb_oid *object);
/* Returns the object that the tag's header names; false if it names none. */
bool rb_tag_target(rb_oid *out, const rb_tag *tag);
void rb_tag_free(rb_tag *tag);
RB_DEFINE_AUTO(rb_tag, rb_tag_free)

/* The object that every tag's ref names, without reading the objects; sorted bytewise by name. */
typedef struct rb_tag_ref {
    char *name;
    rb_oid object;
    bool resolved; /* false: the object does not exist; rb_tag_read() reports why */
} rb_tag_ref;

typedef struct rb_tag_refs {
    rb_tag_ref *items;
    size_t n;
    size_t cap;
} rb_tag_refs;

enum rb_code rb_tag_refs_read(rb_tag_refs *out, rb_repo *repo, rb_err *err);
void rb_tag_refs_clear(rb_tag_refs *refs);

/* Lists the names of all tags that match the glob (fnmatch), sorted bytewise. */
enum rb_code rb_tag_names(rb_strs *out, rb_repo *repo, const char *glob, rb_err *err);

/*
 * Writes the object, checks it as `git mktag` does, then creates refs/tags/name with `git update-
 * ref`, so that the user's hooks run. RB_FOUND if the name is in use.
 */
enum rb_code rb_tag_create(rb_oid *out, rb_repo *repo, const char *name, const void *raw,
                           size_t len, rb_err *err);

/* Compares versions in tag names: digits by value, 1.0-rc1 before 1.0 (git's versionsort with "-"
 * as suffix); bytewise if equal. */
int rb_tag_compare(const char *a, const char *b);

#endif
