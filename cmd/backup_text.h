/* Backups for people: what a plan backs up and restores, and what a transition did of it. */
#ifndef RB_CMD_BACKUP_TEXT_H
#define RB_CMD_BACKUP_TEXT_H

#include "ui.h"

/* Appends the plan's "backups" and "restores", for rb_ui_text(). */
void rb_backup_text_plan(rb_buf *out, const json_t *plan);
/* Notes the document's "putBack" and "backups". */
void rb_backup_text_outcome(const rb_cli *cli, const json_t *document);

#endif
