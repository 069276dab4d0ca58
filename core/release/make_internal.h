/*
 * What the files that make a release share.
 */
#ifndef RB_RELEASE_MAKE_INTERNAL_H
#define RB_RELEASE_MAKE_INTERNAL_H

#include "git/tree.h"
#include "release/internal.h"
#include "release/make.h"

/* A release in the making. */
typedef struct rb_making {
    const rb_make *make;
    const rb_config *config;
    rb_repo *repo;
    const rb_chain *chain;
    const rb_release *previous; /* NULL for the first */
    rb_oid commit;
    rb_oid tree;
    rb_tree_entries entries; /* of the whole tree, read when first asked for */
    bool listed;
    bool lend;            /* as in rb_make, or because the settings have a compatibility test */
    const char **classes; /* of each database, static */
    rb_made *made;
} rb_making;

void rb_making_tell(const rb_making *making, const char *what, const char *name);

/* make_database.c: reads, lints and proves every configured database. */
enum rb_code rb_making_databases(rb_making *making, rb_err *err);
/* make_files.c: artifacts, flags, config, checks. */
enum rb_code rb_making_artifacts(rb_making *making, rb_err *err);
enum rb_code rb_making_files(rb_making *making, rb_err *err);
/* make_version.c: the version that tag and tree agree on. */
enum rb_code rb_making_version(char **out, rb_making *making, rb_err *err);
/* What the file says that app.version names. */
enum rb_code rb_making_read_version(char **out, rb_making *making, rb_err *err);
/* make_message.c: the tag object's bytes. */
enum rb_code rb_making_payload(rb_making *making, rb_err *err);

#endif
