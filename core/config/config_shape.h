/*
 * The shape of rbtool.json: schemas/config.schema.json.
 */
#ifndef RB_CONFIG_CONFIG_SHAPE_H
#define RB_CONFIG_CONFIG_SHAPE_H

#include "base/shape.h"

const rb_shape *rb_config_shape(void);
const rb_shape *rb_environments_shape(void); /* its member "environments" */
const rb_shape *rb_environment_shape(void);  /* one of them */

#endif
