/*
 * What rbtool.json may hold. schemas/config.schema.json says the same for editors and other
 * tools; tests hold the two together.
 */
#ifndef RB_CONFIG_CONFIG_SHAPE_H
#define RB_CONFIG_CONFIG_SHAPE_H

#include "base/shape.h"

#define RB_IGNORE_LIMIT 1000 /* globs of an artifact */

extern const rb_shape rb_config_shape;
extern const rb_shape rb_environments_shape; /* its member "environments" */

#endif
