/* Checks the target release's "requires": versions of other applications that must be running. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "config/config.h"
#include "environment/checks.h"
#include "transition/plan_make.h"
#include "transition/transition.h"

/* Compares versions by their numbers: "v1.10.2" is 1, 10, 2. */
static int compare_versions(const char *a, const char *b)
{
    while (*a || *b) {
        while (*a && !isdigit((unsigned char)*a))
            a++;
        while (*b && !isdigit((unsigned char)*b))
            b++;
        char *a_end = (char *)a;
        char *b_end = (char *)b;
        const unsigned long long x = strtoull(a, &a_end, 10);
        const unsigned long long y = strtoull(b, &b_end, 10);
        if (x != y)
            return x < y ? -1 : 1;
        a = a_end;
        b = b_end;
    }
    return 0;
}

/* True if a version meets a condition: ">=2.3", ">2", "<=3", "<3" or "=2.3". */
static bool holds(const char *version, const char *condition)
{
    const char *number = condition + strspn(condition, "<>=");
    const int order = compare_versions(version, number);
    const bool equal = memchr(condition, '=', (size_t)(number - condition)) != NULL;
    return (order == 0 && (equal || number == condition)) || (order < 0 && *condition == '<') ||
           (order > 0 && *condition == '>');
}

bool rb_version_within(const char *version, const char *range)
{
    while (*range) {
        const size_t len = strcspn(range, ", ");
        RB_AUTO(rb_free_str) char *condition = rb_strndup(range, len);
        if (len > 0 && !holds(version, condition))
            return false;
        range += len + (range[len] != '\0');
    }
    return true;
}

/* Returns the newest transition that reached its target in the environment, written by an allowed
 * signer or by a host without a key. */
static const rb_entry *newest(const rb_ledger *ledger, const char *environment)
{
    for (size_t i = ledger->n; i-- > 0;) {
        const rb_entry *entry = &ledger->items[i];
        const json_t *detail = rb_entry_detail(entry);
        const char *outcome = rb_json_str(detail, "outcome");
        if (entry->kind == RB_ENTRY_TRANSITION && entry->trust <= RB_ENTRY_UNSIGNED && outcome &&
            rb_text_same(entry->environment, environment) &&
            (strcmp(outcome, "done") == 0 || strcmp(outcome, "unhealthy") == 0))
            return entry;
    }
    return NULL;
}

/* Reads from the other repository's ledger which release runs. *version is NULL if it does not
 * record one. */
static enum rb_code running(char **version, char **tag, rb_session *other, const char *environment,
                            rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    *version = *tag = NULL;
    RB_TRY(rb_session_ledger(other, err));
    const rb_entry *entry = newest(other->ledger, environment);
    const json_t *detail = entry ? rb_entry_detail(entry) : NULL;
    if (!detail || !rb_json_str(detail, "to"))
        return RB_OK;
    RB_TRY(rb_session_release(&release, other, rb_json_str(detail, "to"),
                              rb_json_str(detail, "toObject"), err));
    *version = rb_strdup(release->manifest->app_version);
    *tag = rb_strdup(release->tag);
    return RB_OK;
}

/* Returns the other repository's newest release within the range that verifies and is not bad, as a
 * new string; NULL if it has none. */
static char *newest_within(const rb_session *other, const char *range)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    if (rb_history_load(&chain, other->policy, NULL, RB_IGNORED) != RB_OK)
        return NULL;
    for (size_t i = 0; i < chain->n; i++) {
        const rb_chain_item *item = &chain->items[i];
        if (item->listed && !item->bad && !rb_problems_any(&item->problems) &&
            rb_version_within(item->listed->version, range))
            return rb_strdup(item->tag);
    }
    return NULL;
}

static void note_outside(rb_plan *plan, const rb_plan_request *rq, const json_t *item,
                         const char *at, const rb_session *other, const char *there)
{
    const char *app = rb_json_str(item, "app");
    const char *range = rb_json_str(item, "range");
    const char *env = rq->env->name;
    RB_AUTO(rb_free_str) char *fits = newest_within(other, range);
    RB_AUTO(rb_free_str)
    char *next =
        fits ? rb_format("see what brings it back with `%s plan --deploy %s --env %s`", there, fits,
                         env)
             : rb_format("no good release of it is in the range, see them with `%s list`", there);
    rb_plan_note(plan, "%s requires %s %s, but %s is at %s in %s: going there leaves the range; %s",
                 rq->to->tag, app, range, app, at, env, next);
}

static void check(rb_plan *plan, const rb_plan_request *rq, const json_t *item)
{
    const char *app = rb_json_str(item, "app");
    const char *range = rb_json_str(item, "range");
    const char *path = rb_json_str(item, "repository");
    const char *top = rb_repo_workdir(rq->session->repo);
    const char *env = rq->env->name;
    RB_AUTO(rb_free_str)
    char *dir = *path == '/'
                    ? rb_strdup(path)
                    : rb_path_join(top ? top : rb_repo_common_dir(rq->session->repo), path);
    RB_AUTO(rb_free_str) char *version = NULL;
    RB_AUTO(rb_free_str) char *tag = NULL;
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    rb_strs_add(&words, "rbtool");
    rb_strs_add(&words, "-C");
    rb_strs_add(&words, dir);
    RB_AUTO(rb_free_str) char *there = rb_command_line(&words);
    rb_session other = {.dir = dir};
    rb_err why;
    if (running(&version, &tag, &other, env, &why) != RB_OK)
        rb_plan_note(
            plan,
            "%s requires %s %s, which cannot be judged from its repository: %s; look at it "
            "with `%s list`",
            rq->to->tag, app, range, why.message, there);
    else if (!version)
        rb_plan_note(plan,
                     "%s requires %s %s, but the ledger in %s has no transition in %s that an "
                     "allowed signer wrote; see what it has with `%s log`",
                     rq->to->tag, app, range, path, env, there);
    else if (!rb_version_within(version, range))
        note_outside(plan, rq, item, tag, &other, there);
    rb_session_close(&other);
}

void rb_plan_requires(rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    rb_err ignored; /* without settings in its commit, a release requires nothing */
    if (!plan->parts[RB_PART_APP] ||
        rb_config_at(&config, rq->session->repo, &rq->to->commit, &ignored) != RB_OK)
        return;
    rb_json_each (item, config->requires)
        check(plan, rq, item);
}
