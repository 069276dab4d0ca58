/* What a run that was killed left behind in an environment. */
#ifndef RB_ENVIRONMENT_TIDY_H
#define RB_ENVIRONMENT_TIDY_H

#include "config/environment.h"

/* Temporary files of ours go from ROOT/.rbtool and from the folders of flags and config. The caller
 * holds the environment's lock. What cannot be removed stays: it costs room only. */
void rb_env_tidy(const rb_env *env);

#endif
