/*
 * The context of every command, and the command table. A command is one file: its options struct,
 * its option table (for parsing, usage, help and manual), and a run function. Its page is
 * cmd/man/rbtool-NAME.1.md. Commands print results to stdout; only main.c prints errors.
 */
#ifndef RB_CMD_CLI_H
#define RB_CMD_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "session/session.h"

typedef struct rb_release_facts rb_release_facts;

typedef struct rb_cli {
    rb_session session; /* of -C and --config; closed by main */
    bool json;          /* --json of the command */
    bool quiet;
    bool color;        /* stdout may be coloured */
    bool progress;     /* stderr is a terminal and not --quiet */
    bool interactive;  /* questions are possible: stdin and stderr are terminals */
    const char *typed; /* the command line as it can be pasted into a shell */
    bool answered;     /* the JSON document is already on stdout: an error prints its line only */
    rb_release_facts *facts; /* release_status.h */
} rb_cli;

enum rb_opt_kind { RB_OPT_END, RB_OPT_FLAG, RB_OPT_TEXT, RB_OPT_LIST, RB_OPT_NUMBER, RB_OPT_JSON };

typedef struct rb_opt {
    enum rb_opt_kind kind; /* FLAG: bool; TEXT: const char *; LIST: rb_strs, repeatable or commas;
                              NUMBER: long, not negative; JSON: cli->json */
    const char *name;      /* long name, without "--" */
    char letter;           /* or 0 */
    const char *arg;       /* "TAG"; NULL for flags */
    const char *help;
    size_t offset; /* in the command's options struct */
} rb_opt;

#define RB_OPTION_JSON                                                                             \
    {                                                                                              \
        .kind = RB_OPT_JSON, .name = "json", .help = "print one JSON document"                     \
    }

/* The headings under which `rbtool help` lists the commands, in this order. */
#define RB_GROUP_SETUP "Set up"
#define RB_GROUP_RELEASE "Release"
#define RB_GROUP_DAILY "Every day"
#define RB_GROUP_BREAKS "When it breaks"
#define RB_GROUP_PEOPLE "People"
#define RB_GROUP_AUDIT "Audit"
#define RB_GROUP_PLUMBING "Plumbing"

typedef struct rb_command {
    const char *name;
    const char *args;    /* "TAG [COMMIT]" */
    const char *summary; /* one line */
    const char *group;   /* RB_GROUP_ */
    const rb_opt *opts;  /* ends with an RB_OPT_END entry */
    size_t options_size;
    int min_args;
    int max_args; /* -1: any number */
    bool pages;   /* its text goes through git's pager on a terminal */
    bool changes; /* changes something: a closed pipe at its output does not end it */
    enum rb_code (*run)(rb_cli *cli, void *options, int argc, char **argv, rb_err *err);
    /* Frees what options owns (lists); NULL when it owns nothing. */
    void (*clear)(void *options);
} rb_command;

/* opt.c */
typedef struct rb_opt_table {
    const rb_opt *opts;
    void *options; /* the struct that opts fills */
} rb_opt_table;

/*
 * Parses the options in argv with the tables (the first that knows an option wins) and leaves the
 * other words in argv and their number in argc. only_leading: stops at the first word that is not
 * an option, and leaves it and everything after it. "--" ends the options. The words are complete
 * on an error, too. RB_ERROR names an unknown option and the nearest known one.
 */
enum rb_code rb_opt_parse(const rb_opt_table *tables, size_t count, rb_cli *cli, bool only_leading,
                          int *argc, char **argv, rb_err *err) RB_MUST_USE;
void rb_opt_help(rb_buf *out, const rb_opt *opts);

#endif
