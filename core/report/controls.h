/*
 * The controls that auditors ask for, each with the evidence in the ledger and the command that
 * shows it.
 */
#ifndef RB_REPORT_CONTROLS_H
#define RB_REPORT_CONTROLS_H

#include "base/json.h"

/* Adds "controls" to the document of rb_report_make(): [{"control","evidence","command","ok"}]. ok
 * is null if a person has to judge the evidence. policy: a policy is in force. */
void rb_report_controls(json_t *document, bool policy);

#endif
