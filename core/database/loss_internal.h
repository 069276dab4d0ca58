/* Shared by loss.c, loss_bound.c and loss_effects.c. */
#ifndef RB_DATABASE_LOSS_INTERNAL_H
#define RB_DATABASE_LOSS_INTERNAL_H

#include "database/loss.h"

/* Returns the effect on a table, or NULL. Borrowed. */
json_t *rb_loss__effect_on(const json_t *effects, const char *table);
/* Returns how a column is written: "update", "drop" or "rename"; NULL if it is not. */
const char *rb_loss__written(const json_t *effect, const char *column);
/* True for a sequence that belongs to no column. It counts as a table with one row, its position.
 * The positions of columns' sequences are backed up with their tables. */
bool rb_loss__is_sequence(const char *key, const json_t *entry);
/* Returns a catalog's entry of a table, column or sequence. kind "order": the table's columns in
 * order. */
json_t *rb_loss__entry(const json_t *catalog, const char *kind, const char *table,
                       const char *column);
/* True if two entries have the same value for a member, or both lack it. */
bool rb_loss__same(const json_t *a, const json_t *b, const char *member);
/* True if any column is written in this way: "update", "drop" or "rename". */
bool rb_loss__has(const json_t *effect, const char *how);
/* Sorts a list of places. Frees `list` and returns the sorted one. */
json_t *rb_loss__sorted(json_t *list);

#endif
