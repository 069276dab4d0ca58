/* How `rbtool prove` prints its document (schemas/prove.schema.json) other than as JSON. */
#ifndef RB_CMD_PROVE_H
#define RB_CMD_PROVE_H

#include "cli.h"

void rb_prove_text(const rb_cli *cli, const json_t *document);
void rb_prove_markdown(const json_t *document); /* a comment on a merge request */
void rb_prove_junit(const json_t *document);    /* the XML that CI servers read */

#endif
