/*
 * Shared by the checks of pushed migrations: the folders to check, and which commits are new to
 * the remote.
 */
#ifndef RB_HOOK_CHECK_SEARCH_H
#define RB_HOOK_CHECK_SEARCH_H

#include "hook/check_internal.h"

/* A folder in which releases have a database's migrations. */
typedef struct rb_guard_place {
    char *folder; /* "LAYOUT ENGINE DIRECTORY", as the chain lists it */
    char *layout;
    char *engine;
    const char *directory;
    json_t *released; /* id: {"UP DOWN": null} of every release */
    json_t *same;     /* tree ids of folders that are known to be unchanged */
} rb_guard_place;

typedef struct rb_guard_search {
    rb_guard *guard;
    const char *remote; /* NULL on a server, where refs still have their old values */
    const rb_pushes *pushes;
    const rb_chain *chain;
    rb_guard_place *places;
    size_t place_count;
    bool opened;  /* all releases are: rb_guard_open_released() */
    json_t *news; /* paths to whether the push touches them */
    size_t bytes; /* of scripts that were read */
} rb_guard_search;

/*
 * Finds the newest commit that the remote is not known to have and that touches one of the paths;
 * "" if none does. tip NULL: of everything that is pushed. Searches the full history, because a
 * merge that takes one side's file unchanged touches it too.
 */
enum rb_code rb_guard_find_commit(char out[RB_OID_HEX], const rb_guard_search *search,
                                  const rb_oid *tip, const rb_strs *paths, rb_err *err);
/* Sets *out if anything that is pushed touches the paths. Computed once, however many refs are
 * pushed. */
enum rb_code rb_guard_is_news(bool *out, rb_guard_search *search, const rb_strs *paths,
                              rb_err *err);

/* Opens all releases, once, and collects what each place had in them. Costs as much as they are
 * many: only for what rb_guard_continues() leaves open. */
void rb_guard_open_released(rb_guard_search *search);

/*
 * Sets *out if the commit has each migration of the nearest releases, byte by byte where they have
 * it, and no other folder of a release. Then nothing that was released is changed in it.
 */
enum rb_code rb_guard_continues(bool *out, rb_guard_search *search, const rb_pushed *pushed,
                                const rb_oid *tree, rb_err *err);

/* True if a migration has not the bytes that were released. A down where none was changes nothing
 * that was released. */
bool rb_guard_differs(const rb_migration *found, const rb_manifest_migration *was);

/*
 * Refuses a commit that lacks a migration of the newest release that it follows and that is not
 * bad: byte by byte, wherever its folder, layout or database is now, by the commit's own
 * rbtool.json and in the releases' folders.
 */
enum rb_code rb_guard_check_released(rb_refusals *out, rb_guard_search *search,
                                     const rb_pushed *pushed, const rb_oid *tree, rb_err *err);

/*
 * On a server, refuses a push after which the branch that HEAD names lacks a migration that it
 * has now with the bytes of a release that is not bad. Compares content, not history: the branch
 * may be rewritten or replaced by one that follows no release.
 */
enum rb_code rb_guard_check_head(rb_refusals *out, rb_guard_search *search, rb_err *err);

#endif
