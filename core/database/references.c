/* Finds broken foreign key references that scripts added. */
#include <stdlib.h>

#include "base/text.h"
#include "database/driver.h"
#include "database/run.h"

typedef struct broken {
    json_int_t key; /* the hash that is compared */
    const json_t *row;
    bool known;
} broken;

static int by_key(const void *a, const void *b)
{
    const broken *x = a;
    const broken *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

/* Sorts those that are not matched yet by one of the row's hashes. */
static void sort_by(broken *items, size_t n, size_t hash)
{
    for (size_t i = 0; i < n; i++)
        items[i].key = json_integer_value(json_array_get(items[i].row, hash));
    qsort(items, n, sizeof *items, by_key);
}

static void match(broken *old, size_t n, broken *new, size_t m, size_t hash)
{
    sort_by(old, n, hash);
    sort_by(new, m, hash);
    for (size_t i = 0, j = 0; i < n && j < m;) {
        if (old[i].known || old[i].key < new[j].key) {
            i++;
        } else if (new[j].known || new[j].key < old[i].key) {
            j++;
        } else {
            old[i++].known = true;
            new[j++].known = true;
        }
    }
}

static broken *list_of(const json_t *entry, size_t *n)
{
    const json_t *rows = json_object_get(entry, "rows");
    *n = json_array_size(rows);
    broken *items = rb_calloc(*n, sizeof *items);
    for (size_t i = 0; i < *n; i++)
        items[i].row = json_array_get(rows, i);
    return items;
}

/* True if both sides list every row. Otherwise only the counts can be compared. */
static bool is_listed(const json_t *entry)
{
    return !entry || (json_int_t)json_array_size(json_object_get(entry, "rows")) ==
                         json_integer_value(json_object_get(entry, "count"));
}

int64_t rb_run_new_references(const json_t **example, const json_t *before, const json_t *after)
{
    int64_t found = rb_json_int(after, "count", 0) - rb_json_int(before, "count", 0);
    *example = json_object_get(after, "example");
    if (!before || !is_listed(before) || !is_listed(after))
        return found > 0 ? found : 0;
    size_t n;
    size_t m;
    broken *old = list_of(before, &n);
    broken *new = list_of(after, &m);
    /* Compares the hash of values first: a rebuilt table gives rows new rowids, and other rows had
     * those before. */
    match(old, n, new, m, 1);
    match(old, n, new, m, 0);
    found = 0;
    for (size_t i = 0; i < m; i++) {
        if (new[i].known)
            continue;
        if (found++ == 0)
            *example = json_array_get(new[i].row, 2);
    }
    free(old);
    free(new);
    return found;
}

static enum rb_code compare(const json_t *before, const json_t *after, const char *who,
                            const char *advice, rb_err *err)
{
    rb_json_each_member (key, entry, after) {
        const json_t *example;
        int64_t found = rb_run_new_references(&example, json_object_get(before, key), entry);
        if (found == 0)
            continue;
        RB_AUTO(rb_free_str)
        char *row = json_is_integer(example) ? rb_format(" (for example rowid %lld)",
                                                         (long long)json_integer_value(example))
                                             : rb_strdup("");
        return rb_fail(err, RB_FOUND,
                       "%s %lld row%s whose foreign key finds no parent: %s%s\nlook with PRAGMA"
                       " foreign_key_check, %s",
                       who, (long long)found, rb_text_s((uint64_t)found), key, row, advice);
    }
    return RB_OK;
}

enum rb_code rb_run_compare_references(const json_t *before, const json_t *after, rb_err *err)
{
    return compare(before, after, "the scripts leave", "fix the script or the rows", err);
}

enum rb_code rb_run_violations(json_t **out, rb_db *db, const json_t *effects, rb_err *err)
{
    if (db->driver->violations)
        return db->driver->violations(out, db, effects, err);
    *out = json_object();
    return RB_OK;
}

json_t *rb_run_mismatches(const rb_db *db)
{
    return db->driver->mismatches ? db->driver->mismatches(db) : json_object();
}

enum rb_code rb_db_references(json_t **out, rb_db *db, rb_err *err)
{
    return rb_run_violations(out, db, NULL, err);
}

enum rb_code rb_db_references_kept(rb_db *db, const json_t *before, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *after = NULL;
    RB_TRY(rb_run_violations(&after, db, NULL, err));
    return compare(before, after, "the rows that were restored leave",
                   "create the parents again, or move the backup that has the rows out of"
                   " .rbtool/backups",
                   err);
}
