#include "release/flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/shape.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rb_manifest_flag *)a)->name, ((const rb_manifest_flag *)b)->name);
}

static enum rb_code fault(rb_err *err, const char *what, const char *name, const char *field,
                          const char *expected, const json_t *value)
{
    char *found = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    enum rb_code code =
        rb_fail(err, RB_FOUND, "%s: flags%s%s%s: expected %s, found %.80s\ncorrect the flag file",
                what, *name ? "." : "", name, field, expected, found ? found : "nothing");
    free(found);
    return code;
}

/* Reads a flag. It may have no default variant: the application then decides, as in flagd. */
static enum rb_code read_flag(rb_manifest_flag *out, const char *what, const char *name,
                              const json_t *flag, rb_err *err)
{
    if (!rb_shape_is_plain(name))
        return fault(err, what, "", "", "a name without control characters", NULL);
    if (!json_is_object(flag))
        return fault(err, what, name, "", "an object", flag);
    const char *state = rb_json_str(flag, "state");
    if (!state || (strcmp(state, "ENABLED") != 0 && strcmp(state, "DISABLED") != 0))
        return fault(err, what, name, ".state", "\"ENABLED\" or \"DISABLED\"",
                     json_object_get(flag, "state"));
    const json_t *variants = json_object_get(flag, "variants");
    if (variants && !json_is_object(variants))
        return fault(err, what, name, ".variants", "an object", variants);
    const json_t *chosen = json_object_get(flag, "defaultVariant");
    const char *variant = json_string_value(chosen);
    if (chosen && !json_is_null(chosen) && (!variant || !json_object_get(variants, variant)))
        return fault(err, what, name, ".defaultVariant", "the name of one of its variants", chosen);
    *out = (rb_manifest_flag){
        .name = rb_strdup(name), .state = rb_strdup(state), .default_ = rb_strdup(variant)};
    return RB_OK;
}

/* Converts a list of flags with a "key", another form that flagd accepts, to an object. */
static enum rb_code by_key(json_t **out, const json_t *list, const char *what, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *flags = json_object();
    rb_json_each (flag, list) {
        const char *name = rb_json_str(flag, "key");
        if (!name)
            return fault(err, what, "", "[].key", "the flag's name", json_object_get(flag, "key"));
        if (json_object_get(flags, name))
            return fault(err, what, name, "", "one flag of that name", flag);
        json_t *without = json_copy(flag);
        json_object_del(without, "key");
        json_object_set_new(flags, name, without);
    }
    *out = json_incref(flags);
    return RB_OK;
}

enum rb_code rb_flags_read(json_t **out, const char *text, size_t len, const char *what,
                           rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    if (len > RB_FLAGS_LIMIT)
        return rb_fail(err, RB_FOUND, "%s is larger than the limit of %u bytes", what,
                       RB_FLAGS_LIMIT);
    if (rb_json_read(&json, text, len, what, err) != RB_OK)
        return err->code = RB_FOUND;
    const json_t *all = json_object_get(json, "flags");
    if (json_is_array(all))
        return by_key(out, all, what, err);
    if (!json_is_object(all))
        return fault(err, what, "", "", "an object or a list of flags (flagd's format)", all);
    *out = json_incref((json_t *)all);
    return RB_OK;
}

enum rb_code rb_flags_parse(rb_manifest_flag **out, size_t *count, const char *text, size_t len,
                            const char *what, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *all = NULL;
    RB_TRY(rb_flags_read(&all, text, len, what, err));
    rb_manifest_flag *flags = rb_calloc(json_object_size(all), sizeof *flags);
    size_t n = 0;
    enum rb_code code = RB_OK;
    rb_json_each_member (name, flag, all) {
        code = read_flag(&flags[n], what, name, flag, err);
        if (code != RB_OK)
            break;
        n++;
    }
    if (code != RB_OK) {
        rb_flags_free(flags, n);
        return code;
    }
    if (n)
        qsort(flags, n, sizeof *flags, by_name);
    *out = flags;
    *count = n;
    return RB_OK;
}

void rb_flags_free(rb_manifest_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(flags[i].name);
        free(flags[i].state);
        free(flags[i].default_);
    }
    free(flags);
}
