/*
 * Functions that the files of this module share.
 */
#ifndef RB_RELEASE_INTERNAL_H
#define RB_RELEASE_INTERNAL_H

#include "release/release.h"

/* Converts a set of migrations to the form of a manifest. The caller frees the array. */
rb_manifest_migration *rb_release_describe(size_t *count, const rb_migrations *set);
void rb_release_describe_free(rb_manifest_migration *migrations, size_t count);

/* Adds a problem "migration" for every difference between found[] and the manifest. */
void rb_release_compare(rb_problems *problems, const rb_release *release,
                        const rb_manifest_database *database, const rb_manifest_migration *found,
                        size_t count);

#endif
