/* Finds comparisons with the time ($flagd.timestamp) in targeting rules. */
#include <string.h>

#include "release/flags.h"

#define DEEPEST 64 /* limit of nested rules */

static const char *const comparisons[] = {"<", "<=", ">", ">="};

static bool is_time(const json_t *operand)
{
    const json_t *name = json_object_get(operand, "var");
    const json_t *first = json_is_array(name) ? json_array_get(name, 0) : name;
    const char *text = json_string_value(first);
    return text && strcmp(text, "$flagd.timestamp") == 0;
}

static bool holds(const char *op, double a, double b)
{
    if (op[0] == '<')
        return op[1] == '=' ? a <= b : a < b;
    return op[1] == '=' ? a >= b : a > b;
}

/* Adds a comparison if one operand is the time and the other a number. A comparison of three
 * operands (a value between two bounds) counts as two. */
static void add_pair(json_t *out, const char *flag, const char *op, const json_t *x,
                     const json_t *y, int64_t now)
{
    if (is_time(x) && json_is_number(y))
        json_array_append_new(out, rb_json_make("flag:s op:s at:i now:i holds:b", flag, op,
                                                (int64_t)json_number_value(y), now,
                                                holds(op, (double)now, json_number_value(y))));
    else if (is_time(y) && json_is_number(x)) {
        const char turned[] = {op[0] == '<' ? '>' : '<', op[1], '\0'};
        json_array_append_new(out, rb_json_make("flag:s op:s at:i now:i holds:b", flag, turned,
                                                (int64_t)json_number_value(x), now,
                                                holds(op, json_number_value(x), (double)now)));
    }
}

static void walk(json_t *out, const char *flag, const json_t *rule, int64_t now, int depth)
{
    if (depth == DEEPEST)
        return;
    rb_json_each (item, rule)
        walk(out, flag, item, now, depth + 1);
    rb_json_each_member (op, value, rule) {
        for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
            for (size_t k = 1; strcmp(op, comparisons[i]) == 0 && k < json_array_size(value); k++)
                add_pair(out, flag, op, json_array_get(value, k - 1), json_array_get(value, k),
                         now);
        walk(out, flag, value, now, depth + 1);
    }
}

json_t *rb_flags_times(const json_t *flags, int64_t now)
{
    json_t *out = json_array();
    rb_json_each_member (name, flag, flags)
        walk(out, name, json_object_get(flag, "targeting"), now, 0);
    return out;
}
