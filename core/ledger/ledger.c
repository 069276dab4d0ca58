#include "ledger/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "ledger/entry_verify.h"

#define NONE SIZE_MAX

void rb_ledger_free(rb_ledger *ledger)
{
    if (!ledger)
        return;
    for (size_t i = 0; i < ledger->n; i++) {
        rb_problems_clear(&ledger->items[i].problems);
        rb_json_free(ledger->items[i].parsed);
    }
    free(ledger->items);
    rb_strs_clear(&ledger->ids);
    rb_ledger_store_free(ledger->store);
    free(ledger);
}

static int by_id(const void *a, const void *b, void *context)
{
    const rb_ledger *ledger = context;
    return memcmp(ledger->items[*(const size_t *)a].id.id, ledger->items[*(const size_t *)b].id.id,
                  RB_OID_SIZE);
}

const rb_entry *rb_ledger_find(const rb_ledger *ledger, const rb_oid *id)
{
    rb_ledger_store *store = ledger->store;
    if (!store->order) {
        store->order = rb_calloc(ledger->n + 1, sizeof *store->order);
        for (size_t i = 0; i < ledger->n; i++)
            store->order[i] = i;
        qsort_r(store->order, ledger->n, sizeof *store->order, by_id, (void *)ledger);
    }
    for (size_t low = 0, high = ledger->n; low < high;) {
        size_t middle = low + (high - low) / 2;
        const rb_entry *entry = &ledger->items[store->order[middle]];
        int order = memcmp(id->id, entry->id.id, RB_OID_SIZE);
        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Divides the entries into lines, so that the order of two entries on a line is known at once: an
 * entry continues the line of its first parent if it is the parent's first child, else begins
 * one. */
static void draw_lines(const rb_ledger *ledger)
{
    rb_ledger_store *store = ledger->store;
    /* next[i]: entry i has a child on its line */
    size_t *next = rb_calloc(ledger->n + 1, sizeof *next);
    store->chain = rb_calloc(ledger->n + 1, sizeof *store->chain);
    store->place = rb_calloc(ledger->n + 1, sizeof *store->place);
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        size_t parent = entry->parent_count > 0 ? entry->parents[0] : NONE;
        bool goes_on = parent != NONE && next[parent]++ == 0;
        store->chain[i] = goes_on ? store->chain[parent] : i;
        store->place[i] = goes_on ? store->place[parent] + 1 : 0;
    }
    free(next);
}

bool rb_ledger_before(const rb_ledger *ledger, const rb_entry *a, const rb_entry *b)
{
    rb_ledger_store *store = ledger->store;
    size_t first = (size_t)(a - ledger->items);
    size_t last = (size_t)(b - ledger->items);
    if (!store->chain)
        draw_lines(ledger);
    if (first > last)
        return false;
    if (store->chain[first] == store->chain[last])
        return true; /* both are on one line, in this order */
    bool found = false;
    size_t top = 0;
    bool *seen = rb_calloc(last + 1, sizeof *seen);
    size_t *stack = rb_calloc(last + 1, sizeof *stack);
    stack[top++] = last;
    while (!found && top > 0) {
        size_t at = stack[--top];
        const rb_entry *entry = &ledger->items[at];
        found = at >= first && store->chain[at] == store->chain[first];
        for (size_t i = 0; !found && i < entry->parent_count; i++) {
            size_t parent = entry->parents[i];
            if (parent >= first && !seen[parent]) {
                seen[parent] = true;
                stack[top++] = parent;
            }
        }
    }
    free(seen);
    free(stack);
    return found;
}

enum rb_code rb_ledger_attachment(rb_buf *out, rb_repo *repo, const rb_entry *entry,
                                  const char *name, rb_err *err)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&entry->id, hex);
    const json_t *json = rb_entry_json(entry);
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {0};
    rb_flat_file files[RB_ATTACHMENTS];
    size_t n = 0;
    RB_TRY(rb_object_read(&raw, repo, &entry->id, RB_OBJECT_COMMIT, "the ledger's entry",
                          RB_ENTRY_READ_LIMIT, err));
    if (!json || rb_entry_form_read(&form, rb_buf_str(&raw), raw.len, &problems) != RB_OK)
        return rb_fail(err, RB_FOUND, "the ledger's entry %s is malformed", hex);
    RB_TRY(rb_entry_list_attachments(files, &n, &names, repo, json, &form.tree, err));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(files[i].name, name) == 0) {
            const json_t *named = json_array_get(json_object_get(json, "attachments"), i);
            return rb_entry_read_attachment(out, repo, &files[i], named, err);
        }
    }
    return rb_fail(err, RB_FOUND, "the ledger's entry %s has no attachment %s", hex, name);
}
