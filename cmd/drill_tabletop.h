/*
 * `rbtool drill --tabletop`: walks a person through the runbook of a revert, with a question at
 * each section. Nothing is moved.
 */
#ifndef RB_CMD_DRILL_TABLETOP_H
#define RB_CMD_DRILL_TABLETOP_H

#include "env_session.h"

/* *document: schemas/drill.schema.json with "record", as rb_drill_run() gives it. RB_FOUND if the
 * person says that the runbook is not clear, or stops answering. */
enum rb_code rb_drill_tabletop(json_t **document, rb_cli *cli, rb_env_session *site,
                               const rb_options *options, const char *tag, rb_err *err) RB_MUST_USE;

#endif
