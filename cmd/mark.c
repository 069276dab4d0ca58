#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "git/tag.h"
#include "ledger/history.h"
#include "ledger_write.h"
#include "release_status.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_TEXT("message", 'm', "WHY", "the reason", why),
    RB_TEXT("env", 'e', "NAME", "the environment where it was seen", env),
    RB_OPTION_KEY,
    RB_TEXT("object", 0, "ID", "gap: which lost object, if releases name several", object),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

/* Finds the release's tag object. A release that does not verify can be marked bad, but not good.
 */
static enum rb_code find_object(char object[RB_OID_HEX], rb_cli *cli, const char *tag, bool good,
                                rb_err *err)
{
    RB_TRY(rb_session_ledger(&cli->session, err));
    if (good) {
        RB_AUTO(rb_release_freep) rb_release *release = NULL;
        RB_AUTO(rb_problems_clear) rb_problems problems = {0};
        RB_TRY(rb_session_release(&release, &cli->session, tag, NULL, err));
        RB_TRY(rb_policy_check_release(&problems, cli->session.policy, release, err));
        memcpy(object, release->object, RB_OID_HEX);
        return RB_OK;
    }
    RB_AUTO(rb_tag_freep) rb_tag *found = NULL;
    RB_TRY(rb_session_tag(&found, &cli->session, tag, err));
    if (!found->annotated || !rb_manifest_is_in(found))
        return rb_fail(err, RB_FOUND, "tag %s is not a release: it has no manifest", tag);
    rb_oid_hex(&found->object, object);
    return RB_OK;
}

/* Finds an existing release that may be declared a gap, because nothing uses it. */
static enum rb_code find_unused(char object[RB_OID_HEX], const rb_tag *tag, const rb_policy *policy,
                                const rb_chain *chain, rb_err *err)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    if (!tag->annotated || !rb_manifest_is_in(tag))
        return rb_fail(err, RB_FOUND, "%s is not a gap: that tag is here, and is not a release",
                       tag->name);
    rb_oid_hex(&tag->object, object);
    rb_history_in_use(&why, policy, chain, tag->name, object);
    if (why)
        return rb_fail(err, RB_FOUND,
                       "%s is not a gap: that tag is here, and %s\na release that is bad is marked "
                       "bad: rbtool mark %s bad -m WHY",
                       tag->name, why, tag->name);
    return RB_OK;
}

/* Finds the object to declare a gap: the one that releases follow or the ledger records under this
 * tag and that this clone lacks, else the tag that is here. */
static enum rb_code find_missing(char object[RB_OID_HEX], bool *here, rb_cli *cli, const char *tag,
                                 const char *wanted, rb_err *err)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    RB_AUTO(rb_strs_clear) rb_strs missing = {0};
    RB_AUTO(rb_tag_freep) rb_tag *found = NULL;
    char present[RB_OID_HEX] = "";
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_history_load(&chain, cli->session.policy, NULL, err));
    enum rb_code code = rb_tag_read(&found, cli->session.repo, tag, RB_IGNORED);
    bool exists = code == RB_OK;
    rb_history_missing(&missing, chain, tag, code != RB_FOUND);
    if (exists)
        rb_oid_hex(&found->object, present);
    *here = exists && (wanted ? strcmp(wanted, present) == 0 : missing.n == 0);
    if (*here)
        return find_unused(object, found, cli->session.policy, chain, err);
    if (missing.n == 0 || (wanted && !rb_strs_has(&missing, wanted)))
        return rb_fail(
            err, RB_FOUND,
            "%s is not a gap: no release here follows %s%sof that name, nor does the ledger "
            "know of it",
            tag, wanted ? wanted : "one", wanted ? ", " : " ");
    if (missing.n > 1 && !wanted)
        return rb_fail(err, RB_ERROR,
                       "%zu objects are known as %s\nname the missing one: --object %s, or "
                       "--object %s",
                       missing.n, tag, missing.items[0], missing.items[1]);
    snprintf(object, RB_OID_HEX, "%s", wanted ? wanted : missing.items[0]);
    return RB_OK;
}

/* Writes the entry and prints it. text: what it is about; next: a hint, or NULL. */
static enum rb_code write_entry(rb_cli *cli, const rb_draft *draft, const rb_caller *caller,
                                const char *text, const char *next, rb_err *err)
{
    rb_oid id;
    RB_TRY(rb_ledger_write_entry(&id, cli, draft, err));
    if (cli->json) {
        rb_ui_document(cli, rb_ledger_write_document(draft, caller, &id));
        return RB_OK;
    }
    rb_ui_line("%s, says %s (entry %.10s)", text, caller->principal, rb_ledger_write_id(&id).hex);
    if (next)
        rb_ui_line("%s", next);
    rb_ledger_write_hint(cli);
    return RB_OK;
}

static enum rb_code mark_gap(rb_cli *cli, const rb_options *o, const char *tag, rb_err *err)
{
    char object[RB_OID_HEX];
    bool here;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    if (rb_ledger_write_caller(&caller, cli, RB_ROLE_POLICY, o->key, "a gap", RB_IGNORED) !=
        RB_OK) {
        rb_caller_clear(&caller);
        RB_TRY(rb_ledger_write_caller(&caller, cli, RB_ROLE_MARK, o->key, "a gap", err));
    }
    RB_TRY(find_missing(object, &here, cli, tag, o->object, err));
    RB_AUTO(rb_json_freep) json_t *detail = json_pack("{s:s}", "why", o->why);
    const rb_draft draft = {.kind = RB_ENTRY_GAP,
                            .tag = tag,
                            .object = object,
                            .title = o->why,
                            .detail = detail,
                            .key = o->key,
                            .must_sign = true};
    RB_AUTO(rb_free_str)
    char *text = rb_format("%sgap%s %s (%s) is %s", rb_ui_color(RB_YELLOW), rb_ui_color(RB_PLAIN),
                           tag, object, here ? "given up" : "lost");
    RB_AUTO(rb_free_str)
    char *next = here ? rb_format("the name is free after: git tag -d %s", tag) : NULL;
    return write_entry(cli, &draft, &caller, text, next, err);
}

static enum rb_code mark_verdict(rb_cli *cli, const rb_options *o, const char *tag,
                                 const char *verdict, rb_err *err)
{
    char object[RB_OID_HEX];
    bool good = strcmp(verdict, "good") == 0;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_TRY(rb_ledger_write_caller(&caller, cli, RB_ROLE_MARK, o->key, "a verdict", err));
    RB_TRY(find_object(object, cli, tag, good, err));
    RB_AUTO(rb_json_freep)
    json_t *detail = json_pack("{s:s,s:s,s:n}", "verdict", verdict, "why", o->why, "transition");
    RB_AUTO(rb_free_str) char *title = rb_format("%s: %s", verdict, o->why);
    const rb_draft draft = {.kind = RB_ENTRY_VERDICT,
                            .tag = tag,
                            .object = object,
                            .environment = o->env,
                            .title = title,
                            .detail = detail,
                            .key = o->key,
                            .must_sign = true};
    RB_AUTO(rb_free_str)
    char *text = rb_format("%s%s%s %s", rb_ui_color(good ? RB_GREEN : RB_RED), verdict,
                           rb_ui_color(RB_PLAIN), tag);
    return write_entry(cli, &draft, &caller, text, NULL, err);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const char *word = o->argv[1];
    bool gap = strcmp(word, "gap") == 0;
    if (!gap && strcmp(word, "good") != 0 && strcmp(word, "bad") != 0)
        return rb_fail(err, RB_ERROR, "a verdict is good or bad (or gap), not '%s'", word);
    if (!o->why || !*o->why)
        return rb_fail(err, RB_ERROR, "a verdict needs a reason: -m WHY");
    if (gap ? o->env != NULL : o->object != NULL)
        return rb_fail(err, RB_ERROR, "%s for %s", gap ? "--env is not" : "--object is", "gap");
    if (o->env && !rb_shape_is_name(o->env))
        return rb_fail(err, RB_ERROR, "'%s' is not a name of an environment", o->env);
    return gap ? mark_gap(cli, o, o->argv[0], err) : mark_verdict(cli, o, o->argv[0], word, err);
}

RB_COMMAND(mark, "TAG good|bad|gap", "record that a release is good, bad, or lost", RB_GROUP_PEOPLE,
           2, 2, RB_CHANGES);
