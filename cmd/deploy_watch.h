/*
 * Watches a deploy (`deploy --watch`, and `resume` of a watch that was killed): runs the
 * environment's checks until the deadline without holding the environment's lock, and acts when
 * they fail.
 */
#ifndef RB_CMD_DEPLOY_WATCH_H
#define RB_CMD_DEPLOY_WATCH_H

#include "env_session.h"

/* Prepares site for a watched deploy of TAG. RB_ERROR if the environment has no check that could
 * fail. */
enum rb_code rb_deploy_watch_prepare(rb_env_session *site, int64_t seconds, const char *tag,
                                     rb_err *err);

/*
 * Runs the watch. Releases the environment's lock. RB_OK if the watch passed, or another transition
 * took over before a check failed; RB_FOUND if the release was reverted, checks fail at the
 * deadline, or a signal ended the watch (`resume` continues it); RB_DECIDE after a hold; RB_HALFWAY
 * if the automatic revert stopped half-way.
 */
enum rb_code rb_deploy_watch(rb_cli *cli, rb_env_session *site, rb_err *err);

#endif
