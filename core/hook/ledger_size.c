/* Measures what is pushed to the ledger before it is read, for pre-receive. */
#include <stdlib.h>

#include "hook/check_internal.h"
#include "ledger/entry_verify.h"

#define ENTRIES_KEY "rbtool.ledgerpushentries"
#define BYTES_KEY "rbtool.ledgerpushbytes"
#define ENTRIES 5000
#define BYTES (64u << 20)
#define UNSIGNED_KEY "rbtool.ledgerpushunsigned"
#define ALL_UNSIGNED_KEY "rbtool.ledgerunsigned"
#define UNSIGNED 1000
#define ALL_UNSIGNED 20000

struct measuring {
    rb_repo *repo;
    const rb_ledger *known;
    json_t *seen; /* ids of commits that were found */
    rb_oid *left; /* commits that are not measured yet */
    size_t left_count;
    size_t entries;
    size_t bytes;
    size_t entry_limit;
    size_t byte_limit;
    char *why;  /* reason of the refusal */
    bool unfit; /* the reason is a commit that is not an entry, not a size */
};

static void measuring_clear(struct measuring *m)
{
    rb_json_free(m->seen);
    free(m->left);
    free(m->why);
}

static enum rb_code limit_of(size_t *out, rb_repo *repo, const char *key, size_t usual, rb_err *err)
{
    const char *text;
    char *end = NULL;
    RB_TRY(rb_repo_setting(&text, repo, key, err));
    unsigned long long n = text ? strtoull(text, &end, 10) : usual;
    if (text && (*end || *text < '1' || *text > '9'))
        return rb_fail(err, RB_ERROR, "git config %s is not a number above 0: %.40s", key, text);
    *out = (size_t)n;
    return RB_OK;
}

static void add(struct measuring *m, const rb_oid *id)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(id, hex);
    if (json_object_get(m->seen, hex) || rb_ledger_find(m->known, id))
        return;
    rb_json_set_str(m->seen, hex, NULL);
    m->left = rb_realloc(m->left, m->left_count + 1, sizeof *m->left);
    m->left[m->left_count++] = *id;
}

/* Adds the size of an object. Sets m->why if that exceeds the limit. */
static enum rb_code add_bytes(struct measuring *m, const rb_oid *object, size_t *size, rb_err *err)
{
    RB_TRY(rb_object_size(size, m->repo, object, "what was pushed", err));
    m->bytes += *size;
    if (m->bytes > m->byte_limit && !m->why)
        m->why = rb_format("would get more than %zu bytes with this push, which is the limit",
                           m->byte_limit);
    return RB_OK;
}

/* Adds the sizes of a tree. Stops at a tree with folders, which check_entries() refuses. */
static enum rb_code measure_tree(struct measuring *m, const rb_oid *tree, rb_err *err)
{
    rb_flat_file files[RB_ATTACHMENTS];
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    size_t n = 0;
    size_t size;
    RB_TRY(add_bytes(m, tree, &size, err));
    if (m->why || rb_flat_read(files, &n, RB_ATTACHMENTS, &names, m->repo, tree, "the entry's tree",
                               RB_IGNORED) != RB_OK)
        return RB_OK;
    for (size_t i = 0; i < n && !m->why; i++)
        RB_TRY(add_bytes(m, &files[i].blob, &size, err));
    return RB_OK;
}

static enum rb_code measure(struct measuring *m, const rb_oid *id, rb_err *err)
{
    size_t size;
    char hex[RB_OID_HEX];
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {0};
    rb_oid_hex(id, hex);
    if (++m->entries > m->entry_limit) {
        m->why = rb_format("would get more than %zu entries with this push, which is the limit",
                           m->entry_limit);
        return RB_OK;
    }
    RB_TRY(add_bytes(m, id, &size, err));
    if (size > RB_ENTRY_LIMIT + RB_ENTRY_HEADERS_LIMIT && !m->why)
        m->why = rb_format("would get an entry of %zu bytes, %.10s; the limit is %u", size, hex,
                           RB_ENTRY_LIMIT);
    if (m->why)
        return RB_OK;
    RB_TRY(rb_object_read(&raw, m->repo, id, RB_OBJECT_COMMIT, "the ledger's entry",
                          RB_ENTRY_READ_LIMIT, err));
    if (rb_entry_form_read(&form, rb_buf_str(&raw), raw.len, &problems) != RB_OK) {
        m->unfit = true;
        m->why = rb_format("would get what is not a good entry: %.10s is %s (%s)", hex,
                           form.claims ? "broken" : "foreign", problems.items[0].message);
        return RB_OK;
    }
    for (size_t i = 0; i < form.parent_count; i++)
        add(m, &form.parents[i]);
    return measure_tree(m, &form.tree, err);
}

enum rb_code rb_ledger_guard_size(char **why, const char **next, rb_repo *repo, const rb_oid *tip,
                                  const rb_ledger *known, rb_err *err)
{
    RB_AUTO(measuring_clear)
    struct measuring m = {.repo = repo, .known = known, .seen = json_object()};
    *why = NULL;
    RB_TRY(limit_of(&m.entry_limit, repo, ENTRIES_KEY, ENTRIES, err));
    RB_TRY(limit_of(&m.byte_limit, repo, BYTES_KEY, BYTES, err));
    add(&m, tip);
    while (m.left_count > 0 && !m.why) {
        const rb_oid id = m.left[--m.left_count];
        RB_TRY(measure(&m, &id, err));
    }
    *next = m.unfit ? RB_NEXT_UNFIT
                    : "an entry cannot be made smaller; the server takes a longer history with a "
                      "larger git config rbtool.ledgerPushEntries or rbtool.ledgerPushBytes there";
    *why = RB_TAKE(m.why);
    return RB_OK;
}

enum rb_code rb_ledger_guard_unsigned(char **why, const char **next, rb_repo *repo,
                                      const rb_ledger *then, const rb_ledger *known, rb_err *err)
{
    size_t limit = 0;
    size_t all_limit = 0;
    size_t new = 0;
    size_t all = 0;
    *why = NULL;
    *next = "a host with a key (git config user.signingKey) signs its entries, and those have no "
            "limit; the server takes more with a larger git config rbtool.ledgerPushUnsigned or "
            "rbtool.ledgerUnsigned there";
    RB_TRY(limit_of(&limit, repo, UNSIGNED_KEY, UNSIGNED, err));
    RB_TRY(limit_of(&all_limit, repo, ALL_UNSIGNED_KEY, ALL_UNSIGNED, err));
    for (size_t i = 0; i < then->n; i++) {
        if (then->items[i].trust == RB_ENTRY_GOOD)
            continue;
        all++;
        new += rb_ledger_find(known, &then->items[i].id) == NULL;
    }
    if (new > limit)
        *why = rb_format("would get %zu entries that no allowed signer signed with this push, the "
                         "limit is %zu",
                         new, limit);
    else if (new > 0 && all > all_limit)
        *why = rb_format("would have %zu entries that no allowed signer signed, the limit is %zu",
                         all, all_limit);
    return RB_OK;
}
