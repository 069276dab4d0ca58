/* Scripts whose success depends little on rows, by the verbs of their statements. */
#ifndef RB_PROOF_SCRIPT_VERBS_H
#define RB_PROOF_SCRIPT_VERBS_H

#include "migration/migration.h"

/* True if the script does not fail on empty tables if it does not fail on rows. */
bool rb_script_only_defines(const rb_script *script, const char *engine);
/* True if it does not depend on any rows whether the script fails. */
bool rb_script_only_drops(const rb_script *script, const char *engine);

#endif
