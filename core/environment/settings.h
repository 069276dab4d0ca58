/*
 * What an environment is bound to on this host: its name, the settings that were last accepted,
 * and the environment that each of its databases was last moved as. The commands in the settings
 * run with the rights of the person who deploys; a branch that is checked out must not change them
 * without a person having seen it.
 *
 * Order of calls: rb_settings_of() from the JSON of the environments, rb_binding_look(), and before
 * a transition rb_binding_record(). The state keeps them as the pins "environment", "settings"
 * ({"worktree","operator"}: the settings as last accepted from either source) and "databases"
 * (database: the binding of its journal that a person accepted).
 *
 * A commit can also change the root, and the state in a new root records nothing. So the clone
 * records where it moved each environment, in git config rbtool.environment.NAME.root. The
 * settings of an environment in a root without a record are compared with those in that root.
 */
#ifndef RB_ENVIRONMENT_SETTINGS_H
#define RB_ENVIRONMENT_SETTINGS_H

#include "config/environment.h"
#include "environment/state.h"
#include "git/repository.h"

/* Who wrote the settings. */
enum rb_settings_source {
    RB_SETTINGS_WORKTREE, /* rbtool.json of the work tree: any commit can change it */
    RB_SETTINGS_OPERATOR, /* a file that --config or git config rbtool.environments names */
};

/* The settings of one environment as written ("$NAME", not its value), without passwords in urls:
 * a new object. Its SHA-256 (rb_json_hash) names the settings. */
json_t *rb_settings_of(const json_t *environments, const char *name);

typedef struct rb_binding {
    char *environment; /* the name recorded in the root; NULL: no transition was made yet */
    char *other; /* without a record and a --env: an environment that this clone moved, or NULL */
    json_t *differences; /* [{"key","recorded","found"}] to the settings that were last accepted */
    json_t
        *databases; /* [{"database","environment","binding"}]: last moved as another environment */
    json_t *copies; /* [{"database"}]: copies of a database, whose binding does not count */
} rb_binding;

/* Compare env and its settings with what is recorded. state: NULL if the host has none. named: the
 * user named the environment, rather than take the only one. Databases that cannot be read are left
 * out. */
enum rb_code rb_binding_look(rb_binding *out, const rb_env *env, const json_t *settings,
                             enum rb_settings_source source, rb_state *state, rb_repo *repo,
                             bool named, rb_err *err);
void rb_binding_clear(rb_binding *binding);

/* Record name and settings. Writes only what differs from what is recorded. */
enum rb_code rb_binding_record(rb_state *state, const char *name, const json_t *settings,
                               enum rb_settings_source source, rb_err *err);
/* Record in the clone where the environment is. */
enum rb_code rb_binding_record_root(rb_repo *repo, const rb_env *env, rb_err *err);
/* Record as well that a person accepted the databases in binding->databases. */
enum rb_code rb_binding_accept(rb_state *state, const rb_binding *binding, rb_err *err);

/*
 * The pins of a database's newest journal row. *out is NULL if the database has no journal, does
 * not exist, or is a copy of the one that the row was written in (*copy): the same database means
 * the same server and database, not a row in a restored copy.
 */
enum rb_code rb_database_pins(json_t **out, bool *copy, const char *url, rb_err *err);

#endif
