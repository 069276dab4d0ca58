/*
 * The ledger as commands see it: read once a run, on first use, and closed by main. What the
 * commands say of a release besides its manifest: verdict, approvals, overrides.
 */
#ifndef RB_CMD_BOOKS_H
#define RB_CMD_BOOKS_H

#include "cli.h"
#include "ledger/known_good.h"

typedef struct rb_books {
    rb_ledger *ledger;
    rb_policy *policy;
    rb_problems problems; /* entries that claim to be policy and are not in force */
    rb_strs own;          /* ids that the journals of this host's environments keep, sorted */
} rb_books;

/* Borrowed from cli. */
enum rb_code rb_cli_books(const rb_books **out, rb_cli *cli, rb_err *err) RB_MUST_USE;
/* What was read is old: an entry was written. */
void rb_cli_books_drop(rb_cli *cli);

#endif
