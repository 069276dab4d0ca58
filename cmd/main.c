#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "books.h"
#include "cli.h"
#include "commands.h"
#include "ui.h"

static const rb_command *const commands[] = {RB_COMMANDS};

struct globals {
    const char *dir;
    const char *config;
    bool no_color;
    bool quiet;
    bool version;
    bool help;
};

static const rb_opt global_opts[] = {
    {RB_OPT_TEXT, "directory", 'C', "DIR", "work as if started in DIR",
     offsetof(struct globals, dir)},
    {RB_OPT_TEXT, "config", 0, "FILE", "read FILE instead of rbtool.json",
     offsetof(struct globals, config)},
    {RB_OPT_FLAG, "no-color", 0, NULL, "no colours (NO_COLOR does the same)",
     offsetof(struct globals, no_color)},
    {RB_OPT_FLAG, "quiet", 'q', NULL, "no notes and no progress on stderr",
     offsetof(struct globals, quiet)},
    {RB_OPT_FLAG, "help", 'h', NULL, "this help", offsetof(struct globals, help)},
    {RB_OPT_FLAG, "version", 0, NULL, "print the version", offsetof(struct globals, version)},
    {.kind = RB_OPT_END}};

#define COUNT (sizeof commands / sizeof *commands)

static const rb_command *find(const char *name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void print_usage(void)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_buf_puts(&out, "usage: rbtool [-C DIR] [--config FILE] COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < COUNT; i++)
        rb_buf_printf(&out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    rb_buf_puts(&out, "\n");
    rb_opt_help(&out, global_opts);
    rb_buf_puts(&out, "\n`rbtool help COMMAND` tells more. Exit codes: 0 done; 1 a check found "
                      "something;\n2 usage, config, input or system error, nothing was changed; "
                      "3 stopped half-way\n(resume or abort); 4 another run holds the environment; "
                      "5 a person must decide.\n");
    fputs(out.data, stdout);
}

static void print_help(const rb_command *command)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    rb_buf_printf(&out, "usage: rbtool %s [OPTIONS]%s%s\n\n%s.\n", command->name,
                  *command->args ? " " : "", command->args, command->summary);
    if (command->details)
        rb_buf_printf(&out, "\n%s\n", command->details);
    rb_buf_puts(&out, "\n");
    rb_opt_help(&out, command->opts);
    rb_opt_help(&out, global_opts);
    fputs(out.data, stdout);
}

/* The options before the command belong to rbtool itself. */
static int count_globals(int argc, char **argv)
{
    int i = 1;
    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        bool has_value = strcmp(argv[i], "-C") == 0 || strcmp(argv[i], "--config") == 0 ||
                         strcmp(argv[i], "--directory") == 0;
        i += has_value ? 2 : 1;
    }
    return i < argc ? i : argc;
}

static enum rb_code suggest(const char *name, rb_err *err)
{
    for (size_t i = 0; i < COUNT; i++)
        if (strncmp(commands[i]->name, name, 2) == 0)
            return rb_fail(
                err, RB_ERROR,
                "'%s' is no rbtool command; did you mean '%s'? `rbtool --help` lists all", name,
                commands[i]->name);
    return rb_fail(err, RB_ERROR, "'%s' is no rbtool command; `rbtool --help` lists all", name);
}

/* Global options work behind the command too: they are parsed with its own. */
static enum rb_code run_command(rb_cli *cli, const rb_command *command, int argc, char **argv,
                                rb_err *err)
{
    void *options = rb_calloc(1, command->options_size);
    enum rb_code code = rb_opt_parse(command->opts, options, cli, &argc, argv, err);
    if (code == RB_OK && argc < command->min_args)
        code = rb_fail(err, RB_ERROR, "%s needs %s; see `rbtool help %s`", command->name,
                       command->args, command->name);
    if (code == RB_OK && command->max_args >= 0 && argc > command->max_args)
        code = rb_fail(err, RB_ERROR, "%s does not take '%s'; see `rbtool help %s`", command->name,
                       argv[command->max_args], command->name);
    if (code == RB_OK)
        code = command->run(cli, options, argc, argv, err);
    if (command->clear)
        command->clear(options);
    free(options);
    return code;
}

/* Moves --no-color, --quiet, --config and -C that stand behind the command before it. */
static int gather_globals(struct globals *globals, rb_cli *cli, int *argc, char **argv, rb_err *err)
{
    const int count = *argc;
    int kept = 0;
    for (int i = 0; i < count; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--") == 0) {
            while (i < count)
                argv[kept++] = argv[i++];
            break;
        }
        bool flag = strcmp(a, "--no-color") == 0 || strcmp(a, "--quiet") == 0 ||
                    strcmp(a, "-q") == 0 || strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0 ||
                    strncmp(a, "--config=", 9) == 0;
        bool valued = strcmp(a, "--config") == 0;
        if (!flag && !valued) {
            argv[kept++] = argv[i];
            continue;
        }
        bool has_next = valued && i + 1 < count;
        char *one[2] = {argv[i], has_next ? argv[i + 1] : NULL};
        int n = has_next ? 2 : 1;
        i += n - 1;
        enum rb_code code = rb_opt_parse(global_opts, globals, cli, &n, one, err);
        if (code != RB_OK)
            return code;
    }
    *argc = kept;
    return RB_OK;
}

static enum rb_code dispatch(rb_cli *cli, int argc, char **argv, rb_err *err)
{
    struct globals globals = {.dir = "."};
    int n = count_globals(argc, argv);
    int global_argc = n - 1;
    RB_TRY(rb_opt_parse(global_opts, &globals, cli, &global_argc, argv + 1, err));
    const char *name = n < argc ? argv[n] : NULL;
    int used = name ? n + 1 : n;
    argc -= used;
    argv += used;
    if (globals.version) {
        puts("rbtool " RB_VERSION);
        return RB_OK;
    }
    if (!name || (strcmp(name, "help") == 0 && argc == 0)) {
        print_usage();
        return name || globals.help ? RB_OK : RB_ERROR;
    }
    const char *wanted = strcmp(name, "help") == 0 ? argv[0] : name;
    const rb_command *command = find(wanted);
    if (!command)
        return suggest(wanted, err);
    enum rb_code code = gather_globals(&globals, cli, &argc, argv, err);
    if (code != RB_OK)
        return code;
    if (globals.help || wanted != name) {
        print_help(command);
        return RB_OK;
    }
    if (command->changes)
        signal(SIGPIPE, SIG_IGN);
    cli->dir = globals.dir;
    cli->config = globals.config;
    cli->quiet = globals.quiet;
    const char *no_color = getenv("NO_COLOR");
    cli->color = isatty(1) && !globals.no_color && !(no_color && *no_color);
    cli->progress = isatty(2) && !cli->quiet;
    cli->interactive = isatty(0) && isatty(2);
    return run_command(cli, command, argc, argv, err);
}

/* A mistake in the arguments is told as it was asked for, though they could not all be read. */
static bool asks_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static void report(rb_cli *cli, enum rb_code code, const rb_err *err)
{
    fflush(stdout);
    RB_AUTO(rb_free_str) char *line = rb_safe(err->message);
    fprintf(stderr, "rbtool: %s\n", line);
    if (!cli->json || cli->answered)
        return;
    RB_AUTO(rb_json_freep)
    json_t *document = json_pack("{s:{s:i,s:s}}", "error", "code", (int)code, "message", line);
    if (document)
        rb_ui_json(cli, document);
}

/* The heap grows by megabytes and does not shrink: giving pages back between the steps of a short
 * run only to ask for them again costs more than what they are worth. */
static void keep_heap(void)
{
#ifdef __GLIBC__
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

/* A file that is opened must not become what messages are written to. */
static bool keep_streams(void)
{
    int fd = STDIN_FILENO;
    while (fcntl(fd, F_GETFD) != -1)
        if (++fd > STDERR_FILENO)
            return true;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR); /* the lowest that is free */
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* It wanted no more. Which write it was that failed is not known. */
static bool reader_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

int main(int argc, char **argv)
{
    if (!keep_streams())
        return RB_ERROR;
    keep_heap();
    rb_cli cli = {.dir = "."};
    rb_err err = {0};
    const bool json = asks_json(argc, argv); /* parsing moves them */
    enum rb_code code = dispatch(&cli, argc, argv, &err);
    cli.json = cli.json || json;
    if (code != RB_OK && err.message[0])
        report(&cli, code, &err);
    rb_cli_books_drop(&cli);
    rb_config_free(cli.settings);
    rb_signers_free(cli.signers);
    rb_repo_close(cli.repo);
    fflush(stdout);
    if (!ferror(stdout) || code != RB_OK || reader_left())
        return code;
    fputs(
        "rbtool: the result could not be written to standard output (is the disk full?); what was "
        "to be done is done\n",
        stderr);
    return RB_ERROR;
}
