/*
 * Identifies this host by the SHA-256 of "rbtool host" and /etc/machine-id, so that the id itself
 * is not disclosed. If that file is missing or empty, as in containers, a random id is created once
 * in the user's own ~/.local/state/rbtool/host.
 */
#ifndef RB_ENVIRONMENT_HOST_H
#define RB_ENVIRONMENT_HOST_H

#include "base/hash.h"

enum rb_code rb_host_id(char out[RB_SHA256_HEX], rb_err *err);

#endif
