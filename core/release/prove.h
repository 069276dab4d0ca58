/*
 * Proves the migrations of one database of a commit, for `release` and `prove`.
 *
 * The caller reads the set, marks its new migrations, and passes what was released before. The set
 * is linted (migration/lint.h), then proven in a scratch database (proof/proof.h).
 */
#ifndef RB_RELEASE_PROVE_H
#define RB_RELEASE_PROVE_H

#include "config/config.h"
#include "migration/lint.h"
#include "proof/proof.h"

typedef struct rb_prove {
    rb_repo *repo;
    rb_oid commit; /* commit whose tree has the seed, and whose time the proof uses */
    const rb_config_database *database;
    const rb_migrations *set;    /* the commit's migrations */
    const bool *is_new;          /* for each migration: it is new, so prove it */
    const rb_released *released; /* released migrations, for lint */
    size_t released_count;
    bool lend; /* keep the database, see rb_proof_request */
} rb_prove;

/*
 * Adds the findings of lint and proof (RB001, RB002, RB003, ...), and notes on files that are not
 * read and on what the proof could not check. RB_FOUND if no proof can be made: an up fails, two
 * migrations have the same id, or a script exceeds a limit. Findings of lint are complete in this
 * case, too.
 */
enum rb_code rb_prove_database(rb_proof *out, rb_findings *findings, rb_strs *notes,
                               const rb_prove *prove, rb_err *err);

#endif
