#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli.h"

/* Finds an option by its long name of `len` bytes, or by its letter if that is not 0. */
static const rb_opt *find(const rb_opt *const *tables, size_t count, const char *name, size_t len,
                          char letter)
{
    for (size_t i = 0; i < count; i++)
        for (const rb_opt *o = tables[i]; o->kind != RB_OPT_END; o++)
            if (letter ? o->letter == letter
                       : strlen(o->name) == len && strncmp(o->name, name, len) == 0)
                return o;
    return NULL;
}

static enum rb_code unknown(const rb_opt *const *tables, size_t count, const char *arg, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    for (size_t i = 0; i < count; i++)
        for (const rb_opt *o = tables[i]; o->kind != RB_OPT_END; o++)
            rb_strs_take(&names, rb_format("--%s", o->name));
    RB_AUTO(rb_free_str) char *word = rb_strndup(arg, strcspn(arg, "="));
    const char **list = rb_calloc(names.n + 1, sizeof *list);
    for (size_t i = 0; i < names.n; i++)
        list[i] = names.items[i];
    const char *near = arg[1] == '-' ? rb_text_similar(word, list) : NULL;
    free(list);
    return near ? rb_fail(err, RB_ERROR, "unknown option '%s'\ndid you mean '%s'?", arg, near)
                : rb_fail(err, RB_ERROR, "unknown option '%s'", arg);
}

/* Adds comma-separated values. False if one is empty: an option that limits a command must not be
 * ignored. */
static bool add_list(rb_strs *list, const char *value)
{
    size_t before = list->n;
    for (const char *p = value; *p;) {
        size_t len = strcspn(p, ",");
        if (len > 0)
            rb_strs_take(list, rb_strndup(p, len));
        p += len + (p[len] == ',');
    }
    return list->n > before;
}

static enum rb_code no_value(const rb_opt *opt, rb_err *err)
{
    return rb_fail(err, RB_ERROR, "--%s needs a value: %s", opt->name, opt->arg);
}

static enum rb_code store(rb_options *o, const rb_opt *opt, const char *value, rb_err *err)
{
    char *place = (char *)o + opt->offset;
    char *end;
    switch (opt->kind) {
    case RB_OPT_FLAG:
        *(bool *)place = true;
        break;
    case RB_OPT_TEXT:
        *(const char **)place = value;
        break;
    case RB_OPT_LIST:
        if (!add_list((rb_strs *)place, value))
            return no_value(opt, err);
        break;
    case RB_OPT_NUMBER:
        errno = 0;
        *(long *)place = strtol(value, &end, 10);
        if (errno || end == value || *end || *(long *)place < 0)
            return rb_fail(err, RB_ERROR, "--%s takes a whole number, not '%s'", opt->name, value);
        break;
    case RB_OPT_DURATION:
        *(long *)place = (long)rb_text_seconds(value);
        if (*(long *)place < 1)
            return rb_fail(err, RB_ERROR,
                           "--%s takes a duration, not '%s'\nwrite for example 90s, 10m or 2h",
                           opt->name, value);
        break;
    case RB_OPT_END:
        break;
    }
    return RB_OK;
}

/* Parses one argument that begins with '-'. Advances *i if its value is the next argument. */
static enum rb_code parse_one(rb_options *o, const rb_opt *const *tables, size_t count, int *i,
                              rb_err *err)
{
    const char *arg = o->argv[*i];
    const char *value = NULL;
    const bool is_long = arg[1] == '-';
    const size_t len = is_long ? strcspn(arg + 2, "=") : 0;
    const rb_opt *opt = find(tables, count, arg + 2, len, is_long ? '\0' : arg[1]);
    if (!opt)
        return unknown(tables, count, arg, err);
    if (is_long && arg[2 + len] == '=')
        value = arg + 3 + len;
    else if (!is_long && arg[2] != '\0')
        value = arg + 2;
    if (opt->kind == RB_OPT_FLAG && value)
        return is_long ? rb_fail(err, RB_ERROR, "--%s takes no value", opt->name)
                       : rb_fail(err, RB_ERROR, "write -%c and the letters after it apart: '%s'",
                                 arg[1], arg);
    if (opt->kind != RB_OPT_FLAG && !value) {
        if (*i + 1 >= o->argc)
            return no_value(opt, err);
        value = o->argv[++*i];
    }
    return store(o, opt, value, err);
}

enum rb_code rb_opt_parse(rb_options *o, const rb_opt *const *tables, size_t count,
                          bool only_leading, rb_err *err)
{
    char **argv = o->argv;
    int kept = 0;
    bool only_words = false;
    enum rb_code code = RB_OK;
    for (int i = 0; i < o->argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (code == RB_OK)
                code = parse_one(o, tables, count, &i, err);
        } else {
            only_words = only_words || only_leading;
            argv[kept++] = argv[i];
        }
    }
    o->argc = kept;
    return code;
}

void rb_opt_clear(rb_options *o, const rb_opt *opts)
{
    for (; opts->kind != RB_OPT_END; opts++)
        if (opts->kind == RB_OPT_LIST)
            rb_strs_clear((rb_strs *)((char *)o + opts->offset));
}

#define TEXT_COLUMN 32
#define LINE_END 80

/* Appends text, wrapped into the columns from TEXT_COLUMN to LINE_END. */
static void add_wrapped(rb_buf *out, const char *text)
{
    size_t column = TEXT_COLUMN;
    while (*text) {
        const size_t len = strcspn(text, " ");
        if (column > TEXT_COLUMN && column + 1 + len > LINE_END) {
            rb_buf_printf(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
        } else if (column > TEXT_COLUMN) {
            rb_buf_addc(out, ' ');
            column++;
        }
        rb_buf_add(out, text, len);
        column += len;
        text += len + (text[len] == ' ');
    }
    rb_buf_addc(out, '\n');
}

void rb_opt_help(rb_buf *out, const rb_opt *opts)
{
    for (const rb_opt *o = opts; o->kind != RB_OPT_END; o++) {
        rb_buf head = {0};
        if (o->letter)
            rb_buf_printf(&head, "-%c, ", o->letter);
        rb_buf_printf(&head, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        rb_buf_printf(out, "  %-28s  ", rb_buf_str(&head));
        add_wrapped(out, o->help);
        rb_buf_clear(&head);
    }
}

const rb_command *rb_command_named(const rb_command *const *commands, const char *name)
{
    while (*commands && strcmp((*commands)->name, name) != 0)
        commands++;
    return *commands;
}
