/* Removes files that a killed run left in an environment. */
#ifndef RB_ENVIRONMENT_TIDY_H
#define RB_ENVIRONMENT_TIDY_H

#include "config/environment.h"

/* Removes rbtool's temporary files from ROOT/.rbtool and from the folders of flags and config. The
 * caller holds the environment's lock. Ignores files that cannot be removed: they only take space.
 */
void rb_env_tidy(const rb_env *env);

#endif
