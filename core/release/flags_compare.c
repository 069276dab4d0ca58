/* Compares two flag files, flag by flag. */
#include <stdlib.h>
#include <string.h>

#include "git/lines.h"
#include "release/flags.h"

typedef struct flag_side {
    rb_manifest_flag *flags;
    size_t n;
    json_t *all; /* definitions of all flags, by name */
} flag_side;

static void flag_side_clear(flag_side *side)
{
    rb_flags_free(side->flags, side->n);
    rb_json_free(side->all);
}

static enum rb_code read_side(flag_side *out, const rb_buf *text, const char *what, rb_err *err)
{
    if (!text)
        return RB_OK;
    RB_TRY(rb_flags_parse(&out->flags, &out->n, rb_buf_str(text), text->len, what, err));
    return rb_flags_read(&out->all, rb_buf_str(text), text->len, what, err);
}

static const json_t *definition(const flag_side *side, const rb_manifest_flag *flag)
{
    return flag ? json_object_get(side->all, flag->name) : NULL;
}

/* Returns a definition as text for comparison. Uses jansson's sorted form, because definitions may
 * contain fractions, which have no canonical form here. */
static char *spell(const json_t *definition, size_t how)
{
    char *text = definition ? json_dumps(definition, JSON_SORT_KEYS | how) : NULL;
    char *owned = rb_strdup(text ? text : "");
    free(text);
    return owned;
}

static json_t *describe(const rb_manifest_flag *flag, const json_t *definition)
{
    if (!flag)
        return json_null();
    char hex[RB_SHA256_HEX];
    RB_AUTO(rb_free_str) char *text = spell(definition, JSON_COMPACT);
    rb_sha256_hex_of(text, strlen(text), hex);
    const json_t *variants = json_object_get(definition, "variants");
    json_t *value = flag->default_ ? json_object_get(variants, flag->default_) : NULL;
    return json_pack("{s:s,s:s?,s:s,s:O?}", "state", flag->state, "default", flag->default_,
                     "definition", hex, "value", value);
}

/* Returns the names of members that differ: those of a in their order, then new ones of b. */
static json_t *changed_members(const json_t *a, const json_t *b)
{
    json_t *out = json_array();
    rb_json_each_member (key, value, a)
        if (!json_equal(value, json_object_get(b, key)))
            json_array_append_new(out, rb_json_text(key));
    rb_json_each_member (key, value, b)
        if (!json_object_get(a, key))
            json_array_append_new(out, rb_json_text(key));
    return out;
}

static enum rb_code add_change(json_t *out, const flag_side *a, const rb_manifest_flag *x,
                               const flag_side *b, const rb_manifest_flag *y, rb_err *err)
{
    const json_t *old = definition(a, x), *new = definition(b, y);
    RB_AUTO(rb_json_freep) json_t *was = describe(x, old);
    RB_AUTO(rb_json_freep) json_t *is = describe(y, new);
    if (json_equal(was, is))
        return RB_OK;
    RB_AUTO(rb_free_str) char *from = spell(old, JSON_INDENT(1));
    RB_AUTO(rb_free_str) char *to = spell(new, JSON_INDENT(1));
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    RB_TRY(rb_lines_compare(&lines, from, strlen(from), to, strlen(to), err));
    json_t *members = x && y ? changed_members(old, new) : json_array();
    json_array_append_new(out, json_pack("{s:o,s:O,s:O,s:o,s:o}", "name",
                                         rb_json_text(x ? x->name : y->name), "from", was, "to", is,
                                         "changed", members, "lines", rb_json_strs(&lines)));
    return RB_OK;
}

enum rb_code rb_flags_compare(json_t **out, const rb_buf *old, const rb_buf *new, const char *what,
                              rb_err *err)
{
    RB_AUTO(flag_side_clear) flag_side a = {0};
    RB_AUTO(flag_side_clear) flag_side b = {0};
    RB_TRY(read_side(&a, old, what, err));
    RB_TRY(read_side(&b, new, what, err));
    RB_AUTO(rb_json_freep) json_t *changes = json_array();
    for (size_t i = 0, j = 0; i < a.n || j < b.n;) {
        const rb_manifest_flag *x = i < a.n ? &a.flags[i] : NULL;
        const rb_manifest_flag *y = j < b.n ? &b.flags[j] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->name, y->name);
        RB_TRY(add_change(changes, &a, order <= 0 ? x : NULL, &b, order >= 0 ? y : NULL, err));
        i += order <= 0;
        j += order >= 0;
    }
    *out = RB_TAKE(changes);
    return RB_OK;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = rb_json_str(object, key);
    return text ? text : "without a default";
}

char *rb_flag_words(const json_t *change)
{
    const json_t *from = json_object_get(change, "from"), *to = json_object_get(change, "to");
    const json_t *changed = json_object_get(change, "changed");
    const char *name = rb_json_str(change, "name");
    if (json_is_null(from) || json_is_null(to)) {
        const json_t *one = json_is_null(from) ? to : from;
        return rb_format("%s  %s %s", name, rb_json_str(one, "state"), text_of(one, "default"));
    }
    rb_buf out = {0};
    rb_buf_printf(&out, "%s  %s %s", name, rb_json_str(from, "state"), text_of(from, "default"));
    if (!json_equal(json_object_get(from, "state"), json_object_get(to, "state")) ||
        !json_equal(json_object_get(from, "default"), json_object_get(to, "default")))
        rb_buf_printf(&out, " -> %s %s", rb_json_str(to, "state"), text_of(to, "default"));
    size_t shown = 0;
    rb_json_each (member, changed) {
        const char *key = json_string_value(member);
        if (strcmp(key, "state") != 0 && strcmp(key, "defaultVariant") != 0)
            rb_buf_printf(&out, "%s%s", shown++ > 0 ? ", " : " (", key);
    }
    if (shown > 0)
        rb_buf_puts(&out, " changed)");
    return rb_buf_detach(&out);
}

char rb_flag_sign(const json_t *change)
{
    return json_is_null(json_object_get(change, "from")) ? '+'
           : json_is_null(json_object_get(change, "to")) ? '-'
                                                         : '~';
}
