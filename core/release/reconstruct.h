/*
 * A release as files: everything that its manifest names, rebuilt from git objects and verified.
 *
 *   DIR/artifacts/NAME...          a folder, or NAME.FORMAT
 *   DIR/migrations/DATABASE/PATH   scripts, with their paths in the repository
 *   DIR/flags/PATH, DIR/config/PATH, DIR/checks/PATH
 *   DIR/manifest.json
 *
 * All is made in a folder beside DIR and gets its name by one rename, when everything is verified
 * and synced. Order of calls: rb_reconstruct_begin, rb_reconstruct_release, what the caller wants
 * to add below rb_reconstruct_path, rb_reconstruct_finish. Freeing without finishing leaves
 * nothing.
 */
#ifndef RB_RELEASE_RECONSTRUCT_H
#define RB_RELEASE_RECONSTRUCT_H

#include "release/release.h"

typedef struct rb_reconstruct rb_reconstruct;

/* dir must not exist, or be an empty folder. */
enum rb_code rb_reconstruct_begin(rb_reconstruct **out, const char *dir, rb_err *err);
void rb_reconstruct_free(rb_reconstruct *work);
RB_DEFINE_AUTO(rb_reconstruct, rb_reconstruct_free)

/*
 * What differs from the manifest is RB_FOUND, named with what was expected and found. *document:
 * {"tag","artifacts":[{"name","tree","digest","files","bytes","path"}],"files":[PATH]}, paths
 * relative to DIR. Once for each work.
 */
enum rb_code rb_reconstruct_release(json_t **document, rb_reconstruct *work,
                                    const rb_release *release, rb_repo *repo, rb_err *err);

const char *rb_reconstruct_path(const rb_reconstruct *work); /* the folder to be renamed */

enum rb_code rb_reconstruct_finish(rb_reconstruct *work, rb_err *err);

#endif
