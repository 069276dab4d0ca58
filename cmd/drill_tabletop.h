/*
 * `rbtool drill --tabletop`: walks a person through the runbook of a revert and asks a question at
 * each section. Changes nothing.
 */
#ifndef RB_CMD_DRILL_TABLETOP_H
#define RB_CMD_DRILL_TABLETOP_H

#include "env_session.h"

/* *document: the drill of schemas/drill.schema.json with "record", as rb_drill_run() gives it.
 * RB_FOUND if the person answers that the runbook is not clear, or stops answering. */
enum rb_code rb_drill_tabletop(json_t **document, rb_cli *cli, rb_env_session *site,
                               const rb_options *options, const char *tag, rb_err *err) RB_MUST_USE;

#endif
