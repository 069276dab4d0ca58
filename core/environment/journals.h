/*
 * Collects what this host's journals know about releases and this clone's ledger does not.
 *
 * These are transitions whose entries are not written yet, or were written by another clone that
 * shares the environment. Also collects which entries this host wrote.
 */
#ifndef RB_ENVIRONMENT_JOURNALS_H
#define RB_ENVIRONMENT_JOURNALS_H

#include "environment/state.h"
#include "ledger/ledger.h"

typedef struct rb_journals {
    rb_strs own;                /* ids of entries that this host wrote, sorted */
    rb_transition_rows pending; /* rows that the ledger lacks, newest first */
} rb_journals;

/* Reads the journals below roots. Ignores one that is a copy or cannot be read. */
void rb_journals_read(rb_journals *out, const rb_ledger *ledger, const rb_strs *roots);
void rb_journals_clear(rb_journals *journals);

#endif
