#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "proof/rebuild.h"

enum rb_code rb_session_repo(rb_session *s, rb_err *err)
{
    return s->repo ? RB_OK : rb_repo_open(&s->repo, s->dir, err);
}

enum rb_code rb_session_signers(rb_session *s, rb_err *err)
{
    RB_TRY(rb_session_repo(s, err));
    return s->signers ? RB_OK : rb_signers_load(&s->signers, s->repo, err);
}

enum rb_code rb_session_settings(rb_session *s, rb_err *err)
{
    if (s->settings)
        return RB_OK;
    if (s->config)
        return rb_config_read(&s->settings, s->config, err);
    RB_TRY(rb_session_repo(s, err));
    const char *top = rb_repo_workdir(s->repo);
    if (!top)
        return rb_fail(err, RB_ERROR,
                       "a bare repository has no rbtool.json\nname one with --config FILE");
    RB_AUTO(rb_free_str) char *path = rb_format("%s/%s", top, RB_CONFIG_FILE);
    if (!rb_file_exists(path))
        return rb_fail(err, RB_ERROR,
                       "this repository has no %s, so rbtool is not set up here\nrun `rbtool init`",
                       RB_CONFIG_FILE);
    return rb_config_read(&s->settings, path, err);
}

enum rb_code rb_session_ledger(rb_session *s, rb_err *err)
{
    if (s->policy)
        return RB_OK;
    RB_AUTO(rb_ledger_freep) rb_ledger *ledger = NULL;
    RB_TRY(rb_session_signers(s, err));
    RB_TRY(rb_ledger_load(&ledger, s->repo, s->signers, NULL, 0, err));
    RB_TRY(rb_policy_load(&s->policy, &s->claims, ledger, err));
    s->ledger = ledger;
    s->ledger_reading++;
    ledger = NULL;
    return RB_OK;
}

void rb_session_ledger_changed(rb_session *s)
{
    rb_policy_free(s->policy);
    rb_ledger_free(s->ledger);
    rb_problems_clear(&s->claims);
    s->policy = NULL;
    s->ledger = NULL;
}

void rb_session_close(rb_session *s)
{
    for (size_t i = 0; i < RB_SESSION_RELEASES; i++)
        rb_release_free(s->releases[i]);
    rb_session_ledger_changed(s);
    rb_config_free(s->settings);
    rb_signers_free(s->signers);
    rb_repo_close(s->repo);
    *s = (rb_session){0};
}

static enum rb_code find_extensions(rb_session *s, rb_err *err)
{
    static const char key[] = "rbtool.extension";
    RB_AUTO(rb_strs_clear) rb_strs paths = {0};
    RB_AUTO(rb_strs_clear) rb_strs real = {0};
    RB_TRY(rb_session_repo(s, err));
    RB_TRY(rb_repo_setting_paths(&paths, s->repo, key, err));
    for (size_t i = 0; i < paths.n; i++) {
        RB_AUTO(rb_free_str) char *top = NULL;
        char *found = NULL;
        rb_repo_work_tree_of(&top, &found, s->repo, paths.items[i]);
        rb_strs_take(&real, found);
        if (top)
            return rb_fail(err, RB_ERROR,
                           "git config %s names %s, which lies in the work tree %s, where a commit "
                           "can change what rbtool runs\nmove it outside and name it there",
                           key, paths.items[i], top);
        if (!rb_file_exists(found))
            return rb_fail(err, RB_ERROR, "git config %s names %s, which does not exist", key,
                           paths.items[i]);
    }
    rb_db_extensions(&real);
    if (real.n == 0) { /* they may have changed since */
        RB_AUTO(rb_free_str)
        char *cache = rb_path_join(rb_repo_common_dir(s->repo), "rbtool/schemas");
        rb_db_rebuild_cache(cache);
    }
    return RB_OK;
}

/* Takes what scripts may do in scratch databases from git's settings; a malformed one gives them
 * nothing, and is noted. */
static void take_rights(rb_session *s)
{
    RB_AUTO(rb_strs_clear) rb_strs extensions = {0};
    bool code = false;
    rb_err why;
    if (rb_session_repo(s, &why) == RB_OK &&
        rb_repo_settings(&extensions, s->repo, "rbtool.allowextension", &why) == RB_OK &&
        rb_repo_setting_bool(&code, s->repo, "rbtool.trustcode", &why) != RB_OK && s->note)
        s->note(s->context, rb_err_line(&why));
    rb_db_scratch_allow(&extensions, code || s->trust_code);
}

/* Sets the limits for rebuilding schemas: those of proofs; with several databases, the largest. */
static void take_limits(const rb_config *settings)
{
    rb_db_limits most = {.where = "databases.NAME.limits"};
    for (size_t i = 0; i < settings->database_count; i++) {
        const rb_config_database *d = &settings->databases[i];
        most.seconds = d->seconds > most.seconds ? d->seconds : most.seconds;
        most.memory = d->memory > most.memory ? d->memory : most.memory;
        most.size = d->size > most.size ? d->size : most.size;
    }
    if (settings->database_count > 0)
        rb_db_rebuild_limits(&most);
}

void rb_session_extensions(rb_session *s)
{
    rb_err why;
    if (find_extensions(s, &why) != RB_OK)
        rb_db_extensions_fail(&why);
    take_rights(s);
    if (rb_session_settings(s, &why) == RB_OK)
        take_limits(s->settings);
}

enum rb_code rb_session_no_tag(const rb_session *s, const char *tag, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs tags = {0};
    RB_AUTO(rb_free_str) char *safe = rb_safe(tag);
    const char *near = NULL;
    if (rb_tag_names(&tags, s->repo, "*", RB_IGNORED) != RB_OK)
        rb_strs_clear(&tags);
    for (size_t i = 0; i < tags.n && !near; i++) {
        const char *name = tags.items[i];
        if ((name[0] == 'v' && strcmp(name + 1, tag) == 0) ||
            (tag[0] == 'v' && strcmp(name, tag + 1) == 0))
            near = name;
    }
    const char **names = rb_calloc(tags.n + 1, sizeof *names); /* NULL-terminated */
    for (size_t i = 0; i < tags.n; i++)
        names[i] = tags.items[i];
    near = near ? near : rb_text_similar(tag, names);
    RB_AUTO(rb_free_str) char *meant = near ? rb_safe(near) : NULL;
    free(names);
    if (meant)
        return rb_fail(err, RB_ERROR, "there is no tag %s in this repository\ndid you mean %s?",
                       safe, meant);
    return rb_fail(err, RB_ERROR,
                   "there is no tag %s in this repository\n`rbtool list` shows the releases, and "
                   "`git fetch --tags` brings those of the remote",
                   safe);
}

enum rb_code rb_session_tag(rb_tag **out, rb_session *s, const char *tag, rb_err *err)
{
    RB_TRY(rb_session_repo(s, err));
    enum rb_code code = rb_tag_read(out, s->repo, tag, err);
    return code == RB_FOUND ? rb_session_no_tag(s, tag, err) : code;
}

/* Notes that a release was read from the ledger, because its tag is missing. */
static void note_missing(rb_session *s, const rb_release *release)
{
    RB_AUTO(rb_tag_freep) rb_tag *other = NULL;
    const char *tag = release->tag;
    bool is_replaced = rb_tag_read(&other, s->repo, tag, RB_IGNORED) != RB_FOUND;
    RB_AUTO(rb_free_str)
    char *cure = is_replaced ? rb_chain_back(s->repo, tag, release->object)
                             : rb_chain_cure(s->repo, tag, release->object);
    RB_AUTO(rb_free_str)
    char *text =
        rb_format("tag %s %s; the release is taken from the ledger, which kept its object %.12s; "
                  "%s %s",
                  tag, is_replaced ? "does not lead to the release any more" : "is not here",
                  release->object, cure, is_replaced ? "puts it back" : "brings the tag");
    if (s->note)
        s->note(s->context, text);
}

/* Looks for a release in the ledger. Finds none if the ledger cannot be read. */
static bool find_missing(rb_release **out, rb_session *s, const char *tag, const char *object)
{
    if (rb_session_ledger(s, RB_IGNORED) == RB_OK)
        rb_history_open_missing(out, s->policy, tag, object);
    return *out != NULL;
}

/* Verifies a release by its tag, or if that is missing, from the ledger. RB_FOUND with the tag's
 * problems. */
static enum rb_code open_release(rb_release **out, bool *missing, rb_session *s, const char *tag,
                                 const char *object, rb_problems *problems, rb_err *err)
{
    RB_TRY(rb_session_signers(s, err));
    for (size_t i = 0; i < RB_SESSION_RELEASES; i++) {
        rb_release *known = s->releases[i];
        if (known && strcmp(known->tag, tag) == 0 &&
            (!object || strcmp(known->object, object) == 0)) {
            *out = rb_release_hold(known);
            return RB_OK;
        }
    }
    enum rb_code code = rb_release_open(out, s->repo, s->signers, tag, problems, err);
    if (code == RB_FOUND && find_missing(out, s, tag, object)) {
        *missing = true;
        code = RB_OK;
    }
    if (code != RB_OK)
        return code;
    rb_release **place = &s->releases[s->release_count++ % RB_SESSION_RELEASES];
    rb_release_free(*place);
    *place = rb_release_hold(*out);
    return RB_OK;
}

enum rb_code rb_session_release(rb_release **out, rb_session *s, const char *tag,
                                const char *object, rb_err *err)
{
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    bool missing = false;
    enum rb_code code = open_release(out, &missing, s, tag, object, &problems, err);
    if (missing)
        note_missing(s, *out);
    if (code != RB_FOUND || problems.n == 0)
        return code;
    return strcmp(problems.items[0].code, "unknown") == 0
               ? rb_session_no_tag(s, tag, err)
               : rb_fail(err, RB_FOUND, "release %s does not verify: %s", tag,
                         problems.items[0].message);
}

rb_release *rb_session_release_is(rb_session *s, const char *tag, const char *object)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    bool missing = false;
    if (open_release(&release, &missing, s, tag, object, &problems, RB_IGNORED) != RB_OK ||
        !rb_text_same(release->object, object))
        return NULL;
    return rb_release_hold(release);
}

void rb_session_walk(rb_session *s, const rb_release *release, rb_session_visit *visit,
                     void *context)
{
    RB_AUTO(rb_release_freep) rb_release *at = NULL;
    const rb_link *link = release->manifest->previous;
    for (int n = 0; link && n < RB_CHAIN_LIMIT; n++) {
        rb_release *next = rb_session_release_is(s, link->tag, link->object);
        rb_release_free(at);
        at = next;
        link = at && visit(context, at) ? at->manifest->previous : NULL;
    }
}
