#include "release/make.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/shape.h"
#include "base/text.h"
#include "git/tree.h"
#include "release/make_internal.h"

#define NOTE_LIMIT 500  /* bytes of a Rollback: trailer */
#define NOTES_LIMIT 200 /* Rollback: trailers in a manifest */

static void remove_lent(const json_t *lent)
{
    rb_json_each_member (name, database, lent) {
        const char *folder = rb_json_str(database, "folder");
        if (folder)
            (void)!rb_dir_remove(folder, RB_IGNORED);
    }
}

void rb_made_clear(rb_made *made)
{
    remove_lent(made->lent);
    rb_json_free(made->lent);
    rb_manifest_free(made->manifest);
    rb_json_free(made->catalogs);
    rb_findings_clear(&made->findings);
    rb_buf_clear(&made->payload);
    rb_strs_clear(&made->notes);
    *made = (rb_made){0};
}

void rb_making_clear(rb_making *making)
{
    rb_tree_entries_clear(&making->entries);
    rb_lfs_free(making->lfs);
    free(making->classes);
}

bool rb_make_accepts(const rb_make *make, const char *rule)
{
    return make->accept && rb_strs_has(make->accept, rule);
}

static enum rb_code check_tag(const rb_making *making, rb_err *err)
{
    const char *tag = making->make->tag;
    RB_AUTO(rb_free_str) char *safe = rb_safe(tag);
    if (!rb_shape_is_plain(tag))
        return rb_fail(err, RB_ERROR,
                       "the tag's name '%s' is empty, not UTF-8 or holds control "
                       "characters",
                       safe);
    if (!rb_path_is_tag(tag))
        return rb_fail(err, RB_ERROR, "a release cannot be called '%s'\nchoose " RB_TAG_NAME_WORDS,
                       safe);
    if (fnmatch(making->config->tags, tag, 0) != 0)
        return rb_fail(err, RB_ERROR,
                       "tag %s does not match \"tags\": \"%s\" of %s\nchoose a name that does",
                       safe, making->config->tags, making->config->source);
    rb_tag *taken = NULL;
    if (rb_tag_read(&taken, making->repo, tag, RB_IGNORED) == RB_FOUND)
        return RB_OK;
    rb_tag_free(taken);
    return rb_fail(err, RB_FOUND,
                   "tag %s is there already\na release is never changed, choose "
                   "another version",
                   safe);
}

/* Refuses the name of a release whose tag is missing here: the release still exists. */
static enum rb_code check_missing(const rb_making *making, rb_err *err)
{
    const char *tag = making->make->tag;
    const rb_chain_item *item = rb_chain_find(making->chain, tag);
    if (!item || !item->lost)
        return RB_OK;
    RB_AUTO(rb_free_str) char *cure = rb_chain_cure(making->repo, tag, item->object);
    return rb_fail(err, RB_FOUND,
                   "%s is a release already, though its tag is not here; a release is never "
                   "changed\nchoose another version, or bring its tag (%s; `rbtool verify %s` says "
                   "more), or give it up with `rbtool mark %s gap -m WHY` first",
                   tag, cure, tag, tag);
}

static enum rb_code named_previous(const rb_release **out, const rb_making *making, rb_err *err)
{
    const char *tag = making->make->previous;
    const rb_chain_item *item = rb_chain_find(making->chain, tag);
    if (!item)
        return rb_fail(
            err, RB_ERROR,
            "--previous %s: the tag is not one of the releases that rbtool.json's \"tags\" "
            "names\n`rbtool list` shows them",
            tag);
    *out = rb_chain_open(making->chain, item);
    if (!*out)
        return rb_fail(err, RB_FOUND, "--previous %s does not verify: %s", tag,
                       item->problems.n ? item->problems.items[0].message : "");
    return RB_OK;
}

static enum rb_code find_previous(rb_making *making, rb_err *err)
{
    const rb_chain *chain = making->chain;
    if (making->make->previous)
        return named_previous(&making->previous, making, err);
    const rb_chain_item *passed_over;
    RB_TRY(rb_chain_previous(&making->previous, &passed_over, chain, making->repo, &making->commit,
                             err));
    if (passed_over)
        rb_strs_take(&making->made->notes,
                     rb_format("%s follows %s and not %s, which is bad (%s)", making->make->tag,
                               making->previous->tag, passed_over->tag, passed_over->bad));
    if (making->previous || chain->n == 0)
        return RB_OK;
    for (size_t i = 0; i < chain->n; i++)
        if (chain->items[i].listed)
            return rb_fail(err, RB_FOUND,
                           "no release is an ancestor of %s\nname the one that %s follows with "
                           "--previous TAG (the newest is %s)",
                           making->make->commit ? making->make->commit : "HEAD", making->make->tag,
                           chain->items[i].tag);
    return rb_fail(err, RB_FOUND,
                   "none of the %zu releases here verifies, so none can be "
                   "followed: %s",
                   chain->n, chain->items[0].problems.items[0].message);
}

/* Refuses a missing predecessor: a clone that has only the tags could not verify the new release.
 * If another release follows it already, such clones exist anyway. */
static enum rb_code check_followed(const rb_making *making, rb_err *err)
{
    for (size_t i = 0; i < making->chain->n; i++) {
        const rb_chain_item *item = &making->chain->items[i];
        if (!item->lost || !item->listed || item->named)
            continue;
        RB_AUTO(rb_free_str) char *cure = rb_chain_cure(making->repo, item->tag, item->object);
        return rb_fail(err, RB_FOUND,
                       "%s would follow %s, whose tag is not here, so that other clones could not "
                       "verify it\nbring its tag (%s; `rbtool verify %s` says more), or give "
                       "it up with `rbtool mark %s gap -m WHY` first",
                       making->make->tag, item->tag, cure, item->tag, item->tag);
    }
    return RB_OK;
}

static void set_link(rb_link *out, const rb_chain_item *item)
{
    out->tag = rb_strdup(item->tag);
    memcpy(out->object, item->object, sizeof out->object);
    memcpy(out->sha256, item->listed->sha256, sizeof out->sha256);
}

static int by_tag(const void *a, const void *b)
{
    return strcmp(((const rb_link *)a)->tag, ((const rb_link *)b)->tag);
}

static void set_links(rb_making *making)
{
    rb_manifest *manifest = making->made->manifest;
    manifest->heads = rb_calloc(making->chain->n, sizeof *manifest->heads);
    for (size_t i = 0; i < making->chain->n; i++) {
        const rb_chain_item *item = &making->chain->items[i];
        if (!item->listed)
            continue;
        if (making->previous && item->release == making->previous) {
            manifest->previous = rb_calloc(1, sizeof *manifest->previous);
            set_link(manifest->previous, item);
        } else if (!item->named) {
            set_link(&manifest->heads[manifest->head_count++], item);
        }
    }
    if (manifest->head_count)
        qsort(manifest->heads, manifest->head_count, sizeof *manifest->heads, by_tag);
}

bool rb_make_notes(rb_strs *notes, const char *message)
{
    static const char key[] = "Rollback:";
    size_t len = strlen(message);
    while (len > 0 && message[len - 1] == '\n')
        len--;
    size_t start = len;
    while (start > 1 && !(message[start - 1] == '\n' && message[start - 2] == '\n'))
        start--;
    if (start <= 1)
        return true; /* the title alone is not a paragraph with trailers */
    RB_AUTO(rb_buf_clear) rb_buf note = {0};
    bool open = false;
    for (size_t i = start; i < len && notes->n < NOTES_LIMIT;) {
        size_t line = strcspn(message + i, "\n");
        bool folded = open && (message[i] == ' ' || message[i] == '\t');
        if (!folded && note.len > 0)
            rb_strs_take(notes, rb_buf_detach(&note));
        open = folded || strncasecmp(message + i, key, strlen(key)) == 0;
        size_t skip = open && !folded ? strlen(key) : 0;
        while (skip < line && (message[i + skip] == ' ' || message[i + skip] == '\t'))
            skip++;
        if (open && skip < line && note.len + line - skip < NOTE_LIMIT) {
            if (note.len > 0)
                rb_buf_addc(&note, ' ');
            rb_buf_add_safe(&note, message + i + skip, line - skip);
        }
        i += line + (i + line < len);
    }
    if (note.len > 0 && notes->n < NOTES_LIMIT)
        rb_strs_take(notes, rb_buf_detach(&note));
    return notes->n < NOTES_LIMIT;
}

static bool add_notes(void *context, const rb_oid *commit, const char *message)
{
    (void)commit;
    return rb_make_notes(context, message);
}

static enum rb_code collect_notes(rb_making *making, rb_err *err)
{
    if (!making->previous)
        return RB_OK;
    RB_AUTO(rb_strs_clear) rb_strs newest_first = {0};
    RB_TRY(rb_commit_walk(making->repo, &making->commit, &making->previous->commit, 1, add_notes,
                          &newest_first, err));
    for (size_t i = newest_first.n; i-- > 0;)
        rb_strs_add(&making->made->manifest->notes, newest_first.items[i]);
    return RB_OK;
}

static enum rb_code check_app(rb_making *making, rb_err *err)
{
    const char *pinned;
    RB_TRY(rb_repo_setting(&pinned, making->repo, "rbtool.app", err));
    const char *source = "git config rbtool.app";
    if (!pinned && making->previous) {
        pinned = making->previous->manifest->app_name;
        source = making->previous->tag;
    }
    const char *name = making->config->app_name;
    if (pinned && strcmp(pinned, name) != 0)
        return rb_fail(err, RB_FOUND,
                       "this repository releases %s (%s), but app.name in %s is %s\ncorrect it, or "
                       "where the name is meant to change `git config rbtool.app %s`",
                       pinned, source, making->config->source, name, name);
    making->made->manifest->app_name = rb_strdup(name);
    return RB_OK;
}

/* Fails if a finding refuses the release. The message is a summary; the caller shows the
 * findings. */
static enum rb_code judge(const rb_making *making, rb_err *err)
{
    const rb_findings *findings = &making->made->findings;
    RB_AUTO(rb_strs_clear) rb_strs rules = {0};
    size_t refused = 0;
    for (size_t i = 0; i < findings->n; i++) {
        if (findings->items[i].warning || rb_make_accepts(making->make, findings->items[i].rule))
            continue;
        refused++;
        if (!rb_strs_has(&rules, findings->items[i].rule))
            rb_strs_add(&rules, findings->items[i].rule);
    }
    if (refused == 0)
        return RB_OK;
    rb_strs_sort(&rules);
    RB_AUTO(rb_buf_clear) rb_buf list = {0};
    for (size_t i = 0; i < rules.n; i++)
        rb_buf_printf(&list, "%s%s", i ? "," : "", rules.items[i]);
    return rb_fail(err, RB_FOUND,
                   "%s is not released: %zu finding%s\nfix the migrations, or release all the "
                   "same with `%s --accept %s`",
                   making->make->tag, refused, refused == 1 ? "" : "s", making->make->command,
                   list.data);
}

static enum rb_code fill(rb_making *making, rb_err *err)
{
    rb_manifest *manifest = making->made->manifest;
    rb_oid_hex(&making->commit, manifest->commit);
    rb_oid_hex(&making->tree, manifest->tree);
    RB_TRY(check_app(making, err));
    RB_TRY(rb_making_version(&manifest->app_version, making, err));
    set_links(making);
    RB_TRY(rb_making_files(making, err));
    RB_TRY(rb_making_databases(making, err));
    RB_TRY(rb_making_artifacts(making, err));
    RB_TRY(collect_notes(making, err));
    manifest->known_good = rb_strdup(making->config->known_good);
    if (json_object_size(making->config->secrets) > 0)
        manifest->secrets = json_incref(making->config->secrets);
    return rb_making_payload(making, err);
}

static enum rb_code prepare(rb_made *made, rb_repo *repo, const rb_signers *signers,
                            const rb_make *make, rb_err *err)
{
    RB_AUTO(rb_config_freep) rb_config *own = NULL;
    RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
    RB_AUTO(rb_making_clear)
    rb_making making = {.make = make, .config = make->config, .repo = repo, .made = made};
    RB_TRY(rb_repo_commit(&making.commit, repo, make->commit ? make->commit : "HEAD", err));
    RB_TRY(rb_commit_tree(&making.tree, repo, &making.commit, err));
    making.lfs = rb_lfs_new(repo, &making.tree);
    if (!making.config && rb_config_at(&own, repo, &making.commit, err) != RB_OK)
        return err->code = RB_ERROR; /* a mistake in the settings is an error, not a finding */
    making.config = own ? own : make->config;
    RB_TRY(check_tag(&making, err));
    RB_TRY(rb_chain_load(&chain, repo, signers, make->more, err));
    rb_chain_drop_unused(chain, make->tag);
    if (make->bad)
        rb_chain_mark_bad(chain, make->bad, make->bad_context);
    making.chain = chain;
    RB_TRY(check_missing(&making, err));
    RB_TRY(find_previous(&making, err));
    RB_TRY(check_followed(&making, err));
    making.lend = making.previous && (make->lend || making.config->compatibility.n > 0);
    made->manifest = rb_calloc(1, sizeof *made->manifest);
    made->catalogs = json_object();
    made->lent = json_object();
    RB_TRY(fill(&making, err));
    return judge(&making, err);
}

enum rb_code rb_make_prepare(rb_made *out, rb_repo *repo, const rb_signers *signers,
                             const rb_make *make, rb_err *err)
{
    RB_AUTO(rb_made_clear) rb_made made = {0};
    enum rb_code code = prepare(&made, repo, signers, make, err);
    if (code == RB_OK || (code == RB_FOUND && made.payload.len > 0)) {
        *out = made;
        made = (rb_made){0};
    }
    return code;
}

/* Verifies the tag object before the ref is created, as any reader does. */
static enum rb_code read_back(rb_repo *repo, const rb_signers *signers, const rb_make *make,
                              const rb_made *made, const rb_buf *raw, rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = rb_calloc(1, sizeof *tag);
    tag->name = rb_strdup(make->tag);
    tag->annotated = true;
    rb_buf_add(&tag->raw, raw->data, raw->len);
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    enum rb_code code = rb_release_open_tag(&release, repo, signers, tag, &problems, err);
    if (code == RB_FOUND && problems.n > 0)
        return rb_fail(err, RB_FOUND, "%s would not verify, so it is not created: %s", make->tag,
                       problems.items[0].message);
    RB_TRY(code);
    if (strcmp(release->manifest->commit, made->manifest->commit) != 0)
        return rb_fail(err, RB_ERROR, "%s would not read back as it was written", make->tag);
    return RB_OK;
}

static enum rb_code pin_app(rb_repo *repo, const char *name, rb_err *err)
{
    const char *pinned;
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    if (pinned)
        return RB_OK;
    const char *const args[] = {"config", "--local", "rbtool.app", name, NULL};
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    return rb_repo_git(&out, repo, args, err);
}

enum rb_code rb_make_finish(rb_oid *tag, rb_repo *repo, const rb_signers *signers,
                            const rb_make *make, const rb_made *made, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    rb_buf_add(&raw, made->payload.data, made->payload.len);
    RB_TRY(rb_trust_sign(&raw, repo, make->key, "git", made->payload.data, made->payload.len, err));
    RB_TRY(read_back(repo, signers, make, made, &raw, err));
    RB_TRY(rb_tag_create(tag, repo, make->tag, raw.data, raw.len, err));
    return pin_app(repo, made->manifest->app_name, err);
}
