/*
 * Practises a revert: the real plan and the real steps, on copies of everything that they change.
 * With `backup`, practises the deploy that restores what the last revert backed up.
 *
 * Order of calls: rb_drill_copy() reads the environment and points `env` to the copies; from then
 * on nothing of the real environment is open, and the caller closes its state. Then rb_drill_run(),
 * and rb_drill_end() in any case.
 *
 *   folder/root       releases, current and .rbtool of ROOT, with a copy of the state
 *   folder/files      flag and config files
 *   folder/N          databases that are files; others are in a scratch server
 *   folder/NAME.json  reports of the process that carries out the transition
 *
 * The transition runs in a process of its own, so that a drill can kill it as a power failure
 * would. Commands of the environment are not run: they would act on the real service. Nothing is
 * written to the ledger. A drill agrees to everything that a real revert asks a person for, and its
 * document lists that.
 *
 * The folder is below TMPDIR or /var/tmp, has mode 0700, and is named after ROOT. If a drill is
 * killed, the next one removes its files. RB_BUSY while another drill of the environment runs.
 */
#ifndef RB_TRANSITION_DRILL_H
#define RB_TRANSITION_DRILL_H

#include "transition/transition.h"

typedef struct rb_drill {
    rb_session *session;
    rb_env *env;                 /* owned by the caller; changed to the copies */
    const rb_journals *journals; /* read before rb_drill_run() */
    const char *folder;          /* folder in which copies are made: TMPDIR */
    const char *tag;             /* the release to revert */
    const char *to;              /* the target release; NULL: the previous known-good */
    bool backup;                 /* restores the newest backup instead; `tag` is not used */
    const rb_strs *from;         /* dumps to use instead of databases: "FILE" or "NAME=FILE" */
    const char *fail_at;         /* id of a step that is made to fail, or NULL */
    const char *kill_at;         /* id of a step after which the process is killed, or NULL */
    bool undo;                   /* after that aborts; otherwise resumes */
    rb_control *control;
    void (*progress)(void *context, const char *step, const char *text);
    void *context;
    /* The following members belong to drill.c and drill_copy.c. */
    char *dir;
    int lock;
    json_t *not_tried; /* texts about what the drill does not try */
    char *backup_id;
    char *backup_from; /* the release whose data the backup has */
    json_t *items;     /* items of the backup that are at risk:
                          [{"database","table","column","rows","values"}] */
    int64_t since;  /* seconds since 1970 when tag went live or the backup was made; data since then
                       may be lost; 0: unknown */
    double copying; /* duration in seconds */
    bool fault; /* makes fail_at or kill_at work: set in the process that begins the transition */
} rb_drill;

/* Makes the copies. live: the live releases, copied with state. RB_BUSY if a transition ran in the
 * meantime. */
enum rb_code rb_drill_copy(rb_drill *drill, rb_state *state, rb_err *err);
/* Runs the drill. *document: schemas/drill.schema.json, without "entry". RB_FOUND if the end state
 * or the outcome is wrong, or the drill took longer than the objective. */
enum rb_code rb_drill_run(json_t **document, rb_drill *drill, rb_err *err);
void rb_drill_end(rb_drill *drill);

/* Returns the document's "record", which is what a ledger entry contains. Borrowed from the
 * document. */
const json_t *rb_drill_record(const json_t *document);

#endif
