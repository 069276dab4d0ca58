/*
 * What a release's predecessors carried of a database: what lint compares with.
 */
#ifndef RB_RELEASE_RELEASED_H
#define RB_RELEASE_RELEASED_H

#include "migration/lint.h"
#include "release/chain.h"

typedef struct rb_carried {
    rb_released *items; /* strings are the releases' and the set's */
    size_t n;
    rb_migrations *set; /* the release's own, when it was read */
} rb_carried;
void rb_carried_clear(rb_carried *carried);

/*
 * The migrations that release has in its database of that name, each with the tag that first
 * carried it, as far as chain (NULL: release alone) leads, and, of those that are not in now, the
 * file that they were in. Borrows release and chain.
 */
void rb_carried_find(rb_carried *out, const rb_release *release, const rb_chain *chain,
                     rb_repo *repo, const char *database, const rb_migrations *now);

/* The migrations of a commit's set, as if a release of that name had carried them. Borrows set and
 * name; the caller frees the array. */
rb_released *rb_released_of(size_t *n, const rb_migrations *set, const char *name);

#endif
