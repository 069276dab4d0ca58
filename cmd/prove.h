/* Prints the document of `rbtool prove` (schemas/prove.schema.json) in other formats than JSON. */
#ifndef RB_CMD_PROVE_H
#define RB_CMD_PROVE_H

#include "cli.h"

void rb_prove_text(const rb_cli *cli, const json_t *document);
void rb_prove_markdown(const json_t *document); /* for a comment on a merge request */
void rb_prove_junit(const json_t *document);    /* the XML that CI servers read */

#endif
