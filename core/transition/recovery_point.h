/*
 * Where the backups of a database server can be restored to: the moment before a transition's
 * commit. The plan names it, the transition creates it, and its entry in the ledger records it.
 *
 *   [{"database", "restorePoint": its name, or null where the role may not create one,
 *     "setting": for postgresql.conf, "pgbackrest": the command where the server archives with it;
 *     null before the transition where only the position in the log is known then,
 *     "lsn", "timeline", "system": once it was reached}]
 */
#ifndef RB_TRANSITION_RECOVERY_POINT_H
#define RB_TRANSITION_RECOVERY_POINT_H

#include "transition/execute.h"

/* Sets "recovery" of the plan, whose digest is known. Databases that are files have none. */
enum rb_code rb_recovery_points_plan(rb_plan *plan, const rb_plan_request *request, rb_err *err);
/* Creates them in the open transactions of the run and records them in its journal. A run that was
 * killed after that and is resumed creates others. */
enum rb_code rb_recovery_points_create(rb_run *run, rb_err *err);

#endif
