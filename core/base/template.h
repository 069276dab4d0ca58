/*
 * Texts for people out of JSON documents: a template is a line with the names of members.
 *
 *     {name}         the member: a text, a number, a list of texts; nothing where it is absent
 *     {app.name}     a member of a member; {.} is the value itself
 *     {name|text}    the text where the member is absent or null; {n:count|none}
 *     {name?yes:no}  one of two texts: whether the member is absent, null, false or empty
 *     {n:count}      18,233      {n:bytes} 43.1 MB      {n:duration} 1 min 5 s      {n:s} the
 * plural's "s"      {hash:id} ten digits {at:time}      "2026-11-30 19:53:54 UTC" of
 * "2026-11-30T19:53:54Z"; {at:minute} without seconds
 *     [, by {name}]  left out where a member in it is absent, null, false, or empty
 *
 * Example: "{table}[.{column}]: {rows:count} row{rows:s}[: {reason}]". A text and a JSON document
 * then have one definition. Brackets do not nest, and braces and brackets have no other use.
 */
#ifndef RB_BASE_TEMPLATE_H
#define RB_BASE_TEMPLATE_H

#include "base/json.h"

void rb_template_add(rb_buf *out, const char *text, const json_t *value);
/* The same; escape returns what is written in place of a member's text, for other formats. */
void rb_template_with(rb_buf *out, const char *text, const json_t *value,
                      char *(*escape)(const char *));
char *rb_template(const char *text, const json_t *value); /* the caller owns it */

#endif
