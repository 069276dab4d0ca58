/*
 * Proving the migrations of one database of a commit: what `release` records and `prove` prints.
 *
 * The caller reads the set, says which of its migrations are new, and gives what came before. The
 * set is linted (migration/lint.h) and then proven in a scratch database (proof/proof.h).
 */
#ifndef RB_RELEASE_PROVE_H
#define RB_RELEASE_PROVE_H

#include "config/config.h"
#include "migration/lint.h"
#include "proof/proof.h"

typedef struct rb_prove {
    rb_repo *repo;
    rb_oid commit; /* the seed is read from its tree, and the proof's clock stands at its date */
    const rb_config_database *database;
    const rb_migrations *set;    /* as the commit has it */
    const bool *is_new;          /* of each migration: prove it */
    const rb_released *released; /* what lint compares with */
    size_t released_count;
    bool lend; /* as in rb_proof_request */
} rb_prove;

/*
 * Adds to findings what lint and proof find (RB001, RB002, RB003, ...), and to notes the files that
 * are not read and what the proof could not check. RB_FOUND where there is no proof: an up fails,
 * two migrations have one id, a script hits a limit. The findings of lint are there then, too.
 */
enum rb_code rb_prove_database(rb_proof *out, rb_findings *findings, rb_strs *notes,
                               const rb_prove *prove, rb_err *err);

#endif
