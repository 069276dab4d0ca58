/*
 * The shape of an entry's JSON, for each kind (same as schemas/ledger-entry.schema.json).
 */
#ifndef RB_LEDGER_ENTRY_SHAPE_H
#define RB_LEDGER_ENTRY_SHAPE_H

#include "base/shape.h"
#include "ledger/entry.h"

extern const rb_shape rb_entry_shapes[RB_ENTRY_KINDS];

#endif
