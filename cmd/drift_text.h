/*
 * Drift for people: one line for each item, and below it the changed lines or flags.
 */
#ifndef RB_CMD_DRIFT_TEXT_H
#define RB_CMD_DRIFT_TEXT_H

#include "base/json.h"

/* Appends "HEAD PART PATH: WORDS" and what changed, for rb_ui_text(). */
void rb_drift_text(rb_buf *out, const char *head, const json_t *item);

#endif
