/*
 * The migrations of a database that were released earlier, for lint.
 */
#ifndef RB_RELEASE_RELEASED_H
#define RB_RELEASE_RELEASED_H

#include "migration/lint.h"
#include "release/chain.h"

typedef struct rb_carried {
    rb_released *items; /* strings are borrowed from releases and set */
    size_t n;
    rb_migrations *set; /* the set of the release, if it was read */
} rb_carried;
void rb_carried_clear(rb_carried *carried);

/*
 * Lists the migrations that the release has in its database of that name: for each, the tag that
 * first carried it (as far as the chain leads; chain NULL: the release itself), and for those that
 * are not in `now`, the file that contained them. Borrows release and chain.
 */
void rb_carried_find(rb_carried *out, const rb_release *release, const rb_chain *chain,
                     rb_repo *repo, const char *database, const rb_migrations *now);

/* Converts a commit's set, as if a release of that name had carried it. Borrows set and name; the
 * caller frees the array. */
rb_released *rb_released_of(size_t *n, const rb_migrations *set, const char *name);

#endif
