/*
 * A revert for practice: the real plan and the real steps, on copies of everything that they touch.
 * Or, for a backup, the deploy that restores what the last revert backed up.
 *
 * Order of calls: rb_drill_copy(), which reads the environment and leaves `env` with the places of
 * the copies; after it nothing of the real environment is open, and the caller closes its state;
 * rb_drill_run(); rb_drill_end() in any case.
 *
 *     folder/root    releases, current and .rbtool of ROOT, with a copy of the state
 *     folder/files   flag and config files
 *     folder/N       databases that are files; others are in a scratch server
 *     folder/NAME.json what the process that carries out the transition reports
 *
 * The transition runs in a process of its own, so that a drill can kill it as a power failure
 * would. Commands of the environment do not run: they would act on the real service. Nothing is
 * written to the ledger, and no person is asked: a drill agrees to what a real revert asks for, and
 * its document names that.
 *
 * The folder is below TMPDIR or /var/tmp, 0700, and named after ROOT: what a drill leaves that was
 * killed is removed by the next one. RB_BUSY while another drill of the environment runs.
 */
#ifndef RB_TRANSITION_DRILL_H
#define RB_TRANSITION_DRILL_H

#include "transition/transition.h"

typedef struct rb_drill {
    rb_session *session;
    rb_env *env;                 /* owned by the caller; changed */
    const rb_journals *journals; /* read before rb_drill_run() */
    const char *folder;          /* below which copies are made: TMPDIR */
    const char *tag;             /* the release that is reverted */
    const char *to;              /* or NULL: the previous known-good */
    bool backup;                 /* restore the newest backup instead: tag is not used */
    const rb_strs *from;         /* dumps in place of databases: "FILE" or "NAME=FILE" */
    const char *fail_at;         /* a step that fails, or NULL */
    const char *kill_at;         /* a step at whose end the process is killed, or NULL */
    bool undo;                   /* then abort instead of resume */
    rb_control *control;
    void (*progress)(void *context, const char *step, const char *text);
    void *context;
    /* Kept by drill.c and drill_copy.c. */
    char *dir;
    int lock;
    json_t *not_tried; /* [text] */
    char *backup_id;
    char *backup_from; /* the release that had what is in it */
    json_t *items;     /* what is at risk of it: [{"database","table","column","rows","values"}] */
    int64_t since;     /* what was entered since then may be lost: tag went live, or the backup was
                          made; 0: not known */
    double copying;    /* seconds */
    bool fault;        /* of the process that runs now */
} rb_drill;

/* live: what is live, to be copied with state. RB_BUSY if a transition ran meanwhile. */
enum rb_code rb_drill_copy(rb_drill *drill, rb_state *state, rb_err *err);
/* *document: schemas/drill.schema.json, without "entry". RB_FOUND if the drill found something: the
 * end state or the outcome is not what it should be, or it took longer than the objective. */
enum rb_code rb_drill_run(json_t **document, rb_drill *drill, rb_err *err);
void rb_drill_end(rb_drill *drill);

/* What an entry of the ledger says of it: the document's "record", owned by the document. */
const json_t *rb_drill_record(const json_t *document);

#endif
