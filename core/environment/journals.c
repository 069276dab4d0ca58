#include "environment/journals.h"

#include <stdlib.h>

#include "base/text.h"

static int later_first(const void *a, const void *b)
{
    const rb_transition_row *left = a;
    const rb_transition_row *right = b;
    return (left->finished < right->finished) - (left->finished > right->finished);
}

/* Adds *row and takes ownership of it. */
static void add(rb_journals *out, rb_transition_row *row)
{
    rb_transition_rows *list = &out->pending;
    list->items = rb_grow(list->items, list->n, sizeof *list->items);
    list->items[list->n++] = *row;
    *row = (rb_transition_row){0};
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
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    bool all = true;
    for (size_t i = 0; i < out->own.n && all; i++)
        all = has(ledger, out->own.items[i]);
    if (all)
        return RB_OK;
    RB_TRY(rb_state_history(&rows, state, true, err));
    for (size_t i = 0; i < rows.n; i++) {
        rb_transition_row *row = &rows.items[i];
        bool outdated = false; /* the ledger has a newer entry about the same release */
        for (size_t j = 0; j < i && !outdated; j++) { /* rows that were moved to *out are empty */
            const rb_transition_row *newer = &rows.items[j];
            outdated =
                newer->entry && has(ledger, newer->entry) && rb_text_same(about(newer), about(row));
        }
        /* without an entry the row is in the outbox */
        if (row->entry && !has(ledger, row->entry) && !outdated)
            add(out, row);
    }
    return RB_OK;
}

static enum rb_code read_journal(rb_journals *out, const rb_ledger *ledger, const char *root,
                                 rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_TRY(rb_state_open(&state, root, false, err));
    if (!state || rb_state_is_copy(state)) /* entries in a copied journal may be another host's */
        return RB_OK;
    RB_TRY(rb_state_entries(&out->own, state, err));
    RB_TRY(rb_state_outbox(&rows, state, err));
    for (size_t i = rows.n; i > 0; i--)
        add(out, &rows.items[i - 1]);
    return add_unknown(out, ledger, state, err);
}

void rb_journals_read(rb_journals *out, const rb_ledger *ledger, const rb_strs *roots)
{
    *out = (rb_journals){0};
    for (size_t i = 0; i < roots->n; i++)
        (void)!read_journal(out, ledger, roots->items[i], RB_IGNORED);
    rb_strs_sort(&out->own);
    if (out->pending.n > 1)
        qsort(out->pending.items, out->pending.n, sizeof *out->pending.items, later_first);
}

void rb_journals_clear(rb_journals *journals)
{
    rb_strs_clear(&journals->own);
    rb_transition_rows_clear(&journals->pending);
    *journals = (rb_journals){0};
}
