/*
 * Types and functions that the files which make a release share.
 */
#ifndef RB_RELEASE_MAKE_INTERNAL_H
#define RB_RELEASE_MAKE_INTERNAL_H

#include "artifact/lfs.h"
#include "git/tree.h"
#include "release/internal.h"
#include "release/make.h"

/* A release that is being made. */
typedef struct rb_making {
    const rb_make *make;
    const rb_config *config;
    rb_repo *repo;
    const rb_chain *chain;
    const rb_release *previous; /* the predecessor; NULL for the first release */
    rb_oid commit;
    rb_oid tree;
    rb_tree_entries entries; /* entries of the whole tree; read on first use */
    bool listed;
    rb_lfs *lfs; /* of the tree */
    /* keep the proofs' databases: the caller asked, or the settings have a compatibility test */
    bool lend;
    const char **classes; /* rollback class of each database; static strings */
    rb_made *made;
} rb_making;

static inline void rb_making_tell(const rb_making *making, const char *what, const char *name)
{
    if (!making->make->progress)
        return;
    RB_AUTO(rb_free_str) char *line = rb_format("%s %s", what, name);
    making->make->progress(making->make->context, line);
}

/* Frees what a making owns; the settings, the chain and what is made are the caller's. */
void rb_making_clear(rb_making *making);
/* Reads, lints and proves every configured database (make_database.c). */
enum rb_code rb_making_databases(rb_making *making, rb_err *err);
/* Collect artifacts, flags, config and checks (make_files.c). */
enum rb_code rb_making_artifacts(rb_making *making, rb_err *err);
enum rb_code rb_making_files(rb_making *making, rb_err *err);
/* Returns the version that the tag and the tree agree on (make_version.c). */
enum rb_code rb_making_version(char **out, rb_making *making, rb_err *err);
/* Reads the version from the file that app.version names. */
enum rb_code rb_making_read_version(char **out, rb_making *making, rb_err *err);
/* Builds the bytes of the tag object (make_message.c). */
enum rb_code rb_making_payload(rb_making *making, rb_err *err);

#endif
