/*
 * Reports what is known about a release besides its manifest, in the same words everywhere: its
 * verdict, its approvals and how many a deploy needs, and prominently every override of a rule
 * and every transition to it that broke a rule of the policy. The session's ledger must be open.
 * Verdicts also consider the journals of this host's environments.
 */
#ifndef RB_CMD_RELEASE_STATUS_H
#define RB_CMD_RELEASE_STATUS_H

#include "cli.h"
#include "transition/known_good.h"
#include "transition/plan.h"

/* Returns "good", "bad" or NULL. *why: the reason as a new string, or NULL. */
const char *rb_release_verdict(char **why, rb_cli *cli, const char *tag, const char *object);

/* Returns transitions to the release that lacked approvals, or that broke another rule of the
 * policy. environment NULL: in any environment that is configured or that the policy names. */
json_t *rb_release_broken(rb_cli *cli, const char *object, const char *environment, bool approvals);
json_t *rb_release_overrides(rb_cli *cli, const char *object, const char *environment);
json_t *rb_release_approvals(rb_cli *cli, const rb_release *release, const char *environment);
void rb_release_show(rb_cli *cli, const rb_release *release, const char *environment);

/* Prints a note if no policy is in force here although there should be one. */
void rb_note_policy(const rb_cli *cli);

/* Adds "verdicts" of FROM and TO to the plan, and notes about them and about overrides of rules. */
void rb_release_note_verdicts(rb_cli *cli, rb_plan *plan, const rb_plan_request *request);

/* Returns the journals of this host's configured environments. Borrowed from cli. */
const rb_journals *rb_release_journals(rb_cli *cli);
/* Returns a hint on how to leave a release that is live (rb_known_way_back()), or to start it again
 * if its service is down. Reads the state as it is now. */
char *rb_release_way_back(rb_cli *cli, const rb_env *env, const char *tag, bool down);
/* Frees what the functions above cached; called by main. */
void rb_release_facts_free(rb_cli *cli);

#endif
