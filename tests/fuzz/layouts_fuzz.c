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

static void check_text(const char *text, size_t len)
{
    (void)rb_diesel_in_transaction(text, len);
    rb_dbmate_sections s;
    size_t line;
    const char *wrong = rb_dbmate_split(&s, &line, text, len);
    must(line <= len + 1);
    if (wrong)
        return;
    must(s.up < s.down && s.down <= len && s.has_down == (s.down < len));
    must(memcmp(text + s.up, "--", 2) == 0 && (s.up == 0 || text[s.up - 1] == '\n'));
    if (s.has_down)
        must(memcmp(text + s.down, "--", 2) == 0 && text[s.down - 1] == '\n');
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
