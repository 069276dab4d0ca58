/*
 * Shared by the environment commands: opens an environment with its lock, state and settings, and
 * shows, confirms and carries out a transition.
 *
 * Order: rb_env_session_open(), or rb_env_session_look() to read only; then the other functions;
 * then rb_env_session_close(). Functions with an rb_err fail with the code that rbtool exits with.
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
    rb_state *state; /* journal; NULL if only reading, and no transition ran here yet */
    rb_live live;
    rb_cli *cli;
    bool trusting; /* `env trust` sets it before opening: settings that differ are not refused */
    char *settings_file; /* file that the environment's settings come from */
    enum rb_settings_source source;
    json_t *settings;   /* from rb_settings_of() */
    rb_binding binding; /* what this host recorded of the settings, compared with them */
    json_t *pins;       /* for every journal row of a database (rb_run.pins); an object */
    char *command;      /* cache of rb_env_session_command() */
    int64_t watch;      /* milliseconds to watch a transition that begins here (rb_run.watch) */
    const char *undoes; /* transition that a new one reverts automatically (rb_run.watch_of) */
    json_t *document;   /* of a watched transition: printed only when the watch has ended */
    char *untold;       /* why the ledger lacks a transition, or NULL; reported once, at close */
} rb_env_session;

/* Opens an environment. write: takes the lock, creates the journal, and records ended transitions
 * in the ledger. RB_ERROR if no such environment is configured. */
enum rb_code rb_env_session_open(rb_env_session *site, rb_cli *cli, const char *env, bool write,
                                 rb_err *err);
/* Opens an environment to read only. If a part cannot be read, adds {"part","message"} to
 * unreadable and continues. RB_ERROR if the environment is not configured. */
enum rb_code rb_env_session_look(rb_env_session *site, json_t *unreadable, rb_cli *cli,
                                 const char *env, rb_err *err);
void rb_env_session_close(rb_env_session *site);

/* Lists the names of all configured environments, sorted. */
enum rb_code rb_env_session_environments(rb_strs *names, rb_cli *cli, rb_err *err);

/* Fails with RB_ERROR if an environment's root is "/", a home folder, or in cli's repository (its
 * git folder or a work tree), or if its journal was made on another host or in another folder. Each
 * error has a hint. */
enum rb_code rb_env_session_check_root(rb_cli *cli, const char *name, const char *root,
                                       rb_err *err);
enum rb_code rb_env_session_check_journal(const char *name, const char *root, const rb_state *state,
                                          rb_err *err);

/* Records every transition that has ended in the ledger. A failure is only reported, when site is
 * closed; the next command tries again. */
void rb_env_session_record(rb_cli *cli, rb_env_session *site);

/* Sends new events, and those whose delivery failed before, to the environment's notify commands
 * (core/watch/notify.h). Needs the environment's lock. A failure is only reported. running: this
 * process carries out the pending transition. */
void rb_env_session_notify(rb_cli *cli, rb_env_session *site, bool running);
/* Like rb_env_session_notify(), for a caller without the lock: takes it only to read and write the
 * journal. Does nothing while another run holds the environment, since that run sends the events.
 */
void rb_env_session_notify_unheld(rb_cli *cli, const rb_env_session *site);
/* Adds the events that could not be delivered yet to list, as
 * [{"id","type","time","command","attempts","error"}]. */
enum rb_code rb_env_session_undelivered(json_t *list, const rb_env_session *site, rb_err *err);

/* Calls rb_env_session_record() for every environment of this host that no other run holds. Needs
 * cli's repository and signers. */
void rb_env_session_catch_up(rb_cli *cli);

/* Adds the names of the configured environments to names, and their root folders to roots. Skips
 * those that cannot be read, or whose root is in a work tree of the repository. */
enum rb_code rb_env_session_names(rb_strs *names, rb_strs *roots, rb_cli *cli, rb_err *err);

/* Returns {ENVIRONMENT: its "objectives"} of the configured environments, as a new object; empty if
 * the settings cannot be read. */
json_t *rb_env_session_objectives(rb_cli *cli);

/* Sets *out if any environment is configured. */
enum rb_code rb_env_session_configured(bool *out, rb_cli *cli, rb_err *err);

/* Returns the transition that has begun and not ended, and the process that holds the environment.
 * Either may be NULL. A transition that no process holds was interrupted. */
enum rb_code rb_env_session_pending(rb_transition_row **out, char **holder,
                                    const rb_env_session *site, rb_err *err);
/* Takes the environment's lock. RB_BUSY names the transition that holds it, if that can be read. */
enum rb_code rb_env_session_lock(rb_env_session *site, rb_err *err);
/* Fails if a transition has not ended: with RB_BUSY if it is running, else with RB_HALFWAY and the
 * command to continue as hint. */
enum rb_code rb_env_session_settled(const rb_env_session *site, rb_err *err);

/* Turns the error of a pending transition that could not continue into RB_HALFWAY, since it is
 * still half-way. Returns the code. */
enum rb_code rb_env_session_halfway(const rb_env_session *site, enum rb_code code, rb_err *err);

/* Returns the live release's tag: of the first part that has one, or NULL. Borrowed. */
const char *rb_env_session_live_tag(const rb_live *live);

/* Sets *out to the release that a revert without TAG undoes (rb_known_to_revert()). RB_ERROR if
 * nothing is live. for_what: ends the message. */
enum rb_code rb_env_session_to_revert(const char **out, const rb_env_session *site,
                                      const rb_strs *only, const char *for_what, rb_err *err);

/* Sets the parts that --only names, or all parts if it is not given. RB_ERROR names an unknown one.
 */
enum rb_code rb_env_session_parts(bool parts[RB_PARTS], const rb_strs *only, rb_err *err);

/* Fails with RB_ERROR if the ledger, policy or root key of this clone is not the one that the
 * environment is bound to. */
enum rb_code rb_env_session_bound(rb_cli *cli, const rb_env_session *site, rb_err *err);

/* Fills the intent of a plan: the options' parts and consents, and the command line that carries it
 * out. tag may be NULL. */
enum rb_code rb_env_session_intent(rb_intent *out, rb_env_session *site, const rb_options *options,
                                   const char *kind, const char *tag, rb_err *err);
/* Calls rb_transition_plan(), and adds verdicts and overrides of FROM and TO. */
enum rb_code rb_env_session_plan(rb_transition *out, rb_cli *cli, const rb_env_session *site,
                                 const rb_intent *intent, rb_err *err);

/* Returns the start of a command line: "rbtool" and the options before the command's name. */
char *rb_env_session_program(const rb_cli *cli);
char *rb_env_session_commands(const rb_cli *cli, const char *text);
/* Returns the command line that carries out the request, without the options that agree to a plan.
 * Owned by site. tag may be NULL. */
const char *rb_env_session_command(rb_env_session *site, const rb_options *options,
                                   const char *kind, const char *tag);

/* Returns the differences as texts: [{"line", "more": the lines or flags that differ}]. */
json_t *rb_env_session_drift(const json_t *drift);
/* Prints FROM and TO, steps, data at risk and decisions. seen: the user agreed to this plan by its
 * digest before, so that only counts and drift are printed. */
void rb_env_session_show_plan(const rb_cli *cli, const rb_plan *plan, bool seen, bool to_stderr);

/* Plans a deploy, a revert or the abort of a committed transition, shows the plan, checks consent,
 * asks, carries it out, and prints the result. options->dry_run: only shows the plan; needs no
 * lock. tag may be NULL for an abort. */
enum rb_code rb_env_session_carry_out(rb_cli *cli, rb_env_session *site, const rb_options *options,
                                      const char *kind, const char *tag, rb_err *err);

/* Asks the user to confirm `what`, unless --yes was given. RB_ERROR without a terminal. */
enum rb_code rb_env_session_confirm(const rb_cli *cli, const rb_options *options, const char *what,
                                    rb_err *err);

/* Catches SIGINT, SIGTERM and SIGHUP and records them in control. They also end a program that
 * rbtool waits for. rb_env_session_uncatch() ends this. */
void rb_env_session_catch(rb_control *control);
void rb_env_session_uncatch(void);
/* Replaces the timeouts of this run, and whether it may end database sessions, by what the options
 * give. began: the plan of a transition that is continued, whose timeouts come next; or NULL. */
void rb_env_session_set_timeouts(rb_env *env, const rb_options *o, const json_t *began);
/* Continues the half-way transition, which was loaded with its releases. The timeouts of its plan
 * apply, unless the options give others. */
enum rb_code rb_env_session_continue(rb_cli *cli, rb_env_session *site, rb_transition *transition,
                                     const rb_options *options, rb_err *err);

/* Fails with RB_DECIDE if settings from the work tree differ from those recorded on this host, or
 * if the root or a database belongs to another environment. Prints the differences to stderr. */
enum rb_code rb_env_session_trusted(rb_cli *cli, const rb_env_session *site, rb_err *err);
/* Returns the differences that rb_env_session_trusted() refuses, as a new array of {"what","key",
 * "recorded","found"}; empty if none need to be accepted. */
json_t *rb_env_session_distrust(const rb_env_session *site);
/* Prints the differences of rb_env_session_distrust() for `status`, with the command that accepts
 * them. */
void rb_env_session_show_distrust(const rb_cli *cli, const rb_env_session *site);
/* Appends one item of rb_env_session_distrust() as text, without a line end. */
void rb_env_session_distrust_text(rb_buf *out, const json_t *item);
/* Appends the differences of rb_env_session_distrust() as lines, each with `lead` at its start. */
void rb_env_session_add_distrust(rb_buf *out, const rb_env_session *site, const char *lead);
/* Returns the command that accepts the differences. */
char *rb_env_session_trust_command(const rb_cli *cli, const rb_env_session *site);
/* Records the environment's name and settings in its state, and its root in the clone. */
enum rb_code rb_env_session_bind(rb_cli *cli, const rb_env_session *site, rb_err *err);
/* Shows, before the first transition on this host, the settings that will be recorded and the
 * commands in them. */
void rb_env_session_show_first(const rb_cli *cli, const rb_env_session *site);

/* Returns the names of this host and of the user who runs this process, as new strings. *user may
 * be NULL. */
void rb_env_session_who(char **host, char **user);
/* Runs the transition with signals caught. begin: a new one; otherwise continues one. */
enum rb_code rb_env_session_run(rb_cli *cli, rb_env_session *site, rb_run *run, bool begin,
                                rb_err *err);

/* Prints {"outcome":"nothing",...} with --json, else the note as text. Returns RB_OK. */
enum rb_code rb_env_session_nothing(rb_cli *cli, const rb_env_session *site, const char *from,
                                    const char *to, const char *why);

/* Prints the document of a request that was refused before it began. Returns err's code. */
enum rb_code rb_env_session_refused(rb_cli *cli, const rb_env_session *site, const rb_plan *plan,
                                    const char *outcome, const rb_err *err);

/* `env diff FROM TO`: prints how the two environments differ. Changes nothing. */
enum rb_code rb_env_diff(rb_cli *cli, const char *from, const char *to, rb_err *err);
/* `env check`: compares settings with this host. name NULL: of every environment. RB_FOUND if it
 * finds an error. */
enum rb_code rb_env_check_host(rb_cli *cli, const char *name, rb_err *err);

/* `env trust`: accepts settings that differ. If rules of another environment or host stop applying,
 * RB_ERROR without a reason (-m), or without a key where a policy is in force. */
enum rb_code rb_env_trust(rb_cli *cli, const rb_options *options, rb_err *err);

#endif
