#include "attest/deployment.h"

#include "base/text.h"
#include "environment/state.h"

const rb_entry *rb_deployment_find(const rb_ledger *ledger, const char *object,
                                   const char *environment)
{
    for (size_t i = ledger->n; i-- > 0;) {
        const rb_entry *entry = &ledger->items[i];
        const json_t *detail = entry->kind == RB_ENTRY_TRANSITION && entry->trust == RB_ENTRY_GOOD
                                   ? rb_entry_detail(entry)
                                   : NULL;
        if (rb_text_same(rb_json_str(detail, "toObject"), object) &&
            rb_outcome_reached(rb_json_str(detail, "outcome")) &&
            (!environment || rb_text_same(entry->environment, environment)))
            return entry;
    }
    return NULL;
}

static void add_material(json_t *list, const char *name, const char *algorithm, const char *id)
{
    json_t *digest = json_object();
    rb_json_set_str(digest, algorithm, id);
    json_array_append_new(list, rb_json_make("name:s digest:j", name, digest));
}

static void add_tag(json_t *list, const json_t *detail, const char *tag, const char *object)
{
    if (!rb_json_str(detail, tag) || !rb_json_str(detail, object))
        return;
    RB_AUTO(rb_free_str) char *name = rb_format("refs/tags/%s", rb_json_str(detail, tag));
    add_material(list, name, "gitTag", rb_json_str(detail, object));
}

json_t *rb_deployment_statement(const rb_release *release, const rb_entry *entry)
{
    char id[RB_OID_HEX];
    const json_t *detail = rb_entry_detail(entry);
    RB_AUTO(rb_json_freep) json_t *manifest = rb_manifest_encode(release->manifest);
    RB_AUTO(rb_free_str) char *started = rb_text_iso(rb_json_int(detail, "started", 0));
    RB_AUTO(rb_free_str) char *finished = rb_text_iso(rb_json_int(detail, "finished", 0));
    json_t *materials = json_array();
    rb_oid_hex(&entry->id, id);
    add_tag(materials, detail, "to", "toObject");
    if (!rb_text_same(rb_json_str(detail, "from"), rb_json_str(detail, "to")))
        add_tag(materials, detail, "from", "fromObject");
    add_material(materials, "refs/rbtool/ledger", "gitCommit", id);
    json_t *predicate = rb_json_make(
        "name:J command:j materials:j byproducts:j environment:j", json_object_get(detail, "kind"),
        json_array(), materials,
        rb_json_make("transition:J outcome:J plan:J steps:J started:s finished:s",
                     json_object_get(detail, "id"), json_object_get(detail, "outcome"),
                     json_object_get(detail, "digest"), json_object_get(detail, "steps"), started,
                     finished),
        rb_json_make("environment:s host:J rbtool:J", entry->environment,
                     json_object_get(detail, "host"), json_object_get(detail, "version")));
    return rb_json_make("_type:s subject:J predicateType:s predicate:j",
                        "https://in-toto.io/Statement/v1", json_object_get(manifest, "subject"),
                        RB_DEPLOYMENT_TYPE, predicate);
}
