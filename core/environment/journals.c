#include "environment/journals.h"

#include <stdlib.h>

#include "base/text.h"

static int later_first(const void *a, const void *b)
{
    const rb_transition_row *left = *(rb_transition_row *const *)a;
    const rb_transition_row *right = *(rb_transition_row *const *)b;
    return (left->finished < right->finished) - (left->finished > right->finished);
}

/* Adds *row and takes ownership of it. */
static void add(rb_journals *out, rb_transition_row **row)
{
    out->pending = rb_realloc(out->pending, out->pending_count + 1, sizeof *out->pending);
    out->pending[out->pending_count++] = *row;
    *row = NULL;
}

static bool has(const rb_ledger *ledger, const char *entry)
{
    rb_oid id;
    return !entry || !rb_oid_parse(&id, entry) || rb_ledger_find(ledger, &id);
}

static const char *about(const rb_transition_row *row)
{
    return rb_text_same(row->kind, "revert") ? row->from_object : row->to_object;
}

/* Adds what other clones that share the environment wrote since the last sync. */
static enum rb_code add_unknown(rb_journals *out, const rb_ledger *ledger, rb_state *state,
                                rb_err *err)
{
    rb_transition_row **rows = NULL;
    size_t count = 0;
    bool all = true;
    for (size_t i = 0; i < out->own.n && all; i++)
        all = has(ledger, out->own.items[i]);
    if (all)
        return RB_OK;
    RB_TRY(rb_state_history(&rows, &count, state, true, err));
    for (size_t i = 0; i < count; i++) {
        bool outdated = false; /* the ledger has a newer entry about the same release */
        for (size_t j = 0; j < i && !outdated; j++) /* rows that were moved to *out are NULL */
            outdated = rows[j] && rows[j]->entry && has(ledger, rows[j]->entry) &&
                       rb_text_same(about(rows[j]), about(rows[i]));
        if (rows[i]->entry && /* without an entry the row is in the outbox */
            !has(ledger, rows[i]->entry) && !outdated)
            add(out, &rows[i]);
    }
    rb_transition_rows_free(rows, count);
    return RB_OK;
}

static enum rb_code read_journal(rb_journals *out, const rb_ledger *ledger, const char *root,
                                 rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    rb_outbox_item *items;
    size_t count;
    RB_TRY(rb_state_open(&state, root, false, err));
    if (!state || rb_state_is_copy(state)) /* entries in a copied journal may be another host's */
        return RB_OK;
    RB_TRY(rb_state_entries(&out->own, state, err));
    RB_TRY(rb_state_outbox(&items, &count, state, err));
    for (size_t i = count; i > 0; i--)
        add(out, &items[i - 1].row);
    rb_outbox_free(items, count);
    return add_unknown(out, ledger, state, err);
}

void rb_journals_read(rb_journals *out, const rb_ledger *ledger, const rb_strs *roots)
{
    *out = (rb_journals){0};
    for (size_t i = 0; i < roots->n; i++)
        (void)!read_journal(out, ledger, roots->items[i], RB_IGNORED);
    rb_strs_sort(&out->own);
    if (out->pending_count > 1)
        qsort(out->pending, out->pending_count, sizeof *out->pending, later_first);
}

void rb_journals_clear(rb_journals *journals)
{
    rb_strs_clear(&journals->own);
    rb_transition_rows_free(journals->pending, journals->pending_count);
    *journals = (rb_journals){0};
}
