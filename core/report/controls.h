/*
 * What auditors ask for: each control with the evidence that the ledger has for it, and the command
 * that shows it.
 */
#ifndef RB_REPORT_CONTROLS_H
#define RB_REPORT_CONTROLS_H

#include "base/json.h"

/* Adds "controls" to the document of rb_report_make(): [{"control","evidence","command","ok"}]; ok
 * null: the evidence is for a person to judge. policy: one is in force. */
void rb_report_controls(json_t *document, bool policy);

#endif
