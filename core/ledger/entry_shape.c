#include "ledger/entry_shape.h"

#include <ctype.h>
#include <string.h>

#include "base/embed.h"
#include "base/file.h"

#define DIGITS "0123456789"

RB_EMBED(rb_entry_schema, "schemas/ledger-entry.schema.json");

/* -12.5e-3, as JSON has it. */
static bool is_decimal(const char *text)
{
    text += *text == '-';
    if (!isdigit((unsigned char)*text))
        return false;
    text += strspn(text, DIGITS);
    if (*text == '.' && isdigit((unsigned char)text[1]))
        text += 1 + strspn(text + 1, DIGITS);
    if (*text == 'e') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, DIGITS);
    }
    return *text == '\0';
}

const rb_shape *rb_entry_shape(enum rb_entry_kind kind)
{
    static const rb_shape_named checks[] = {
        {"tag", rb_path_is_tag}, {"decimal", is_decimal}, {NULL, NULL}};
    static rb_schema schema = {.text = rb_entry_schema, .checks = checks};
    const rb_shape *const *shape = rb_schema_shape(&schema)->either;
    while (!rb_shape_member(*shape, rb_entry_kind_name(kind)))
        shape++;
    return *shape;
}
