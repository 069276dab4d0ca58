/*
 * Templates: texts for people, formatted from JSON documents. A template is a line with names of
 * members in braces.
 *
 *     {name}         the member: a text, a number, a list of texts; nothing if it is absent
 *     {app.name}     a member of a member; {.} is the value itself
 *     {name|text}    the text if the member is absent or null; {n:count|none}
 *     {name?yes:no}  the second text if the member is absent, null, false or empty, else the first
 *     {n:count}      18,233
 *     {n:bytes}      43.1 MB
 *     {n:duration}   1 min 5 s
 *     {n:s}          the plural's "s"
 *     {n:2}          at least 2 (1 to 9) characters wide: numbers to the right, texts to the left
 *     {hash:id}      the first ten digits
 *     {at:time}      "2026-11-30 19:53:54 UTC" for "2026-11-30T19:53:54Z"
 *     {at:minute}    the same without seconds
 *     [, by {name}]  omitted if a member in the brackets is absent, null, false, or empty
 *
 * A template of several lines, usually a file that the program contains (base/embed.h), also has
 * directives, lines that begin with '%':
 *
 *     %each PATH ... %end            the lines for each item of a list, filled from the item
 *     %if PATH ... %else ... %end    the first lines if the member exists and is not null, false or
 *                                    empty
 *     %raw ... %end                  lines that are copied unchanged
 *
 * A line that begins with a bracket is omitted if nothing of it is left: "[hint: {hint}]".
 *
 * Example: "{table}[.{column}]: {rows:count} row{rows:s}[: {reason}]". Text and JSON output then
 * come from one document. Brackets do not nest; braces and brackets cannot be escaped.
 */
#ifndef RB_BASE_TEMPLATE_H
#define RB_BASE_TEMPLATE_H

#include "base/json.h"

void rb_template_add(rb_buf *out, const char *text, const json_t *value);
/* Same as rb_template(), appended to out. escape, unless NULL, converts a member's text for another
 * format. */
void rb_template_with(rb_buf *out, const char *text, const json_t *value,
                      char *(*escape)(const char *));
char *rb_template(const char *text, const json_t *value); /* the caller owns it */
/* Appends a template of several lines. */
void rb_template_fill(rb_buf *out, const char *template, const json_t *value,
                      char *(*escape)(const char *));

#endif
