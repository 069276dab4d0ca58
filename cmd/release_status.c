#include "release_status.h"

#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "env_session.h"
#include "ledger/judge.h"
#include "ledger_write.h"
#include "ui.h"

/* Cache for looking up one release after another, valid for one state of the ledger. */
struct rb_release_facts {
    size_t reading; /* number of the ledger's reading that the entries are borrowed from */
    rb_journals journals;
    const rb_entry **overrides; /* newest first */
    size_t override_count;
    rb_judgement broken; /* rules that transitions broke */
};

void rb_release_facts_free(rb_cli *cli)
{
    if (!cli->facts)
        return;
    rb_journals_clear(&cli->facts->journals);
    free(cli->facts->overrides);
    rb_judgement_clear(&cli->facts->broken);
    free(cli->facts);
    cli->facts = NULL;
}

static void find_overrides(rb_release_facts *facts, const rb_ledger *ledger)
{
    facts->overrides = rb_calloc(ledger->n + 1, sizeof *facts->overrides);
    for (size_t i = ledger->n; i > 0; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        if (entry->kind == RB_ENTRY_OVERRIDE && entry->trust != RB_ENTRY_FOREIGN &&
            entry->trust != RB_ENTRY_BROKEN)
            facts->overrides[facts->override_count++] = entry;
    }
}

static const rb_release_facts *facts_of(rb_cli *cli)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    rb_session *s = &cli->session;
    if (cli->facts && cli->facts->reading == s->ledger_reading)
        return cli->facts;
    rb_release_facts_free(cli);
    rb_release_facts *facts = cli->facts = rb_calloc(1, sizeof *cli->facts);
    facts->reading = s->ledger_reading;
    find_overrides(facts, s->ledger);
    rb_judge_transitions(&facts->broken, s->policy, true);
    if (rb_env_session_names(&names, &roots, cli, RB_IGNORED) == RB_OK)
        rb_journals_read(&facts->journals, s->ledger, &roots);
    return facts;
}

const rb_journals *rb_release_journals(rb_cli *cli)
{
    return &facts_of(cli)->journals;
}

const char *rb_release_verdict(char **why, rb_cli *cli, const char *tag, const char *object)
{
    rb_verdict_summary found;
    rb_known_verdict(&found, &cli->session, rb_release_journals(cli), tag, object);
    *why = found.why;
    return rb_verdict_name(found.verdict);
}

json_t *rb_release_overrides(rb_cli *cli, const char *object, const char *environment)
{
    json_t *list = json_array();
    const rb_release_facts *facts = facts_of(cli);
    for (size_t i = 0; i < facts->override_count; i++) {
        const rb_entry *entry = facts->overrides[i];
        if (!rb_text_same(entry->object, object) ||
            (environment && !rb_text_same(entry->environment, environment)))
            continue;
        const json_t *detail = rb_entry_detail(entry);
        const char *by = entry->principal ? entry->principal : entry->committer;
        json_array_append_new(list,
                              rb_json_make("rule:s why:s environment:s by:t signed:b at:i",
                                           rb_json_str(detail, "rule"), rb_json_str(detail, "why"),
                                           entry->environment, by, entry->trust == RB_ENTRY_GOOD,
                                           (int64_t)entry->at));
    }
    return list;
}

json_t *rb_release_broken(rb_cli *cli, const char *object, const char *environment, bool approvals)
{
    json_t *list = json_array();
    const rb_judgement *broken = &facts_of(cli)->broken;
    for (size_t i = broken->n; i > 0; i--) {
        const rb_judged *found = &broken->items[i - 1];
        const rb_entry *entry = found->entry;
        if (!rb_text_same(found->object, object) ||
            (environment && !rb_text_same(entry->environment, environment)) ||
            rb_text_same(found->rule, "approvals") != approvals)
            continue;
        const char *by = entry->principal ? entry->principal : entry->committer;
        json_t *item = rb_json_make("kind:s environment:s by:t signed:b at:i entry:s",
                                    rb_json_str(rb_entry_detail(entry), "kind"), entry->environment,
                                    by, entry->trust == RB_ENTRY_GOOD, (int64_t)entry->at,
                                    rb_ledger_write_id(&entry->id).hex);
        RB_AUTO(rb_free_str) char *needed = rb_judged_needed(found);
        RB_AUTO(rb_free_str) char *had = rb_judged_found(found);
        if (approvals)
            rb_json_set(item, "needed:i given:i", found->needed, found->found);
        else
            rb_json_set(item, "rule:s needed:s found:s", found->rule, needed, had);
        json_array_append_new(list, item);
    }
    return list;
}

/* Adds the names of the environments for which approvals may be needed. */
static void add_places(rb_strs *out, rb_cli *cli)
{
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    if (rb_env_session_names(out, &roots, cli, RB_IGNORED) != RB_OK)
        rb_strs_clear(out);
    const json_t *policy = rb_policy_json(cli->session.policy);
    rb_json_each_member (name, value, json_object_get(policy, "environments"))
        if (strcmp(name, "*") != 0 && !rb_strs_has(out, name))
            rb_strs_add(out, name);
    rb_strs_sort(out);
}

json_t *rb_release_approvals(rb_cli *cli, const rb_release *release, const char *environment)
{
    RB_AUTO(rb_strs_clear) rb_strs places = {0};
    json_t *list = json_array();
    if (environment)
        rb_strs_add(&places, environment);
    else
        add_places(&places, cli);
    for (size_t i = 0; i < places.n; i++) {
        rb_approvals approvals = {0};
        rb_approvals_count(&approvals, cli->session.policy, release, places.items[i], "deploy");
        if (approvals.needed > 0 || approvals.given > 0) {
            json_array_append_new(list, rb_json_make("environment:s needed:i given:i people:j",
                                                     places.items[i], (int64_t)approvals.needed,
                                                     (int64_t)approvals.given,
                                                     rb_json_strs(&approvals.people)));
        }
        rb_approvals_clear(&approvals);
    }
    return list;
}

/* A signature proves the name on an entry; without one any user could have written it. */
#define BY "by {by}{signed?: (not verified)}"

void rb_note_policy(const rb_cli *cli)
{
    bool rooted = rb_policy_rooted(cli->session.policy);
    if (rooted && !rb_policy_entry(cli->session.policy))
        rb_ui_note(cli, "<yellow>no policy is in force here</>: git config rbtool.root is set, but "
                        "the ledger here holds none under it; fetch it with `rbtool sync`");
    else if (!rooted && cli->session.claims.n > 0)
        rb_ui_note(cli, "<yellow>no policy is in force here</>, though the ledger holds one: git "
                        "config rbtool.root is not set");
}

void rb_release_show(rb_cli *cli, const rb_release *release, const char *environment)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict = rb_release_verdict(&why, cli, release->tag, release->object);
    rb_note_policy(cli);
    rb_ui_line("verdict     %s%s</>%s%s",
               rb_ui_color(!verdict                       ? RB_PLAIN
                           : rb_text_same(verdict, "bad") ? RB_RED
                                                          : RB_GREEN),
               verdict ? verdict : "none", why ? ": " : "", why ? why : "");
    RB_AUTO(rb_json_freep) json_t *approvals = rb_release_approvals(cli, release, environment);
    rb_json_each (item, approvals)
        rb_ui_item(rb_json_int(item, "given", 0) < rb_json_int(item, "needed", 0)
                       ? "approvals   <yellow>{given} of {needed}</> for a deploy in "
                         "{environment}[: {people}]"
                       : "approvals   {given} of {needed} for a deploy in {environment}[: "
                         "{people}]",
                   item);
    RB_AUTO(rb_json_freep)
    json_t *overrides = rb_release_overrides(cli, release->object, environment);
    rb_json_each (item, overrides)
        rb_ui_item("<red>OVERRIDE    {rule} in {environment|any environment} " BY ": {why}</>",
                   item);
    RB_AUTO(rb_json_freep)
    json_t *unapproved = rb_release_broken(cli, release->object, environment, true);
    rb_json_each (item, unapproved)
        rb_ui_item("<red>UNAPPROVED  {kind} in {environment} " BY " had {given} of {needed} "
                   "approvals (entry {entry:id})</>",
                   item);
    RB_AUTO(rb_json_freep)
    json_t *broken = rb_release_broken(cli, release->object, environment, false);
    rb_json_each (item, broken)
        rb_ui_item("<red>RULE BROKEN {rule}: {kind} in {environment} " BY " needed {needed} and "
                   "had {found} (entry {entry:id})</>",
                   item);
}

/* Adds a note to the plan for each override of a rule. The rule for TO itself does not say so. */
static void word_notes(rb_plan *plan, rb_cli *cli, const rb_release *release)
{
    RB_AUTO(rb_json_freep)
    json_t *overrides =
        rb_release_overrides(cli, release->object, rb_json_str(plan->json, "environment"));
    rb_json_each (item, overrides) {
        RB_AUTO(rb_free_str) char *words = rb_template(BY ": {why}", item);
        RB_AUTO(rb_free_str)
        char *note =
            rb_format("OVERRIDE of %s for %s %s", rb_json_str(item, "rule"), release->tag, words);
        rb_plan_note(plan, "%s", note);
    }
}

/* Adds the verdict of one side to the plan's "verdicts", and notes about it. noted: the other side
 * is the same release, so that the notes exist already. */
static void set_verdict(rb_plan *plan, json_t *verdicts, const char *side, rb_cli *cli,
                        const rb_release *release, bool noted)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict =
        release ? rb_release_verdict(&why, cli, release->tag, release->object) : NULL;
    rb_json_set_str(verdicts, side, verdict);
    if (!release || noted)
        return;
    RB_AUTO(rb_free_str)
    char *note = verdict ? rb_format("%s is %s: %s", release->tag, verdict, why)
                         : rb_format("%s has no verdict", release->tag);
    rb_plan_note(plan, "%s", note);
    word_notes(plan, cli, release);
}

void rb_release_note_verdicts(rb_cli *cli, rb_plan *plan, const rb_plan_request *request)
{
    const rb_policy *policy = cli->session.policy;
    json_t *verdicts = json_object();
    set_verdict(plan, verdicts, "from", cli, request->from, false);
    set_verdict(plan, verdicts, "to", cli, request->to, request->to == request->from);
    json_object_set_new(plan->json, "verdicts", verdicts);
    if (plan->consent && rb_policy_entry(policy)) {
        RB_AUTO(rb_free_str) char *members = rb_policy_members(policy, RB_ROLE_ACCEPT_LOSS);
        RB_AUTO(rb_free_str)
        char *note =
            rb_format("who agrees to this digest has to be in role accept-loss: %s", members);
        rb_plan_note(plan, "%s", note);
    }
}

char *rb_release_way_back(rb_cli *cli, const rb_env *env, const char *tag, bool down)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    const bool known = rb_session_ledger(&cli->session, RB_IGNORED) == RB_OK &&
                       rb_state_open(&state, env->root, false, RB_IGNORED) == RB_OK && state &&
                       rb_session_release(&release, &cli->session, tag, NULL, RB_IGNORED) == RB_OK;
    RB_AUTO(rb_free_str)
    char *back = known ? rb_known_way_back(&cli->session, rb_release_journals(cli), state, release,
                                           env->name)
                       : rb_format("go back with `rbtool revert %s --env %s`", tag, env->name);
    return down ? rb_format("start the service again with `rbtool deploy %s --env %s`, or %s", tag,
                            env->name, back)
                : RB_TAKE(back);
}
