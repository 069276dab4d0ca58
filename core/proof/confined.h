/*
 * What processes that run scripts share (sandboxed.c, rebuild.c): their limits, and the end of
 * a script that SQLite cannot interrupt, such as instr() of two long strings.
 */
#ifndef RB_PROOF_CONFINED_H
#define RB_PROOF_CONFINED_H

#include "base/sandbox.h"
#include "database/database.h"

/* Sets the sandbox's limits from those of a script and the number of times that scripts run. */
void rb_confine(rb_sandbox *sandbox, const rb_db_limits *limits, size_t runs);

/* For rb_db_limits.watch, in the child: if nothing ends what starts now, the child ends some time
 * after the limit, with a result of "code" and "message". */
void rb_confined_watch(const rb_db_limits *limits, const char *what);

#endif
