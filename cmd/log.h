/*
 * The entries that `rbtool log` shows. rb_log_add_problems() adds to them what the policy finds
 * wrong; rb_log_verify() prints everything that is wrong, and the summary.
 */
#ifndef RB_CMD_LOG_H
#define RB_CMD_LOG_H

#include "cli.h"
#include "ledger/ledger.h"
#include "ledger/policy.h"

#define RB_LOG_ID 10 /* digits of an entry's id */

typedef struct rb_log {
    rb_cli *cli;
    rb_repo *repo;
    const rb_options *options;
    rb_ledger *ledger;
    rb_policy *policy;
    rb_problems claims; /* entries that claim to be policy */
    int64_t since;      /* seconds */
    const rb_entry **shown;
    size_t n;
} rb_log;

/* Add problems to transitions that lacked approvals ("approvals") and to entries that a revoked key
 * signed ("revoked"). whole: every entry could be read. */
void rb_log_add_problems(rb_log *job, bool whole);

const rb_problem *rb_log_problem(const rb_entry *entry, const char *code); /* NULL: none */
bool rb_log_unapproved(const rb_entry *entry);
bool rb_log_by_revoked_key(const rb_entry *entry);
bool rb_log_is_fault(const rb_log *job, const rb_entry *entry); /* `log --verify` ends with 1 */

/* The title without the kind and the tag, which have columns of their own. */
char *rb_log_words(const rb_entry *entry);

/* Print what is wrong with the entries that are shown, and the summary of all. RB_FOUND if
 * something is wrong, or if there are releases and no ledger. */
enum rb_code rb_log_verify(const rb_log *job, rb_err *err) RB_MUST_USE;

#endif
