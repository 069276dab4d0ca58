/*
 * Tests whether the previous release's application runs on a new release's schema.
 *
 * The databases of the new release's proof are used (proof/proof.h): its schema, the seed and
 * sample rows, and the tools' records of what is applied. The previous release is rebuilt and
 * verified in a temporary folder. Its SQL checks run, then the command of its own "compatibility".
 * So only commands run that an allowed signer has released.
 *
 * The command runs in the folder of its first artifact of format dir, in its own process group,
 * with PATH, LANG, LC_ALL and TZ, HOME and TMPDIR in the temporary folder, and the url of each
 * database in RBTOOL_DATABASE_NAME (NAME in upper case). It has no network if the kernel permits
 * that and no database is on another host. If root starts it, it runs as nobody (65534).
 *
 * The result shows what was tested. It does not prove that going back is safe.
 */
#ifndef RB_ENVIRONMENT_COMPATIBILITY_H
#define RB_ENVIRONMENT_COMPATIBILITY_H

#include "release/make.h"

/*
 * Tests the previous release on the schema of the release that was made.
 *
 * *out: {"result": tested, fails or untested, "why": or null, "previous": tag, "previousObject",
 * "checks": number of SQL checks that passed, "rows" that the checks and the command found,
 * "command": or null, "exit": its status or null, "offline": it had no network, "databases":
 * [{"name","engine","version","fingerprint","seed": SHA-256 or null}]}. It is written into the
 * release's ledger entry. If the test is not possible, the result is "untested" and "why" has the
 * reason.
 *
 * *output: the end of the command's output, or NULL; it may not be safe for a terminal.
 *
 * made: from rb_make_prepare() with rb_make.lend. settings: used if the previous release's commit
 * has no rbtool.json; or NULL.
 */
enum rb_code rb_compatibility_test(json_t **out, char **output, rb_repo *repo,
                                   const rb_release *previous, const rb_made *made,
                                   const rb_config *settings, rb_err *err);

#endif
