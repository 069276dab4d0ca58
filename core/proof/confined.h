/*
 * Shared by the processes that run scripts (sandboxed.c, rebuild.c): their limits, and how to end a
 * script that SQLite cannot interrupt, such as instr() of two long strings.
 */
#ifndef RB_PROOF_CONFINED_H
#define RB_PROOF_CONFINED_H

#include "base/sandbox.h"
#include "database/database.h"

/* Sets the sandbox's limits from those of a script. runs: how often scripts run. */
void rb_confine(rb_sandbox *sandbox, const rb_db_limits *limits, size_t runs);

/* An rb_db_limits.watch for the child. If what starts now does not end some time after its limit,
 * the child exits, with a result of "code" and "message". */
void rb_confined_watch(const rb_db_limits *limits, const char *what);

#endif
