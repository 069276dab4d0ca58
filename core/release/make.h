/*
 * Making a release: lint, prove, bundle, sign, create the tag. The same inputs (commit, known
 * releases, engine major versions) give the same manifest bytes.
 */
#ifndef RB_RELEASE_MAKE_H
#define RB_RELEASE_MAKE_H

#include "migration/lint.h"
#include "release/chain.h"

typedef struct rb_make {
    const char *tag;
    const char *commit;        /* a revision; NULL: HEAD */
    const rb_config *config;   /* NULL: rbtool.json of the commit */
    const char *message;       /* NULL: none */
    const char *key;           /* NULL: user.signingKey */
    const char *previous;      /* tag; NULL: found by ancestry */
    const rb_strs *accept;     /* rules (RB001, RB002, RB003, ...) whose findings do not refuse;
                                  NULL: none */
    const rb_chain_more *more; /* predecessors without a tag here; NULL: none are known */
    rb_chain_bad *bad;         /* which releases are marked bad; NULL: none is known to be */
    const void *bad_context;
    bool lend; /* also where the settings have no "compatibility": keep the databases of the proofs
                  for rb_compatibility_test() */
    /* Called before each long part ("hashing artifact app"); or NULL. */
    void (*progress)(void *context, const char *what);
    void *context;
} rb_make;

typedef struct rb_made {
    rb_manifest *manifest;
    json_t *catalogs; /* of each database by name, after all migrations */
    json_t *lent;     /* database -> {"url","folder": removed with this, "seed": SHA-256 or null}:
                         at the new schema, with seed and sample rows */
    rb_strs notes;    /* of proofs, of what is left out, of what is delivered otherwise than a
                         checkout has it; they refuse nothing */
    rb_findings findings; /* of lint and proof (RB001, RB002, RB003), accepted or not */
    rb_buf payload;       /* the tag object's bytes, unsigned */
} rb_made;

/* Everything but signing. RB_FOUND with findings when a rule that is not accepted refuses: the
 * manifest and the payload are there then too. */
enum rb_code rb_make_prepare(rb_made *out, rb_repo *repo, const rb_signers *signers,
                             const rb_make *make, rb_err *err);
/* Signs, verifies what was signed as any reader would, and creates the tag. The first release
 * pins the app's name in git config rbtool.app. */
enum rb_code rb_make_finish(rb_oid *tag, rb_repo *repo, const rb_signers *signers,
                            const rb_make *make, const rb_made *made, rb_err *err);
void rb_made_clear(rb_made *made);

bool rb_make_accepts(const rb_make *make, const char *rule);

#endif
