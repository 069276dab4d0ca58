#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "release/chain.h"
#include "ui.h"

struct options {
    bool all;
    bool deep;
    bool no_cache;
};

static const rb_opt opts[] = {
    {RB_OPT_FLAG, "all", 0, NULL, "every release", offsetof(struct options, all)},
    {RB_OPT_FLAG, "deep", 0, NULL, "rebuild archives too and compare their digests",
     offsetof(struct options, deep)},
    {RB_OPT_FLAG, "no-cache", 0, NULL, "trust nothing computed before",
     offsetof(struct options, no_cache)},
    RB_OPTION_JSON,
    {.kind = RB_OPT_END}};

/* What was found about one tag; the chain's items are borrowed. */
struct checked {
    const char *tag;
    const rb_chain_item *item; /* NULL: no such release here */
    rb_problems problems;      /* of its content, or why there is no item */
};

struct run {
    rb_cli *cli;
    rb_repo *repo;
    const rb_signers *signers;
    rb_chain *chain;
    rb_verifier *verifier;
    struct checked *checked;
    size_t n;
};

static void run_clear(struct run *run)
{
    for (size_t i = 0; i < run->n; i++)
        rb_problems_clear(&run->checked[i].problems);
    free(run->checked);
    rb_verifier_free(run->verifier);
    rb_chain_free(run->chain);
}

static bool is_ok(const struct checked *checked)
{
    return checked->item && checked->item->release && !rb_problems_any(&checked->item->problems) &&
           !rb_problems_any(&checked->problems);
}

static enum rb_code check(struct run *run, const char *tag, const rb_chain_item *item, rb_err *err)
{
    struct checked *checked = &run->checked[run->n++];
    checked->tag = tag;
    checked->item = item;
    if (!item) { /* no manifest, or no such tag: the reason is the same that any reader gets */
        rb_release *release = NULL;
        enum rb_code code =
            rb_release_open(&release, run->repo, run->signers, tag, &checked->problems, err);
        rb_release_free(release);
        return code == RB_FOUND ? RB_OK : code;
    }
    if (!item->release)
        return RB_OK;
    rb_ui_progress(run->cli, "verifying %s", tag);
    enum rb_code code = rb_verifier_check(&checked->problems, run->verifier, item->release, err);
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
                       "no release is an ancestor of HEAD, so there is none to verify; git fetch "
                       "--tags, name one, or use --all");
    return check(run, item->tag, item, err);
}

static enum rb_code check_wanted(struct run *run, const struct options *o, int argc, char **argv,
                                 rb_err *err)
{
    if (o->all && argc > 0)
        return rb_fail(err, RB_ERROR, "name tags or say --all, not both");
    run->checked = rb_calloc(run->chain->n + (size_t)argc + 1, sizeof *run->checked);
    for (size_t i = 0; o->all && i < run->chain->n; i++)
        RB_TRY(check(run, run->chain->items[i].tag, &run->chain->items[i], err));
    for (int i = 0; i < argc; i++)
        RB_TRY(check(run, argv[i], rb_chain_find(run->chain, argv[i]), err));
    return o->all || argc > 0 ? RB_OK : check_newest(run, err);
}

static void add_problems(json_t *array, const rb_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const rb_problem *p = &problems->items[i];
        json_t *object = json_object();
        const char *const names[] = {"code", "field", "expected", "found", "message"};
        const char *const texts[] = {p->code, p->field, p->expected, p->found, p->message};
        for (size_t j = 0; j < sizeof names / sizeof *names; j++) {
            RB_AUTO(rb_free_str) char *safe = rb_safe(texts[j]);
            rb_json_set_str(object, names[j], safe);
        }
        json_object_set_new(object, "warning", json_boolean(p->warning));
        json_array_append_new(array, object);
    }
}

static json_t *to_json(const struct checked *checked)
{
    const rb_chain_item *item = checked->item;
    const rb_verified *verified = item && item->release ? item->release->verified : NULL;
    RB_AUTO(rb_free_str) char *tag = rb_safe(checked->tag);
    json_t *object = json_object();
    json_t *problems = json_array();
    rb_json_set_str(object, "tag", tag);
    rb_json_set_str(object, "object", item && *item->object ? item->object : NULL);
    json_object_set_new(object, "ok", json_boolean(is_ok(checked)));
    rb_json_set_str(object, "signer", verified ? rb_verified_principal(verified) : NULL);
    rb_json_set_str(object, "fingerprint", verified ? rb_verified_fingerprint(verified) : NULL);
    if (item)
        add_problems(problems, &item->problems);
    add_problems(problems, &checked->problems);
    json_object_set_new(object, "problems", problems);
    return object;
}

static void print_problems(const rb_cli *cli, const rb_problems *problems)
{
    for (size_t i = 0; i < problems->n; i++) {
        const rb_problem *p = &problems->items[i];
        rb_ui_line("    %s%s%s: %s", rb_ui_color(cli, p->warning ? RB_YELLOW : RB_RED),
                   p->warning ? "warning " : "", p->code, p->message);
    }
}

static void print_line(const rb_cli *cli, const struct checked *checked)
{
    const rb_chain_item *item = checked->item;
    const rb_verified *verified = item && item->release ? item->release->verified : NULL;
    bool ok = is_ok(checked);
    rb_ui_line("%s%-3s%s %s%s%s%s%s", rb_ui_color(cli, ok ? RB_GREEN : RB_RED), ok ? "ok" : "BAD",
               rb_ui_color(cli, RB_PLAIN), checked->tag, verified ? "  " : "",
               verified ? rb_verified_principal(verified) : "", verified ? "  " : "",
               verified ? rb_verified_fingerprint(verified) : "");
    if (item)
        print_problems(cli, &item->problems);
    print_problems(cli, &checked->problems);
    if (!ok || checked->problems.n || (item && item->problems.n))
        fputs(rb_ui_color(cli, RB_PLAIN), stdout);
}

static enum rb_code report(struct run *run)
{
    rb_ui_progress_end(run->cli);
    RB_AUTO(rb_json_freep) json_t *document = json_object();
    json_t *releases = json_array();
    bool ok = true;
    for (size_t i = 0; i < run->n; i++) {
        ok = ok && is_ok(&run->checked[i]);
        if (run->cli->json)
            json_array_append_new(releases, to_json(&run->checked[i]));
        else
            print_line(run->cli, &run->checked[i]);
    }
    json_object_set_new(document, "releases", releases);
    if (run->cli->json)
        rb_ui_json(run->cli, document);
    if (run->n == 0)
        rb_ui_note(run->cli, "there is no release here yet");
    return ok ? RB_OK : RB_FOUND;
}

static enum rb_code run_verify(rb_cli *cli, void *options, int argc, char **argv, rb_err *err)
{
    const struct options *o = options;
    RB_AUTO(run_clear) struct run run = {.cli = cli};
    RB_TRY(rb_cli_repo(&run.repo, cli, err));
    RB_TRY(rb_cli_signers(&run.signers, cli, err));
    unsigned how = (o->deep ? RB_VERIFY_DEEP : 0u) | (o->no_cache ? RB_VERIFY_NO_CACHE : 0u);
    run.verifier = rb_verifier_new(run.repo, how);
    RB_TRY(rb_chain_load(&run.chain, run.repo, run.signers, NULL, err));
    RB_TRY(check_wanted(&run, o, argc, argv, err));
    err->message[0] = '\0'; /* what was found is in the report */
    return report(&run);
}

const rb_command rb_cmd_verify = {
    .name = "verify",
    .args = "[TAG...]",
    .summary = "check releases against signatures, chain and repository",
    .details = "Without a TAG: the newest release that HEAD descends from. Checked are the\n"
               "signature and its signer, the tag's name, the chain of releases, and that\n"
               "artifacts, migrations, flags, config and checks are in the commit as the\n"
               "manifest says. Exit 1 when anything is wrong.",
    .opts = opts,
    .options_size = sizeof(struct options),
    .min_args = 0,
    .max_args = -1,
    .run = run_verify,
};
