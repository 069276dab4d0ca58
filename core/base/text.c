#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

char *rb_text_count(uint64_t n)
{
    RB_AUTO(rb_free_str) char *digits = rb_format("%" PRIu64, n);
    rb_buf out = {0};
    size_t len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            rb_buf_addc(&out, ',');
        rb_buf_addc(&out, digits[i]);
    }
    return rb_buf_detach(&out);
}

char *rb_text_bytes(uint64_t n)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)n;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    return unit == 0 ? rb_format("%" PRIu64 " bytes", n) : rb_format("%.1f %s", value, units[unit]);
}

char *rb_text_iso(int64_t when)
{
    const time_t seconds = (time_t)when;
    struct tm tm;
    char text[64];
    if (when <= 0 || !gmtime_r(&seconds, &tm) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return NULL;
    return rb_strdup(text);
}

bool rb_text_day(int64_t *out, const char *text)
{
    struct tm tm = {0};
    int end = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &end) != 3 ||
        end != (int)strlen("YYYY-MM-DD"))
        return false;
    const struct tm asked = tm;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *out = (int64_t)timegm(&tm);
    return tm.tm_mday == asked.tm_mday && tm.tm_mon == asked.tm_mon - 1;
}

char *rb_text_uri(const char *text, const char *also)
{
    rb_buf out = {0};
    for (; *text; text++) {
        const bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (letter || (*text >= '0' && *text <= '9') || strchr("-._~", *text) ||
            strchr(also, *text))
            rb_buf_addc(&out, *text);
        else
            rb_buf_printf(&out, "%%%02X", (unsigned char)*text);
    }
    return rb_buf_detach(&out);
}

void rb_text_quote(rb_buf *out, const char *word)
{
    rb_buf_addc(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            rb_buf_puts(out, "'\\''");
        else
            rb_buf_addc(out, *word);
    rb_buf_addc(out, '\'');
}

const char *rb_text_s(uint64_t n)
{
    return n == 1 ? "" : "s";
}

bool rb_text_same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

const char *rb_text_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    if (strncmp(path, dir, len) != 0 || (path[len] != '/' && path[len] != '\0'))
        return NULL;
    return path + len + strspn(path + len, "/");
}

bool rb_text_ends(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

bool rb_text_is_utf8(const char *text, size_t len)
{
    for (size_t n; len > 0; text += n, len -= n)
        if (*text == '\0' || (n = rb_utf8_length(text, len)) == 0)
            return false;
    return true;
}

bool rb_text_is_plain(const char *text, size_t len)
{
    bool is_ascii = true;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        is_ascii = is_ascii && c < 0x80;
    }
    return is_ascii || rb_text_is_utf8(text, len);
}

#define LONGEST 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t rb_text_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t n = strnlen(a, LONGEST);
    size_t m = strnlen(b, LONGEST);
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] =
                least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *rb_text_similar(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    const size_t len = strlen(word);
    size_t fewest = len / 3 + 2; /* more than a third of the letters differ: not similar */
    for (; *candidates; candidates++) {
        bool begins = len >= 3 && strncmp(word, *candidates, len) == 0;
        size_t distance = begins ? 1 : rb_text_distance(word, *candidates);
        if (distance < fewest) {
            fewest = distance;
            best = *candidates;
        }
    }
    return best;
}

int64_t rb_text_seconds(const char *text)
{
    static const char units[] = "smhd";
    static const int64_t factors[] = {1, 60, 3600, 86400};
    char *end;
    if (*text < '0' || *text > '9')
        return -1;
    const int64_t n = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : units;
    if (!unit || (*end && end[1]))
        return -1;
    const int64_t year = 366 * factors[3];
    const int64_t factor = factors[unit - units];
    return n > year / factor ? -1 : n * factor;
}
