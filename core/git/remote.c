#include "git/remote.h"

#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

static enum rb_code list_remotes(rb_strs *out, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_repo_git(&text, repo, (const char *const[]){"remote", NULL}, err));
    rb_strs_add_lines(out, text.data, text.len);
    return RB_OK;
}

/* Returns the remote of HEAD's branch; NULL if HEAD is detached or its branch has none. */
static enum rb_code branch_remote(const char **out, rb_repo *repo, rb_err *err)
{
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const char *const args[] = {"symbolic-ref", "--quiet", "--short", "HEAD", NULL};
    *out = NULL;
    RB_TRY(rb_git_run(&text, &status, &said, repo, args, NULL, 0, err));
    if (status != 0 || text.len < 2)
        return RB_OK;
    rb_buf_truncate(&text, text.len - 1);
    RB_AUTO(rb_free_str) char *key = rb_format("branch.%s.remote", rb_buf_str(&text));
    return rb_repo_setting(out, repo, key, err);
}

enum rb_code rb_remote_find(char **out, rb_repo *repo, const char *name, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    const char *found = name;
    RB_TRY(list_remotes(&names, repo, err));
    if (!found)
        RB_TRY(branch_remote(&found, repo, err));
    if (!name && (!found || !rb_strs_has(&names, found)))
        found = rb_strs_has(&names, "origin") ? "origin" : names.n == 1 ? names.items[0] : NULL;
    if (found && rb_strs_has(&names, found)) {
        *out = rb_strdup(found);
        return RB_OK;
    }
    if (names.n == 0)
        return rb_fail(err, RB_ERROR,
                       "this repository has no remote\ngit remote add origin URL makes one");
    RB_AUTO(rb_free_str) char *safe = rb_safe(name ? name : names.items[0]);
    return name ? rb_fail(err, RB_ERROR,
                          "there is no remote %s\n`git remote` lists them, git remote add NAME "
                          "URL makes one",
                          safe)
                : rb_fail(err, RB_ERROR,
                          "there are %zu remotes, and none is the branch's or called origin\nname "
                          "one (%s)",
                          names.n, safe);
}

char *rb_remote_fetch_tags(rb_repo *repo)
{
    RB_AUTO(rb_free_str) char *name = NULL;
    if (rb_remote_find(&name, repo, NULL, RB_IGNORED) != RB_OK)
        return rb_strdup("git fetch REMOTE --tags");
    RB_AUTO(rb_free_str) char *safe = rb_safe(name);
    return rb_format("git fetch %s --tags", safe);
}

/* Returns an option for git that overrides remote.NAME.mirror, which does not allow refspecs. */
static char *no_mirror(const char *remote)
{
    return rb_format("remote.%s.mirror=false", remote);
}

/* Parses the next line "ID TAB NAME" of the output of ls-remote; false at its end. */
static bool next_ref(char **rest, rb_oid *object, const char **name)
{
    while (*rest && **rest) {
        char *line = *rest;
        size_t len = strcspn(line, "\n");
        *rest = line + len + (line[len] == '\n');
        line[len] = '\0';
        if (len <= RB_OID_HEX)
            continue;
        line[RB_OID_HEX - 1] = '\0';
        *name = line + RB_OID_HEX;
        if (rb_oid_parse(object, line))
            return true;
    }
    return false;
}

static enum rb_code list_refs(rb_git_result *out, rb_repo *repo, const char *const *args,
                              const char *remote, rb_err *err)
{
    RB_TRY(rb_git_talk(out, repo, args, err));
    if (out->status != 0)
        return rb_fail(err, RB_ERROR,
                       "cannot reach the remote %s: %s\nsee whether git reaches it with "
                       "`git ls-remote %s`; `git remote -v` shows its address",
                       remote, out->said, remote);
    return RB_OK;
}

enum rb_code rb_remote_read(rb_ref *out, rb_repo *repo, const char *remote, const char *ref,
                            rb_err *err)
{
    const char *const args[] = {"ls-remote", "--", remote, ref, NULL};
    RB_AUTO(rb_git_result_clear) rb_git_result result = {0};
    rb_oid object;
    const char *name;
    RB_TRY(list_refs(&result, repo, args, remote, err));
    *out = (rb_ref){0};
    /* git matches the name as a pattern: longer names with the same end are listed, too. */
    for (char *rest = result.out.data; next_ref(&rest, &object, &name);)
        if (strcmp(name, ref) == 0)
            *out = (rb_ref){.exists = true, .object = object};
    return RB_OK;
}

enum rb_code rb_remote_tags(json_t **out, rb_repo *repo, const char *remote, rb_err *err)
{
    static const char prefix[] = "refs/tags/";
    const char *const args[] = {"ls-remote", "--tags", "--refs", "--", remote, NULL};
    RB_AUTO(rb_git_result_clear) rb_git_result result = {0};
    rb_oid object;
    const char *name;
    RB_TRY(list_refs(&result, repo, args, remote, err));
    *out = json_object();
    for (char *rest = result.out.data; next_ref(&rest, &object, &name);) {
        char hex[RB_OID_HEX];
        rb_oid_hex(&object, hex);
        if (strncmp(name, prefix, strlen(prefix)) == 0 &&
            json_object_set_new(*out, name + strlen(prefix), json_string(hex)) != 0)
            continue; /* the name is not UTF-8, so no ledger entry can contain it */
    }
    return RB_OK;
}

enum rb_code rb_remote_fetch(rb_repo *repo, const char *remote, const char *ref, const char *into,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *spec = rb_format("+%s:%s", ref, into);
    const char *const args[] = {"fetch",
                                "--quiet",
                                "--no-tags",
                                "--no-write-fetch-head",
                                "--no-auto-maintenance",
                                "--no-recurse-submodules",
                                "--no-filter",
                                "--no-prune",
                                "--refmap=",
                                "--",
                                remote,
                                spec,
                                NULL};
    RB_AUTO(rb_git_result_clear) rb_git_result result = {0};
    RB_TRY(rb_git_talk(&result, repo, args, err));
    if (result.status != 0)
        return rb_fail(err, RB_ERROR, "cannot fetch %s from the remote %s: %s", ref, remote,
                       result.said);
    return RB_OK;
}

/* True if git's --porcelain messages, which are not translated, report that another push came
 * first. The last three messages are from git 2.5x. */
static bool lost_race(const char *report)
{
    static const char *const words[] = {
        "[rejected]",          "failed to update ref",     "failed to lock",
        "cannot lock ref",     "reference already exists", "remote ref was deleted",
        "incorrect old value", "reference does not exist", "reference conflict"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(report, words[i]))
            return true;
    return false;
}

enum rb_code rb_remote_push(rb_repo *repo, const char *remote, const rb_oid *commit,
                            const char *ref, rb_err *err)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(commit, hex);
    RB_AUTO(rb_free_str) char *spec = rb_format("%s:%s", hex, ref);
    RB_AUTO(rb_free_str) char *mirror = no_mirror(remote);
    const char *const args[] = {
        "-c", mirror, "push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no",
        "--", remote, spec,   NULL};
    RB_AUTO(rb_git_result_clear) rb_git_result result = {0};
    RB_TRY(rb_git_talk(&result, repo, args, err));
    if (result.status == 0)
        return RB_OK;
    const char *report = rb_buf_str(&result.out);
    enum rb_code code = strstr(report, "hook declined") ? RB_FOUND
                        : lost_race(report)             ? RB_BUSY
                                                        : RB_ERROR;
    return rb_fail(err, code, "cannot push %s to the remote %s: %s", ref, remote, result.said);
}
