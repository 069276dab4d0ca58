/*
 * The plan of a transition: pure data, made from two verified releases and the environment's
 * observed state, before anything is touched. Databases are rehearsed on a throw-away copy, so
 * that what would be lost is counted and a script that fails is known now.
 */
#ifndef RB_TRANSITION_PLAN_H
#define RB_TRANSITION_PLAN_H

#include "catalog/catalog.h"
#include "config/environment.h"
#include "database/database.h"
#include "database/loss.h"
#include "environment/state.h"
#include "session/session.h"

/* Where a transition goes through its steps; each kind has its own order (design section 10). */
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

/* A deploy of the release that is live: what of it is done again. */
enum rb_again {
    RB_AGAIN_NOT, /* all of it */
    RB_AGAIN_CHECKS,
    RB_AGAIN_START /* and the checks */
};

typedef struct rb_plan_request {
    const char *kind; /* deploy, revert, abort */
    const rb_env *env;
    rb_state *state; /* NULL: the environment has none yet */
    rb_session *session;
    const rb_release *from;                /* NULL: nothing is live */
    const rb_release *part_from[RB_PARTS]; /* of a part that is live at another one, else NULL */
    const rb_release *to;
    const rb_release *overrides; /* --scripts-from: whose down scripts come first, or NULL */
    bool parts[RB_PARTS];        /* --only */
    bool unused[RB_PARTS];       /* parts where nothing was ever put: not by FROM either */
    const rb_live *live;         /* where every part is, or NULL */
    bool observe;    /* files are compared with what was promised where they come from */
    bool no_backup;  /* a person does without one */
    bool rehearse;   /* also rebuild the artifacts, and say how long it took */
    bool partial;    /* what cannot be read is a decision of the plan, not its failure */
    bool only_drift; /* no more is asked than what drifted: no database is copied */
    enum rb_again again;
    bool marks_bad;      /* of a revert: FROM is marked bad when it has reached TO */
    const char *rule;    /* why TO, or NULL */
    const char *command; /* the command line that carries the plan out, without what agrees to
                            anything; NULL: there is none */
} rb_plan_request;

typedef struct rb_plan_database {
    char *name;
    char *url;
    bool create;                    /* the file is missing and this transition makes it */
    bool committed;                 /* by the transition that is continued */
    bool unreadable;                /* of a partial plan: the rest is not filled in */
    bool rehearsed;                 /* its scripts, if it has any, ran on a copy */
    char *tracking;                 /* resolved */
    const rb_manifest_database *to; /* NULL: the release has none; borrowed */
    rb_migrations *from_set;        /* perhaps NULL */
    rb_migrations *to_set;          /* never NULL */
    rb_migrations *override_set;
    rb_db_step *steps;
    size_t step_count;
    size_t done;         /* segments that the transition that is continued has committed */
    json_t *expected;    /* catalog to come out at; NULL: that of TO's fingerprint */
    json_t *leaving;     /* the one to remember of FROM */
    json_t *drifted;     /* [{"object","change"}] since FROM went live, or NULL */
    json_t *residual;    /* [{"object","change"}] known from proofs: may be left */
    rb_strs edited;      /* ids of migrations that FROM and TO have with other bytes */
    rb_db_step *inverse; /* what undoes the steps; none: they cannot be undone */
    size_t inverse_count;
    char *no_way_back;     /* why the inverse failed on the copy, or NULL */
    json_t *unproven;      /* places that the proofs of the steps list as lost */
    size_t unproven_steps; /* steps whose proof is not known */
    bool untested;         /* a down could not be tried when its release was made */
    json_t *places;        /* tables and columns that the scripts could destroy, empty ones too */
    json_t *bound;         /* what is there (loss.h); NULL: not counted */
    json_t *backed_up;     /* what of the bound is backed up: it is more than renamed */
    json_t *at_risk;       /* what of it does not come back; NULL: not counted */
    json_t *generated;     /* what the way back generates again */
    json_t *effects;       /* of the scripts, as they were rehearsed; NULL: they were not */
    json_t *locks;         /* that the scripts took there (rb_db_locks()); NULL: not known */
    bool proven;           /* its scripts are not rehearsed: their proofs say what they do */
    json_t *step_proofs;   /* of each step {"restores","reapplies","effects","locks"}, or null */
    json_t *found;         /* with proven: the catalog before, or NULL: not read yet */
    rb_db *seen;           /* open for reading since then, or NULL; */
    int64_t version;       /* its rb_db_data_version() */
} rb_plan_database;

/* A flag or config file of the host that the transition writes, removes or restores. */
typedef struct rb_host_file {
    enum rb_part part; /* RB_PART_FLAGS or RB_PART_CONFIG */
    char *path;        /* on this host */
    char *had;         /* SHA-256 of what FROM put there; NULL: nothing */
    char *held;        /* FROM's path of it in the repository, or NULL */
    char *brings;      /* SHA-256 of what TO puts there; NULL: FROM's goes */
    char *source;      /* TO's path of it in the repository, or NULL */
    int fresh;         /* permissions of a new file */
    int mode;          /* that it has after it was written; 0: an existing file keeps its own */
} rb_host_file;

typedef struct rb_plan {
    char *kind;
    char *id;             /* of the transition it will be */
    char *command;        /* of the request, or NULL */
    char *backups;        /* the folder below which copies of what is lost are kept */
    bool parts[RB_PARTS]; /* those that move */
    enum rb_step_kind order[RB_STEP_KINDS];
    size_t order_count;
    rb_host_file *files;
    size_t file_count;
    rb_plan_database *databases;
    size_t database_count;
    char *current_before; /* target of ROOT/current, or NULL */
    bool consent;         /* something is lost or left: --accept-data-loss DIGEST */
    json_t *drift;        /* [{"part","path","expected","found"}] */
    json_t *json;         /* the document of design section 15, plus "drift", "notes", "databases",
                             "only", "parts", "scriptsFrom", "rehearsed", "summary" */
    char digest[RB_SHA256_HEX];
    enum rb_code worst; /* RB_OK; RB_DECIDE: a decision that consent cannot give; RB_FOUND: the
                           rehearsal failed; RB_ERROR: there is no room */
    rb_err refusal;     /* the decision that has it */
    size_t refusals;    /* decisions with a code of their own, the worst one included */
} rb_plan;

enum rb_code rb_plan_make(rb_plan **out, const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* An id for a transition, or a restore by hand: the time, and a random number. A new string. */
char *rb_transition_id(void);
void rb_plan_free(rb_plan *plan);
RB_DEFINE_AUTO(rb_plan, rb_plan_free)

/* Whether every item that database would lose (as in loss.h) is in agreed, whose items
 * name their database. */
bool rb_risk_within(const json_t *lost, const char *database, const json_t *agreed);

/* plan_loss.c: lists what is at risk in plan->json, with what an earlier run of the same plan found
 * under lock. */
enum rb_code rb_plan_losses(rb_plan *plan, const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* The digest that agrees to the plan, and to what also lists (items with their database; NULL:
 * nothing). It covers releases, steps, scripts, and the tables and columns at risk, not counts. */
void rb_plan_digest(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *request,
                    const json_t *also);
/* A run found lost (as in loss.h) in database, which was not agreed to. Gives the
 * digest that agrees to that too, and keeps it in the journal, so that the next plan lists it. */
enum rb_code rb_plan_found(char digest[RB_SHA256_HEX], const rb_plan *plan,
                           const rb_plan_request *request, const char *database, const json_t *lost,
                           rb_err *err) RB_MUST_USE;
/* A transition has ended: what runs before it found does not apply to the next one. */
enum rb_code rb_plan_found_end(rb_state *state, rb_err *err) RB_MUST_USE;

void rb_plan_decide(rb_plan *plan, const char *code, enum rb_code worst, const char *fmt, ...)
    RB_PRINTF(4, 5);

/* Does loss (digits that a person gave, or NULL) name this plan: its digest, or a prefix of it? */
#define RB_DIGEST_PREFIX 12
bool rb_plan_agrees(const rb_plan *plan, const char *loss);
/* plan_backup.c: sets "backups" (where, and about how many bytes), "restores" and "noBackup", after
 * rb_plan_losses(). */
enum rb_code rb_plan_backups(rb_plan *plan, const rb_plan_request *request,
                             rb_err *err) RB_MUST_USE;
/* The file below ROOT in which the transition backs up what database loses; the caller's. */
char *rb_plan_backup(const rb_plan *plan, const rb_plan_database *database);
/* What of the bound is backed up: what both ways only rename needs none. NULL: not known. Borrowed.
 */
const json_t *rb_plan_bound(const rb_plan_database *database);
/* Values and rows at risk together. */
int64_t rb_plan_at_stake(const rb_plan *plan);

/* "tickets.slug (20,038 values), audit (12 rows)": the first of items as in "dataAtRisk". */
char *rb_plan_list_losses(const json_t *losses);

/* Whether the plan may be carried out: RB_OK; RB_DECIDE with what a person must say (loss: the
 * digest agreed to, or NULL); RB_FOUND when the rehearsal failed, RB_ERROR when there is no room.
 */
enum rb_code rb_plan_allowed(const rb_plan *plan, bool accept_drift, const char *loss,
                             rb_err *err) RB_MUST_USE;

/* plan_notes.c: what is out of step afterwards, room on disk. */
void rb_plan_notes(rb_plan *plan, const rb_plan_request *request);
void rb_plan_note(rb_plan *plan, const char *fmt, ...) RB_PRINTF(2, 3); /* need not be UTF-8 */

/* plan_times.c: sets "expected": how long it takes and the service is down, as in earlier ones. */
void rb_plan_times(rb_plan *plan, const rb_plan_request *request);

/* The same of a plan that moves only those parts: sets "seconds" and "downSeconds" of `way`; null
 * where no earlier transition shows them. */
void rb_plan_time_of(json_t *way, const rb_plan *plan, const rb_plan_request *request,
                     const bool parts[RB_PARTS]);

/* plan_requires.c: notes what TO requires of other applications and does not find, by their own
 * ledgers. */
void rb_plan_requires(rb_plan *plan, const rb_plan_request *request);
/* Whether a version meets all conditions of a range like ">=2.3, <3". */
bool rb_version_within(const char *version, const char *range);

/* plan_ways.c: sets "waysBack" of a revert: flags only, application without the databases,
 * everything, forward. After rb_plan_losses() and the digest. */
void rb_plan_ways(rb_plan *plan, const rb_plan_request *request);

/* plan_summary.c: sets "summary": what moves, what is at risk and how long it takes, in one line.
 */
void rb_plan_sum(rb_plan *plan, const rb_plan_request *request);
/* The request's command with an option, "`rbtool revert v2 --env prod --to v1`", or the option
 * where there is no command. */
char *rb_plan_with(const rb_plan_request *request, const char *option);
/* The command that carries the plan out, with the digest where it needs one. drift: with
 * --accept-drift. */
char *rb_plan_command(const rb_plan *plan, bool drift);

/* plan_unmapped_files.c: notes what the environment and the releases do not have in common.
 * RB_ERROR where a first deploy would leave out a config file for a path that looks misspelt. */
enum rb_code rb_plan_unmapped_files(rb_plan *plan, const rb_plan_request *request,
                                    rb_err *err) RB_MUST_USE;

/* plan_host.c: RB_ERROR where current, flags or config cannot be written. */
enum rb_code rb_plan_look_at_host(rb_plan *plan, const rb_plan_request *request,
                                  rb_err *err) RB_MUST_USE;

/* plan_store.c: what carrying the plan out takes besides plan->json; a new object. */
json_t *rb_plan_data(const rb_plan *plan);
/*
 * The inverse: the plan of a transition that is pending, as it was begun. request: kind, env,
 * session, from, to, overrides, parts and part_from are used. Of what is there now only the
 * databases are looked at: whether they were committed. RB_HALFWAY where the releases, or the
 * environment's places and urls, are not those of the plan.
 */
enum rb_code rb_plan_read(rb_plan **out, const rb_transition_row *row, const json_t *data,
                          const rb_plan_request *request, rb_err *err) RB_MUST_USE;

/* The databases that either release has, sorted; from NULL: none is live. */
void rb_plan_database_names(rb_strs *out, const rb_release *from, const rb_release *to);

/* plan_database.c */
/* Reads the migrations of FROM, TO and the overrides; *from is FROM's database, or NULL. */
enum rb_code rb_plan_database_sets(rb_plan_database *database, const rb_manifest_database **from,
                                   const rb_plan_request *request, rb_err *err) RB_MUST_USE;
enum rb_code rb_plan_database_make(rb_plan *plan, rb_plan_database *database,
                                   const rb_plan_request *request, const char *name,
                                   rb_err *err) RB_MUST_USE;
/* plan_proven.c */
/* Collects the proofs of the steps: residual, unproven, step_proofs. */
void rb_plan_gather_proofs(rb_plan *plan, rb_plan_database *database,
                           const rb_plan_request *request);
/* Sets proven, expected and leaving, where a rehearsal would take a server, all steps are proven
 * and the database has FROM's schema. */
enum rb_code rb_plan_use_proofs(rb_plan_database *database, const rb_plan_request *request,
                                rb_db *db, const rb_manifest_database *from,
                                const rb_catalog_now *now, rb_err *err) RB_MUST_USE;
/* Sets what rb_plan_rehearse() sets, from the proofs and what db has now. */
enum rb_code rb_plan_count_proven(rb_plan_database *database, rb_db *db, rb_err *err) RB_MUST_USE;
/* Whether TO promises this catalog. */
bool rb_plan_is_promised(const rb_plan_database *database, const json_t *catalog);
/* plan_rehearsal.c: runs the scripts and their inverse on a copy, and sets places, bound, at_risk
 * and generated. db: as it is now, only read. */
enum rb_code rb_plan_rehearse(rb_plan *plan, rb_plan_database *database,
                              const rb_plan_request *request, rb_db *db, const char *engine,
                              rb_err *err) RB_MUST_USE;
/* Sets places, bound, at_risk and generated; takes what losses has. */
void rb_plan_take_losses(rb_plan_database *database, const rb_db_outcome *outcome,
                         rb_db_losses *losses);
/* Finds the steps that undo those of the plan. All or none. */
void rb_plan_inverse(rb_plan_database *database, const rb_plan_request *request);
/* The same under lock, where the database was written to since. locked: its transaction. */
enum rb_code rb_plan_rehearse_again(rb_plan_database *database, const rb_plan_request *request,
                                    rb_db *locked, rb_err *err) RB_MUST_USE;
/* plan_target_schema.c: sets expected, leaving and drifted, and adds what drifted to plan->drift.
 */
enum rb_code rb_plan_expect(rb_plan *plan, rb_plan_database *database,
                            const rb_plan_request *request, rb_db *db,
                            const rb_manifest_database *from, const rb_applied *applied,
                            rb_err *err) RB_MUST_USE;
/*
 * wrong: what differs between database->expected and after. Accepts an object that is as TO's own
 * scripts make it, even where drift was to be preserved, or a residual that an edited script had
 * left: takes it into database->expected. It must have been like that before the steps, or be named
 * in one of their scripts: a script that rebuilds a table must not lose an index that it does not
 * name. Nothing is taken where TO's scripts do not run by themselves.
 */
void rb_plan_take_released(rb_plan_database *database, const rb_plan_request *request,
                           const json_t *wrong, const json_t *before, const json_t *after);
/* plan_advice.c */
char *rb_plan_list_differences(const json_t *differences);
/* Whether a script of a first deploy failed with `text` because a table or column exists that
 * another tool or a person made: a decision for a person, not a fault of the script. */
bool rb_plan_meets_existing(const rb_plan_database *d, const rb_plan_request *rq, const char *text);
/* "; " and what to do where drift stands in the way: that in objects which text names, or, when
 * guess, any. "" when there is none. Where it holds data, the advice never is to remove it. */
char *rb_plan_drift_advice(const rb_plan_database *database, const rb_plan_request *request,
                           const char *text, bool guess);
/* Decides that a person must say what is applied, where only a tool that rbtool does not read has
 * recorded that. */
enum rb_code rb_plan_refuse_foreign(bool *refused, rb_plan *plan, const rb_plan_database *database,
                                    const rb_plan_request *request, rb_db *db,
                                    rb_err *err) RB_MUST_USE;
void rb_plan_database_clear(rb_plan_database *database);
/* What differs from the expected end and is not a known residual: [{"object","change"}]. left: the
 * known residuals that did stay. */
void rb_plan_database_judge(json_t **wrong, json_t **left, const rb_plan_database *database,
                            const json_t *catalog);

#endif
