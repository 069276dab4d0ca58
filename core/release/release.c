#include "release/release.h"

#include <stdlib.h>
#include <string.h>

#include "artifact/checkout.h"
#include "base/file.h"
#include "base/text.h"
#include "git/tree.h"
#include "release/internal.h"

#define FILE_LIMIT (64u << 20) /* bytes of a flags, config or check file */

void rb_release_free(rb_release *release)
{
    if (!release || release->held-- > 0)
        return;
    rb_verified_free(release->verified);
    rb_manifest_free(release->manifest);
    free(release->tag);
    free(release);
}

rb_release *rb_release_hold(rb_release *release)
{
    release->held++;
    return release;
}

/* Checks app and version. The version must be the end of the tag's name; any prefix is allowed. */
static void check_source(rb_problems *problems, const rb_release *release)
{
    const rb_manifest *manifest = release->manifest;
    char commit[RB_OID_HEX];
    char tree[RB_OID_HEX];
    rb_oid_hex(&release->commit, commit);
    rb_oid_hex(&release->tree, tree);
    if (strcmp(manifest->commit, commit) != 0)
        rb_problems_add(problems, "source", "source.commit", commit, manifest->commit,
                        "%s: source.commit: the tag is on %s, the manifest says %s; do not use "
                        "it, make the release again",
                        release->tag, commit, manifest->commit);
    if (strcmp(manifest->tree, tree) != 0)
        rb_problems_add(problems, "source", "source.tree", tree, manifest->tree,
                        "%s: source.tree: the commit's tree is %s, the manifest says %s; do not "
                        "use it, make the release again",
                        release->tag, tree, manifest->tree);
}

static enum rb_code check_app(rb_problems *problems, const rb_release *release, rb_repo *repo,
                              rb_err *err)
{
    const rb_manifest *manifest = release->manifest;
    const char *pinned;
    RB_TRY(rb_repo_setting(&pinned, repo, "rbtool.app", err));
    if (pinned && strcmp(pinned, manifest->app_name) != 0)
        rb_problems_add(problems, "app", "app.name", pinned, manifest->app_name,
                        "%s: app.name: this repository is pinned to %s (git config rbtool.app), "
                        "the manifest says %s; it is another application's release",
                        release->tag, pinned, manifest->app_name);
    if (!rb_text_ends(release->tag, manifest->app_version))
        rb_problems_add(problems, "app", "app.version", release->tag, manifest->app_version,
                        "%s: app.version: the tag's name does not end in the manifest's version "
                        "%s; make the release again under its own name",
                        release->tag, manifest->app_version);
    return RB_OK;
}

/* Puts the tag's name in front of problems: core/trust writes "the tag", which is ambiguous in a
 * list of releases. */
static void name_tag(rb_problems *problems, size_t from, const char *tag)
{
    for (size_t i = from; i < problems->n; i++) {
        char *said = problems->items[i].message;
        if (strstr(said, tag))
            continue;
        problems->items[i].message = rb_format("%s: %s", tag, said);
        free(said);
    }
}

static enum rb_code open_tag(rb_release **out, rb_repo *repo, const rb_signers *signers,
                             const rb_tag *tag, rb_problems *problems, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = rb_calloc(1, sizeof *release);
    release->tag = rb_strdup(tag->name);
    rb_oid_hex(&tag->object, release->object);
    size_t before = problems->n;
    enum rb_code code = rb_trust_verify(&release->verified, signers, repo, tag, problems, err);
    name_tag(problems, before, tag->name);
    RB_TRY(code);
    RB_TRY(rb_manifest_decode(&release->manifest, release->verified, problems, err));
    release->commit = *rb_verified_commit(release->verified);
    RB_TRY(rb_commit_tree(&release->tree, repo, &release->commit, err));
    before = problems->n;
    check_source(problems, release);
    RB_TRY(check_app(problems, release, repo, err));
    if (problems->n > before)
        return rb_fail(err, RB_FOUND, "%s", problems->items[before].message);
    *out = RB_TAKE(release);
    return RB_OK;
}

enum rb_code rb_release_open_tag(rb_release **out, rb_repo *repo, const rb_signers *signers,
                                 const rb_tag *tag, rb_problems *problems, rb_err *err)
{
    size_t before = problems->n;
    if (!rb_path_is_tag(tag->name)) {
        rb_problems_add(problems, "name", "tag", RB_TAG_NAME_WORDS, tag->name,
                        "%s: no release can have this name", tag->name);
        return rb_fail(err, RB_FOUND, "%s", problems->items[before].message);
    }
    enum rb_code code = open_tag(out, repo, signers, tag, problems, err);
    if (code == RB_FOUND && problems->n == before)
        rb_problems_add(problems, "object", "", "", "", "%s: %s", tag->name, rb_err_line(err));
    return code;
}

enum rb_code rb_release_open(rb_release **out, rb_repo *repo, const rb_signers *signers,
                             const char *tag, rb_problems *problems, rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *read = NULL;
    enum rb_code code = rb_tag_read(&read, repo, tag, err);
    if (code == RB_FOUND)
        rb_problems_add(problems, "unknown", "tag", tag, "", "%s: %s", tag, rb_err_line(err));
    RB_TRY(code);
    return rb_release_open_tag(out, repo, signers, read, problems, err);
}

enum rb_code rb_release_file(rb_buf *out, const rb_release *release, rb_repo *repo,
                             const char *path, const char *sha256, rb_err *err)
{
    enum rb_code code = rb_checkout_known(out, repo, &release->tree, path, sha256, FILE_LIMIT, err);
    if (code != RB_OK)
        return rb_err_prefix(err, "%s", release->tag);
    char found[RB_SHA256_HEX];
    rb_sha256_hex_of(rb_buf_str(out), out->len, found);
    if (strcmp(found, sha256) != 0)
        return rb_fail(err, RB_FOUND,
                       "%s: %s: expected SHA-256 %s, found %s in its commit\ndo not use it, make "
                       "the release again",
                       release->tag, path, sha256, found);
    return RB_OK;
}

enum rb_code rb_release_migrations(rb_migrations **out, const rb_release *release, rb_repo *repo,
                                   const rb_manifest_database *database, rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    const char *layout = *database->layout ? database->layout : "auto";
    enum rb_code code = rb_migrations_read(&set, repo, &release->tree, database->directory, layout,
                                           database->engine, err);
    if (code != RB_OK)
        return rb_err_prefix(err, "%s: database %s", release->tag, database->name);
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    size_t count;
    rb_manifest_migration *found = rb_release_describe(&count, set);
    rb_release_compare(&problems, release, database, found, count);
    rb_release_describe_free(found, count);
    if (problems.n > 0)
        return rb_fail(err, RB_FOUND, "%s", problems.items[0].message);
    *out = RB_TAKE(set);
    return RB_OK;
}
