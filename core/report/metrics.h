/*
 * Writes metrics as OpenMetrics 1.0 text, for the textfile collector of a node exporter: DORA's
 * figures of the last 30 days from the ledger, and the state of this host's environments. Times are
 * timestamps, never ages: a file that is not updated any more must not look current.
 *
 * What the ledger records is cached in COMMON_DIR/rbtool/metrics[.ENVIRONMENT] until the ledger or
 * its signers change, a transition is older than 30 days, or an hour has passed.
 *
 * Order of calls: rb_metrics_new(), rb_metrics_ledger(), rb_metrics_environment() for each
 * environment, rb_metrics_write(), rb_json_free().
 */
#ifndef RB_REPORT_METRICS_H
#define RB_REPORT_METRICS_H

#include "report/report.h"

#define RB_METRICS_DAYS 30 /* period of DORA's figures */

json_t *rb_metrics_new(void);

/* Adds what the ledger records: figures, transitions, drills, reviews, and approvals that the
 * newest release lacks. environment: only of this one; NULL: of all. */
enum rb_code rb_metrics_ledger(json_t *metrics, rb_session *session, const char *environment,
                               int64_t now, rb_err *err);

/* Adds what the journal of an environment on this host records. Leaves out what cannot be read.
 * running: another process holds the environment. row: the pending transition, or NULL. */
void rb_metrics_environment(json_t *metrics, const char *environment, rb_state *state,
                            const rb_transition_row *row, bool running);

/* Appends the text, with "# EOF" at its end. */
void rb_metrics_write(rb_buf *out, const json_t *metrics);

#endif
