/*
 * What the checks of pushed migrations share: what is looked for, and which commits are new to the
 * remote.
 */
#ifndef RB_HOOK_CHECK_SEARCH_H
#define RB_HOOK_CHECK_SEARCH_H

#include "hook/check_internal.h"

/* Where releases keep a database's migrations. */
typedef struct rb_guard_place {
    const rb_manifest_database *database; /* of one release that has it there */
    json_t *released;                     /* id: {"UP DOWN": null} of every release */
    json_t *same;                         /* folders' tree ids in which nothing was changed */
} rb_guard_place;

typedef struct rb_guard_search {
    rb_guard *guard;
    const char *remote; /* NULL: it is received here, and refs are still as they were */
    const rb_pushes *pushes;
    const rb_chain *chain;
    rb_guard_place *places;
    size_t place_count;
    json_t *news; /* paths: whether anything that is pushed touches them */
    size_t bytes; /* of scripts that were read */
} rb_guard_search;

/*
 * The newest commit that the remote is not known to have and that touches one of the paths; "" when
 * there is none. tip NULL: of everything that is pushed. With its full history, since a merge that
 * takes one side's file as it is touches it too.
 */
enum rb_code rb_guard_find_commit(char out[RB_OID_HEX], const rb_guard_search *search,
                                  const rb_oid *tip, const rb_strs *paths, rb_err *err) RB_MUST_USE;
/* Whether anything that is pushed touches the paths: asked once, however many refs there are. */
enum rb_code rb_guard_is_news(bool *out, rb_guard_search *search, const rb_strs *paths,
                              rb_err *err) RB_MUST_USE;

/*
 * Refuses a commit in which a migration of the newest release that it follows and that is not bad
 * is not there any more, byte by byte, wherever its folder, layout or database is now: by the
 * commit's own rbtool.json, and where releases have them.
 */
enum rb_code rb_guard_check_released(rb_refusals *out, rb_guard_search *search,
                                     const rb_pushed *pushed, const rb_oid *tree,
                                     rb_err *err) RB_MUST_USE;

/*
 * Refuses, where a push is received, that the branch which HEAD names loses a migration that it has
 * as a release has it that is not bad. Compares content, not history: the branch may be rewritten
 * or replaced by one that follows no release.
 */
enum rb_code rb_guard_check_head(rb_refusals *out, rb_guard_search *search,
                                 rb_err *err) RB_MUST_USE;

#endif
