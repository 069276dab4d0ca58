#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "database/database.h"
#include "ledger/history.h"
#include "release_status.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_FLAG("all", 0, "every release", all),
    RB_FLAG("deep", 0, "rebuild archives too and compare their digests", deep),
    RB_FLAG("no-cache", 0, "ignore what earlier runs computed", no_cache),
    RB_FLAG("restore", 0, "bring the objects of missing tags back from the ledger", restore),
    RB_OPTION_JSON,
    RB_OPTIONS_END};

/* The result for one tag. The chain's items are borrowed. */
struct checked {
    const char *tag;
    const rb_chain_item *item; /* NULL: this repository has no such release */
    rb_problems problems;      /* further ones; if item is NULL, the reason for that */
};

struct run {
    rb_cli *cli;
    rb_repo *repo;
    const rb_signers *signers;
    rb_chain *chain;
    bool all; /* the content of each release was checked when the chain was loaded */
    rb_restoring restored;
    rb_verifier *verifier;
    struct checked *checked;
    size_t n;
    rb_strs advice; /* advice that was printed already */
};

static void run_clear(struct run *run)
{
    for (size_t i = 0; i < run->n; i++)
        rb_problems_clear(&run->checked[i].problems);
    free(run->checked);
    rb_strs_clear(&run->advice);
    rb_restoring_clear(&run->restored);
    rb_verifier_free(run->verifier);
    rb_chain_free(run->chain);
}

static bool is_ok(const struct checked *checked)
{
    return checked->item && checked->item->listed && !rb_problems_any(&checked->item->problems) &&
           !rb_problems_any(&checked->problems);
}

/* Adds the reason why the tag is not a release. Fails with RB_ERROR if neither the repository nor
 * the ledger has the tag. */
static enum rb_code check_tag(struct checked *checked, const struct run *run, rb_err *err)
{
    rb_release *release = NULL;
    enum rb_code code =
        rb_release_open(&release, run->repo, run->signers, checked->tag, &checked->problems, err);
    rb_release_free(release);
    if (code == RB_FOUND && !checked->item && checked->problems.n > 0 &&
        strcmp(checked->problems.items[0].code, "unknown") == 0)
        return rb_session_no_tag(&run->cli->session, checked->tag, err);
    return code == RB_FOUND ? RB_OK : code;
}

/* True if a tag here has the name of a release of the ledger and another object. */
static bool is_replaced(const struct run *run, const rb_chain_item *item)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    return item->lost && rb_tag_read(&tag, run->repo, item->tag, RB_IGNORED) == RB_OK;
}

static enum rb_code check(struct run *run, const char *tag, const rb_chain_item *item, rb_err *err)
{
    struct checked *checked = &run->checked[run->n++];
    checked->tag = tag;
    checked->item = item;
    if (!item || is_replaced(run, item))
        RB_TRY(check_tag(checked, run, err));
    const rb_release *release = item && !run->all ? rb_chain_open(run->chain, item) : NULL;
    if (!release)
        return RB_OK;
    rb_ui_progress(run->cli, "verifying %s", tag);
    enum rb_code code = rb_verifier_check(&checked->problems, run->verifier, release, err);
    return code == RB_FOUND ? RB_OK : code;
}

static enum rb_code check_newest(struct run *run, rb_err *err)
{
    rb_oid head;
    RB_TRY(rb_repo_commit(&head, run->repo, "HEAD", err));
    const rb_chain_item *item;
    RB_TRY(rb_chain_nearest(&item, run->chain, run->repo, &head, err));
    if (!item)
        return rb_fail(err, RB_ERROR,
                       "no release is an ancestor of HEAD, so there is none to verify\ngit fetch "
                       "--tags, name one, or use --all");
    return check(run, item->tag, item, err);
}

static enum rb_code check_wanted(struct run *run, const rb_options *o, rb_err *err)
{
    run->checked = rb_calloc(run->chain->n + (size_t)o->argc + 1, sizeof *run->checked);
    for (size_t i = 0; run->all && i < run->chain->n; i++)
        RB_TRY(check(run, run->chain->items[i].tag, &run->chain->items[i], err));
    for (int i = 0; i < o->argc; i++)
        RB_TRY(check(run, o->argv[i], rb_chain_find(run->chain, o->argv[i]), err));
    return run->all || o->argc > 0 ? RB_OK : check_newest(run, err);
}

static void add_problems(json_t *array, const rb_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const rb_problem *p = &problems->items[i];
        json_array_append_new(
            array, rb_json_make("code:t field:t expected:t found:t message:t warning:b", p->code,
                                p->field, p->expected, p->found, p->message, p->warning));
    }
}

static json_t *to_json(const struct checked *checked)
{
    const rb_chain_item *item = checked->item;
    const rb_listed_release *verified = item ? item->listed : NULL;
    json_t *problems = json_array();
    if (item)
        add_problems(problems, &item->problems);
    add_problems(problems, &checked->problems);
    return rb_json_make("tag:t object:s ok:b signer:s fingerprint:s problems:j", checked->tag,
                        item && *item->object ? item->object : NULL, is_ok(checked),
                        verified ? verified->signer : NULL, verified ? verified->fingerprint : NULL,
                        problems);
}

/* Advice about a missing tag is printed only once. Returns the length of the message without the
 * advice if the same advice was printed before. */
static size_t length_of(struct run *run, const char *tag, const char *message)
{
    const char *advice = strstr(message, "; ");
    RB_AUTO(rb_buf_clear) rb_buf kind = {0}; /* the words of the advice without tag and object */
    if (!advice)
        return strlen(message);
    for (const char *p = advice; *p;) {
        const size_t word = strcspn(p, " `");
        const size_t gap = strspn(p + word, " `");
        if (strncmp(p, tag, strlen(tag)) != 0 && strspn(p, "0123456789abcdef") < RB_OID_HEX - 1)
            rb_buf_add(&kind, p, word);
        p += word + gap;
    }
    if (rb_strs_has(&run->advice, rb_buf_str(&kind)))
        return (size_t)(advice - message);
    rb_strs_add(&run->advice, rb_buf_str(&kind));
    return strlen(message);
}

/* Prints one problem. Missing tags, whose code is "lost", are shown as "not here". */
static void print_problem(struct run *run, const json_t *release, const json_t *problem)
{
    const bool warning = json_is_true(json_object_get(problem, "warning"));
    const char *code = rb_json_str(problem, "code");
    const char *message = rb_json_str(problem, "message");
    const bool lost = strcmp(code, "lost") == 0;
    const size_t len =
        lost ? length_of(run, rb_json_str(release, "tag"), message) : strlen(message);
    rb_ui_line("    %s%s%s: %.*s%s</>", rb_ui_color(warning ? RB_YELLOW : RB_RED),
               warning ? "warning " : "", lost ? "not here" : code, (int)len, message,
               message[len] ? " (see above)" : "");
}

/* Returns the result in one word. A missing tag, which may just not have been fetched, is not
 * called bad. */
static const char *word_of(const struct checked *checked)
{
    if (is_ok(checked))
        return "ok";
    return checked->item && rb_chain_is_absent(checked->item) &&
                   !rb_problems_any(&checked->problems)
               ? "not here"
               : "BAD";
}

static void print_line(struct run *run, const struct checked *checked)
{
    RB_AUTO(rb_json_freep) json_t *release = to_json(checked);
    RB_AUTO(rb_free_str)
    char *text = rb_template("{tag}[  {signer}][  {fingerprint}]", release);
    rb_ui_line("%s%-3s</> %s", rb_ui_color(is_ok(checked) ? RB_GREEN : RB_RED), word_of(checked),
               text);
    rb_json_each (problem, json_object_get(release, "problems"))
        print_problem(run, release, problem);
}

/* Prints from which release on the whole history verifies, and which release does not. */
static void print_trusted(const struct run *run)
{
    const rb_chain *chain = run->chain;
    const rb_chain_item *from = rb_history_trusted(chain);
    size_t next = from ? (size_t)(from - chain->items) + 1 : 0;
    if (next == chain->n)
        rb_ui_line("the whole history can be trusted, from %s on", from->tag);
    else if (from)
        rb_ui_line("the history can be trusted from %s on; %s before it is %s", from->tag,
                   chain->items[next].tag, word_of(&run->checked[next]));
    else
        rb_ui_line("the history cannot be trusted: %s, the newest release, is %s",
                   chain->items[0].tag, word_of(&run->checked[0]));
}

static json_t *restored_json(const rb_restoring *restored)
{
    json_t *array = json_array();
    for (size_t i = 0; i < restored->n; i++) {
        const rb_restored *one = &restored->items[i];
        json_array_append_new(array, rb_json_make("tag:t object:s here:s", one->tag, one->object,
                                                  *one->here ? one->here : NULL));
    }
    return array;
}

/* With --all, releases are in the chain's order. */
static void print_json(struct run *run, const rb_options *o)
{
    const rb_chain *chain = run->chain;
    rb_ui_rows rows = {.cli = run->cli, .name = "releases"};
    RB_AUTO(rb_json_freep) json_t *rest = json_object();
    size_t *since = run->all ? rb_calloc(chain->n, sizeof *since) : NULL;
    if (since)
        rb_history_since(since, chain);
    for (size_t i = 0; i < run->n; i++) {
        json_t *row = to_json(&run->checked[i]);
        if (since)
            rb_json_set(row, "trustedFrom:t",
                        since[i] == SIZE_MAX ? NULL : chain->items[since[i]].tag);
        rb_ui_rows_add(&rows, row);
    }
    free(since);
    if (o->restore)
        rb_json_set(rest, "restored:j", restored_json(&run->restored));
    const rb_chain_item *from = rb_history_trusted(chain);
    if (run->all && chain->n > 0)
        rb_json_set(rest, "trustedFrom:t", from ? from->tag : NULL);
    rb_ui_rows_print(&rows, rest);
}

static void print_text(struct run *run)
{
    for (size_t i = 0; i < run->restored.n; i++) {
        const rb_restored *one = &run->restored.items[i];
        rb_ui_line("%s  its object %s is here again; %s: git update-ref refs/tags/%s %s%s%s",
                   one->tag, one->object,
                   *one->here ? "to move the tag back, if that is the true one"
                              : "to give it its tag",
                   one->tag, one->object, *one->here ? " " : "", one->here);
    }
    for (size_t i = 0; i < run->n; i++)
        print_line(run, &run->checked[i]);
    if (run->all && run->chain->n > 0)
        print_trusted(run);
}

static enum rb_code report(struct run *run, const rb_options *o)
{
    bool ok = true;
    for (size_t i = 0; i < run->n; i++)
        ok = ok && is_ok(&run->checked[i]);
    if (run->cli->json)
        print_json(run, o);
    else
        print_text(run);
    if (run->n == 0)
        rb_ui_note(run->cli, "there is no release here yet");
    rb_note_policy(run->cli);
    return ok ? RB_OK : RB_FOUND;
}

static enum rb_code check_content(void *run_, rb_chain_item *item, rb_err *err)
{
    struct run *run = run_;
    rb_ui_progress(run->cli, "verifying %s", item->tag);
    enum rb_code code = rb_verifier_check(&item->problems, run->verifier, item->release, err);
    return code == RB_FOUND ? RB_OK : code;
}

static enum rb_code restore(struct run *run, rb_err *err)
{
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    const rb_policy *policy = run->cli->session.policy;
    RB_TRY(rb_history_load(&chain, policy, NULL, err));
    return rb_history_restore(&run->restored, chain, policy, err);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(run_clear)
    struct run run = {.cli = cli, .all = o->all || (o->restore && o->argc == 0)};
    const rb_chain_more how = {
        .fresh = o->no_cache || run.all, .visit = run.all ? check_content : NULL, .visitor = &run};
    if (o->all && o->argc > 0)
        return rb_fail(err, RB_ERROR, "give tags or --all, not both");
    RB_TRY(rb_session_signers(&cli->session, err));
    run.repo = cli->session.repo;
    run.signers = cli->session.signers;
    run.verifier = rb_verifier_new(run.repo, (o->deep ? RB_VERIFY_DEEP : 0u) |
                                                 (o->no_cache ? RB_VERIFY_NO_CACHE : 0u));
    if (o->no_cache)
        rb_db_scratch_cache(NULL);
    RB_TRY(rb_session_ledger(&cli->session, err));
    if (o->restore)
        RB_TRY(restore(&run, err));
    RB_TRY(rb_history_load(&run.chain, cli->session.policy, &how, err));
    RB_TRY(check_wanted(&run, o, err));
    err->message[0] = '\0'; /* the report shows the findings already */
    return report(&run, o);
}

RB_COMMAND(verify, "[TAG...]", "check releases against signatures, chain and repository",
           RB_GROUP_RELEASE, 0, -1, 0);
