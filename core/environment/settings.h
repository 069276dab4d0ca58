/*
 * Detects that an environment's settings, name or databases are not those that a person last
 * accepted on this host. Commands in the settings run with the rights of the user who deploys, so
 * that a branch that is checked out must not change them unseen.
 *
 * Order of calls: rb_settings_of() from the JSON of the environments, rb_binding_look(), and before
 * a transition rb_binding_record(). The state has the pins "environment", "settings" ({"worktree",
 * "operator"}: the last accepted settings from either source) and "databases" ({database: the
 * binding in its journal that a person accepted}).
 *
 * A commit can also change the root, and a new root has no record. So the clone records the root of
 * each environment that it moved, in git config rbtool.environment.NAME.root. The settings of an
 * environment whose root has no record are compared with those recorded in that other root.
 */
#ifndef RB_ENVIRONMENT_SETTINGS_H
#define RB_ENVIRONMENT_SETTINGS_H

#include "config/environment.h"
#include "environment/state.h"
#include "git/repository.h"

/* Where the settings come from. */
enum rb_settings_source {
    RB_SETTINGS_WORKTREE, /* rbtool.json of the work tree: any commit can change it */
    RB_SETTINGS_OPERATOR, /* a file that --config or git config rbtool.environments names */
};

/* Returns the settings of one environment as written ("$NAME", not its value), without passwords in
 * urls. A new object, whose SHA-256 (rb_json_hash) identifies the settings. */
json_t *rb_settings_of(const json_t *environments, const char *name);

typedef struct rb_binding {
    char *environment; /* name recorded in the root; NULL: no transition yet */
    char *other; /* an environment that this clone moved, if the root has no record and --env was
                    not given; or NULL */
    json_t *differences; /* [{"key","recorded","found"}] compared with the settings that were last
                            accepted */
    json_t
        *databases; /* [{"database","environment","binding"}]: last moved as another environment */
    json_t *copies; /* [{"database"}]: copies of a database, whose binding is ignored */
    json_t *pins;   /* of the newest journal rows of the databases, but for copies */
} rb_binding;

/* Compares env and its settings with what is recorded. state: NULL if the host has none. named: the
 * user named the environment with --env. Leaves out databases that cannot be read. */
enum rb_code rb_binding_look(rb_binding *out, const rb_env *env, const json_t *settings,
                             enum rb_settings_source source, rb_state *state, rb_repo *repo,
                             bool named, rb_err *err);
void rb_binding_clear(rb_binding *binding);

/* Records name and settings. Writes only what differs. */
enum rb_code rb_binding_record(rb_state *state, const char *name, const json_t *settings,
                               enum rb_settings_source source, rb_err *err);
/* Records the environment's root in the clone. */
enum rb_code rb_binding_record_root(rb_repo *repo, const rb_env *env, rb_err *err);
/* Records that a person accepted the databases in binding->databases. */
enum rb_code rb_binding_accept(rb_state *state, const rb_binding *binding, rb_err *err);

#endif
