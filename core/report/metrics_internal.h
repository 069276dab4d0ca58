/*
 * Shared by the files of the metrics.
 */
#ifndef RB_REPORT_METRICS_INTERNAL_H
#define RB_REPORT_METRICS_INTERNAL_H

#include "report/metrics.h"

/* Counts the samples from the ledger. Lowers *until to the time from which they are others: when
 * the oldest transition of the last RB_METRICS_DAYS days leaves them. */
enum rb_code rb_metrics__count(json_t *metrics, int64_t *until, rb_session *session,
                               const char *environment, int64_t now, rb_err *err);

#endif
