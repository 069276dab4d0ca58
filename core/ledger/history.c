#include "ledger/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "git/object.h"
#include "ledger/policy_internal.h"
#include "ledger/verdict.h"

static size_t link_count(const rb_chain_item *item)
{
    return item->listed ? item->listed->link_count : 0;
}

/* Returns the problem with a part of link i of the item: "tag" or "object". */
static rb_problem *problem_of(rb_chain_item *item, size_t i, const char *code, const char *part)
{
    RB_AUTO(rb_free_str) char *field = rb_chain_link_field(item->listed, i, part);
    for (size_t j = 0; j < item->problems.n; j++) {
        rb_problem *problem = &item->problems.items[j];
        if (rb_text_same(problem->code, code) && rb_text_same(problem->field, field) &&
            !problem->warning)
            return problem;
    }
    return NULL;
}

static void accept_gaps(rb_chain_item *item, const rb_policy *policy)
{
    for (size_t i = 0; i < link_count(item); i++) {
        const rb_link *link = &item->listed->links[i];
        rb_problem *problem = problem_of(item, i, "unknown", "tag");
        const rb_entry *gap = problem ? rb_ledger_gap(policy, link->tag, link->object) : NULL;
        if (!gap)
            continue;
        const char *why = rb_json_str(rb_entry_detail(gap), "why");
        char id[RB_OID_HEX];
        rb_oid_hex(&gap->id, id);
        free(problem->message);
        problem->message =
            rb_format("%s: %s: it follows %s, which is lost; %s says so: %.200s "
                      "(gap, entry %.10s)",
                      item->tag, problem->field, link->tag, gap->principal, why ? why : "", id);
        problem->warning = true;
    }
}

/* Adds to the problem that the ledger has the predecessor's object, which helps to decide which of
 * the two tags is right. */
static void tell_kept(rb_chain_item *item, const rb_policy *policy)
{
    for (size_t i = 0; i < link_count(item); i++) {
        const rb_link *link = &item->listed->links[i];
        rb_problem *problem = problem_of(item, i, "moved", "object");
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        if (problem)
            rb_ledger_stored_tag(&tag, policy, link->tag, link->object);
        if (!tag)
            continue;
        char *said = problem->message;
        RB_AUTO(rb_free_str)
        char *back = rb_chain_back(policy->ledger->repo, link->tag, link->object);
        problem->message = rb_format("%s; the ledger kept the first one, too: %s", said, back);
        free(said);
    }
}

static char *ask_bad(const void *context, const char *tag, const char *object)
{
    const rb_policy *policy = context;
    rb_verdict_decision judgement;
    rb_verdict_of(&judgement, policy->ledger, policy, NULL, tag, object);
    return judgement.verdict == RB_VERDICT_BAD ? rb_strdup("by a verdict in the ledger") : NULL;
}

/* Adds what ledger and policy report about each release that verifies. */
static enum rb_code judge(rb_chain *chain, const rb_policy *policy, rb_err *err)
{
    rb_chain_mark_bad(chain, ask_bad, policy);
    for (size_t i = 0; i < chain->n; i++) {
        rb_chain_item *item = &chain->items[i];
        if (!item->listed)
            continue;
        const rb_signed_release release = {item->tag, item->object, item->listed->signer,
                                           item->listed->fingerprint};
        if (item->problems.n > 0) {
            accept_gaps(item, policy);
            tell_kept(item, policy);
        }
        enum rb_code code = rb_policy_check_signed(&item->problems, policy, &release, err);
        if (code != RB_OK && code != RB_FOUND)
            return code;
    }
    return RB_OK;
}

enum rb_code rb_history_load(rb_chain **out, const rb_policy *policy, const rb_chain_more *how,
                             rb_err *err)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    const rb_ledger *ledger = policy->ledger;
    rb_chain_more more = how ? *how : (rb_chain_more){0};
    rb_history_more(&more, policy);
    RB_TRY(rb_chain_load(&chain, ledger->repo, ledger->signers, &more, err));
    RB_TRY(judge(chain, policy, err));
    *out = RB_TAKE(chain);
    return RB_OK;
}

static bool is_ok(const rb_chain_item *item)
{
    return item->listed && !rb_problems_any(&item->problems);
}

const rb_chain_item *rb_history_trusted(const rb_chain *chain)
{
    const rb_chain_item *oldest = NULL;
    for (size_t i = 0; i < chain->n && is_ok(&chain->items[i]); i++)
        oldest = &chain->items[i];
    return oldest;
}

/* Goes from the oldest release on, so that the result of a predecessor is known. */
void rb_history_since(size_t *since, const rb_chain *chain)
{
    RB_AUTO(rb_json_freep) json_t *index = json_object();
    for (size_t i = chain->n; i-- > 0;) {
        const rb_chain_item *item = &chain->items[i];
        since[i] = SIZE_MAX;
        if (!is_ok(item))
            continue;
        const rb_link *previous = item->listed->previous;
        int64_t at = previous ? rb_json_int(index, previous->tag, -1) : -1;
        bool holds = at >= 0 && strcmp(chain->items[at].object, previous->object) == 0 &&
                     strcmp(chain->items[at].listed->sha256, previous->sha256) == 0;
        since[i] = holds && since[at] != SIZE_MAX ? since[at] : i;
        if (json_object_set_new(index, item->tag, json_integer((json_int_t)i)) != 0)
            continue; /* not UTF-8, so no manifest can contain it */
    }
}

/* True if the tag in this clone is the object that the link names. */
static bool is_here(const rb_chain *chain, const rb_link *link)
{
    const rb_chain_item *item = rb_chain_find(chain, link->tag);
    return item && !item->lost && strcmp(item->object, link->object) == 0;
}

/* Adds the objects that the ledger knows under the item's tag and that this clone does not have. */
static void add_known(rb_strs *objects, const rb_chain_item *item)
{
    if (item->lost)
        rb_strs_add(objects, item->object);
    for (size_t i = 0; i < item->problems.n; i++) {
        const rb_problem *moved = &item->problems.items[i];
        rb_oid id;
        if (rb_text_same(moved->code, "moved") && rb_text_same(moved->field, "object") &&
            rb_oid_parse(&id, moved->expected) && !rb_strs_has(objects, moved->expected))
            rb_strs_add(objects, moved->expected);
    }
}

void rb_history_missing(rb_strs *objects, const rb_chain *chain, const char *tag, bool replaced)
{
    RB_AUTO(rb_strs_clear) rb_strs followed = {0};
    RB_AUTO(rb_strs_clear) rb_strs known = {0};
    for (size_t i = 0; i < chain->n; i++)
        for (size_t j = 0; j < link_count(&chain->items[i]); j++) {
            const rb_link *link = &chain->items[i].listed->links[j];
            if (strcmp(link->tag, tag) == 0 && !is_here(chain, link) &&
                !rb_strs_has(&followed, link->object))
                rb_strs_add(&followed, link->object);
        }
    const rb_chain_item *item = rb_chain_find(chain, tag);
    if (item)
        add_known(&known, item);
    for (size_t i = 0; i < followed.n && !replaced; i++)
        rb_strs_add(objects, followed.items[i]);
    for (size_t i = 0; i < known.n; i++)
        if (!rb_strs_has(&followed, known.items[i]))
            rb_strs_add(objects, known.items[i]);
}

void rb_restoring_clear(rb_restoring *restoring)
{
    for (size_t i = 0; i < restoring->n; i++)
        free(restoring->items[i].tag);
    free(restoring->items);
    *restoring = (rb_restoring){0};
}

/* Finds a tag object in the ledger that matches the link: name, id, hash of the signed bytes (if it
 * has one), and a good signature. */
static void find_kept(rb_tag **out, const rb_link *link, const rb_policy *policy)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    rb_err why;
    size_t len;
    char sha256[RB_SHA256_HEX];
    *out = NULL;
    rb_ledger_stored_tag(&tag, policy, link->tag, link->object);
    if (!tag || rb_release_open_tag(&release, policy->ledger->repo, policy->ledger->signers, tag,
                                    &problems, &why) != RB_OK)
        return;
    const char *bytes = rb_verified_signed(release->verified, &len);
    rb_sha256_hex_of(bytes, len, sha256);
    if (*link->sha256 && strcmp(sha256, link->sha256) != 0)
        return;
    *out = RB_TAKE(tag);
}

static bool has_restored(const rb_restoring *restoring, const char *object)
{
    for (size_t i = 0; i < restoring->n; i++)
        if (strcmp(restoring->items[i].object, object) == 0)
            return true;
    return false;
}

static enum rb_code restore_one(rb_restoring *out, const rb_chain *chain, const rb_link *link,
                                const rb_policy *policy, rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    RB_AUTO(rb_tag_freep) rb_tag *here = NULL;
    rb_oid written;
    if (is_here(chain, link) || has_restored(out, link->object))
        return RB_OK;
    find_kept(&tag, link, policy);
    if (!tag)
        return RB_OK;
    RB_TRY(rb_object_write(&written, policy->ledger->repo, RB_OBJECT_TAG, tag->raw.data,
                           tag->raw.len, err));
    out->items = rb_realloc(out->items, out->n + 1, sizeof *out->items);
    rb_restored *restored = &out->items[out->n++];
    *restored = (rb_restored){.tag = rb_strdup(link->tag)};
    rb_oid_hex(&written, restored->object);
    if (rb_tag_read(&here, policy->ledger->repo, link->tag, RB_IGNORED) == RB_OK)
        rb_oid_hex(&here->object, restored->here);
    return RB_OK;
}

/* Restores what only the ledger knows under the item's name. */
static enum rb_code restore_known(rb_restoring *out, const rb_chain *chain,
                                  const rb_chain_item *item, const rb_policy *policy, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs known = {0};
    add_known(&known, item);
    for (size_t i = 0; i < known.n; i++) {
        rb_link link = {.tag = item->tag};
        memcpy(link.object, known.items[i], sizeof link.object);
        RB_TRY(restore_one(out, chain, &link, policy, err));
    }
    return RB_OK;
}

enum rb_code rb_history_restore(rb_restoring *out, const rb_chain *chain, const rb_policy *policy,
                                rb_err *err)
{
    for (size_t i = 0; i < chain->n; i++) {
        const rb_chain_item *item = &chain->items[i];
        for (size_t j = 0; j < link_count(item); j++)
            RB_TRY(restore_one(out, chain, &item->listed->links[j], policy, err));
        RB_TRY(restore_known(out, chain, item, policy, err));
    }
    return RB_OK;
}
