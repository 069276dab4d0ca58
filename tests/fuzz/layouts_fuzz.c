/*
 * File names, folder names, metadata and section markers of the layouts: the first line is a name,
 * the rest a file's text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "migration/layout.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_name(const char *name, size_t len)
{
    rb_golang_name parsed;
    if (rb_golang_parse(&parsed, name)) {
        must(parsed.version_len > 0 && parsed.version_len <= 19);
        must(parsed.version >= name && parsed.version + parsed.version_len <= parsed.name);
        must(parsed.version[0] != '0' || parsed.version_len == 1);
        const char *rest = parsed.name + parsed.name_len;
        must(rest <= name + len && strstr(rest, parsed.up ? "up.sql" : "down.sql"));
    }
    char *version = rb_diesel_version(name, len);
    must(!strpbrk(version, "-_") && strlen(version) <= len);
    free(version);
}

static void check_section(const rb_section *s, const char *text, size_t len)
{
    must(s->start < s->end && s->end <= len);
    must(memchr(text + s->start, '-', s->end - s->start) != NULL);
    must(s->start == 0 || text[s->start - 1] == '\n');
}

static void check_text(const char *text, size_t len)
{
    (void)rb_diesel_in_transaction(text, len);
    const rb_section_form *const forms[] = {rb_layout_dbmate.sections, rb_layout_goose.sections,
                                            rb_layout_sql_migrate.sections,
                                            rb_layout_node_pg_migrate.sections};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        rb_sections s;
        size_t line;
        const char *wrong = rb_sections_split(&s, &line, forms[i], text, len);
        must(line <= len + 1);
        if (wrong)
            continue;
        must(s.up.present);
        check_section(&s.up, text, len);
        if (s.down.present)
            check_section(&s.down, text, len);
        must(!s.down.present || s.up.end == s.down.start || s.down.end == s.up.start);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || memchr(data, '\0', size))
        return 0;
    char *all = rb_strndup((const char *)data, size);
    size_t len = strcspn(all, "\n");
    char *name = rb_strndup(all, len);
    check_name(name, len);
    check_text(all, size);
    if (len < size)
        check_text(all + len + 1, size - len - 1);
    free(name);
    free(all);
    return 0;
}
