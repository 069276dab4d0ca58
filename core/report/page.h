/* What the page of a report has besides the document: page.html is its template (base/template.h).
 */
#ifndef RB_REPORT_PAGE_H
#define RB_REPORT_PAGE_H

#include "base/json.h"

/* Adds what only the page needs: "timeline", and for each transition the positions of its steps. */
void rb_page_view(json_t *document);

#endif
