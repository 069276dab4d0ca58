/* Reads objects in many threads, without libgit2's global lock. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "git/internal.h"

#include <git2/sys/odb_backend.h>
#include <git2/sys/repository.h>

#define VIEWS 4 /* number of views in one run; each repack that is noticed opens one */

struct view {
    git_odb *odb;
    /* backends for packs and loose objects, including those of alternates */
    git_odb_backend **backends;
    size_t backend_count;
};

/* libgit2 rescans packs under its lock and changes data that other threads read. Therefore a thread
 * that does not find an object opens a new view. Old views stay open until the end. */
struct rb_views {
    pthread_mutex_t lock;
    atomic_size_t count;
    struct view items[VIEWS];
};

static void find_backends(struct view *view)
{
    size_t n = git_odb_num_backends(view->odb);
    view->backends = rb_calloc(n, sizeof *view->backends);
    for (size_t i = 0; i < n; i++)
        if (git_odb_get_backend(&view->backends[view->backend_count], view->odb, i) == 0)
            view->backend_count++;
}

/* Opens the object database. During a push, new objects are in git's quarantine,
 * GIT_OBJECT_DIRECTORY, and all others in its alternates. */
static int open_odb(git_odb **out, const rb_repo *repo)
{
    const char *objects = rb_git_env("GIT_OBJECT_DIRECTORY");
    const char *alternates = rb_git_env("GIT_ALTERNATE_OBJECT_DIRECTORIES");
    RB_AUTO(rb_free_str)
    char *path = objects ? rb_path_join(repo->dir, objects) : rb_path_join(repo->common, "objects");
    int status = git_odb_open(out, path);
    while (status == 0 && alternates && *alternates) {
        size_t len = strcspn(alternates, ":");
        RB_AUTO(rb_free_str) char *one = rb_strndup(alternates, len);
        RB_AUTO(rb_free_str) char *full = rb_path_join(repo->dir, one);
        if (len > 0)
            status = git_odb_add_disk_alternate(*out, full);
        alternates += len + (alternates[len] == ':');
    }
    return status;
}

static bool has_quoted(const char *alternates)
{
    return alternates && (*alternates == '"' || strstr(alternates, ":\""));
}

enum rb_code rb_git_odb_open(rb_repo *repo, rb_err *err)
{
    const char *alternates = rb_git_env("GIT_ALTERNATE_OBJECT_DIRECTORIES");
    if (has_quoted(alternates))
        return rb_fail(err, RB_ERROR,
                       "cannot read GIT_ALTERNATE_OBJECT_DIRECTORIES: a path in it is quoted\nmove "
                       "the repository to a path without colons");
    int status = 0;
    if (rb_git_env("GIT_OBJECT_DIRECTORY") || alternates) {
        status = open_odb(&repo->odb, repo);
        if (status == 0)
            status = git_repository_set_odb(repo->repo, repo->odb);
    } else {
        status = git_repository_odb(&repo->odb, repo->repo);
    }
    if (status != 0) {
        RB_AUTO(rb_free_str) char *why = rb_git_message();
        return rb_fail(err, RB_ERROR, "cannot open the objects of %s: %s", repo->dir, why);
    }
    repo->views = rb_calloc(1, sizeof *repo->views);
    pthread_mutex_init(&repo->views->lock, NULL);
    repo->views->items[0].odb = repo->odb;
    find_backends(&repo->views->items[0]);
    repo->views->count = 1;
    return RB_OK;
}

void rb_git_odb_close(rb_repo *repo)
{
    for (size_t i = 0; repo->views && i < repo->views->count; i++) {
        free(repo->views->items[i].backends);
        if (i > 0)
            git_odb_free(repo->views->items[i].odb);
    }
    if (repo->views)
        pthread_mutex_destroy(&repo->views->lock);
    free(repo->views);
    git_odb_free(repo->odb);
}

/* Makes sure that more than `seen` views exist: opens one, unless another thread did. Returns false
 * if that fails. */
static bool look_again(const rb_repo *repo, size_t seen)
{
    struct rb_views *views = repo->views;
    pthread_mutex_lock(&views->lock);
    if (views->count == seen && seen < VIEWS) {
        struct view *next = &views->items[seen];
        if (open_odb(&next->odb, repo) == 0) {
            find_backends(next);
            views->count++;
        }
    }
    bool newer = views->count > seen;
    pthread_mutex_unlock(&views->lock);
    return newer;
}

static int read_from(struct rb_raw *raw, const struct view *view, const rb_oid *oid)
{
    int status = GIT_ENOTFOUND;
    for (size_t i = 0; i < view->backend_count && status == GIT_ENOTFOUND; i++) {
        raw->backend = view->backends[i];
        status =
            raw->backend->read(&raw->data, &raw->len, &raw->type, raw->backend, rb_git_oid(oid));
    }
    return status;
}

int rb_git_size(size_t *out, const rb_repo *repo, const rb_oid *oid)
{
    const struct view *view = &repo->views->items[repo->views->count - 1];
    int status = GIT_ENOTFOUND;
    for (size_t i = 0; i < view->backend_count && status == GIT_ENOTFOUND; i++) {
        git_object_t type;
        git_odb_backend *backend = view->backends[i];
        status = backend->read_header(out, &type, backend, rb_git_oid(oid));
    }
    return status;
}

static bool has_id(const struct rb_raw *raw, const rb_oid *oid)
{
    char head[32];
    rb_oid found;
    const char *type = git_object_type2string(raw->type);
    size_t len = (size_t)snprintf(head, sizeof head, "%s %zu", type, raw->len) + 1;
    rb_sha1_of(head, len, raw->data, raw->len, found.id);
    return rb_oid_equal(&found, oid);
}

int rb_git_read(struct rb_raw *out, const rb_repo *repo, const rb_oid *oid, bool checked)
{
    struct rb_raw raw = {.type = GIT_OBJECT_INVALID};
    size_t seen;
    int status;
    do {
        seen = repo->views->count;
        status = read_from(&raw, &repo->views->items[seen - 1], oid);
    } while (status == GIT_ENOTFOUND && look_again(repo, seen));
    if (status != 0)
        return status;
    if (checked && !has_id(&raw, oid)) {
        rb_git_raw_clear(&raw);
        git_error_set_str(GIT_ERROR_ODB, "its bytes do not match its id");
        return GIT_EMISMATCH;
    }
    *out = raw;
    return 0;
}

void rb_git_raw_clear(struct rb_raw *raw)
{
    if (raw->data)
        git_odb_backend_data_free(raw->backend, raw->data);
    *raw = (struct rb_raw){0};
}
