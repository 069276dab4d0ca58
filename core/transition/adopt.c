#include "transition/adopt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "environment/delivered.h"
#include "environment/drift.h"
#include "environment/observe.h"
#include "release/reconstruct.h"
#include "transition/ledger_outbox.h"
#include "transition/plan.h"

/* Two folders to compare. */
typedef struct folders {
    json_t *drift;
    const char *expected;
    const char *found;
    bool whole; /* files that only `found` has are drift, too */
} folders;

static void report(const folders *f, const char *below, const char *expected, const char *found)
{
    rb_drift_add(f->drift, "app", expected, found, "%s/%s", f->found, below);
}

static enum rb_code digest(char out[RB_SHA256_HEX], const char *path, const struct stat *st,
                           rb_err *err)
{
    RB_AUTO(rb_free_str) char *target = NULL;
    if (S_ISREG(st->st_mode))
        return rb_sha256_file(out, path, err);
    if (S_ISLNK(st->st_mode))
        RB_TRY(rb_link_read(&target, path, err));
    rb_sha256_hex_of(target ? target : "", target ? strlen(target) : 0, out);
    return RB_OK;
}

static enum rb_code compare_file(const folders *f, const char *below, const char *expected,
                                 const struct stat *a, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(f->found, below);
    char wanted[RB_SHA256_HEX];
    char has[RB_SHA256_HEX];
    struct stat b;
    RB_TRY(digest(wanted, expected, a, err));
    if (lstat(path, &b) != 0) {
        report(f, below, wanted, "missing");
        return RB_OK;
    }
    if ((a->st_mode & S_IFMT) != (b.st_mode & S_IFMT)) {
        report(f, below, wanted, "something else than a file of that kind");
        return RB_OK;
    }
    RB_TRY(digest(has, path, &b, err));
    if (strcmp(wanted, has) != 0)
        report(f, below, wanted, has);
    else if (S_ISREG(b.st_mode) && (a->st_mode & S_IXUSR) != (b.st_mode & S_IXUSR))
        report(f, below, a->st_mode & S_IXUSR ? "executable" : "not executable",
               b.st_mode & S_IXUSR ? "executable" : "not executable");
    return RB_OK;
}

static enum rb_code find_others(const folders *f, const char *below, const rb_strs *known,
                                rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_join(f->found, below);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_dir_list(&names, dir, err));
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(below, names.items[i]);
        if (!rb_strs_has(known, names.items[i]))
            report(f, path, RB_DRIFT_NO_FILE, "a file that the release does not have");
    }
    return RB_OK;
}

static enum rb_code compare(const folders *f, const char *below, rb_err *err)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_join(f->expected, below);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_dir_list(&names, dir, err));
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(below, names.items[i]);
        RB_AUTO(rb_free_str) char *expected = rb_path_join(f->expected, path);
        RB_AUTO(rb_free_str) char *found = rb_path_join(f->found, path);
        struct stat a;
        struct stat b;
        if (lstat(expected, &a) != 0)
            return rb_fail_errno(err, RB_ERROR, "cannot look at %s", expected);
        if (!S_ISDIR(a.st_mode))
            RB_TRY(compare_file(f, path, expected, &a, err));
        else if (lstat(found, &b) == 0 && S_ISDIR(b.st_mode))
            RB_TRY(compare(f, path, err));
        else
            report(f, path, "a folder", "missing");
    }
    return f->whole ? find_others(f, below, &names, err) : RB_OK;
}

/* Compares a checkout: the files of every artifact, without a folder for each artifact. */
static enum rb_code compare_checkout(json_t *drift, json_t *notes, const rb_adopt *adopt,
                                     const char *artifacts, const char *found, rb_err *err)
{
    const rb_manifest *m = adopt->release->manifest;
    for (size_t i = 0; i < m->artifact_count; i++) {
        RB_AUTO(rb_free_str) char *expected = rb_path_join(artifacts, m->artifacts[i].name);
        struct stat st;
        if (stat(expected, &st) == 0 && S_ISDIR(st.st_mode)) {
            const folders f = {drift, expected, found, false};
            RB_TRY(compare(&f, "", err));
        } else {
            RB_AUTO(rb_free_str)
            char *text =
                rb_format("artifact %s is an archive, which is not compared", m->artifacts[i].name);
            json_array_append_new(notes, rb_json_text(text));
        }
    }
    return RB_OK;
}

static enum rb_code look_at_app(json_t *drift, json_t *notes, rb_adopt *adopt, rb_err *err)
{
    const char *root = adopt->env->root;
    const char *tag = adopt->release->tag;
    RB_AUTO(rb_reconstruct_freep) rb_reconstruct *work = NULL;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_AUTO(rb_free_str) char *temporary = rb_format("%s/.rbtool/adopt-%d", root, (int)getpid());
    RB_AUTO(rb_free_str) char *current = rb_path_join(root, "current");
    RB_AUTO(rb_free_str) char *own = rb_format("releases/%s", tag);
    RB_AUTO(rb_free_str) char *target = NULL;
    RB_TRY(rb_reconstruct_begin(&work, temporary, err));
    RB_TRY(rb_reconstruct_release(&document, work, adopt->release, adopt->session->repo, err));
    RB_AUTO(rb_free_str) char *artifacts = rb_path_join(rb_reconstruct_path(work), "artifacts");
    RB_TRY(rb_link_read(&target, current, err));
    adopt->own_layout = !adopt->files && rb_text_same(target, own);
    const char *found = adopt->files ? adopt->files : current;
    if (!rb_file_exists(found)) {
        rb_drift_add(drift, "app", "the release's files", "missing", "%s", found);
        return RB_OK;
    }
    RB_AUTO(rb_free_str)
    char *first = rb_path_join(found, adopt->release->manifest->artifacts[0].name);
    RB_AUTO(rb_free_str) char *real = realpath(found, NULL);
    if (!adopt->own_layout)
        json_array_append_new(
            notes, json_string("ROOT/current does not lead to a folder of rbtool's: `rbtool "
                               "status` shows that as drift until the next transition"));
    if (adopt->files || !rb_file_exists(first))
        return compare_checkout(drift, notes, adopt, artifacts, real ? real : found, err);
    const folders f = {drift, artifacts, real ? real : found, true};
    return compare(&f, "", err);
}

enum rb_code rb_adopt_look(json_t **out, json_t **notes, rb_adopt *adopt, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *drift = json_array();
    RB_AUTO(rb_json_freep) json_t *texts = json_array();
    RB_AUTO(rb_json_freep) json_t *accepted = json_array();
    const rb_manifest *m = adopt->release->manifest;
    rb_repo *repo = adopt->session->repo;
    RB_TRY(look_at_app(drift, texts, adopt, err));
    adopt->app_agrees = json_array_size(drift) == 0;
    RB_TRY(rb_observe_flags(drift, adopt->env, adopt->release, repo, err));
    RB_TRY(rb_observe_config(drift, adopt->env, adopt->release, repo, err));
    for (size_t i = 0; i < m->database_count; i++) {
        const rb_manifest_database *d = &m->databases[i];
        const char *url = rb_env_database(adopt->env, d->name);
        RB_AUTO(rb_db_closep) rb_db *db = NULL;
        rb_db_target target = {0};
        if (url)
            RB_TRY(rb_db_inspect(&target, url, err));
        if (!target.exists) {
            rb_drift_add(drift, "db", "a database", url ? "missing" : "no url", "%s", d->name);
            continue;
        }
        RB_TRY(rb_db_open(&db, url, RB_DB_READ, err));
        RB_TRY(rb_observe_database(drift, accepted, db, adopt->release, repo, d, err));
    }
    *out = drift;
    *notes = texts;
    drift = NULL;
    texts = NULL;
    return RB_OK;
}

/* Makes the members of a plan that the journal and the ledger read. */
static json_t *plan_of(const rb_adopt *adopt)
{
    RB_AUTO(rb_free_str) char *by = rb_transition_by(adopt->session->repo);
    json_t *parts = json_array();
    for (int part = 0; part < RB_PARTS; part++)
        json_array_append_new(parts, json_string(rb_part_name((enum rb_part)part)));
    return rb_json_make(
        "from:0 to:s environment:s app:s only:j steps:j before:j accepted:j", adopt->release->tag,
        adopt->env->name, adopt->release->manifest->app_name, parts, json_array(),
        rb_json_make("by:s host:s user:s version:s", by, adopt->host, adopt->user, RB_VERSION),
        rb_json_make("loss:0 drift:b reverted:b", adopt->accepted, false));
}

enum rb_code rb_adopt_record(const rb_adopt *adopt, rb_err *err)
{
    RB_AUTO(rb_free_str) char *id = rb_transition_id();
    RB_AUTO(rb_json_freep) json_t *plan = plan_of(adopt);
    const rb_release *release = adopt->release;
    rb_live live = {0}; /* its texts are borrowed */
    const rb_transition_row row = {.id = id,
                                   .kind = "adopt",
                                   .to = release->tag,
                                   .to_object = (char *)release->object,
                                   .plan = plan};
    for (int part = 0; part < RB_PARTS; part++) {
        live.tag[part] = release->tag;
        live.object[part] = (char *)release->object;
    }
    if (adopt->own_layout && adopt->app_agrees)
        RB_TRY(rb_delivered_note(adopt->env->root, release->tag, release->manifest, err));
    RB_TRY(rb_state_begin(adopt->state, &row, err));
    return rb_state_end(adopt->state, id, "done", NULL, &live, err);
}
