/*
 * Makes a release: lint, proof, artifacts, signature, tag. The same inputs (commit, known releases,
 * major versions of the engines) give the same manifest bytes.
 *
 * Order of calls: rb_make_prepare(), rb_make_finish().
 */
#ifndef RB_RELEASE_MAKE_H
#define RB_RELEASE_MAKE_H

#include "migration/lint.h"
#include "release/chain.h"

typedef struct rb_make {
    const char *tag;
    const char *commit;      /* revision; NULL: HEAD */
    const rb_config *config; /* settings; NULL: rbtool.json of the commit */
    const char *message;     /* the user's message; NULL: none */
    const char *key;         /* signing key; NULL: git's user.signingKey */
    const char *previous;    /* tag of the predecessor; NULL: determined by ancestry */
    /* rules (RB001, RB002, RB003, ...) that do not refuse the release; NULL: none */
    const rb_strs *accept;
    const char *command; /* the command line that releases, for hints; options can be added to it */
    /* finds predecessors whose tag is missing here; NULL: they are not looked for */
    const rb_chain_more *more;
    /* finds out which releases are marked bad; NULL: none is known to be */
    rb_chain_bad *bad;
    const void *bad_context;
    /* keep the databases of the proofs for rb_compatibility_test(), even without a
     * "compatibility" setting */
    bool lend;
    /* Called before each long step, with a text such as "hashing artifact app"; may be NULL. */
    void (*progress)(void *context, const char *what);
    void *context;
} rb_make;

typedef struct rb_made {
    rb_manifest *manifest;
    json_t *catalogs; /* catalog of each database by name, after all migrations */
    /* database -> {"url","folder","seed"}: databases of the proofs, with the new schema, the
     * seed and sample rows. "folder" is removed with this object; "seed" is the seed's SHA-256
     * or null. */
    json_t *lent;
    /* remarks that refuse nothing: on proofs, on files that are left out, and on files that are
     * delivered otherwise than a checkout has them */
    rb_strs notes;
    rb_findings findings; /* findings of lint and proof (RB001, RB002, RB003), accepted or not */
    rb_buf payload;       /* bytes of the tag object, unsigned */
} rb_made;

/* Does everything except signing. RB_FOUND with findings if a rule refuses the release; *out is
 * complete in this case, too. */
enum rb_code rb_make_prepare(rb_made *out, rb_repo *repo, const rb_signers *signers,
                             const rb_make *make, rb_err *err);
/* Signs, verifies the result as any reader does, and creates the tag. The first release pins the
 * app's name in git config rbtool.app. */
enum rb_code rb_make_finish(rb_oid *tag, rb_repo *repo, const rb_signers *signers,
                            const rb_make *make, const rb_made *made, rb_err *err);
void rb_made_clear(rb_made *made);

/* Adds the Rollback: trailers of a commit message: lines of its last paragraph, with continuation
 * lines joined. Returns false if `notes` is full. */
bool rb_make_notes(rb_strs *notes, const char *message);

bool rb_make_accepts(const rb_make *make, const char *rule);

#endif
