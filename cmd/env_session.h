/*
 * Shared by the environment commands: the environment, its lock, journal and repository, and how
 * a transition is shown, agreed to and carried out.
 */
#ifndef RB_CMD_ENV_SESSION_H
#define RB_CMD_ENV_SESSION_H

#include "cli.h"
#include "environment/lock.h"
#include "environment/settings.h"
#include "transition/transition.h"

typedef struct rb_env_session {
    rb_session *session; /* borrowed from cli */
    rb_env *env;
    rb_lock *lock;   /* NULL for commands that only look */
    rb_state *state; /* NULL when the environment has none yet and we only look */
    rb_live live;
    rb_cli *cli;
    bool trusting; /* set before rb_env_session_open(): `env trust`, which accepts what differs */
    char *settings_file; /* where the environment was read */
    enum rb_settings_source source;
    json_t *settings;   /* rb_settings_of() */
    rb_binding binding; /* what this host recorded, compared with them */
    json_t *pins;       /* an object, for every journal row of a database (rb_run.pins) */
    char *command;      /* rb_env_session_command() */
    int64_t watch;      /* rb_run.watch of the transition that begins here */
    const char *undoes; /* rb_run.watch_of */
    json_t *document;   /* of a transition that is watched: printed when the watch has ended */
    char *untold;       /* why the ledger does not have all of it; reported once, at close */
} rb_env_session;

/* Opens an environment. write: takes the lock, creates the journal, and writes outstanding entries
 * to the ledger. RB_ERROR if no such environment is configured. */
enum rb_code rb_env_session_open(rb_env_session *site, rb_cli *cli, const char *env, bool write,
                                 rb_err *err);
/* Same, for commands that only look and continue if a part cannot be read, which is added to
 * unreadable as {"part","message"}. RB_ERROR if the environment is not configured. */
enum rb_code rb_env_session_look(rb_env_session *site, json_t *unreadable, rb_cli *cli,
                                 const char *env, rb_err *err);
void rb_env_session_close(rb_env_session *site);

/* Lists the names of all configured environments, sorted. */
enum rb_code rb_env_session_environments(rb_strs *names, rb_cli *cli, rb_err *err);

/* Fails with RB_ERROR if an environment's root is "/", a home folder, or in cli's repository (its
 * own folder or a work tree), or if its journal was made on another host or in another folder. Each
 * message names the next step. */
enum rb_code rb_env_session_check_root(rb_cli *cli, const char *name, const char *root,
                                       rb_err *err);
enum rb_code rb_env_session_check_journal(const char *name, const char *root, const rb_state *state,
                                          rb_err *err);

/* Writes every transition that has ended to the ledger. A failure is only reported, when the site
 * is closed: the next command tries again. */
void rb_env_session_record(rb_cli *cli, rb_env_session *site);

/* Sends what has no event yet to the environment's notify commands, and what they did not take
 * before (core/watch/notify.h). Needs the environment's lock. A failure is only reported. running:
 * this process carries the pending transition out. */
void rb_env_session_notify(rb_cli *cli, rb_env_session *site, bool running);
/* Same, without the lock, which it takes only to read and write the journal; does nothing while
 * another run holds the environment, which sends what is left. */
void rb_env_session_notify_unheld(rb_cli *cli, const rb_env_session *site);
/* Adds what was not delivered yet to list, [{"id","type","time","command","attempts","error"}]. */
enum rb_code rb_env_session_undelivered(json_t *list, const rb_env_session *site, rb_err *err);

/* Same as rb_env_session_record(), for every environment of this host that no other run holds.
 * Needs cli's repository and signers. */
void rb_env_session_catch_up(rb_cli *cli);

/* Adds the environments that are configured, can be read and do not have their root in a work tree
 * of the repository, and their folders, to the lists. */
enum rb_code rb_env_session_names(rb_strs *names, rb_strs *roots, rb_cli *cli, rb_err *err);

/* {ENVIRONMENT: its "objectives"} of those that are configured, a new object; empty where the
 * settings cannot be read. */
json_t *rb_env_session_objectives(rb_cli *cli);

/* Whether any environment is configured at all. */
enum rb_code rb_env_session_configured(bool *out, rb_cli *cli, rb_err *err);

/* Returns the transition that has begun and not ended, and the process that holds the environment;
 * either may be NULL. A transition without a holder was interrupted. */
enum rb_code rb_env_session_pending(rb_transition_row **out, char **holder,
                                    const rb_env_session *site, rb_err *err);
/* Takes the environment's lock; RB_BUSY names the transition that holds it if it can be read. */
enum rb_code rb_env_session_lock(rb_env_session *site, rb_err *err);
/* Fails with RB_HALFWAY and the next command if a transition was interrupted; with RB_BUSY if it is
 * running. */
enum rb_code rb_env_session_settled(const rb_env_session *site, rb_err *err);

/* Changes an error that stopped a pending transition from continuing: it is still half-way. */
enum rb_code rb_env_session_halfway(const rb_env_session *site, enum rb_code code, rb_err *err);

/* Returns the live release, of the first part that has one, or NULL. Borrowed. */
const char *rb_env_session_live_tag(const rb_live *live);

/* Returns the parts that --only names; all if it is empty. */
enum rb_code rb_env_session_parts(bool parts[RB_PARTS], const rb_strs *only, rb_err *err);

/* Fails with RB_ERROR if the ledger, policy or root is not the one that the environment is bound
 * to. */
enum rb_code rb_env_session_bound(rb_cli *cli, const rb_env_session *site, rb_err *err);

/* Fills the intent: the options' parts and consents, and the command line that carries it out. tag
 * may be NULL. */
enum rb_code rb_env_session_intent(rb_intent *out, rb_env_session *site, const rb_options *options,
                                   const char *kind, const char *tag, rb_err *err);
/* Calls rb_transition_plan() and adds what is known about FROM and TO. */
enum rb_code rb_env_session_plan(rb_transition *out, rb_cli *cli, const rb_env_session *site,
                                 const rb_intent *intent, rb_err *err);

/* Returns the start of a command line: "rbtool" and the options before the command's name. */
char *rb_env_session_program(const rb_cli *cli);
char *rb_env_session_commands(const rb_cli *cli, const char *text);
/* Returns the command line that carries out the request, without options that agree to a plan;
 * owned by site. tag may be NULL. */
const char *rb_env_session_command(rb_env_session *site, const rb_options *options,
                                   const char *kind, const char *tag);

/* Appends where the data that the plan loses can be found afterwards. */
void rb_env_session_add_backups(rb_buf *out, const json_t *plan);
/* Where database servers can be restored to (transition/recovery_point.h), of a plan or a result;
 * reached: the moment is over. */
void rb_env_session_add_recovery(rb_buf *out, const json_t *document, bool reached);
/* Appends one difference, and the lines and flags that differ. */
void rb_env_session_add_drift(rb_buf *out, const char *head, const json_t *item);
/* Prints FROM and TO, steps, data at risk and decisions; for who has seen the plan, as the digest
 * that was agreed to shows, only the counts and the drift. */
void rb_env_session_show_plan(const rb_cli *cli, const rb_plan *plan, bool seen, bool to_stderr);

/* Plans a deploy, a revert or the abort of a committed transition, shows the plan, checks consent,
 * asks, carries it out, prints the result. With options->dry_run shows the plan only, and needs no
 * lock. tag may be NULL for an abort. */
enum rb_code rb_env_session_carry_out(rb_cli *cli, rb_env_session *site, const rb_options *options,
                                      const char *kind, const char *tag, rb_err *err);

/* Asks unless --yes was given; RB_ERROR without a terminal. */
enum rb_code rb_env_session_confirm(const rb_cli *cli, const rb_options *options, const char *what,
                                    rb_err *err);

/* Records signals in control; they end the program that rbtool waits for. */
void rb_env_session_catch(rb_control *control);
void rb_env_session_uncatch(void);
/* Replaces the settings of this run that the options give: how long it waits, and whether it may
 * end sessions. began: the plan of a transition that is continued, whose timeouts count, or NULL.
 */
void rb_env_session_set_timeouts(rb_env *env, const rb_options *o, const json_t *began);
/* Continues the half-way transition, which was loaded with its releases, with the timeouts that it
 * began with, unless the options give others. */
enum rb_code rb_env_session_continue(rb_cli *cli, rb_env_session *site, rb_transition *transition,
                                     const rb_options *options, rb_err *err);

/* RB_DECIDE if the settings come from the work tree and differ from those that this host recorded,
 * or the root or a database belongs to another environment; the difference goes to stderr. */
enum rb_code rb_env_session_trusted(rb_cli *cli, const rb_env_session *site, rb_err *err);
/* [{"what","key","recorded","found"}] of the same: a new array; empty: nothing to accept. */
json_t *rb_env_session_distrust(const rb_env_session *site);
/* Prints them for `status`, with the command that accepts them. */
void rb_env_session_show_distrust(const rb_cli *cli, const rb_env_session *site);
/* One item of rb_env_session_distrust() in words, without a line end. */
void rb_env_session_distrust_text(rb_buf *out, const json_t *item);
/* Same, as lines that each begin with `lead`. */
void rb_env_session_add_distrust(rb_buf *out, const rb_env_session *site, const char *lead);
/* Returns the command that accepts them. */
char *rb_env_session_trust_command(const rb_cli *cli, const rb_env_session *site);
/* Record name and settings in the environment's state, and its root in the clone. */
enum rb_code rb_env_session_bind(rb_cli *cli, const rb_env_session *site, rb_err *err);
/* Before the first transition on this host, shows what will be recorded, and the commands in it. */
void rb_env_session_show_first(const rb_cli *cli, const rb_env_session *site);

/* Runs with signals caught; begin: a new transition, else continues one. */
/* The names of the host and of the user who runs this process (or NULL), as new strings. */
void rb_env_session_who(char **host, char **user);
enum rb_code rb_env_session_run(rb_cli *cli, rb_env_session *site, rb_run *run, bool begin,
                                rb_err *err);

/* Prints {"outcome":"nothing",...} with --json, else the note. Returns RB_OK. */
enum rb_code rb_env_session_nothing(rb_cli *cli, const rb_env_session *site, const char *from,
                                    const char *to, const char *why);

/* Prints the document of a request that was refused before it began; returns err's code. */
enum rb_code rb_env_session_refused(rb_cli *cli, const rb_env_session *site, const rb_plan *plan,
                                    const char *outcome, const rb_err *err);

/* `env check`: name NULL: every environment. RB_FOUND if something is an error. */
/* `env diff FROM TO`: prints what the two have in different ways. Reads only. */
enum rb_code rb_env_diff(rb_cli *cli, const char *from, const char *to, rb_err *err);
enum rb_code rb_env_check_host(rb_cli *cli, const char *name, rb_err *err);

/* `env trust`: accept what differs. RB_ERROR without a reason (-m), or without a key where a policy
 * is in force, if the rules of another environment or host stop applying. */
enum rb_code rb_env_trust(rb_cli *cli, const rb_options *options, rb_err *err);

#endif
