#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "git/internal.h"

#define DAY (24 * 60 * 60) /* seconds */

static enum rb_code no_commit(const rb_repo *repo, const char *spec, const char *safe,
                              const char *said, rb_err *err)
{
    static const char fatal[] = "fatal: ";
    if (strcmp(spec, "HEAD") == 0 && git_repository_head_unborn(repo->repo) == 1)
        return rb_fail(err, RB_ERROR,
                       "HEAD names no commit: its branch has none yet\nmake the first one with git "
                       "commit");
    if (strncmp(said, fatal, strlen(fatal)) == 0)
        said += strlen(fatal);
    bool unknown = strcmp(said, "Needed a single revision") == 0;
    return rb_fail(err, RB_ERROR,
                   "%s names no commit of this repository%s%s\nname another (git log, git tag -l), "
                   "or git fetch what is missing",
                   safe, unknown ? "" : ": ", unknown ? "" : said);
}

/* Resolves the expression with git: libgit2 reads some forms of main~2, ^{/text}, @{...} and
 * abbreviated ids differently. */
static enum rb_code commit_by_git(rb_oid *out, rb_repo *repo, const char *spec, const char *safe,
                                  rb_err *err)
{
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    RB_AUTO(rb_buf_clear) rb_buf printed = {0};
    /* "^{commit}" cannot be appended to ":/text": it would be part of the text. The result is a
     * commit anyway. */
    RB_AUTO(rb_free_str)
    char *peeled = rb_format("%s%s", spec, strncmp(spec, ":/", 2) == 0 ? "" : "^{commit}");
    const char *const args[] = {"rev-parse", "--verify", "--end-of-options", peeled, NULL};
    RB_TRY(rb_git_run(&printed, &status, &said, repo, args, NULL, 0, err));
    if (status != 0)
        return no_commit(repo, spec, safe, said, err);
    rb_buf_truncate(&printed, printed.len > 0 ? printed.len - 1 : 0);
    if (!rb_oid_parse(out, rb_buf_str(&printed)))
        return rb_fail(err, RB_ERROR, "git rev-parse gave no object id for %s", safe);
    return RB_OK;
}

/* Looks up a full id or a ref by its usual name; NULL for any other expression. */
static git_object *plain(rb_repo *repo, const char *spec)
{
    git_object *object = NULL;
    git_reference *ref = NULL;
    rb_oid oid;
    if (rb_oid_parse(&oid, spec)) {
        if (git_object_lookup(&object, repo->repo, rb_git_oid(&oid), GIT_OBJECT_ANY) != 0)
            return NULL;
    } else if (!strpbrk(spec, "^~:@{") && git_reference_dwim(&ref, repo->repo, spec) == 0 &&
               git_reference_peel(&object, ref, GIT_OBJECT_ANY) != 0) {
        object = NULL;
    }
    git_reference_free(ref);
    return object;
}

enum rb_code rb_repo_commit(rb_oid *out, rb_repo *repo, const char *spec, rb_err *err)
{
    if (!*spec)
        return rb_fail(err, RB_ERROR, "an empty revision names no commit\nname one, or HEAD");
    RB_AUTO(rb_git_object_freep) git_object *object = plain(repo, spec);
    RB_AUTO(rb_git_object_freep) git_object *commit = NULL;
    RB_AUTO(rb_free_str) char *safe = rb_safe(spec);
    if (!object || git_object_peel(&commit, object, GIT_OBJECT_COMMIT) != 0)
        return commit_by_git(out, repo, spec, safe, err);
    *out = rb_git_from(git_object_id(commit));
    return RB_OK;
}

static enum rb_code lookup(git_commit **out, rb_repo *repo, const rb_oid *oid, rb_err *err)
{
    int status = git_commit_lookup(out, repo->repo, rb_git_oid(oid));
    return status == 0 ? RB_OK : rb_git_unreadable(repo, status, "commit", oid, "", err);
}

enum rb_code rb_commit_tree(rb_oid *out, rb_repo *repo, const rb_oid *commit, rb_err *err)
{
    git_commit *object = NULL;
    RB_TRY(lookup(&object, repo, commit, err));
    *out = rb_git_from(git_commit_tree_id(object));
    git_commit_free(object);
    return RB_OK;
}

enum rb_code rb_commit_time(int64_t *out, rb_repo *repo, const rb_oid *commit, rb_err *err)
{
    git_commit *object = NULL;
    RB_TRY(lookup(&object, repo, commit, err));
    *out = git_commit_time(object);
    git_commit_free(object);
    return RB_OK;
}

enum rb_code rb_commit_summarize(rb_commit_summary *out, rb_repo *repo, const rb_oid *commit,
                                 rb_err *err)
{
    git_commit *object = NULL;
    RB_TRY(lookup(&object, repo, commit, err));
    const git_signature *author = git_commit_author(object);
    const char *subject = git_commit_summary(object);
    *out = (rb_commit_summary){.author = rb_format("%s <%s>", author->name, author->email),
                               .subject = rb_strdup(subject ? subject : ""),
                               .time = git_commit_time(object)};
    git_commit_free(object);
    return RB_OK;
}

void rb_commit_summary_clear(rb_commit_summary *summary)
{
    free(summary->author);
    free(summary->subject);
    *summary = (rb_commit_summary){0};
}

/* Asks git, because libgit2 1.5 does not read the list of a shallow clone's boundary, and fails on
 * the missing parents. */
static enum rb_code reaches_by_git(bool *out, rb_repo *repo, const rb_oid *commit,
                                   const rb_oid *ancestor, rb_err *err)
{
    char tip[RB_OID_HEX];
    char base[RB_OID_HEX];
    rb_oid_hex(commit, tip);
    rb_oid_hex(ancestor, base);
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    const char *const args[] = {"merge-base", "--is-ancestor", base, tip, NULL};
    RB_TRY(rb_git_run(NULL, &status, &said, repo, args, NULL, 0, err));
    if (status > 1)
        return rb_fail(err, RB_ERROR, "cannot tell whether %s reaches %s: %s", tip, base, said);
    *out = status == 0;
    return RB_OK;
}

enum rb_code rb_commit_reaches(bool *out, rb_repo *repo, const rb_oid *commit,
                               const rb_oid *ancestor, rb_err *err)
{
    if (rb_oid_equal(commit, ancestor)) {
        *out = true;
        return RB_OK;
    }
    if (rb_git_is_shallow(repo))
        return reaches_by_git(out, repo, commit, ancestor, err);
    int status = git_graph_descendant_of(repo->repo, rb_git_oid(commit), rb_git_oid(ancestor));
    if (status < 0)
        return rb_git_unreadable(repo, status, "the history of commit", commit, "", err);
    *out = status == 1;
    return RB_OK;
}

/* Asks git, because libgit2 does not read the list of a shallow clone's boundary. */
enum rb_code rb_commit_merge_base(rb_oid *out, rb_repo *repo, const rb_oid *a, const rb_oid *b,
                                  rb_err *err)
{
    char one[RB_OID_HEX];
    char other[RB_OID_HEX];
    rb_oid_hex(a, one);
    rb_oid_hex(b, other);
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    const char *const args[] = {"merge-base", one, other, NULL};
    RB_TRY(rb_git_run(&text, &status, &said, repo, args, NULL, 0, err));
    if (status == 1)
        return rb_fail(err, RB_FOUND, "%.12s and %.12s have no common ancestor%s", one, other,
                       rb_git_is_shallow(repo) ? " in this shallow clone" : "");
    rb_buf_truncate(&text, text.len > 0 ? text.len - 1 : 0);
    if (status != 0 || !rb_oid_parse(out, rb_buf_str(&text)))
        return rb_fail(err, RB_ERROR, "cannot find the merge base of %s and %s: %s", one, other,
                       said);
    return RB_OK;
}

/* Same as rb_commit_walk(), by `git rev-list`. */
static enum rb_code walk_by_git(rb_repo *repo, const rb_oid *tip, const rb_oid *hide, size_t hides,
                                rb_commit_visit *visit, void *context, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf input = {0};
    RB_AUTO(rb_buf_clear) rb_buf list = {0};
    char hex[RB_OID_HEX];
    rb_oid_hex(tip, hex);
    rb_buf_printf(&input, "%s\n", hex);
    for (size_t i = 0; i < hides; i++) {
        rb_oid_hex(&hide[i], hex);
        rb_buf_printf(&input, "^%s\n", hex);
    }
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    const char *const args[] = {"rev-list", "--topo-order", "--ignore-missing", "--stdin", NULL};
    RB_TRY(rb_git_run(&list, &status, &said, repo, args, rb_buf_str(&input), input.len, err));
    if (status != 0)
        return rb_fail(err, RB_ERROR, "cannot walk this shallow clone's history: %s", said);
    bool more = true;
    for (size_t i = 0; more && i + RB_OID_HEX <= list.len; i += RB_OID_HEX) {
        rb_oid oid;
        memcpy(hex, list.data + i, RB_OID_HEX - 1);
        hex[RB_OID_HEX - 1] = '\0';
        if (!rb_oid_parse(&oid, hex))
            return rb_fail(err, RB_ERROR, "git rev-list printed \"%.40s\" in place of an object id",
                           hex);
        git_commit *commit = NULL;
        RB_TRY(lookup(&commit, repo, &oid, err));
        more = visit(context, &oid, git_commit_message_raw(commit));
        git_commit_free(commit);
    }
    return RB_OK;
}

static enum rb_code walk(rb_repo *repo, git_revwalk *walker, const rb_oid *tip, const rb_oid *hide,
                         size_t hides, rb_commit_visit *visit, void *context, rb_err *err)
{
    /* Sort topologically only if necessary: libgit2 then reads all of the history before the first
     * commit. */
    git_revwalk_sorting(walker, hides > 0 ? GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME : GIT_SORT_TIME);
    int status = git_revwalk_push(walker, rb_git_oid(tip));
    if (status != 0)
        return rb_git_unreadable(repo, status, "commit", tip, "", err);
    for (size_t i = 0; i < hides; i++) {
        status = git_revwalk_hide(walker, rb_git_oid(&hide[i]));
        if (status != 0)
            return rb_git_unreadable(repo, status, "commit", &hide[i], "", err);
    }
    git_oid oid;
    bool more = true;
    while (more && (status = git_revwalk_next(&oid, walker)) == 0) {
        rb_oid id = rb_git_from(&oid);
        git_commit *commit = NULL;
        RB_TRY(lookup(&commit, repo, &id, err));
        more = visit(context, &id, git_commit_message_raw(commit));
        git_commit_free(commit);
    }
    if (more && status != GIT_ITEROVER)
        return rb_git_unreadable(repo, status, "the history of commit", tip, "", err);
    return RB_OK;
}

enum rb_code rb_commit_walk(rb_repo *repo, const rb_oid *tip, const rb_oid *hide, size_t hides,
                            rb_commit_visit *visit, void *context, rb_err *err)
{
    if (rb_git_is_shallow(repo))
        return walk_by_git(repo, tip, hide, hides, visit, context, err);
    git_revwalk *walker = NULL;
    if (git_revwalk_new(&walker, repo->repo) != 0) {
        RB_AUTO(rb_free_str) char *why = rb_git_message();
        return rb_fail(err, RB_ERROR, "cannot walk the history: %s", why);
    }
    enum rb_code code = walk(repo, walker, tip, hide, hides, visit, context, err);
    git_revwalk_free(walker);
    return code;
}

enum rb_code rb_repo_since(int64_t *out, const rb_repo *repo, const char *text, rb_err *err)
{
    static const char prefix[] = "--max-age=";
    *out = INT64_MIN;
    /* git takes a date alone, "today" and "yesterday" with the current time of day, and ignores
     * years after 2099. */
    const int64_t now = (int64_t)time(NULL);
    const bool today = text && strcmp(text, "today") == 0;
    if (today || (text && strcmp(text, "yesterday") == 0))
        *out = now - now % DAY - (today ? 0 : DAY);
    if (!text || *out != INT64_MIN ||
        (strlen(text) == strlen("YYYY-MM-DD") && rb_text_day(out, text)))
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf said = {0};
    RB_AUTO(rb_free_str) char *asked = rb_format("--since=%s", text);
    const char *const args[] = {"rev-parse", asked, NULL};
    RB_TRY(rb_repo_git(&said, repo, args, err));
    if (strncmp(rb_buf_str(&said), prefix, strlen(prefix)) != 0)
        return rb_fail(err, RB_ERROR, "--since %s: git reads no date in it", text);
    *out = strtoll(rb_buf_str(&said) + strlen(prefix), NULL, 10);
    return RB_OK;
}
