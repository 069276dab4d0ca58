/* Finds releases whose tags are missing in this clone: what the ledger knows about them, and their
 * tag objects. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "ledger/history.h"
#include "ledger/policy_internal.h"

#define TRIES 4 /* number of attachments read from entries that no allowed signer signed */

/* True if the bytes are those of the object: computes its git id. */
static bool is_object(const rb_buf *raw, const rb_oid *object)
{
    rb_oid found;
    RB_AUTO(rb_free_str) char *head = rb_format("tag %zu", raw->len);
    rb_sha1_of(head, strlen(head) + 1, rb_buf_str(raw), raw->len, found.id);
    return rb_oid_equal(&found, object);
}

static bool keeps(const rb_entry *entry, const char *tag, const char *object)
{
    return entry->kind == RB_ENTRY_RELEASE && entry->trust != RB_ENTRY_BROKEN &&
           entry->trust != RB_ENTRY_FOREIGN && rb_text_same(entry->tag, tag) &&
           rb_text_same(entry->object, object);
}

/* Reads the tag object attached to an entry; NULL if the entry has none, its blob is missing, or it
 * is another object. */
static rb_tag *read_kept(const rb_policy *policy, const rb_entry *entry, const rb_oid *oid)
{
    RB_AUTO(rb_tag_freep) rb_tag *found = rb_calloc(1, sizeof *found);
    rb_err why;
    if (rb_ledger_attachment(&found->raw, policy->ledger->repo, entry, RB_KEPT_TAG, &why) !=
            RB_OK ||
        !is_object(&found->raw, oid))
        return NULL;
    found->name = rb_strdup(entry->tag);
    found->object = *oid;
    found->annotated = true;
    rb_tag *out = found;
    found = NULL;
    return out;
}

/* It does not matter who signed the entry, because the tag object is checked by its own id and
 * signature. But attachments may be large: entries of allowed signers are tried first, and only a
 * few of others. */
void rb_ledger_stored_tag(rb_tag **out, const rb_policy *policy, const char *tag,
                          const char *object)
{
    rb_oid oid;
    *out = NULL;
    if (!rb_oid_parse(&oid, object))
        return;
    for (int good = 1; good >= 0; good--) {
        size_t tries = good ? SIZE_MAX : TRIES;
        for (size_t i = 0; i < policy->ledger->n && tries > 0 && !*out; i++) {
            const rb_entry *entry = &policy->ledger->items[i];
            if (!keeps(entry, tag, object) || (entry->trust == RB_ENTRY_GOOD) != (good == 1))
                continue;
            *out = read_kept(policy, entry, &oid);
            tries--;
        }
    }
}

const rb_entry *rb_ledger_gap(const rb_policy *policy, const char *tag, const char *object)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, tag);
    for (size_t i = count; i-- > 0;) {
        const rb_entry *entry = &policy->ledger->items[about[i].entry];
        if (entry->kind == RB_ENTRY_GAP && rb_text_same(entry->object, object) &&
            (rb_policy_counts(policy, entry, RB_ROLE_MARK) ||
             rb_policy_counts(policy, entry, RB_ROLE_POLICY)))
            return entry;
    }
    return NULL;
}

/* Finds a release's tag object in the ledger. Objects that were given up are not used. */
static enum rb_code find_tag(const void *context, rb_tag **out, const char *tag, const char *object,
                             rb_err *err)
{
    (void)err;
    *out = NULL;
    if (!rb_ledger_gap(context, tag, object))
        rb_ledger_stored_tag(out, context, tag, object);
    return RB_OK;
}

static bool is_receipt(const rb_entry *entry)
{
    return json_is_true(json_object_get(rb_entry_detail(entry), "witness"));
}

/* True if an authorised signer recorded this release. */
static bool made(const rb_policy *policy, const rb_entry *entry)
{
    return entry->kind == RB_ENTRY_RELEASE && !is_receipt(entry) &&
           rb_policy_counts(policy, entry, RB_ROLE_RELEASE);
}

/* True if a server received the release or an environment ran it. */
static bool used(const rb_policy *policy, const rb_entry *entry)
{
    return (entry->kind == RB_ENTRY_RELEASE && is_receipt(entry) &&
            rb_policy_counts(policy, entry, RB_ROLE_WITNESS)) ||
           (entry->kind == RB_ENTRY_TRANSITION && rb_policy_counts(policy, entry, RB_ROLE_MARK));
}

static bool is_used(const rb_policy *policy, const char *tag, const char *object)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, tag);
    for (size_t i = 0; i < count; i++) {
        const rb_entry *entry = &policy->ledger->items[about[i].entry];
        if (rb_text_same(entry->object, object) && used(policy, entry))
            return true;
    }
    return false;
}

void rb_history_in_use(char **why, const rb_policy *policy, const rb_chain *chain, const char *tag,
                       const char *object)
{
    size_t count;
    const rb_chain_item *item = rb_chain_find(chain, tag);
    const rb_about *about = rb_policy_about(&count, policy, tag);
    *why = NULL;
    if (item && item->named && rb_text_same(item->object, object))
        *why = rb_strdup("a release follows it");
    for (size_t i = 0; i < count && !*why; i++) {
        const rb_entry *entry = &policy->ledger->items[about[i].entry];
        char hex[RB_OID_HEX];
        rb_oid_hex(&entry->id, hex);
        if (!rb_text_same(entry->object, object) || entry->trust == RB_ENTRY_BROKEN ||
            entry->trust == RB_ENTRY_FOREIGN)
            continue;
        if (entry->kind == RB_ENTRY_RELEASE && is_receipt(entry))
            *why = rb_format("a server received it (entry %.10s)", hex);
        else if (entry->kind == RB_ENTRY_TRANSITION)
            *why = rb_format("%s had it (entry %.10s)",
                             entry->environment ? entry->environment : "an environment", hex);
    }
}

/* Returns, as keys, the tags in this clone that lead to a recorded release that was not given
 * up. */
static json_t *made_and_here(const rb_policy *policy, const rb_tags_here *here)
{
    json_t *tags = json_object();
    for (size_t i = 0; i < policy->ledger->n; i++) {
        const rb_entry *entry = &policy->ledger->items[i];
        if (entry->tag && entry->object &&
            rb_text_same(rb_tags_here_find(here, entry->tag), entry->object) &&
            made(policy, entry) && !rb_ledger_gap(policy, entry->tag, entry->object))
            rb_json_set_str(tags, entry->tag, NULL);
    }
    return tags;
}

/*
 * Lists the releases that the ledger knows, each tag and object once. Of several objects of one
 * name, lists the one whose tag exists here, and omits earlier ones that were recreated before they
 * were used.
 */
static void list_known(const void *context, rb_known_releases *out, const rb_tags_here *here)
{
    const rb_policy *policy = context;
    RB_AUTO(rb_json_freep) json_t *found = json_object();
    RB_AUTO(rb_json_freep) json_t *newest = made_and_here(policy, here);
    for (size_t i = policy->ledger->n; i-- > 0;) {
        const rb_entry *entry = &policy->ledger->items[i];
        if (!entry->tag || !entry->object)
            continue;
        bool is_here = rb_text_same(rb_tags_here_find(here, entry->tag), entry->object);
        bool its_own = made(policy, entry);
        bool again = its_own && json_object_get(newest, entry->tag);
        if (its_own && !again)
            rb_json_set_str(newest, entry->tag, NULL);
        if (is_here || again || (!its_own && !used(policy, entry)))
            continue;
        RB_AUTO(rb_free_str) char *key = rb_format("%s %s", entry->object, entry->tag);
        if (json_object_get(found, key))
            continue;
        rb_json_set_str(found, key, NULL);
        if (!rb_ledger_gap(policy, entry->tag, entry->object))
            rb_known_releases_add(out, entry->tag, entry->object,
                                  is_used(policy, entry->tag, entry->object));
    }
}

enum rb_code rb_history_absent(rb_known_releases *out, const rb_policy *policy, rb_err *err)
{
    RB_AUTO(rb_tag_refs_clear) rb_tag_refs refs = {0};
    RB_AUTO(rb_known_releases_clear) rb_known_releases known = {0};
    RB_AUTO(rb_tags_here_clear) rb_tags_here here = {0};
    RB_TRY(rb_tag_refs_read(&refs, policy->ledger->repo, err));
    for (size_t i = 0; i < refs.n; i++) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&refs.items[i].object, hex);
        rb_tags_here_add(&here, refs.items[i].name, hex);
    }
    list_known(policy, &known, &here);
    for (size_t i = 0; i < known.n; i++) {
        const rb_link *link = &known.items[i];
        if (rb_tags_here_find(&here, link->tag))
            continue;
        rb_tags_here_add(&here, link->tag, link->object);
        rb_known_releases_add(out, link->tag, link->object, known.used[i]);
    }
    return RB_OK;
}

void rb_history_more(rb_chain_more *more, const rb_policy *policy)
{
    more->find_tag = find_tag;
    more->list_known = list_known;
    more->context = policy;
}

/* Opens the newest release of that name whose attached tag object verifies. */
static void open_kept(rb_release **out, const rb_policy *policy, const char *tag,
                      const char *object)
{
    size_t count;
    const rb_about *about = rb_policy_about(&count, policy, tag);
    for (size_t i = count; i-- > 0 && !*out;) {
        const rb_entry *entry = &policy->ledger->items[about[i].entry];
        RB_AUTO(rb_tag_freep) rb_tag *kept = NULL;
        RB_AUTO(rb_problems_clear) rb_problems problems = {0};
        rb_err why;
        if (!entry->object || (object && !rb_text_same(entry->object, object)) ||
            !(made(policy, entry) || used(policy, entry)) ||
            rb_ledger_gap(policy, tag, entry->object))
            continue;
        rb_ledger_stored_tag(&kept, policy, tag, entry->object);
        if (kept && rb_release_open_tag(out, policy->ledger->repo, policy->ledger->signers, kept,
                                        &problems, &why) != RB_OK)
            *out = NULL;
    }
}

void rb_history_open_missing(rb_release **out, const rb_policy *policy, const char *tag,
                             const char *object)
{
    RB_AUTO(rb_tag_freep) rb_tag *here = NULL;
    rb_err why;
    *out = NULL;
    enum rb_code code = rb_tag_read(&here, policy->ledger->repo, tag, &why);
    if (code == RB_FOUND || (code == RB_OK && !rb_manifest_is_in(here)))
        open_kept(out, policy, tag, object);
}
