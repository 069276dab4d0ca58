#include "drift_text.h"

#include "environment/drift.h"
#include "release/flags.h"
#include "ui.h"

#define FLAGS_SHOWN 20 /* --json has all */

static void add_lines(rb_buf *out, const char *indent, const json_t *lines)
{
    size_t i;
    json_t *line;
    json_array_foreach (lines, i, line)
        rb_ui_add(out, "%s%s", indent, json_string_value(line));
}

void rb_drift_text(rb_buf *out, const char *head, const json_t *item)
{
    const json_t *flags = json_object_get(item, "flags");
    RB_AUTO(rb_free_str) char *words = rb_drift_words(item);
    size_t i;
    json_t *flag;
    rb_ui_add(out, "%s %s %s: %s", head, rb_json_str(item, "part"), rb_json_str(item, "path"),
              words);
    if (json_array_size(flags) == 0)
        add_lines(out, "      ", json_object_get(item, "lines"));
    json_array_foreach (flags, i, flag) {
        if (i == FLAGS_SHOWN) {
            rb_ui_add(out, "      and %zu more flags (--json lists all)",
                      json_array_size(flags) - i);
            break;
        }
        RB_AUTO(rb_free_str) char *change = rb_flag_words(flag);
        rb_ui_add(out, "      %c %s", rb_flag_sign(flag), change);
        add_lines(out, "          ", json_object_get(flag, "lines"));
    }
}
