/*
 * What rbtool.json may hold. schemas/config.schema.json says the same for editors and other
 * tools; tests hold the two together.
 */
#ifndef RB_RELEASE_CONFIG_SHAPE_H
#define RB_RELEASE_CONFIG_SHAPE_H

#include "base/shape.h"

extern const rb_shape rb_config_shape;
extern const rb_shape rb_environments_shape; /* its member "environments" */

#endif
