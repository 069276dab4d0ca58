/*
 * The shape of an entry's JSON: schemas/ledger-entry.schema.json.
 */
#ifndef RB_LEDGER_ENTRY_SHAPE_H
#define RB_LEDGER_ENTRY_SHAPE_H

#include "base/shape.h"
#include "ledger/entry.h"

const rb_shape *rb_entry_shape(enum rb_entry_kind kind);

#endif
