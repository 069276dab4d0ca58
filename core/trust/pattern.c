#include "trust/pattern.h"

#include <string.h>

/* Backtracks only to the last '*', so that the time is bounded by the product of both lengths. */
bool rb_pattern_matches(const char *text, const char *pattern, size_t pattern_len)
{
    const char *end = pattern + pattern_len;
    const char *star = NULL;
    const char *from = NULL;
    while (*text) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (pattern < end && (*pattern == '?' || *pattern == *text)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
}

bool rb_pattern_list_matches(const char *text, const char *list)
{
    bool found = false;
    while (*list) {
        bool negated = *list == '!';
        list += negated;
        size_t len = strcspn(list, ",");
        if (len >= RB_PATTERN_LIMIT)
            return false;
        if (rb_pattern_matches(text, list, len)) {
            if (negated)
                return false;
            found = true;
        }
        list += len;
        list += *list == ',';
    }
    return found;
}

bool rb_pattern_is_literal(const char *text)
{
    return *text && !strpbrk(text, "*?!");
}
