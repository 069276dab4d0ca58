/*
 * Fills the page's template, page.html, from a document. A line is a template (base/template.h); a
 * line that begins with '%' is a directive:
 *
 *   %each PATH ... %end            the lines for each item of a list, filled from the item
 *   %if PATH ... %else ... %end    the first lines if the member exists and is not null, false
 *                                  or empty
 *   %raw ... %end                  lines that are copied unchanged
 *
 * "." is the value itself.
 */
#ifndef RB_REPORT_PAGE_H
#define RB_REPORT_PAGE_H

#include "base/json.h"

/* Appends the template, filled from the value. escape: of base/template.h. */
void rb_page_fill(rb_buf *out, const char *template, const json_t *value,
                  char *(*escape)(const char *));

/* Adds what only the page needs: "timeline", and for each transition the positions of its steps. */
void rb_page_view(json_t *document);

#endif
