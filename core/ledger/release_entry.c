#include "ledger/release_entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/shape.h"
#include "base/text.h"
#include "ledger/policy_internal.h"

#define PREFIX "catalog-"

typedef struct attached {
    rb_attachment items[RB_ATTACHMENTS];
    size_t n;
    rb_strs names;
    rb_buf texts[RB_ATTACHMENTS];
} attached;

static void attached_clear(attached *a)
{
    rb_strs_clear(&a->names);
    for (size_t i = 0; i < RB_ATTACHMENTS; i++)
        rb_buf_clear(&a->texts[i]);
}

bool rb_ledger_has_seen(const rb_ledger *ledger, const char *object, bool witness)
{
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        if (entry->kind == RB_ENTRY_RELEASE && entry->trust <= RB_ENTRY_UNSIGNED && entry->object &&
            strcmp(entry->object, object) == 0 &&
            (!witness || json_is_true(json_object_get(rb_entry_detail(entry), "witness"))))
            return true;
    }
    return false;
}

/* Returns the newest entry about this tag object that `fits`, by a signer in role release. */
static const rb_entry *newest(const rb_policy *policy, const char *object,
                              bool (*fits)(const rb_entry *))
{
    const rb_ledger *ledger = policy ? policy->ledger : NULL;
    for (size_t i = ledger ? ledger->n : 0; i-- > 0;) {
        const rb_entry *entry = &ledger->items[i];
        if (entry->kind == RB_ENTRY_RELEASE && rb_text_same(entry->object, object) &&
            rb_policy_counts(policy, entry, RB_ROLE_RELEASE) && fits(entry))
            return entry;
    }
    return NULL;
}

static const json_t *compatibility_of(const rb_entry *entry)
{
    return json_object_get(rb_entry_detail(entry), "compatibility");
}

static bool has_compatibility(const rb_entry *entry)
{
    return compatibility_of(entry) != NULL;
}

const json_t *rb_ledger_compatibility(const rb_policy *policy, const char *object)
{
    const rb_entry *entry = newest(policy, object, has_compatibility);
    return entry ? compatibility_of(entry) : NULL;
}

/* Attaches the catalogs. Omits a database whose name is too long for the name of an attachment; the
 * manifest has its fingerprint. */
static void attach_catalogs(attached *a, const json_t *catalogs)
{
    rb_json_each_member (name, catalog, catalogs) {
        RB_AUTO(rb_free_str) char *file = rb_format(PREFIX "%s", name);
        if (!rb_shape_is_name(file) || a->n == RB_ATTACHMENTS)
            continue;
        rb_buf *text = &a->texts[a->n];
        rb_json_canonical(text, catalog);
        if (text->len > RB_ATTACHMENT_LIMIT)
            continue;
        rb_strs_add(&a->names, file);
        a->items[a->n] = (rb_attachment){a->names.items[a->names.n - 1], text->data, text->len};
        a->n++;
    }
}

bool rb_entry_has_runbook(const rb_entry *entry)
{
    rb_json_each (item, json_object_get(rb_entry_json(entry), "attachments"))
        if (strcmp(rb_json_str(item, "name"), RB_RUNBOOK_ATTACHED) == 0)
            return true;
    return false;
}

const rb_entry *rb_ledger_runbook(const rb_policy *policy, const char *object)
{
    return newest(policy, object, rb_entry_has_runbook);
}

enum rb_code rb_ledger_see(rb_oid *out, rb_repo *repo, const rb_release *release,
                           const rb_seen *seen, const char *key, int64_t at, rb_err *err)
{
    char sha256[RB_SHA256_HEX];
    char commit[RB_OID_HEX];
    size_t len = 0;
    RB_AUTO(attached_clear) attached a = {0};
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    RB_AUTO(rb_json_freep) json_t *detail = json_object();
    RB_TRY(
        rb_tag_read_object(&tag, repo, rb_verified_object(release->verified), release->tag, err));
    const char *bytes = rb_verified_signed(release->verified, &len);
    rb_sha256_hex_of(bytes, len, sha256);
    rb_oid_hex(&release->commit, commit);
    rb_json_set_str(detail, "commit", commit);
    rb_json_set_str(detail, "sha256", sha256);
    json_object_set_new(detail, "witness", json_boolean(seen->witness));
    if (seen->compatibility)
        json_object_set(detail, "compatibility", (json_t *)seen->compatibility);
    a.items[a.n++] = (rb_attachment){"tag", rb_buf_str(&tag->raw), tag->raw.len};
    if (seen->runbook)
        a.items[a.n++] =
            (rb_attachment){RB_RUNBOOK_ATTACHED, rb_buf_str(seen->runbook), seen->runbook->len};
    attach_catalogs(&a, seen->catalogs);
    const rb_manifest *manifest = release->manifest;
    RB_AUTO(rb_free_str)
    char *title = rb_format("%s%s %s, %s", seen->witness ? "arrived: " : "", manifest->app_name,
                            manifest->app_version, manifest->class_);
    return rb_ledger_append(out, repo,
                            &(rb_draft){.kind = RB_ENTRY_RELEASE,
                                        .begins = !seen->witness,
                                        .app = manifest->app_name,
                                        .tag = release->tag,
                                        .object = release->object,
                                        .title = title,
                                        .detail = detail,
                                        .attachments = a.items,
                                        .attachment_count = a.n,
                                        .key = key,
                                        .at = at},
                            err);
}
