/* Rows that scripts change, as SQLite's pre-update hook sees them. */
#define SQLITE_ENABLE_PREUPDATE_HOOK 1

#include <sqlite3.h>
#include <string.h>

#include "database/sqlite/watch.h"

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

/* The bytes that make a value; *number holds those of a number. */
static const void *value_bytes(size_t *len, int64_t *number, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    double real = type == SQLITE_FLOAT ? sqlite3_value_double(value) : 0;
    *len = sizeof *number;
    if (type == SQLITE_INTEGER)
        *number = sqlite3_value_int64(value);
    else if (type == SQLITE_FLOAT)
        memcpy(number, &real, sizeof real);
    else if (type == SQLITE_NULL)
        *len = 0;
    else {
        const void *data = sqlite3_value_blob(value);
        *len = (size_t)sqlite3_value_bytes(value);
        return data;
    }
    return number;
}

static bool same_value(sqlite3_value *a, sqlite3_value *b)
{
    size_t na;
    size_t nb;
    int64_t ia;
    int64_t ib;
    const void *pa = value_bytes(&na, &ia, a);
    const void *pb = value_bytes(&nb, &ib, b);
    return sqlite3_value_type(a) == sqlite3_value_type(b) && na == nb &&
           (na == 0 || memcmp(pa, pb, na) == 0);
}

typedef int value_at(sqlite3 *, int, sqlite3_value **);

static uint64_t row_hash(sqlite3 *handle, value_at *at)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (int i = 0; i < sqlite3_preupdate_count(handle); i++) {
        sqlite3_value *value = NULL;
        if (at(handle, i, &value) != SQLITE_OK || !value)
            continue;
        size_t len;
        int64_t number;
        const void *data = value_bytes(&len, &number, value);
        int type = sqlite3_value_type(value);
        hash = mix(hash, &type, sizeof type);
        hash = mix(hash, &len, sizeof len);
        hash = mix(hash, data, len);
    }
    return hash;
}

static void note_update(sqlite3 *handle, rb_watch *watch, rb_sqlite_change *change)
{
    bool lost[RB_SQLITE_COLUMNS];
    int n = sqlite3_preupdate_count(handle);
    if (n > RB_SQLITE_COLUMNS)
        n = RB_SQLITE_COLUMNS;
    for (int i = 0; i < n; i++) {
        sqlite3_value *before = NULL;
        sqlite3_value *after = NULL;
        lost[i] = sqlite3_preupdate_old(handle, i, &before) == SQLITE_OK && before &&
                  sqlite3_value_type(before) != SQLITE_NULL &&
                  sqlite3_preupdate_new(handle, i, &after) == SQLITE_OK && after &&
                  !same_value(before, after);
    }
    change->lost = lost;
    change->n = (size_t)n;
    rb_watch_change(watch, change);
    change->lost = NULL;
}

static void note_change(void *context, sqlite3 *handle, int op, const char *schema,
                        const char *table, sqlite3_int64 old_key, sqlite3_int64 new_key)
{
    const rb_sqlite_state *state = context;
    bool keyless;
    if (state->guard != RB_GUARD_SCRIPT || strcmp(schema, "main") != 0 ||
        !rb_watch_wants(state->watch, table, &keyless))
        return;
    rb_sqlite_change change = {.old_key = (uint64_t)old_key, .new_key = (uint64_t)new_key};
    if (keyless && op != SQLITE_INSERT)
        change.old_key = row_hash(handle, sqlite3_preupdate_old);
    if (keyless && op != SQLITE_DELETE)
        change.new_key = row_hash(handle, sqlite3_preupdate_new);
    change.kind = op == SQLITE_INSERT   ? RB_CHANGE_INSERT
                  : op == SQLITE_DELETE ? RB_CHANGE_DELETE
                                        : RB_CHANGE_UPDATE;
    if (op == SQLITE_UPDATE)
        note_update(handle, state->watch, &change);
    else
        rb_watch_change(state->watch, &change);
}

void rb_sqlite_note_changes(rb_sqlite *db)
{
    sqlite3_preupdate_hook(db->handle, note_change, db->owner);
}
