#include "database/tracking_sqlx.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "database/driver.h"

/* Runs a query with one parameter. *out: the text in its first row, or "". */
static enum rb_code first_text(char **out, rb_db *db, const char *sql, const char *param,
                               rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s]", param);
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_db_query(&rows, db, sql, params, err));
    const char *text = json_string_value(json_array_get(json_array_get(rows, 0), 0));
    *out = rb_strdup(text ? text : "");
    return RB_OK;
}

/* Keeps a checksum that sqlx wrote and rbtool would not: rbtool writes the SHA-384 of the script.
 */
enum rb_code rb_tracking_keep_checksum(rb_db *db, const rb_migration *m, rb_err *err)
{
    RB_AUTO(rb_free_str) char *found = NULL;
    RB_AUTO(rb_free_str) char *taken_over = NULL;
    char own[RB_SHA384_HEX];
    RB_AUTO(rb_free_str)
    char *sql = rb_format("SELECT lower(%s) FROM _sqlx_migrations WHERE version = $1",
                          db->driver->hex_of_checksum);
    RB_TRY(first_text(&found, db, sql, m->id, err));
    rb_sha384_hex_of(m->up.text ? m->up.text : "", m->up.len, own);
    if (found[0] == '\0' || strcmp(found, own) == 0)
        return RB_OK;
    RB_TRY(first_text(&taken_over, db,
                      "SELECT id FROM rbtool_applied WHERE id = $1 AND release IS NULL", m->id,
                      err));
    if (taken_over[0] == '\0')
        return RB_OK;
    RB_TRY(rb_db_make_table(db, "rbtool_checksums",
                            "CREATE TABLE rbtool_checksums (up_sha256 TEXT PRIMARY KEY, checksum"
                            " TEXT NOT NULL)",
                            err));
    RB_AUTO(rb_json_freep) json_t *params = json_pack("[s,s]", m->up.sha256, found);
    return rb_db_exec(db,
                      "INSERT INTO rbtool_checksums VALUES ($1, $2)"
                      " ON CONFLICT (up_sha256) DO UPDATE SET checksum = excluded.checksum",
                      params, err);
}

/* Inserts a row as sqlx does, with the checksum that was kept when this script was undone. */
enum rb_code rb_tracking_insert_checked(rb_db *db, const rb_migration *m, int64_t nanoseconds,
                                        rb_err *err)
{
    RB_AUTO(rb_free_str) char *checksum = rb_calloc(RB_SHA384_HEX, 1);
    bool kept;
    rb_sha384_hex_of(m->up.text ? m->up.text : "", m->up.len, checksum);
    RB_TRY(rb_db_has_table(&kept, db, "rbtool_checksums", err));
    if (kept) {
        char *before = NULL;
        RB_TRY(first_text(&before, db, "SELECT checksum FROM rbtool_checksums WHERE up_sha256 = $1",
                          m->up.sha256, err));
        char *unused = before[0] ? checksum : before;
        checksum = before[0] ? before : checksum;
        free(unused);
    }
    if (strspn(checksum, "0123456789abcdef") != strlen(checksum))
        return rb_fail(err, RB_ERROR,
                       "recording migration %s for sqlx: rbtool_checksums has \"%.20s\", which is "
                       "not hexadecimal\ncorrect that row",
                       m->id, checksum);
    RB_AUTO(rb_free_str) char *description = rb_strdup(m->name ? m->name : "");
    for (char *p = description; *p; p++)
        if (*p == '_')
            *p = ' ';
    RB_AUTO(rb_json_freep)
    json_t *params = json_pack("[s,s,I]", m->id, description, (json_int_t)nanoseconds);
    RB_AUTO(rb_free_str)
    char *sql = rb_format("INSERT INTO _sqlx_migrations ( version, description, success, checksum,"
                          " execution_time ) VALUES ( $1, $2, TRUE, %s%s', $3 )",
                          db->driver->bytes_prefix, checksum);
    return rb_db_exec(db, sql, params, err);
}
