#include "environment/delivered.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/hash.h"
#include "environment/drift.h"

#define LISTING_LIMIT (256u << 20) /* bytes: a million files */

char *rb_delivered_path(const char *root, const char *tag)
{
    return rb_format("%s/.rbtool/delivered/%s~json", root, tag);
}

/* Returns the path as a JSON key: hexadecimal, because a path need not be UTF-8. */
static char *key_of(const char *path)
{
    char *hex = rb_malloc(2 * strlen(path) + 1);
    rb_hex_encode((const unsigned char *)path, strlen(path), hex);
    return hex;
}

static enum rb_code digest(char out[RB_SHA256_HEX], const char *path, const struct stat *st,
                           rb_err *err)
{
    if (!S_ISLNK(st->st_mode))
        return rb_sha256_file(out, path, err);
    RB_AUTO(rb_free_str) char *target = NULL;
    RB_TRY(rb_link_read(&target, path, err));
    rb_sha256_hex_of(target ? target : "", target ? strlen(target) : 0, out);
    return RB_OK;
}

static int64_t stamp(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool is_ignored(const json_t *globs, const char *below)
{
    rb_json_each (glob, globs)
        if (json_is_string(glob) && rb_path_match(json_string_value(glob), below))
            return true;
    return false;
}

/* A walk over all files and symlinks below dir. */
typedef struct folder_walk {
    const char *dir;
    const json_t *ignore; /* globs of files that the application may add and remove, or NULL */
    enum rb_code (*visit)(void *context, const char *path, const char *below, const struct stat *st,
                          rb_err *err);
    void *context;
} folder_walk;

/* Calls visit for each file. An ignored folder may be unreadable, and an ignored file may vanish.
 * If the release delivered files there, they then count as missing. */
static enum rb_code walk(const folder_walk *w, const char *below, rb_err *err)
{
    RB_AUTO(rb_free_str) char *here = rb_path_join(w->dir, below);
    RB_AUTO(rb_free_str) char *folder = rb_format("%s/", below);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    enum rb_code code = rb_dir_list(&names, here, err);
    if (code != RB_OK)
        return is_ignored(w->ignore, folder) ? RB_OK : code;
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str) char *name = rb_path_join(below, names.items[i]);
        RB_AUTO(rb_free_str) char *path = rb_path_join(w->dir, name);
        struct stat st;
        if (rb_at_look(&st, path) != 0) {
            if (errno == ENOENT && is_ignored(w->ignore, name))
                continue;
            return rb_fail_errno(err, RB_ERROR, "cannot look at %s", path);
        }
        if (S_ISDIR(st.st_mode))
            RB_TRY(walk(w, name, err));
        else
            RB_TRY(w->visit(w->context, path, name, &st, err));
    }
    return RB_OK;
}

static enum rb_code note_file(void *context, const char *path, const char *below,
                              const struct stat *st, rb_err *err)
{
    char sha256[RB_SHA256_HEX];
    RB_TRY(digest(sha256, path, st, err));
    RB_AUTO(rb_free_str) char *key = key_of(below);
    json_t *entry = json_pack("[i,I,I,s]", (int)st->st_mode, (json_int_t)st->st_size,
                              (json_int_t)stamp(st), sha256);
    json_object_set_new((json_t *)context, key, entry);
    return RB_OK;
}

/* Returns the globs of every artifact, relative to the release's folder. */
static json_t *globs_of(const rb_manifest *manifest)
{
    json_t *globs = json_array();
    for (size_t i = 0; i < manifest->artifact_count; i++)
        for (size_t j = 0; j < manifest->artifacts[i].ignore.n; j++) {
            RB_AUTO(rb_free_str)
            char *glob = rb_path_join(manifest->artifacts[i].name, //
                                      manifest->artifacts[i].ignore.items[j]);
            json_array_append_new(globs, rb_json_text(glob));
        }
    return globs;
}

enum rb_code rb_delivered_note(const char *root, const char *tag, const rb_manifest *manifest,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = rb_format("%s/releases/%s", root, tag);
    RB_AUTO(rb_free_str) char *path = rb_delivered_path(root, tag);
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(path);
    RB_AUTO(rb_json_freep) json_t *listing = json_object();
    json_t *files = json_object();
    rb_json_set(listing, "files:j ignore:j", files, globs_of(manifest));
    RB_TRY(walk(&(folder_walk){folder, NULL, note_file, files}, "", err));
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, listing);
    RB_TRY(rb_dir_make_as(dir, 0755, err));
    return rb_file_write(path, text.data, text.len, 0644, err);
}

struct check {
    json_t *drift;
    json_t *files; /* expected files; found ones are removed from it */
    const json_t *ignore;
    const char *tag;
};

static void report(struct check *check, const char *below, const char *expected, const char *found)
{
    RB_AUTO(rb_free_str) char *shown = rb_format("releases/%s/%s", check->tag, below);
    rb_drift_add(check->drift, "app", expected, found, "%s", shown);
}

static enum rb_code check_file(void *context, const char *path, const char *below,
                               const struct stat *st, rb_err *err)
{
    struct check *check = context;
    RB_AUTO(rb_free_str) char *key = key_of(below);
    RB_AUTO(rb_json_freep) json_t *entry = json_incref(json_object_get(check->files, key));
    if (!entry) {
        if (!is_ignored(check->ignore, below))
            report(check, below, RB_DRIFT_NO_FILE, "a file that the release did not deliver");
        return RB_OK;
    }
    json_object_del(check->files, key);
    const char *expected = json_string_value(json_array_get(entry, 3));
    int mode = (int)json_integer_value(json_array_get(entry, 0));
    if (mode != (int)st->st_mode) {
        RB_AUTO(rb_free_str) char *was = rb_format("mode %o", (unsigned)mode);
        RB_AUTO(rb_free_str) char *is = rb_format("mode %o", (unsigned)st->st_mode);
        report(check, below, was, is);
        return RB_OK;
    }
    if (json_integer_value(json_array_get(entry, 1)) == st->st_size &&
        json_integer_value(json_array_get(entry, 2)) == stamp(st))
        return RB_OK;
    char sha256[RB_SHA256_HEX];
    RB_TRY(digest(sha256, path, st, err));
    if (!expected || strcmp(sha256, expected) != 0)
        report(check, below, expected, sha256);
    return RB_OK;
}

enum rb_code rb_delivered_check(json_t *drift, const char *root, const char *tag, rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = rb_format("%s/releases/%s", root, tag);
    RB_AUTO(rb_free_str) char *path = rb_delivered_path(root, tag);
    struct check check = {.drift = drift, .tag = tag};
    if (!rb_file_exists(folder) || !rb_file_exists(path)) {
        report(&check, "", "the release's files", "missing");
        return RB_OK;
    }
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read(&text, path, LISTING_LIMIT, err));
    RB_AUTO(rb_json_freep) json_t *listing = NULL;
    RB_TRY(rb_json_read(&listing, text.data, text.len, path, err));
    check.files = json_object_get(listing, "files");
    check.ignore = json_object_get(listing, "ignore");
    RB_TRY(walk(&(folder_walk){folder, check.ignore, check_file, &check}, "", err));
    rb_json_each_member (key, entry, check.files) {
        size_t len = strlen(key) / 2;
        RB_AUTO(rb_free_str) char *below = rb_calloc(len + 1, 1);
        if (rb_hex_decode(key, (unsigned char *)below, len))
            report(&check, below, json_string_value(json_array_get(entry, 3)), "missing");
    }
    return RB_OK;
}
