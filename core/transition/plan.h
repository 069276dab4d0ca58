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
const char *rb_step_kind_inverse(enum rb_step_kind kind); /* in words; NULL: it has no inverse */
enum rb_step_kind rb_step_kind_of(const char *name);      /* RB_STEP_KINDS if the name is unknown */

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

void rb_plan_free(rb_plan *plan);
RB_DEFINE_AUTO(rb_plan, rb_plan_free)
void rb_plan_database_clear(rb_plan_database *database);

/* Returns a new id for a transition or a restore: the time, and a random number. A new string. */
char *rb_transition_id(void);
/* Lists the databases of both releases, sorted. from may be NULL. */
void rb_plan_database_names(rb_strs *out, const rb_release *from, const rb_release *to);
/* Returns the path below ROOT of the backup that the transition writes for a database. A new
 * string. */
char *rb_plan_backup(const rb_plan *plan, const rb_plan_database *database);
char *rb_plan_backup_of(const char *transition, const char *database, const char *url);

/* Adds a note; the text need not be UTF-8. */
void rb_plan_note(rb_plan *plan, const char *fmt, ...) RB_PRINTF(2, 3);
/* Adds a decision. worst: the exit code of a plan that stops there, or RB_OK. The text is a message
 * and, after a line break, a hint. */
void rb_plan_decide(rb_plan *plan, const char *code, enum rb_code worst, const char *fmt, ...)
    RB_PRINTF(4, 5);

/* Returns a member of a plan document's "before": the state before the transition. NULL if missing.
 */
const json_t *rb_plan_before(const json_t *plan, const char *key);
/* Returns the member of "before" for a database, {"name","url","create"}, or NULL. */
const json_t *rb_plan_before_database(const json_t *plan, const char *name);

#endif
