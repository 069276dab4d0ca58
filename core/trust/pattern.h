/*
 * Matches pattern lists as in ssh_config(5): patterns with '*' and '?', separated by commas; "!"
 * negates.
 */
#ifndef RB_TRUST_PATTERN_H
#define RB_TRUST_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#define RB_PATTERN_LIMIT 1023 /* bytes; a longer pattern ends the list without a match */

bool rb_pattern_matches(const char *text, const char *pattern, size_t pattern_len);
/* True when one pattern of the list matches and no negated one does. */
bool rb_pattern_list_matches(const char *text, const char *list);
bool rb_pattern_is_literal(const char *text); /* true without '*', '?' and '!' */

#endif
