#include "migration/layout.h"

#include <stdlib.h>
#include <string.h>

#include "artifact/lfs.h"
#include "base/text.h"

void rb_script_clear(rb_script *script)
{
    free(script->path);
    free(script->text);
    *script = (rb_script){0};
}

const char *rb_layout_rest(const rb_layout_source *source, size_t i)
{
    return source->entries->items[i].path + source->prefix;
}

bool rb_layout_is_regular(const rb_layout_source *source, size_t i)
{
    enum rb_mode mode = source->entries->items[i].mode;
    return mode == RB_MODE_FILE || mode == RB_MODE_EXEC;
}

bool rb_layout_is_file(const rb_layout_source *source, size_t i)
{
    return rb_layout_is_regular(source, i) && !strchr(rb_layout_rest(source, i), '/');
}

rb_migration *rb_layout_add(rb_migrations *set, const char *id, size_t id_len, const char *name,
                            size_t name_len)
{
    /* The capacity is the next power of two, so it is not stored. */
    if ((set->n & (set->n - 1)) == 0)
        set->items = rb_realloc(set->items, set->n ? set->n * 2 : 1, sizeof *set->items);
    rb_migration *item = &set->items[set->n++];
    *item = (rb_migration){.id = rb_strndup(id, id_len), .name = rb_strndup(name, name_len)};
    return item;
}

enum rb_code rb_layout_load(rb_script *out, const rb_layout_source *source, size_t i, rb_err *err)
{
    const rb_tree_entry *entry = &source->entries->items[i];
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, RB_SCRIPT_LIMIT, err));
    if (text.len > RB_SCRIPTS_LIMIT - *source->bytes)
        return rb_fail(err, RB_ERROR,
                       "reading migrations: with %s they have more than %u bytes together, which "
                       "is the limit\nkeep data out of them",
                       entry->path, RB_SCRIPTS_LIMIT);
    *source->bytes += text.len;
    rb_lfs_pointer pointer;
    if (rb_lfs_parse(&pointer, rb_buf_str(&text), text.len))
        return rb_fail(err, RB_ERROR,
                       "reading migration %s: it is a Git LFS pointer\nscripts have to be in git "
                       "itself: exclude the file in .gitattributes and commit it again",
                       entry->path);
    if (text.len > 0 && memchr(text.data, '\0', text.len))
        return rb_fail(err, RB_ERROR,
                       "reading migration %s: it holds a NUL byte, so it is not SQL text\nsave it "
                       "as UTF-8",
                       entry->path);
    *out = (rb_script){.present = true,
                       .path = rb_strdup(entry->path),
                       .line = 1,
                       .len = text.len,
                       .transactional = true};
    rb_sha256_hex_of(text.data, text.len, out->sha256);
    source->used[i] = !rb_text_ends(entry->path, ".sql")                      ? true
                      : text.len > 0 && memmem(text.data, text.len, "{{", 2)  ? RB_LAYOUT_BRACES
                      : text.len > 0 && memmem(text.data, text.len, "<%=", 3) ? RB_LAYOUT_TAGS
                                                                              : true;
    out->text = rb_buf_detach(&text);
    return RB_OK;
}

void rb_layout_section(rb_script *out, const rb_script *whole, size_t start, size_t end)
{
    size_t line = whole->line;
    for (size_t i = 0; i < start; i++)
        line += whole->text[i] == '\n';
    *out = (rb_script){.present = true,
                       .path = rb_strdup(whole->path),
                       .line = line,
                       .text = rb_strndup(whole->text + start, end - start),
                       .len = end - start,
                       .transactional = true};
    rb_sha256_hex_of(out->text, out->len, out->sha256);
}

bool rb_layout_ends_with(const char *text, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);
    return len >= n && memcmp(text + len - n, suffix, n) == 0;
}

/* Tracking tables of these tools have signed 64-bit versions. */
bool rb_layout_version_fits(const char *digits, size_t len)
{
    static const char most[] = "9223372036854775807";
    size_t most_len = sizeof most - 1;
    return len < most_len || (len == most_len && memcmp(digits, most, len) <= 0);
}

int rb_golang_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}
