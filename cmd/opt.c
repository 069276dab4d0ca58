#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const rb_opt *find_long(const rb_opt *opts, const char *name, size_t len)
{
    for (const rb_opt *o = opts; o->kind != RB_OPT_END; o++)
        if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static const rb_opt *find_letter(const rb_opt *opts, char letter)
{
    for (const rb_opt *o = opts; o->kind != RB_OPT_END; o++)
        if (o->letter == letter)
            return o;
    return NULL;
}

/* False where value has nothing in it: what limits a command must not vanish. */
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

static enum rb_code store(const rb_opt *opt, void *options, rb_cli *cli, const char *value,
                          rb_err *err)
{
    char *place = (char *)options + opt->offset;
    char *end;
    switch (opt->kind) {
    case RB_OPT_FLAG:
        *(bool *)place = true;
        break;
    case RB_OPT_JSON:
        cli->json = true;
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
    case RB_OPT_END:
        break;
    }
    return RB_OK;
}

static bool takes_value(const rb_opt *opt)
{
    return opt->kind != RB_OPT_FLAG && opt->kind != RB_OPT_JSON;
}

/* One argument beginning with '-'; *i moves on when its value is the next argument. */
static enum rb_code parse_one(const rb_opt *opts, void *options, rb_cli *cli, int argc, char **argv,
                              int *i, rb_err *err)
{
    const char *arg = argv[*i];
    const rb_opt *opt;
    const char *value = NULL;
    if (arg[1] == '-') {
        size_t len = strcspn(arg + 2, "=");
        opt = find_long(opts, arg + 2, len);
        if (arg[2 + len] == '=')
            value = arg + 3 + len;
    } else {
        opt = find_letter(opts, arg[1]);
        if (opt && arg[2] != '\0') {
            value = arg + 2;
            if (!takes_value(opt))
                return rb_fail(err, RB_ERROR, "write -%c and the letters after it apart: '%s'",
                               arg[1], arg);
        }
    }
    if (!opt)
        return rb_fail(err, RB_ERROR, "unknown option '%s'", arg);
    if (!takes_value(opt) && value)
        return rb_fail(err, RB_ERROR, "--%s takes no value", opt->name);
    if (takes_value(opt) && !value) {
        if (*i + 1 >= argc)
            return no_value(opt, err);
        value = argv[++*i];
    }
    return store(opt, options, cli, value, err);
}

enum rb_code rb_opt_parse(const rb_opt *opts, void *options, rb_cli *cli, int *argc, char **argv,
                          rb_err *err)
{
    int kept = 0;
    bool only_args = false;
    enum rb_code code = RB_OK;
    for (int i = 0; i < *argc; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (!only_args && argv[i][0] == '-' && argv[i][1] != '\0')
            code = code ? code : parse_one(opts, options, cli, *argc, argv, &i, err);
        else
            argv[kept++] = argv[i];
    }
    *argc = kept;
    return code;
}

void rb_opt_help(rb_buf *out, const rb_opt *opts)
{
    for (const rb_opt *o = opts; o->kind != RB_OPT_END; o++) {
        rb_buf head = {0};
        if (o->letter)
            rb_buf_printf(&head, "-%c, ", o->letter);
        rb_buf_printf(&head, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        rb_buf_printf(out, "  %-28s  %s\n", rb_buf_str(&head), o->help);
        rb_buf_clear(&head);
    }
}
