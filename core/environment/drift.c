#include "environment/drift.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "git/lines.h"
#include "release/flags.h"

void rb_drift_add(json_t *drift, const char *part, const char *expected, const char *found,
                  const char *path, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf at = {0};
    va_list args;
    va_start(args, path);
    rb_buf_vprintf(&at, path, args);
    va_end(args);
    json_array_append_new(drift, rb_json_make("part:s path:t expected:t found:t", part,
                                              rb_buf_str(&at), expected, found));
}

void rb_drift_compare(json_t *drift, const rb_drift_file *file)
{
    json_t *item = json_array_get(drift, json_array_size(drift) - 1);
    RB_AUTO(rb_buf_clear) rb_buf was = {0};
    RB_AUTO(rb_buf_clear) rb_buf is = {0};
    RB_AUTO(rb_strs_clear) rb_strs lines = {0};
    RB_AUTO(rb_json_freep) json_t *flags = NULL;
    struct stat st;
    if (rb_release_file(&was, file->release, file->repo, file->source, file->sha256, RB_IGNORED) !=
            RB_OK ||
        rb_file_load(&is, &st, file->path, RB_FLAGS_LIMIT, RB_IGNORED) != RB_OK || st.st_nlink == 0)
        return;
    if (rb_lines_compare(&lines, rb_buf_str(&was), was.len, rb_buf_str(&is), is.len, RB_IGNORED) ==
        RB_OK)
        json_object_set_new(item, "lines", rb_json_strs(&lines));
    if (file->is_flags && rb_flags_compare(&flags, &was, &is, file->path, RB_IGNORED) == RB_OK)
        json_object_set(item, "flags", flags);
}

static int digits_of(const char *text)
{
    return strlen(text) == RB_SHA256_HEX - 1 &&
                   strspn(text, "0123456789abcdef") == RB_SHA256_HEX - 1
               ? 12
               : (int)strlen(text);
}

char *rb_drift_words(const json_t *item)
{
    const char *expected = rb_json_str(item, "expected");
    const char *found = rb_json_str(item, "found");
    if (json_array_size(json_object_get(item, "lines")) > 0)
        return rb_strdup("it was changed after it was delivered");
    expected = expected ? expected : "nothing";
    found = found ? found : "nothing";
    return rb_format("expected %.*s, found %.*s", digits_of(expected), expected, digits_of(found),
                     found);
}
