#include "database/database.h"
#include "database/driver.h"

#include <string.h>

#define CATALOG_LIMIT (64u << 20)
#define PINS_LIMIT (64u << 10)
#define OTHERS_SECONDS                                                                             \
    10 /* seconds that other sessions of the same transition have to end by themselves */

static enum rb_code has_row(bool *out, rb_db *db, const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", transition);
    RB_TRY(rb_db_query(&rows, db, "SELECT 1 FROM rbtool_journal WHERE transition_id = $1", params,
                       err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_db_journal_add(rb_db *db, const char *transition, const char *from, const char *to,
                               const rb_db_outcome *outcome, const json_t *pins, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf before = {0};
    RB_AUTO(rb_buf_clear) rb_buf after = {0};
    RB_AUTO(rb_buf_clear) rb_buf bound = {0};
    if (!db->driver->in_transaction(db))
        return rb_fail(err, RB_ERROR,
                       "the journal row belongs into the transition's transaction, "
                       "and there is none open");
    RB_TRY(rb_db_make_table(db, "rbtool_journal",
                            "CREATE TABLE rbtool_journal (transition_id TEXT PRIMARY KEY NOT NULL,"
                            " from_release TEXT, to_release TEXT, finished_at TEXT NOT NULL,"
                            " engine_version TEXT NOT NULL, catalog_before TEXT NOT NULL,"
                            " catalog_after TEXT NOT NULL, sequence INTEGER NOT NULL,"
                            " pins TEXT NOT NULL)",
                            err));
    rb_json_canonical(&before, outcome->before);
    rb_json_canonical(&after, outcome->after);
    RB_AUTO(rb_json_freep) json_t *none = json_object();
    rb_json_canonical(&bound, pins ? pins : none);
    RB_AUTO(rb_json_freep)
    json_t *params = json_pack("[s, s?, s?, s, s, s, s]", transition, from, to, rb_db_version(db),
                               rb_buf_str(&before), rb_buf_str(&after), rb_buf_str(&bound));
    bool recorded;
    RB_TRY(rb_db_exec(db,
                      "INSERT INTO rbtool_journal (transition_id, from_release, to_release,"
                      " finished_at, engine_version, catalog_before, catalog_after, pins, sequence)"
                      " VALUES ($1, $2, $3, CURRENT_TIMESTAMP, $4, $5, $6, $7, (SELECT"
                      " coalesce(max(sequence), 0) + 1 FROM rbtool_journal))",
                      params, err));
    /* This row alone shows later that the transaction was committed. A trigger may have dropped it.
     */
    RB_TRY(has_row(&recorded, db, transition, err));
    return recorded
               ? RB_OK
               : rb_fail(err, RB_FOUND,
                         "table rbtool_journal does not keep the row that was inserted\ndrop the "
                         "triggers and rules of that table");
}

enum rb_code rb_db_await(rb_db *db, const char *transition, int seconds, bool terminate,
                         rb_err *err)
{
    RB_AUTO(rb_free_str) char *label = rb_format(RB_DB_LABEL, transition);
    return db->driver->await ? db->driver->await(db, label, seconds, terminate, err) : RB_OK;
}

enum rb_code rb_db_journal_has(bool *out, rb_db *db, const char *transition, rb_err *err)
{
    RB_TRY(rb_db_await(db, transition, OTHERS_SECONDS, false, err));
    RB_TRY(rb_db_has_table(out, db, "rbtool_journal", err));
    return *out ? has_row(out, db, transition, err) : RB_OK;
}

enum rb_code rb_db_journal_remove(rb_db *db, const char *transition, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", transition);
    return rb_db_exec(db, "DELETE FROM rbtool_journal WHERE transition_id = $1", params, err);
}

enum rb_code rb_db_journal_pins(json_t **out, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *pins = NULL;
    bool there;
    *out = NULL;
    RB_TRY(rb_db_has_table(&there, db, "rbtool_journal", err));
    if (there)
        RB_TRY(rb_db_query_within(&rows, db, PINS_LIMIT,
                                  "SELECT pins FROM rbtool_journal ORDER BY sequence DESC LIMIT 1",
                                  NULL, err));
    const char *text = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    if (!text)
        return RB_OK;
    RB_TRY(rb_json_read(&pins, text, strlen(text), "the pins in rbtool_journal", err));
    if (!json_is_object(pins))
        return rb_fail(err, RB_ERROR, "the pins in rbtool_journal are not a JSON object");
    *out = RB_TAKE(pins);
    return RB_OK;
}

enum rb_code rb_db_journal_catalog(json_t **out, rb_db *db, const char *release,
                                   const rb_catalog_now *now, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", release);
    bool there;
    RB_TRY(rb_db_has_table(&there, db, "rbtool_journal", err));
    /* When the release was left, its catalog was recorded again: that record is the newer one. */
    if (there)
        RB_TRY(rb_db_query_within(
            &rows, db, CATALOG_LIMIT,
            "SELECT CASE WHEN to_release = $1 THEN catalog_after ELSE catalog_before"
            " END FROM rbtool_journal WHERE to_release = $1 OR from_release = $1"
            " ORDER BY sequence DESC LIMIT 1",
            params, err));
    const char *text = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    json_t *catalog = NULL;
    if (text && now && strcmp(text, rb_buf_str(&now->text)) == 0)
        catalog = json_incref(now->catalog);
    else if (text)
        RB_TRY(rb_json_read(&catalog, text, strlen(text), "a catalog in rbtool_journal", err));
    *out = catalog;
    return RB_OK;
}
