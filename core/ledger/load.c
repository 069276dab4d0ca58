#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/keys.h"
#include "git/refs.h"
#include "ledger/entry_verify.h"
#include "ledger/identity.h"

#define AHEAD 86400 /* seconds that another clock may be ahead of this host's clock */
#define UNDONE SIZE_MAX
#define HELD_LIMIT ((size_t)32 << 20) /* bytes of entries that wait for verification */

/* State of a load. Entries are in the order in which the walk finds them, later in the ledger's
 * order. */
typedef struct loading {
    rb_repo *repo;
    const rb_signers *signers;
    rb_ledger *ledger;
    bool fresh;
    bool partial;
    rb_checked_entry *found;
    int64_t *when; /* for each entry, the latest time in it and its ancestors */
    /* for each entry, how many entries were finished before it: fewer for a parent */
    size_t *after;
    size_t n;
    rb_keys ids; /* index of the entries that were found */
    rb_pendings pendings;
} loading;

/* A step of the walk: an entry, and how many of its parents have been walked. */
typedef struct step {
    size_t index;
    size_t parent;
} step;

static void loading_clear(loading *l)
{
    for (size_t i = 0; l->found && i < l->n; i++)
        rb_problems_clear(&l->found[i].entry.problems);
    free(l->found);
    free(l->when);
    free(l->after);
    rb_keys_clear(&l->ids);
    rb_pendings_clear(&l->pendings);
}

static const void *id_at(const void *loading_, size_t index)
{
    const loading *l = loading_;
    return l->found[index].entry.id.id;
}

static void grow(loading *l)
{
    l->found = rb_grow(l->found, l->n, sizeof *l->found);
    l->when = rb_grow(l->when, l->n, sizeof *l->when);
    l->after = rb_grow(l->after, l->n, sizeof *l->after);
}

static enum rb_code check_sum(const loading *l, rb_err *err)
{
    if (!l->ledger->store->full)
        return RB_OK;
    return rb_fail(err, RB_ERROR,
                   "the ledger's signed entries have more than %u bytes together, which is the "
                   "limit\ngit log " RB_LEDGER_REF " shows who wrote them",
                   RB_VOUCHED_LIMIT);
}

/* Stores an entry for a commit that cannot be read. */
static void put_unreadable(rb_checked_entry *out, const rb_oid *id, rb_err *why)
{
    rb_problems_clear(&out->entry.problems);
    *out = (rb_checked_entry){.entry = {.id = *id,
                                        .kind = RB_ENTRY_KINDS,
                                        .trust = RB_ENTRY_BROKEN,
                                        .title = "cannot be read",
                                        .committer = ""},
                              .passing = true};
    rb_problems_add(&out->entry.problems, RB_ENTRY_UNREADABLE, "", "a commit", "", "%s",
                    rb_err_line(why));
}

static enum rb_code read_entry(loading *l, rb_checked_entry *out, const rb_oid *id, rb_err *err)
{
    if (rb_entry_verify_read(out, &l->pendings, l->n, l->repo, l->ledger->store, id, err) == RB_OK)
        return RB_OK;
    if (!l->partial || l->n == 0)
        return rb_err_prefix(err, "the ledger is not whole, fetch " RB_LEDGER_REF " again");
    put_unreadable(out, id, err);
    return RB_OK;
}

static enum rb_code find(loading *l, size_t *index, bool *new, const rb_oid *id, rb_err *err)
{
    *new = !rb_keys_find(index, &l->ids, id->id);
    if (!*new)
        return RB_OK;
    grow(l);
    if (l->n == RB_LEDGER_LIMIT)
        return rb_fail(
            err, RB_ERROR,
            "the ledger has more than %d entries, which is the limit\ngit log " RB_LEDGER_REF
            " shows who wrote them",
            RB_LEDGER_LIMIT);
    rb_checked_entry *judged = &l->found[l->n];
    *judged = (rb_checked_entry){0};
    l->after[l->n] = UNDONE;
    if (rb_ledger_store_get(judged, l->ledger->store, id))
        (void)rb_ledger_store_admits(l->ledger->store, judged->entry.trust, judged->entry.text_len);
    else
        RB_TRY(read_entry(l, judged, id, err));
    *index = l->n++;
    rb_keys_add(&l->ids, *index);
    if (l->pendings.bytes > HELD_LIMIT)
        RB_TRY(rb_entry_verify_all(l->found, &l->pendings, l->repo, l->signers, l->ledger->store,
                                   l->fresh, err));
    return check_sum(l, err);
}

static void leave(loading *l, const step *at, size_t *done)
{
    rb_entry *entry = &l->found[at->index].entry;
    int64_t when = entry->at;
    for (size_t i = 0; i < entry->parent_count; i++)
        if (l->when[entry->parents[i]] > when)
            when = l->when[entry->parents[i]];
    l->when[at->index] = when;
    l->after[at->index] = (*done)++;
}

/* True for a commit that is not an entry of any ledger. */
static bool is_foreign(const rb_entry *entry)
{
    return entry->trust == RB_ENTRY_FOREIGN && !entry->app;
}

/* Walks depth first, without recursion, because a ledger is as deep as it is long. */
static enum rb_code walk(loading *l, const rb_oid *tip, rb_err *err)
{
    size_t depth = 0;
    size_t done = 0;
    step *stack = rb_grow(NULL, 0, sizeof *stack);
    bool new;
    enum rb_code code = find(l, &stack[0].index, &new, tip, err);
    if (code == RB_OK) {
        stack[0].parent = 0;
        depth = 1;
    }
    while (code == RB_OK && depth > 0) {
        step *at = &stack[depth - 1];
        rb_checked_entry *judged = &l->found[at->index];
        if (at->parent == judged->entry.parent_count) {
            leave(l, at, &done);
            depth--;
            continue;
        }
        rb_oid id = judged->parents[at->parent];
        size_t index = 0;
        code = find(l, &index, &new, &id, err);
        if (code != RB_OK)
            break;
        l->found[at->index].entry.parents[at->parent++] = (uint32_t)index;
        if (!new && l->after[index] == UNDONE)
            code = rb_fail(err, RB_ERROR,
                           "the judgements kept in %s/rbtool/ledger go in a circle, which no "
                           "ledger does\nremove that file",
                           rb_repo_common_dir(l->repo));
        if (!new)
            continue;
        if (is_foreign(&l->found[at->index].entry) && is_foreign(&l->found[index].entry))
            l->found[index].entry.parent_count =
                0; /* do not follow further parents: this may be a history of code */
        stack = rb_grow(stack, depth, sizeof *stack);
        stack[depth++] = (step){.index = index};
    }
    free(stack);
    return code;
}

static int by_time(const void *a, const void *b, void *context)
{
    const loading *l = context;
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    if (l->when[x] != l->when[y])
        return l->when[x] < l->when[y] ? -1 : 1;
    return l->after[x] < l->after[y] ? -1 : 1;
}

/* Moves the entries into the ledger, parents before children, and oldest first. Works in place,
 * because a second list would double the memory for a long ledger. */
static void put_in_order(loading *l)
{
    _Static_assert(offsetof(rb_checked_entry, entry) == 0, "an entry is moved to the front");
    size_t *order = rb_calloc(l->n, sizeof *order);
    size_t *place = rb_calloc(l->n, sizeof *place);
    for (size_t i = 0; i < l->n; i++)
        order[i] = i;
    qsort_r(order, l->n, sizeof *order, by_time, l);
    for (size_t i = 0; i < l->n; i++)
        place[order[i]] = i;
    for (size_t i = 0; i < l->n; i++) {
        rb_entry *entry = &l->found[i].entry;
        for (size_t j = 0; j < entry->parent_count; j++)
            entry->parents[j] = (uint32_t)place[entry->parents[j]];
    }
    for (size_t i = 0; i < l->n; i++)
        for (size_t to; (to = place[i]) != i; place[to] = to) {
            rb_checked_entry moved = l->found[to];
            l->found[to] = l->found[i];
            l->found[i] = moved;
            place[i] = place[to];
        }
    char *list = (char *)l->found;
    for (size_t i = 0; i < l->n; i++)
        memmove(list + i * sizeof(rb_entry), list + i * sizeof(rb_checked_entry), sizeof(rb_entry));
    l->ledger->items = rb_realloc(l->found, l->n, sizeof(rb_entry));
    l->ledger->n = l->n;
    l->found = NULL;
    free(order);
    free(place);
}

/* Checks what depends on the entry's position in the ledger. */
static enum rb_code check_place(rb_ledger *ledger, const char *pinned, const char *first,
                                rb_err *err)
{
    int64_t latest = (int64_t)time(NULL) + AHEAD;
    ledger->app = pinned ? rb_ledger_store_text(ledger->store, pinned, strlen(pinned)) : NULL;
    for (size_t i = 0; i < ledger->n; i++) {
        rb_entry *entry = &ledger->items[i];
        if (!ledger->app)
            ledger->app = entry->app;
        for (size_t j = 0; j < entry->parent_count; j++) {
            const rb_entry *parent = &ledger->items[entry->parents[j]];
            char hex[RB_OID_HEX];
            rb_oid_hex(&parent->id, hex);
            if (!is_foreign(parent) || is_foreign(entry))
                continue;
            rb_problems_add(&entry->problems, "parents", "parent", "an entry", hex,
                            "the entry follows %s, which is not an entry of a ledger", hex);
            entry->trust = RB_ENTRY_BROKEN;
        }
        if (entry->app && strcmp(entry->app, ledger->app) != 0) {
            rb_problems_add(&entry->problems, "app", "app", ledger->app, entry->app,
                            "the entry is about the application %s, this ledger about %s",
                            entry->app, ledger->app);
            entry->trust = RB_ENTRY_FOREIGN;
        }
        if (entry->at > latest) {
            rb_problems_add(&entry->problems, "clock", "at", "", "",
                            "the entry's time lies in the future: its writer's clock was wrong, or "
                            "ours is");
            rb_problems_warn(&entry->problems);
        }
    }
    return rb_ledger_identify(ledger, first, err);
}

/* True if the loaded entries must not be cached because the ledger is refused. */
static bool is_refused(const loading *l)
{
    for (size_t i = 0; i < l->n; i++) {
        const rb_checked_entry *judged = &l->found[i];
        if (!judged->kept &&
            (judged->entry.trust == RB_ENTRY_BROKEN || judged->entry.trust == RB_ENTRY_FOREIGN))
            return true;
    }
    return false;
}

static enum rb_code load_from(loading *l, const rb_oid *tip, bool own, unsigned how, rb_err *err)
{
    const char *pinned = NULL;
    const char *first = NULL;
    rb_ledger_store *store = l->ledger->store;
    RB_TRY(rb_repo_setting(&pinned, l->repo, "rbtool.app", err));
    RB_TRY(rb_ledger_pinned(&first, l->repo, err));
    l->fresh = (how & RB_LEDGER_FRESH) != 0;
    l->partial = (how & RB_LEDGER_PARTIAL) != 0;
    if (!l->fresh)
        rb_ledger_store_open(store, rb_repo_common_dir(l->repo), rb_signers_digest(l->signers));
    RB_TRY(walk(l, tip, err));
    RB_TRY(rb_entry_verify_all(l->found, &l->pendings, l->repo, l->signers, store, l->fresh, err));
    RB_TRY(check_sum(l, err));
    if (own || !is_refused(l))
        rb_ledger_store_save(store, l->found, l->n);
    put_in_order(l);
    l->ledger->tip = *tip;
    RB_TRY(check_place(l->ledger, pinned && *pinned ? pinned : NULL, first, err));
    return RB_OK;
}

enum rb_code rb_ledger_load(rb_ledger **out, rb_repo *repo, const rb_signers *signers,
                            const rb_oid *tip, unsigned how, rb_err *err)
{
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = rb_calloc(1, sizeof *ledger);
    RB_AUTO(loading_clear) loading l = {.repo = repo, .signers = signers, .ledger = ledger};
    l.ids = (rb_keys){.key = id_at, .list = &l};
    ledger->repo = repo;
    ledger->signers = signers;
    rb_ref ref = {.exists = true};
    ledger->store = rb_ledger_store_new();
    if (!tip)
        RB_TRY(rb_ref_read(&ref, repo, RB_LEDGER_REF, err));
    if (ref.symbolic)
        return rb_fail(err, RB_ERROR,
                       RB_LEDGER_REF " is a symbolic ref, a ledger is not\ngit symbolic-ref "
                                     "--delete " RB_LEDGER_REF " removes it");
    if (ref.exists)
        RB_TRY(load_from(&l, tip ? tip : &ref.object, !tip, how, err));
    *out = RB_TAKE(ledger);
    return RB_OK;
}
