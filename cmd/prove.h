/* Prints the document of `rbtool prove` (schemas/prove.schema.json) in other formats than JSON. */
#ifndef RB_CMD_PROVE_H
#define RB_CMD_PROVE_H

#include "cli.h"

/* format: "text", "markdown" (for a comment on a merge request) or "junit" (the XML that CI servers
 * read). Adds the members that only these show to the document. */
void rb_prove_print(const rb_cli *cli, json_t *document, const char *format);

#endif
