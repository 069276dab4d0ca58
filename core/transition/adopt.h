/*
 * Takes over an environment that other tools deployed: compares what the host has with a release,
 * and records it as that release. Writes nothing but rbtool's own state.
 *
 * Order of calls: rb_adopt_look(); rb_adopt_record() after the user has agreed to the drift.
 *
 * Files are compared with the artifacts from the release's git objects. They are in ROOT/current,
 * or in a folder that the user names. In such a folder, and if ROOT/current is a checkout, other
 * files are ignored. The migration tool's own table shows what is applied in a database.
 */
#ifndef RB_TRANSITION_ADOPT_H
#define RB_TRANSITION_ADOPT_H

#include "config/environment.h"
#include "environment/state.h"
#include "session/session.h"

typedef struct rb_adopt { /* all members are borrowed */
    rb_session *session;
    const rb_env *env;
    rb_state *state;
    const rb_release *release;
    const char *files; /* folder of the application; NULL: ROOT/current */
    bool accepted;     /* the user agreed to the drift */
    const char *host;
    const char *user;
    bool own_layout; /* set by rb_adopt_look(): ROOT/current is a symlink to releases/TAG, as rbtool
                        makes it */
    bool app_agrees;
} rb_adopt;

/* Compares. *drift: a new array in the form of `status`; *notes: a new array of texts. */
enum rb_code rb_adopt_look(json_t **drift, json_t **notes, rb_adopt *adopt, rb_err *err);
/* Records that the release is live, as a transition of kind "adopt". */
enum rb_code rb_adopt_record(const rb_adopt *adopt, rb_err *err);

#endif
