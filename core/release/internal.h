/*
 * What the files of this module share.
 */
#ifndef RB_RELEASE_INTERNAL_H
#define RB_RELEASE_INTERNAL_H

#include "release/release.h"

/* Where the manifest's summary of a set and the set itself are made to meet. The caller frees. */
rb_manifest_migration *rb_release_describe(size_t *count, const rb_migrations *set);
void rb_release_describe_free(rb_manifest_migration *migrations, size_t count);

/* Problems with code "migration" where found[] differs from the manifest's. */
void rb_release_compare(rb_problems *problems, const rb_release *release,
                        const rb_manifest_database *database, const rb_manifest_migration *found,
                        size_t count);

#endif
