#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli.h"
#include "commands.h"
#include "database/database.h"
#include "env_session.h"
#include "environment/checks.h"
#include "help.h"
#include "release_status.h"
#include "ui.h"

#define ADDRESS_OF_COMMAND(name) &rb_cmd_##name,
static const rb_command *const commands[] = {RB_COMMANDS(ADDRESS_OF_COMMAND) NULL};

static const rb_opt global_opts[] = {
    RB_TEXT("directory", 'C', "DIR", "work as if started in DIR", dir),
    RB_TEXT("config", 0, "FILE", "read FILE instead of rbtool.json", config),
    RB_FLAG("no-color", 0, "no colours (NO_COLOR does the same)", no_color),
    RB_FLAG("quiet", 'q', "no notes and no progress on stderr", quiet),
    RB_FLAG("help", 'h', "this help", help),
    RB_FLAG("version", 0, "print the version", version),
    RB_OPTIONS_END};

static void print_version(void)
{
    puts("rbtool " RB_VERSION);
}

static enum rb_code suggest(const char *name, rb_err *err)
{
    const char *names[sizeof commands / sizeof *commands] = {NULL};
    for (size_t i = 0; commands[i]; i++)
        names[i] = commands[i]->name;
    const char *near = rb_text_similar(name, names);
    return near ? rb_fail(err, RB_ERROR,
                          "'%s' is not an rbtool command\ndid you mean '%s'? `rbtool help` lists "
                          "all of them",
                          name, near)
                : rb_fail(err, RB_ERROR,
                          "'%s' is not an rbtool command\n`rbtool help` lists all of them", name);
}

static void note(void *cli, const char *text)
{
    rb_ui_note(cli, "%s", text);
}

static void set_up(rb_cli *cli, const rb_options *o)
{
    cli->session.dir = o->dir;
    cli->session.config = o->config;
    cli->session.trust_code = o->trust_code;
    cli->json = o->json;
    cli->quiet = o->quiet;
    const char *no_color = getenv("NO_COLOR");
    if (isatty(1) && !o->no_color && !(no_color && *no_color))
        rb_ui_use_color();
    cli->progress = isatty(2) && !cli->quiet;
    cli->interactive = isatty(0) && isatty(2);
}

/* Handles SIGXFSZ, so that a write beyond the file size limit fails like one on a full disk. A
 * handler is reset in the programs that rbtool runs; ignoring the signal would be inherited. */
static void on_size_limit(int signal_number)
{
    (void)signal_number;
}

/* Parses the command's options and runs it. Options that every command takes may also stand among
 * the command's own. */
static enum rb_code call(rb_cli *cli, const rb_command *command, rb_options *o, rb_err *err)
{
    const rb_opt *const tables[] = {command->opts, global_opts};
    enum rb_code code = rb_opt_parse(o, tables, 2, false, err);
    set_up(cli, o);
    if (code != RB_OK)
        return code;
    if (o->version) {
        print_version();
        return RB_OK;
    }
    if (o->help) {
        rb_ui_page(cli);
        rb_help_command(command);
        return RB_OK;
    }
    if (o->argc < command->min_args)
        return rb_fail(err, RB_ERROR, "%s needs %s\nsee `rbtool help %s`", command->name,
                       command->args, command->name);
    if (command->max_args >= 0 && o->argc > command->max_args)
        return rb_fail(err, RB_ERROR, "%s does not take '%s'\nsee `rbtool help %s`", command->name,
                       o->argv[command->max_args], command->name);
    if (command->how & RB_CHANGES)
        signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, on_size_limit);
    if (command->how & RB_PAGES)
        rb_ui_page(cli);
    return command->run(cli, o, err);
}

static enum rb_code dispatch(rb_cli *cli, int argc, char **argv, rb_err *err)
{
    rb_options o = {.dir = ".", .argc = argc - 1, .argv = argv + 1};
    const rb_opt *const tables[] = {global_opts};
    RB_TRY(rb_opt_parse(&o, tables, 1, true, err));
    const char *name = o.argc > 0 ? o.argv[0] : NULL;
    if (o.version || (name && strcmp(name, "version") == 0)) {
        print_version();
        return RB_OK;
    }
    const bool help = name && strcmp(name, "help") == 0;
    if (!name || (help && o.argc == 1)) {
        rb_help_usage(global_opts);
        return name || o.help ? RB_OK : RB_ERROR;
    }
    o.help = o.help || help;
    o.argv += help;
    o.argc -= help;
    const rb_command *command = rb_command_named(cli->commands, *o.argv++);
    o.argc--;
    if (!command)
        return suggest(o.argv[-1], err);
    enum rb_code code = call(cli, command, &o, err);
    rb_opt_clear(&o, command->opts);
    return code;
}

/* True if --json is among the arguments. If parsing fails, its error must still be JSON. */
static bool asks_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* Returns the arguments as one line, quoted for a shell. */
static char *command_line(int argc, char **argv)
{
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    rb_strs_add(&words, "rbtool");
    for (int i = 1; i < argc; i++)
        rb_strs_add(&words, argv[i]);
    return rb_command_line(&words);
}

static void report(rb_cli *cli, enum rb_code code, const rb_err *err)
{
    fflush(stdout);
    RB_AUTO(rb_free_str) char *message = rb_safe(err->message);
    RB_AUTO(rb_free_str) char *next = rb_safe(err->hint);
    RB_AUTO(rb_free_str) char *line = rb_env_session_commands(cli, message);
    RB_AUTO(rb_free_str) char *hint = rb_env_session_commands(cli, next);
    fprintf(stderr, "rbtool: %s\n", line);
    if (*hint)
        fprintf(stderr, "hint: %s\n", hint);
    if (!cli->json || cli->answered)
        return;
    RB_AUTO(rb_json_freep) json_t *document = rb_json_make("error:j", rb_err_json(err));
    json_t *error = json_object_get(document, "error");
    rb_json_set(error, "code:i message:s hint:s", (int64_t)code, line, *hint ? hint : NULL);
    rb_ui_json(cli, document);
}

/* Makes malloc keep freed memory. rbtool is short-lived: returning pages to the kernel between
 * steps and asking for them again would only cost time. */
static void keep_heap(void)
{
#ifdef __GLIBC__
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

/* Opens missing standard streams on /dev/null. Otherwise a file that is opened later could get
 * descriptor 1 or 2 and receive messages. */
static bool keep_streams(void)
{
    int fd = STDIN_FILENO;
    while (fcntl(fd, F_GETFD) != -1)
        if (++fd > STDERR_FILENO)
            return true;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR); /* gets the lowest free descriptor */
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* True if stdout is a pipe whose reader closed it. Which write failed is unknown. */
static bool reader_left(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP));
}

/* Sets the folder in which the private PostgreSQL cluster for scratch databases is kept between
 * commands. If root runs rbtool, the cluster belongs to the user nobody, whom other services may
 * share, so that it is kept only if RBTOOL_SCRATCH_CACHE is set. */
static void keep_scratch(void)
{
    const char *dir = getenv("RBTOOL_SCRATCH_CACHE");
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    RB_AUTO(rb_free_str) char *own = NULL;
    if (!dir && geteuid() != 0 && cache && *cache == '/')
        own = rb_format("%s/rbtool", cache);
    else if (!dir && geteuid() != 0 && home && *home == '/')
        own = rb_format("%s/.cache/rbtool", home);
    if (!dir)
        dir = own;
    if (dir && *dir == '/')
        rb_db_scratch_cache(dir);
}

int main(int argc, char **argv)
{
    if (!keep_streams())
        return RB_ERROR;
    keep_heap();
    RB_AUTO(rb_free_str) char *typed = command_line(argc, argv); /* parsing reorders argv */
    rb_cli cli = {.session.dir = ".", .typed = typed, .commands = commands};
    cli.session.note = note;
    cli.session.context = &cli;
    rb_err err = {0};
    const bool json = asks_json(argc, argv); /* parsing reorders argv */
    const char *scratch = getenv("RBTOOL_SCRATCH_URL");
    keep_scratch();
    enum rb_code code = scratch && *scratch ? rb_db_scratch_server(scratch, &err) : RB_OK;
    if (code == RB_OK)
        code = dispatch(&cli, argc, argv, &err);
    cli.json = cli.json || json;
    rb_ui_progress_end();
    rb_ui_page_end();
    if (code != RB_OK && err.message[0])
        report(&cli, code, &err);
    rb_release_facts_free(&cli);
    rb_session_close(&cli.session);
    rb_db_scratch_stop();
    fflush(stdout);
    if (!ferror(stdout) || code != RB_OK || reader_left())
        return code;
    fputs(
        "rbtool: the result could not be written to standard output (is the disk full?); what was "
        "to be done is done\n",
        stderr);
    return RB_ERROR;
}
