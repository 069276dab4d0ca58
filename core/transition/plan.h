/*
 * The plan of a transition: data only, made from two verified releases and the observed state of
 * the environment, before anything is changed. Databases are rehearsed on temporary copies, so that
 * losses are counted and failing scripts are known beforehand.
 */
#ifndef RB_TRANSITION_PLAN_H
#define RB_TRANSITION_PLAN_H

#include "catalog/catalog.h"
#include "config/environment.h"
#include "database/database.h"
#include "database/loss.h"
#include "environment/state.h"
#include "session/session.h"

/* The steps of a transition. Their order depends on the kind of transition (design section 10). */
enum rb_step_kind {
    RB_DO_STAGE,
    RB_DO_FLAGS,
    RB_DO_STOP,
    RB_DO_DATABASE,
    RB_DO_SWITCH,
    RB_DO_CONFIG,
    RB_DO_SECRETS,
    RB_DO_COMMIT,
    RB_DO_START,
    RB_DO_CHECKS,
    RB_DO_RECORD,
    RB_STEP_KINDS
};
const char *rb_step_kind_name(enum rb_step_kind kind);

/* How much of a deploy is done if the release is live already. */
enum rb_again {
    RB_AGAIN_NOT, /* the whole deploy: it is not a repetition */
    RB_AGAIN_CHECKS,
    RB_AGAIN_START /* the start of the service, and the checks */
};

typedef struct rb_plan_request {
    const char *kind; /* deploy, revert, abort */
    const rb_env *env;
    rb_state *state; /* NULL: no transition ran in the environment yet */
    rb_session *session;
    const rb_release *from; /* NULL: nothing is live */
    const rb_release
        *part_from[RB_PARTS]; /* for a part that is live at another release than FROM; else NULL */
    const rb_release *to;
    const rb_release
        *overrides; /* --scripts-from: the release whose down scripts are used first; or NULL */
    bool parts[RB_PARTS];  /* parts that move (--only) */
    bool unused[RB_PARTS]; /* parts that FROM does not use either, since nothing was ever live there
                            */
    const rb_live *live;   /* the live release of every part, or NULL */
    bool observe;          /* compare files with what the release at their path promised */
    bool no_backup;        /* the user does without a backup */
    bool rehearse;         /* rebuild the artifacts, too, and measure the time */
    bool partial;          /* what cannot be read becomes a decision of the plan, not an error */
    bool only_drift;       /* only find out what drifted, without copying databases */
    enum rb_again again;
    bool marks_bad;      /* a revert: marks FROM bad once TO is reached */
    const char *rule;    /* why TO was chosen, or NULL */
    const char *command; /* the command line that carries out the plan, without options that agree
                            to anything; NULL: none */
} rb_plan_request;

typedef struct rb_plan_database {
    char *name;
    char *url;
    bool create;     /* the database file is missing and this transition creates it */
    bool committed;  /* a transition that is continued has committed it */
    bool unreadable; /* in a partial plan: the database could not be read, other members are not set
                      */
    bool rehearsed;  /* its scripts, if any, ran on a copy */
    char *tracking;  /* tracking table, resolved from "auto" */
    const rb_manifest_database *to; /* NULL: TO has no such database; borrowed */
    rb_migrations *from_set;        /* migrations of FROM; may be NULL */
    rb_migrations *to_set;          /* migrations of TO */
    rb_migrations *override_set;
    rb_db_step *steps;
    size_t step_count;
    size_t done; /* segments that a transition which is continued has committed */
    json_t
        *expected;   /* catalog that the transition must produce; NULL: any with TO's fingerprint */
    json_t *leaving; /* catalog to record for FROM */
    json_t *drifted; /* [{"object","change"}] differences since FROM went live, or NULL */
    json_t *residual;    /* [{"object","change"}] known residuals from proofs, which may remain */
    rb_strs edited;      /* ids of migrations whose scripts differ between FROM and TO */
    rb_db_step *inverse; /* undoes the steps; empty if they cannot be undone */
    size_t inverse_count;
    char *no_way_back;     /* why the inverse failed on the copy, or NULL */
    json_t *unproven;      /* tables and columns that the steps' proofs list as lost */
    size_t unproven_steps; /* number of steps without a known proof */
    bool untested;         /* a down script could not be tried when its release was made */
    json_t *places; /* tables and columns that the scripts could destroy, including empty ones */
    json_t *
        bound; /* places of the bound that hold anything, with counts (loss.h); NULL: not counted */
    json_t *backed_up;   /* the part of `bound` that is backed up: what scripts and inverse only
                            rename needs no backup */
    json_t *at_risk;     /* the part of `bound` that does not come back; NULL: not counted */
    json_t *generated;   /* values that the inverse generates again */
    json_t *effects;     /* effects of the scripts in a rehearsal; NULL: not rehearsed */
    json_t *locks;       /* locks that the scripts took (rb_db_locks()); NULL: unknown */
    bool proven;         /* proofs replace a rehearsal of the scripts */
    json_t *step_proofs; /* for each step {"restores","reapplies","effects","locks"}, or null */
    json_t *found;       /* if `proven`, the catalog before; NULL: not read yet */
    rb_db *seen;         /* connection that has been open for reading since then, or NULL */
    bool runs_on_seen;   /* the scripts run on that connection; `seen` is NULL then */
    int64_t version;     /* result of rb_db_data_version() at that time */
} rb_plan_database;

/* A flag or config file of the host that the transition writes, removes or restores. */
typedef struct rb_host_file {
    enum rb_part part; /* RB_PART_FLAGS or RB_PART_CONFIG */
    char *path;        /* path on this host */
    char *had;         /* SHA-256 of the file that FROM has for the path; NULL: none */
    char *held;        /* path of FROM's file in the repository, or NULL */
    char *brings; /* SHA-256 of the file that TO has for the path; NULL: FROM's file is removed */
    char *source; /* path of TO's file in the repository, or NULL */
    int fresh;    /* permissions of a file that does not exist yet */
    int mode;     /* permissions after writing; 0: an existing file keeps its own */
} rb_host_file;

typedef struct rb_plan {
    char *kind;
    char *id;             /* id of the transition */
    char *command;        /* the request's command, or NULL */
    char *backups;        /* folder for the backups of what is lost */
    bool parts[RB_PARTS]; /* parts that move */
    enum rb_step_kind order[RB_STEP_KINDS];
    size_t order_count;
    rb_host_file *files;
    size_t file_count;
    rb_plan_database *databases;
    size_t database_count;
    char *current_before; /* target of the symlink ROOT/current, or NULL */
    bool consent;         /* something is lost or not restored: needs --accept-data-loss DIGEST */
    json_t *drift;        /* [{"part","path","expected","found"}] */
    json_t *json;         /* the document of design section 15, plus "drift", "notes", "databases",
                             "only", "parts", "scriptsFrom", "rehearsed", "summary" */
    char digest[RB_SHA256_HEX];
    enum rb_code worst; /* RB_OK; RB_DECIDE: a decision that consent cannot give; RB_FOUND: the
                           rehearsal failed; RB_ERROR: not enough space */
    rb_err refusal;     /* the decision that gave `worst` */
    size_t refusals;    /* decisions with an exit code of their own, including the worst */
} rb_plan;

enum rb_code rb_plan_make(rb_plan **out, const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* Returns a new id for a transition or a restore: the time, and a random number. A new string. */
char *rb_transition_id(void);
void rb_plan_free(rb_plan *plan);
RB_DEFINE_AUTO(rb_plan, rb_plan_free)

/* True if `agreed`, whose items name their database, has every item of `lost` (in the form of
 * loss.h). */
bool rb_risk_within(const json_t *lost, const char *database, const json_t *agreed);

/* Lists data at risk in plan->json, including what an earlier run of the same plan found under
 * lock. In plan_loss.c, like the next functions. */
enum rb_code rb_plan_losses(rb_plan *plan, const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* Computes the digest by which a person agrees to the plan and to the losses in `also` (items with
 * their database; NULL: none). It covers releases, steps, scripts, and the tables and columns at
 * risk, but not counts. */
void rb_plan_digest(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *request,
                    const json_t *also);
/* Handles losses that a run found in a database and that were not agreed to. Returns the digest
 * that agrees to them, too, and stores them in the journal, so that the next plan lists them. */
enum rb_code rb_plan_found(char digest[RB_SHA256_HEX], const rb_plan *plan,
                           const rb_plan_request *request, const char *database, const json_t *lost,
                           rb_err *err) RB_MUST_USE;
/* Removes the losses that rb_plan_found() stored, when a transition has ended. */
enum rb_code rb_plan_found_end(rb_state *state, rb_err *err) RB_MUST_USE;

void rb_plan_decide(rb_plan *plan, const char *code, enum rb_code worst, const char *fmt, ...)
    RB_PRINTF(4, 5);

/* True if `loss` (digits that a person gave, or NULL) is the plan's digest or a prefix of it. */
#define RB_DIGEST_PREFIX 12
bool rb_plan_agrees(const rb_plan *plan, const char *loss);
/* Sets "backups" (path and estimated bytes), "restores" and "noBackup". After rb_plan_losses(). In
 * plan_backup.c. */
enum rb_code rb_plan_backups(rb_plan *plan, const rb_plan_request *request,
                             rb_err *err) RB_MUST_USE;
/* Returns the path below ROOT of the backup that the transition writes for a database. A new
 * string. */
char *rb_plan_backup(const rb_plan *plan, const rb_plan_database *database);
/* Returns the number of values and rows at risk. */
int64_t rb_plan_at_stake(const rb_plan *plan);

/* Returns "tickets.slug (20,038 values), audit (12 rows)": the first items of a "dataAtRisk". */
char *rb_plan_list_losses(const json_t *losses);

/* Checks whether the plan may be carried out. RB_OK; RB_DECIDE with what a person must decide
 * (loss: the digest agreed to, or NULL); RB_FOUND if the rehearsal failed; RB_ERROR without enough
 * space. */
enum rb_code rb_plan_allowed(const rb_plan *plan, bool accept_drift, const char *loss,
                             rb_err *err) RB_MUST_USE;

/* Adds notes about free space, and about what does not fit together afterwards. In plan_notes.c. */
void rb_plan_notes(rb_plan *plan, const rb_plan_request *request);
void rb_plan_note(rb_plan *plan, const char *fmt, ...)
    RB_PRINTF(2, 3); /* the text need not be UTF-8 */

/* Sets "expected": the duration of the transition and of the downtime, from earlier ones. In
 * plan_times.c. */
void rb_plan_times(rb_plan *plan, const rb_plan_request *request);

/* Like rb_plan_times(), for a plan that moves only those parts: sets "seconds" and "downSeconds" of
 * `way`; null if no earlier transition shows them. */
void rb_plan_time_of(json_t *way, const rb_plan *plan, const rb_plan_request *request,
                     const bool parts[RB_PARTS]);

/* Adds notes about applications that TO requires and that do not run in a suitable version, by
 * their own ledgers. In plan_requires.c. */
void rb_plan_requires(rb_plan *plan, const rb_plan_request *request);
/* True if a version meets all conditions of a range like ">=2.3, <3". */
bool rb_version_within(const char *version, const char *range);

/* Sets "waysBack" of a revert: flags only, application without databases, everything, forward.
 * After rb_plan_losses() and the digest. In plan_ways.c. */
void rb_plan_ways(rb_plan *plan, const rb_plan_request *request);

/* Sets "summary": what moves, what is at risk and the expected duration, in one line. In
 * plan_summary.c. */
void rb_plan_sum(rb_plan *plan, const rb_plan_request *request);
/* Returns the request's command with an option, "`rbtool revert v2 --env prod --to v1`", or only
 * the option if no command helps. */
char *rb_plan_with(const rb_plan_request *request, const char *option);
/* Returns the same with --scripts-from TAG, in place of the one that the command has. */
char *rb_plan_with_scripts(const rb_plan_request *request);
/* Returns what to do about a down script of the database that fails or leaves a wrong schema; "" if
 * none runs, or the command takes none from elsewhere. */
char *rb_plan_scripts_hint(const rb_plan_database *database, const rb_plan_request *request);
/* Returns the command that carries out the plan, with its digest if needed. drift: adds
 * --accept-drift. */
char *rb_plan_command(const rb_plan *plan, bool drift);

/* Adds notes about files that only the environment or only the releases name. RB_ERROR if a first
 * deploy would leave out a config file because a path looks misspelt. In plan_unmapped_files.c. */
enum rb_code rb_plan_unmapped_files(rb_plan *plan, const rb_plan_request *request,
                                    rb_err *err) RB_MUST_USE;

/* Checks that ROOT/current, flags and config can be written: RB_ERROR if not. In plan_host.c. */
enum rb_code rb_plan_look_at_host(rb_plan *plan, const rb_plan_request *request,
                                  rb_err *err) RB_MUST_USE;

/* Returns what carrying out the plan needs besides plan->json, as a new object. In plan_store.c. */
json_t *rb_plan_data(const rb_plan *plan);
/*
 * Reads the plan of a pending transition back from the journal. Uses kind, env, session, from, to,
 * overrides, parts and part_from of the request. Of the current state, only looks whether the
 * databases are committed. RB_HALFWAY if the releases, or the environment's paths and urls, differ
 * from the plan.
 */
enum rb_code rb_plan_read(rb_plan **out, const rb_transition_row *row, const json_t *data,
                          const rb_plan_request *request, rb_err *err) RB_MUST_USE;

/* Lists the databases of both releases, sorted. from may be NULL. */
void rb_plan_database_names(rb_strs *out, const rb_release *from, const rb_release *to);

/* Functions of plan_database.c: */
/* Reads the migrations of FROM, TO and the overrides. *from: FROM's database, or NULL. */
enum rb_code rb_plan_database_sets(rb_plan_database *database, const rb_manifest_database **from,
                                   const rb_plan_request *request, rb_err *err) RB_MUST_USE;
enum rb_code rb_plan_database_make(rb_plan *plan, rb_plan_database *database,
                                   const rb_plan_request *request, const char *name,
                                   rb_err *err) RB_MUST_USE;
/* Functions of plan_proven.c: */
/* Collects the proofs of the steps, and sets residual, unproven and step_proofs. */
void rb_plan_gather_proofs(rb_plan *plan, rb_plan_database *database,
                           const rb_plan_request *request);
/* Sets proven, expected and leaving, if a rehearsal would need a server, all steps have proofs, and
 * the database has FROM's schema. */
enum rb_code rb_plan_use_proofs(rb_plan_database *database, const rb_plan_request *request,
                                rb_db *db, const rb_manifest_database *from,
                                const rb_catalog_now *now, rb_err *err) RB_MUST_USE;
/* Sets what rb_plan_rehearse() sets, from the proofs and the current data of db. */
enum rb_code rb_plan_count_proven(rb_plan_database *database, rb_db *db, rb_err *err) RB_MUST_USE;
/* True if the catalog has the fingerprint of TO's manifest. */
bool rb_plan_is_promised(const rb_plan_database *database, const json_t *catalog);
/* Runs the scripts and their inverse on a copy, and sets places, bound, at_risk and generated. Only
 * reads db. In plan_rehearsal.c. */
enum rb_code rb_plan_rehearse(rb_plan *plan, rb_plan_database *database,
                              const rb_plan_request *request, rb_db *db, const char *engine,
                              rb_err *err) RB_MUST_USE;
/* Sets places, bound, at_risk and generated from `losses`, whose lists it takes over. */
void rb_plan_take_losses(rb_plan_database *database, const rb_db_outcome *outcome,
                         rb_db_losses *losses);
/* Finds the steps that undo those of the plan. If one cannot be undone, finds none. */
void rb_plan_inverse(rb_plan_database *database, const rb_plan_request *request);
/* Rehearses again under lock, if the database was written since. locked: its transaction. */
enum rb_code rb_plan_rehearse_again(rb_plan_database *database, const rb_plan_request *request,
                                    rb_db *locked, rb_err *err) RB_MUST_USE;
/* Sets expected, leaving and drifted, and adds drift to plan->drift. In plan_target_schema.c. */
enum rb_code rb_plan_expect(rb_plan *plan, rb_plan_database *database,
                            const rb_plan_request *request, rb_db *db,
                            const rb_manifest_database *from, const rb_applied *applied,
                            rb_err *err) RB_MUST_USE;
/*
 * Removes differences from `wrong` that are acceptable, and takes them into database->expected.
 * wrong: what differs between database->expected and `after`.
 *
 * An object is accepted if it is as TO's own scripts make it, even if drift was to be preserved, or
 * an edited script had left a residual. It must have been like that before the steps, or be named
 * in one of their scripts: a script that rebuilds a table must not lose an index that it does not
 * name. Nothing is accepted if TO's scripts do not run by themselves.
 */
void rb_plan_take_released(rb_plan_database *database, const rb_plan_request *request,
                           const json_t *wrong, const json_t *before, const json_t *after);
/* Functions of plan_advice.c: */
char *rb_plan_list_differences(const json_t *differences);
/* True if a script of a first deploy failed with `text` because a table or column exists that
 * another tool or a person made. A person must decide then; the script is not at fault. */
bool rb_plan_meets_existing(const rb_plan_database *d, const rb_plan_request *rq, const char *text);
/* Returns "; " and what to do about drift that makes scripts fail: in objects that `text` names or,
 * with `guess`, in any. "" if there is none. Never advises to remove an object with data. */
char *rb_plan_drift_advice(const rb_plan_database *database, const rb_plan_request *request,
                           const char *text, bool guess);
/* Adds a decision to the plan if only a tool that rbtool cannot read has recorded what is applied:
 * a person must decide. *refused: it was added. */
enum rb_code rb_plan_refuse_foreign(bool *refused, rb_plan *plan, const rb_plan_database *database,
                                    const rb_plan_request *request, rb_db *db,
                                    rb_err *err) RB_MUST_USE;
void rb_plan_database_clear(rb_plan_database *database);
/* Finds what differs from the expected schema and is not a known residual: *wrong, [{"object",
 * "change"}]. *left: the known residuals that remained. */
void rb_plan_database_judge(json_t **wrong, json_t **left, const rb_plan_database *database,
                            const json_t *catalog);

#endif
