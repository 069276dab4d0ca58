/*
 * Taking over an environment that other tools deployed: what is there is compared with a release,
 * and recorded as that release. Nothing but rbtool's own state is written.
 *
 * Order of calls: rb_adopt_look(); after the user has agreed to the drift, rb_adopt_record().
 *
 * Files are compared with the artifacts that the release's git objects give. They are below
 * ROOT/current, or in the folder that the user names; there, and where ROOT/current has the layout
 * of a checkout, files that belong to no artifact are left alone. What is applied in a database is
 * what the migration tool's own table says.
 */
#ifndef RB_TRANSITION_ADOPT_H
#define RB_TRANSITION_ADOPT_H

#include "config/environment.h"
#include "environment/state.h"
#include "session/session.h"

typedef struct rb_adopt { /* borrowed */
    rb_session *session;
    const rb_env *env;
    rb_state *state;
    const rb_release *release;
    const char *files; /* where the application is; NULL: ROOT/current */
    bool accepted;     /* the drift */
    const char *host;
    const char *user;
    bool own_layout; /* set by rb_adopt_look(): ROOT/current leads to releases/TAG, as rbtool has it
                      */
    bool app_agrees;
} rb_adopt;

/* *drift: as in `status`, a new array; *notes: texts, a new array. */
enum rb_code rb_adopt_look(json_t **drift, json_t **notes, rb_adopt *adopt, rb_err *err);
/* Records that the release is live, as a transition of kind "adopt". */
enum rb_code rb_adopt_record(const rb_adopt *adopt, rb_err *err);

#endif
