/*
 * Points in time that backups of a database server can be restored to: the moment before a
 * transition's commit. The plan names the point, the transition creates it, and its ledger entry
 * records it.
 *
 * [{"database", "restorePoint": its name, or null if the role may not create one, "setting": for
 * postgresql.conf, "pgbackrest": the command if the server archives with it, "lsn", "timeline",
 * "system": set when the point is created}]. setting and pgbackrest are null in the plan if they
 * depend on the position in the WAL.
 */
#ifndef RB_TRANSITION_RECOVERY_POINT_H
#define RB_TRANSITION_RECOVERY_POINT_H

#include "transition/execute.h"

/* Sets "recovery" of the plan. Needs the plan's digest. Databases that are files have no recovery
 * points. */
enum rb_code rb_recovery_points_plan(rb_plan *plan, const rb_plan_request *request, rb_err *err);
/* Creates the points in the open transactions of the run, and records them in its journal. A run
 * that is resumed creates new ones. */
enum rb_code rb_recovery_points_create(rb_run *run, rb_err *err);

#endif
