/*
 * Rebuilds everything that a release's manifest names from git objects, verified, as files:
 *
 * DIR/artifacts/NAME...          a folder, or NAME.FORMAT
 * DIR/migrations/DATABASE/PATH   scripts, with their paths in the repository
 * DIR/flags/PATH, DIR/config/PATH, DIR/checks/PATH
 * DIR/manifest.json
 *
 * The files are written to a folder beside DIR. When everything is verified and synced, one rename
 * gives it the name DIR.
 *
 * Order of calls: rb_reconstruct_begin(), rb_reconstruct_release(), writing further files below
 * rb_reconstruct_path(), rb_reconstruct_finish(), rb_reconstruct_free(). Without finish, free
 * removes everything.
 */
#ifndef RB_RELEASE_RECONSTRUCT_H
#define RB_RELEASE_RECONSTRUCT_H

#include "release/release.h"

typedef struct rb_reconstruct rb_reconstruct;

/* Begins. dir must not exist, or be an empty folder. */
enum rb_code rb_reconstruct_begin(rb_reconstruct **out, const char *dir, rb_err *err);
void rb_reconstruct_free(rb_reconstruct *work);
RB_DEFINE_AUTO(rb_reconstruct, rb_reconstruct_free)

/*
 * Writes the release. May be called once. RB_FOUND if something differs from the manifest; the
 * message names what was expected and found. *document:
 * {"tag","artifacts":[{"name","tree","digest", "files","bytes","path"}],"files":[PATH]}, with paths
 * relative to DIR.
 */
enum rb_code rb_reconstruct_release(json_t **document, rb_reconstruct *work,
                                    const rb_release *release, rb_repo *repo, rb_err *err);

/* the folder that will be renamed to DIR */
const char *rb_reconstruct_path(const rb_reconstruct *work);

enum rb_code rb_reconstruct_finish(rb_reconstruct *work, rb_err *err);

#endif
