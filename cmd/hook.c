#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "hook/check.h"

#define INPUT_LIMIT ((size_t)256 << 20) /* bytes: about two million refs */

static const rb_opt opts[] = {RB_OPTIONS_END};

static enum rb_code read_input(rb_buf *out, rb_err *err)
{
    char block[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, block, sizeof block)) > 0) {
        rb_buf_add(out, block, (size_t)n);
        if (out->len > INPUT_LIMIT)
            return rb_fail(err, RB_ERROR,
                           "git gave this hook more than the limit of %zu bytes\nRBTOOL=0 before "
                           "the command goes on without it",
                           INPUT_LIMIT);
    }
    return n == 0 ? RB_OK : rb_fail_errno(err, RB_ERROR, "cannot read what git gave this hook");
}

static enum rb_code read_pushes(rb_pushes *out, const rb_cli *cli, bool sent, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf input = {0};
    RB_TRY(read_input(&input, err));
    return rb_pushes_read(out, cli->session.repo, sent, rb_buf_str(&input), input.len, err);
}

static enum rb_code run_pre_push(rb_refusals *out, rb_guard *guard, rb_cli *cli, char **argv,
                                 rb_err *err)
{
    RB_AUTO(rb_pushes_clear) rb_pushes pushes = {0};
    RB_TRY(read_pushes(&pushes, cli, true, err));
    return rb_guard_push(out, guard, argv[0], &pushes, err);
}

static enum rb_code run_pre_receive(rb_refusals *out, rb_guard *guard, rb_cli *cli, char **argv,
                                    rb_err *err)
{
    (void)argv;
    RB_AUTO(rb_pushes_clear) rb_pushes pushes = {0};
    RB_TRY(read_pushes(&pushes, cli, false, err));
    return rb_guard_receive(out, guard, &pushes, err);
}

/* Runs post-receive, which can only warn: the refs are updated already. */
static enum rb_code run_post_receive(rb_refusals *out, rb_guard *guard, rb_cli *cli, char **argv,
                                     rb_err *err)
{
    (void)argv;
    RB_AUTO(rb_pushes_clear) rb_pushes pushes = {0};
    RB_TRY(read_pushes(&pushes, cli, false, err));
    return rb_guard_receipts(out, guard, &pushes, err);
}

/* Runs reference-transaction. git can be stopped only in the state "prepared". */
static enum rb_code run_transaction(rb_refusals *out, rb_guard *guard, rb_cli *cli, char **argv,
                                    rb_err *err)
{
    (void)cli;
    if (strcmp(argv[0], "prepared") != 0)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf input = {0};
    RB_TRY(read_input(&input, err));
    return rb_guard_transaction(out, guard, rb_buf_str(&input), input.len, err);
}

static enum rb_code run_commit_msg(rb_refusals *out, rb_guard *guard, rb_cli *cli, char **argv,
                                   rb_err *err)
{
    (void)cli;
    return rb_guard_commit(out, guard, argv[0], err);
}

static const struct hook {
    const char *name;
    const char *args;
    int min_args;
    enum rb_code (*run)(rb_refusals *out, rb_guard *guard, rb_cli *cli, char **argv, rb_err *err);
} hooks[] = {{"pre-push", "REMOTE [URL]", 1, run_pre_push},
             {"reference-transaction", "STATE", 1, run_transaction},
             {"commit-msg", "FILE", 1, run_commit_msg},
             {"pre-receive", "", 0, run_pre_receive},
             {"post-receive", "", 0, run_post_receive}};

/* Prints at most three lines. Returns how many refusals, or warnings, there are. */
static size_t print(const rb_refusals *refusals, bool warnings)
{
    const rb_refusal *first = NULL;
    RB_AUTO(rb_buf_clear) rb_buf others = {0};
    size_t n = 0;
    for (size_t i = 0; i < refusals->n; i++) {
        const rb_refusal *r = &refusals->items[i];
        if (r->warning != warnings)
            continue;
        if (n > 0 && n < 6)
            rb_buf_printf(&others, "%s %s", n > 1 ? "," : "", r->what);
        first = first ? first : r;
        n++;
    }
    if (!first)
        return 0;
    fprintf(stderr, "rbtool: %s%s %s\n", warnings ? "warning: " : "", first->what, first->message);
    if (n > 1)
        fprintf(stderr, "  and %zu more:%s%s\n", n - 1, rb_buf_str(&others), n > 6 ? ", ..." : "");
    fprintf(stderr, "  %s\n", first->hint);
    return n;
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const struct hook *hook = hooks;
    const struct hook *end = hooks + sizeof hooks / sizeof *hooks;
    while (hook < end && strcmp(hook->name, o->argv[0]) != 0)
        hook++;
    if (hook == end)
        return rb_fail(err, RB_ERROR,
                       "hook %s does not exist here\nthe hooks are pre-push, "
                       "reference-transaction, commit-msg, pre-receive and post-receive",
                       o->argv[0]);
    if (o->argc - 1 < hook->min_args)
        return rb_fail(err, RB_ERROR, "hook %s needs %s, as git gives it", hook->name, hook->args);
    RB_TRY(rb_session_repo(&cli->session, err));
    RB_AUTO(rb_guard_freep) rb_guard *guard = rb_guard_new(&cli->session);
    rb_refusals refusals = {0};
    enum rb_code code = hook->run(&refusals, guard, cli, o->argv + 1, err);
    print(&refusals, true);
    if (print(&refusals, false) > 0) {
        err->message[0] = '\0';
        code = RB_FOUND;
    }
    rb_refusals_clear(&refusals);
    return code;
}

RB_COMMAND(hook, "NAME [ARGUMENT...]", "entry point of the git hooks", RB_GROUP_PLUMBING, 1, -1,
           RB_CHANGES);
