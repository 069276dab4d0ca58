/*
 * Defines the context and options of commands, and the command table. A command is one file: its
 * option table (for parsing, usage, help and manual), a run function, and RB_COMMAND(). Its page is
 * cmd/man/rbtool-NAME.1.md. Commands print results to stdout; only main.c prints errors.
 */
#ifndef RB_CMD_CLI_H
#define RB_CMD_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "session/session.h"

typedef struct rb_release_facts rb_release_facts;
typedef struct rb_command rb_command;

typedef struct rb_cli {
    rb_session session; /* opened with -C and --config; main closes it */
    bool json;          /* the command's option --json */
    bool quiet;
    bool progress;                     /* stderr is a terminal and not --quiet */
    bool interactive;                  /* questions are possible: stdin and stderr are terminals */
    const char *typed;                 /* the command line as it can be pasted into a shell */
    const rb_command *const *commands; /* all commands; ends with NULL */
    bool answered; /* the JSON document is already on stdout: an error prints only its line on
                      stderr */
    rb_release_facts *facts; /* cache of release_status.h */
} rb_cli;

/* The values of the options of all commands. A command's option table names the members that it
 * fills. */
typedef struct rb_options {
    int argc; /* number of arguments that are not options */
    char **argv;
    const char *dir;
    const char *config;
    bool no_color;
    bool quiet;
    bool version;
    bool help;
    bool json;
    const char *env;
    const char *why;          /* -m WHY */
    const char *pause_before; /* id of a step */
    const char *message;
    const char *key;
    const char *output;
    const char *format;
    bool yes;
    bool confirmed; /* not an option: the user already agreed at the terminal */
    bool dry_run;
    bool no_cache;
    bool exit_code;
    rb_strs only; /* parts that a transition is limited to */
    const char *to;
    const char *accept_loss;
    const char *scripts_from;
    const char *deploy;
    rb_strs from;      /* sources of the copies in a drill */
    const char *files; /* folder to adopt */
    const char *fail_at;
    const char *kill_at;
    bool undo;
    bool backup;
    bool break_glass;
    bool bad;
    bool accept_drift;
    bool accept_reverted;
    bool tabletop;
    const char *answers;
    bool runbook;
    bool deployment;
    bool step_done;
    bool step_retry;
    long watch;    /* --watch in seconds; 0: not given */
    bool rehearse; /* run the scripts and build the artifacts on copies */
    bool no_backup;
    bool terminate;
    long lock_timeout; /* seconds; 0: as configured */
    long statement_timeout;
    const char *database; /* for backups and restore */
    const char *table;
    rb_strs ignore;
    bool prune;
    bool deleted;
    bool overwrite;
    const char *previous; /* for release: --previous */
    rb_strs accept;
    bool compatibility;
    bool trust_code;
    bool name_only;
    bool record;
    const char *base;
    bool all;
    bool deep;
    bool restore;
    bool stat;
    rb_strs tags; /* of the ledger */
    rb_strs environments;
    rb_strs kinds;
    const char *since;
    long count;
    bool verify;
    const char *object;
    const char *over;
    bool tip;
    const char *review; /* for note: --review */
    const char *due;
    bool fetch;
    bool join;
    const char *append; /* for attest: --append */
    const char *public_key;
    bool vsa;
    bool proof;
    const char *verifier;
    const char *resource;
    bool names; /* for init and env */
    bool detect;
    bool uninstall;
} rb_options;

enum rb_opt_kind {
    RB_OPT_END,
    RB_OPT_FLAG,
    RB_OPT_TEXT,
    RB_OPT_LIST,
    RB_OPT_NUMBER,
    RB_OPT_DURATION
};

typedef struct rb_opt {
    enum rb_opt_kind
        kind; /* FLAG: bool; TEXT: const char *; LIST: rb_strs, from a repeated option or separated
                 by commas; NUMBER: long, not negative; DURATION: long, seconds, at least 1 */
    const char *name; /* long name, without "--" */
    char letter;      /* 0: none */
    const char *arg;  /* "TAG"; NULL for flags */
    const char *help;
    size_t offset; /* of the member in rb_options */
} rb_opt;

/* clang-format off */
#define RB_FLAG(name, letter, help, member) \
    {RB_OPT_FLAG, name, letter, NULL, help, offsetof(rb_options, member)}
#define RB_TEXT(name, letter, arg, help, member) \
    {RB_OPT_TEXT, name, letter, arg, help, offsetof(rb_options, member)}
#define RB_LIST(name, letter, arg, help, member) \
    {RB_OPT_LIST, name, letter, arg, help, offsetof(rb_options, member)}
#define RB_NUMBER(name, letter, arg, help, member) \
    {RB_OPT_NUMBER, name, letter, arg, help, offsetof(rb_options, member)}
#define RB_DURATION(name, help, member) \
    {RB_OPT_DURATION, name, 0, "DURATION", help, offsetof(rb_options, member)}
#define RB_OPTIONS_END {.kind = RB_OPT_END}

/* Options that several commands have. */
#define RB_OPTION_JSON RB_FLAG("json", 0, "print one JSON document", json)
#define RB_OPTION_ENV RB_TEXT("env", 'e', "NAME", \
    "the environment (default: RBTOOL_ENV, else the only one)", env)
#define RB_OPTION_KEY RB_TEXT("key", 0, "FILE", \
    "sign with this key (default: git's user.signingKey)", key)
#define RB_OPTION_YES RB_FLAG("yes", 'y', "do not ask; required without a terminal", yes)
#define RB_OPTION_TO RB_TEXT("to", 0, "TAG", \
    "go to this release instead of the previous known-good", to)
#define RB_OPTION_SCRIPTS RB_TEXT("scripts-from", 0, "TAG", \
    "take override down scripts from a later release", scripts_from)
#define RB_OPTION_ONLY RB_LIST("only", 0, "PARTS", \
    "only these parts: app,db,flags,config", only)
#define RB_OPTION_LOSS RB_TEXT("accept-data-loss", 0, "DIGEST", \
    "agree to the data loss of the plan with this digest", accept_loss)
#define RB_OPTION_NO_BACKUP RB_FLAG("no-backup", 0, \
    "do without a backup of what the scripts can destroy; the plan has a digest of its own", \
    no_backup)
#define RB_OPTION_DRIFT RB_FLAG("accept-drift", 0, \
    "continue although the environment has drifted", accept_drift)
#define RB_OPTION_BREAK RB_FLAG("break-glass", 0, \
    "continue without the approvals that the policy requires; recorded, needs -m", break_glass)
#define RB_OPTION_WHY RB_TEXT("message", 'm', "WHY", "the reason for --break-glass", why)
#define RB_OPTION_PAUSE RB_TEXT("pause-before", 0, "STEP", \
    "stop before this step of the plan until resume or abort; needs -m", pause_before)
#define RB_OPTION_WHY_PAUSE RB_TEXT("message", 'm', "WHY", \
    "the reason for --break-glass or --pause-before", why)
#define RB_OPTION_REHEARSE RB_FLAG("rehearse", 0, \
    "copy the rows of large databases too, and rebuild the artifacts", rehearse)
#define RB_OPTION_LOCK RB_DURATION("lock-timeout", \
    "try to get the locks of the databases for so long, such as 90s or 10m", lock_timeout)
#define RB_OPTION_STATEMENT RB_DURATION("statement-timeout", \
    "end a statement of a script that runs longer", statement_timeout)
#define RB_OPTION_TERMINATE RB_FLAG("terminate", 0, \
    "end the database sessions of the run that was killed, where they still run", terminate)
#define RB_OPTION_TRUST_CODE RB_FLAG("trust-code", 0, \
    "let scripts do in the scratch server what a superuser may, such as untrusted languages", \
    trust_code)
#define RB_OPTION_DRY RB_FLAG("dry-run", 'n', \
    "show the plan (with --json: its document) and change nothing", dry_run)
/* clang-format on */

/* The headings under which `rbtool help` lists the commands, in this order. */
#define RB_GROUP_SETUP "Set up"
#define RB_GROUP_RELEASE "Release"
#define RB_GROUP_DAILY "Every day"
#define RB_GROUP_BREAKS "When it breaks"
#define RB_GROUP_PEOPLE "People"
#define RB_GROUP_AUDIT "Audit"
#define RB_GROUP_PLUMBING "Plumbing"

enum {
    RB_PAGES = 1,  /* the command's text goes through git's pager on a terminal */
    RB_CHANGES = 2 /* changes something: goes on if the reader of its output closes the pipe */
};

struct rb_command {
    const char *name;
    const char *args;    /* "TAG [COMMIT]" */
    const char *summary; /* one line */
    const char *group;   /* one of RB_GROUP_* */
    int min_args;
    int max_args;       /* -1: any number */
    unsigned how;       /* flags: RB_PAGES, RB_CHANGES */
    const rb_opt *opts; /* ends with RB_OPTIONS_END */
    enum rb_code (*run)(rb_cli *cli, rb_options *o, rb_err *err);
};

/* Defines the rb_command of this file from the file's own `opts` and `run`. */
#define RB_COMMAND(name, args, summary, group, min_args, max_args, how)                            \
    const rb_command rb_cmd_##name = {#name,    args, summary, group, min_args,                    \
                                      max_args, how,  opts,    run}

/* Functions of opt.c: */
/* Returns the command of that name; NULL if there is none. */
const rb_command *rb_command_named(const rb_command *const *commands, const char *name);
/*
 * Parses o->argv with the option tables. If several tables have an option, the first one counts.
 * Leaves the arguments that are not options in o->argv and their number in o->argc, on an error
 * too. "--" ends the options. only_leading: also stops at the first argument that is not an option,
 * and leaves it and everything after it. RB_ERROR names an unknown option and the nearest known
 * one.
 */
enum rb_code rb_opt_parse(rb_options *o, const rb_opt *const *tables, size_t count,
                          bool only_leading, rb_err *err);
void rb_opt_help(rb_buf *out, const rb_opt *opts);
/* Frees the lists in o that the options of `opts` filled. */
void rb_opt_clear(rb_options *o, const rb_opt *opts);

#endif
