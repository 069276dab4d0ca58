/*
 * The shape of rbtool.json. schemas/config.schema.json is the same for editors and other tools;
 * tests compare the two.
 */
#ifndef RB_CONFIG_CONFIG_SHAPE_H
#define RB_CONFIG_CONFIG_SHAPE_H

#include "base/shape.h"

#define RB_IGNORE_LIMIT 1000 /* globs of an artifact */

extern const rb_shape rb_config_shape;
extern const rb_shape rb_environments_shape; /* its member "environments" */
extern const rb_shape rb_environment_shape;  /* one of them */

#endif
