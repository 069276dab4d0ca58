/*
 * Finds what scripts destroy, by comparing states of a database (README.md: "Losses").
 *
 * The bound is everything that the scripts could destroy; it follows from the catalogs before and
 * after them and from their effects. At risk is the part of it that does not come back when the
 * inverse scripts run. Both are lists of places, [{"table","column" or
 * null,"rows","values","exact"}]. If column is null, the place is the table's rows, and "values" is
 * 0. Otherwise "values" counts values of the column, and "rows" the rows of its table. A place of
 * the bound may have "fresh": the default, as in the catalog, of a column that the inverse creates
 * again and does not write. Rows with that value need no backup, and are not among "values".
 *
 * Effects are what a driver's script() reports. An object has, by rb_loss_key() of the table:
 *
 *   {"rows": true,                       rows may be deleted or replaced, or the table is dropped
 *    "dropped": true,                    the table is dropped, and perhaps created again
 *    "inserts": true,                    rows are added
 *    "columns": {key: "update" | "drop" | "rename"},
 *    "generated": {key: ...},            updated with values that differ each time
 *    "renamed": "new name",
 *    "arrived": true}                    another table got this name
 *
 * RB_LOSS_ANY stands for a table that an earlier script of the same transaction wrote: code that
 * cannot be read may have written it again.
 *
 * Order of calls: rb_db_rehearse() gives a copy; begin; rb_db_run(); the checks of that state; then
 * one of the rb_db_losses_*() functions, after which the copy can only be closed.
 */
#ifndef RB_DATABASE_LOSS_H
#define RB_DATABASE_LOSS_H

#include "database/database.h"

/* Returns a name as a key of effects: made safe as catalogs do. A new string. Names are compared
 * byte by byte, and a driver whose engine ignores case gives them as the schema spells them. */
char *rb_loss_key(const char *name);
/* Returns the effect on that table, and creates it if it is missing. Borrowed. */
json_t *rb_loss_effect(json_t *effects, const char *table);

#define RB_LOSS_ANY "*"

/*
 * Effects from a proof, used instead of running the scripts again.
 *
 * rb_loss_complete() adds what only the two catalogs show, such as a column that was dropped with
 * its type; the effects are then complete. rb_loss_add() adds the effects of a later script.
 * rb_loss_left() returns the catalog without the tables and columns that complete effects drop;
 * entries of other objects stay.
 */
void rb_loss_complete(json_t *effects, const json_t *before, const json_t *after);
void rb_loss_add(json_t *effects, const json_t *later);
json_t *rb_loss_left(const json_t *before, const json_t *effects);

/* Returns the places of the bound, [{"table","column"}], sorted and without counts. */
json_t *rb_loss_bound(const json_t *before, const json_t *after, const json_t *effects);

/* Returns the item of the list that is about the same table and column, or NULL. */
const json_t *rb_loss_find(const json_t *list, const json_t *place);
/* True if `known` has each place of `places`. NULL counts as empty. */
bool rb_loss_within(const json_t *places, const json_t *known);

/* True if a place of the bound comes back without a backup: scripts and inverse only rename it, or
 * insert rows and delete them again. end: the catalog after both. */
bool rb_loss_is_moved(const json_t *place, const json_t *effects, const json_t *back_effects,
                      const json_t *end);
/* Returns the tables of the catalog that the scripts or the inverse may write, for
 * rb_db_driver.compare. */
json_t *rb_loss_touched(const json_t *catalog, const json_t *effects, const json_t *back_effects);

typedef struct rb_db_losses {
    json_t *bound;     /* places of the bound, with counts and without empty ones */
    json_t *at_risk;   /* places of the bound that are at risk, with counts */
    json_t *generated; /* values that the inverse generates again, so that they are not at risk; in
                          the form of bound */
    json_t *
        renamed; /* places of the bound that scripts and inverse only rename: they need no backup */
    char *no_way_back; /* why the inverse could not be run, or NULL */
} rb_db_losses;

void rb_db_losses_clear(rb_db_losses *losses);

/*
 * Finds bound and losses by running `inverse` and comparing states. copy: from rb_db_rehearse(), in
 * the transaction in which `work` has run with `outcome`. inverse: NULL if none exists; then
 * everything that the scripts changed is at risk.
 */
enum rb_code rb_db_losses_rehearsed(rb_db_losses *out, rb_db *copy, const rb_db_outcome *outcome,
                                    const rb_db_work *work, const rb_db_work *inverse,
                                    rb_err *err) RB_MUST_USE;
/*
 * Like rb_db_losses_rehearsed(), with a copy of the schema only; counts in `db`. A place is at risk
 * unless scripts and inverse only rename it, or insert rows and delete them again, and no proof
 * lists it as lost. unproven: the places that the proofs of these scripts list as lost, or NULL if
 * a proof is missing.
 */
enum rb_code rb_db_losses_counted(rb_db_losses *out, rb_db *copy, rb_db *db,
                                  const rb_db_outcome *outcome, const rb_db_work *inverse,
                                  const json_t *unproven, rb_err *err) RB_MUST_USE;
/*
 * Like rb_db_losses_counted(), without running scripts. outcome has: `before`, the catalog of `db`;
 * `effects`, complete (rb_loss_complete()); `after`, from rb_loss_left(); and `bound` of these.
 * back_effects: effects of the inverse, which a proof showed to restore the schema; or NULL.
 */
enum rb_code rb_db_losses_derived(rb_db_losses *out, rb_db *db, const rb_db_outcome *outcome,
                                  const json_t *back_effects, const json_t *unproven,
                                  rb_err *err) RB_MUST_USE;

#endif
