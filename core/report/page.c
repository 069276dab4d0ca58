#include "report/page.h"

#include "base/embed.h"
#include "base/template.h"
#include "report/report.h"

/* The template page.html, compiled into the program. */
RB_EMBED(rb_page_html, "core/report/page.html");

/* Escapes a text for HTML, also for attributes. */
static char *html(const char *text)
{
    rb_buf out = {0};
    for (; *text; text++)
        switch (*text) {
        case '&':
            rb_buf_puts(&out, "&amp;");
            break;
        case '<':
            rb_buf_puts(&out, "&lt;");
            break;
        case '>':
            rb_buf_puts(&out, "&gt;");
            break;
        case '"':
            rb_buf_puts(&out, "&quot;");
            break;
        case '\'':
            rb_buf_puts(&out, "&#39;");
            break;
        default:
            rb_buf_addc(&out, *text);
        }
    return rb_buf_detach(&out);
}

void rb_report_html(rb_buf *out, json_t *document, const json_t *changes, const char *signers)
{
    rb_json_set(document, "changes:J signers:s", changes, signers);
    rb_page_view(document);
    rb_template_fill(out, rb_page_html, document, html);
}
