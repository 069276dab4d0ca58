/*
 * Types and functions for checking pushed migrations: the folders to check, and which commits are
 * new to the remote.
 */
#ifndef RB_HOOK_CHECK_SEARCH_H
#define RB_HOOK_CHECK_SEARCH_H

#include "hook/check_internal.h"

/* A folder that contains the migrations of a database in some releases. */
typedef struct rb_guard_place {
    char *folder; /* "LAYOUT ENGINE DIRECTORY", as the chain lists folders */
    char *layout;
    char *engine;
    const char *directory;
    json_t *released; /* id -> {"UP DOWN": null} for the scripts of every release */
    json_t *same;     /* tree ids of folders that are known not to change released migrations */
} rb_guard_place;

typedef struct rb_guard_search {
    rb_guard *guard;
    const char *remote; /* name of the remote; NULL on a server */
    const rb_pushes *pushes;
    const rb_chain *chain;
    rb_guard_place *places;
    size_t place_count;
    bool opened;  /* all releases are open: rb_guard_open_released() */
    json_t *news; /* paths -> whether the push touches them */
    size_t bytes; /* bytes of scripts that were read */
} rb_guard_search;

void rb_guard_search_clear(rb_guard_search *search);
/* Adds the folders of all releases in the chain. */
void rb_guard_find_places(rb_guard_search *search);
/* True if a release's database has its migrations in this folder and layout. */
bool rb_guard_place_is(const rb_guard_place *place, const rb_manifest_database *database);
/* Returns a key of rb_guard_place.released: the SHA-256 of both scripts. A new string. */
char *rb_guard_spell(const char *up, const char *down);

/*
 * Finds the newest new commit (that the remote is not known to have) that touches one of the paths;
 * "" if there is none. tip NULL: among everything that is pushed. Searches the full history,
 * because a merge that takes a file from one parent unchanged touches it, too.
 */
enum rb_code rb_guard_find_commit(char out[RB_OID_HEX], const rb_guard_search *search,
                                  const rb_oid *tip, const rb_strs *paths, rb_err *err);
/* Sets *out if a new commit touches one of the paths. Computed once for all refs of the push. */
enum rb_code rb_guard_is_news(bool *out, rb_guard_search *search, const rb_strs *paths,
                              rb_err *err);

/* Opens all releases, once, and collects the migrations of each place. The cost grows with the
 * number of releases, so first call rb_guard_continues(). */
void rb_guard_open_released(rb_guard_search *search);

/*
 * Sets *out if the commit has all migrations of the nearest releases, with the same bytes in the
 * same folders, and no other folder of a release. It then changes no released migration.
 */
enum rb_code rb_guard_continues(bool *out, rb_guard_search *search, const rb_pushed *pushed,
                                const rb_oid *tree, rb_err *err);

/* True if a migration differs from the released one. A down that was added later is not a
 * difference. */
bool rb_guard_differs(const rb_migration *found, const rb_manifest_migration *was);

/*
 * Refuses a commit that lacks a migration of the newest release that it follows and that is not
 * bad. The migration must exist with the same bytes, in any folder, layout or database that the
 * commit's rbtool.json or a release names.
 */
enum rb_code rb_guard_check_released(rb_refusals *out, rb_guard_search *search,
                                     const rb_pushed *pushed, const rb_oid *tree, rb_err *err);

/*
 * On a server, refuses a push that removes from HEAD's branch a migration that the branch has with
 * the bytes of a release that is not bad. Compares content instead of history, because the branch
 * may be rewritten or replaced by one that does not follow a release.
 */
enum rb_code rb_guard_check_head(rb_refusals *out, rb_guard_search *search, rb_err *err);

#endif
