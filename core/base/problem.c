#include "base/problem.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/buf.h"

void rb_problems_clear(rb_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        rb_problem *p = &problems->items[i];
        free(p->code);
        free(p->field);
        free(p->expected);
        free(p->found);
        free(p->message);
    }
    free(problems->items);
    *problems = (rb_problems){0};
}

void rb_problems_add(rb_problems *problems, const char *code, const char *field,
                     const char *expected, const char *found, const char *fmt, ...)
{
    problems->items = rb_grow(problems->items, problems->n, sizeof *problems->items);
    rb_buf message = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&message, fmt, args);
    va_end(args);
    problems->items[problems->n++] = (rb_problem){
        .code = rb_strdup(code),
        .field = rb_strdup(field ? field : ""),
        .expected = rb_strdup(expected ? expected : ""),
        .found = rb_strdup(found ? found : ""),
        .message = rb_buf_detach(&message),
    };
}

void rb_problems_warn(rb_problems *problems)
{
    problems->items[problems->n - 1].warning = true;
}

bool rb_problems_any(const rb_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++)
        if (!problems->items[i].warning)
            return true;
    return false;
}
