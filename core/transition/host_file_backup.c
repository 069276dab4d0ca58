#include "transition/host_file_backup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/staged.h"

#define FILE_LIMIT (64u << 20)
#define NOTE_LIMIT (64u << 10)
#define OWN "own" /* in place of a transition's id */
#define GIVEN_BACK "givenBack"

static char *folder_of(const char *root, const char *transition)
{
    return rb_format("%s/.rbtool/backups/%s/files", root, transition);
}

char *rb_kept_path(const char *root, const char *transition, const char *part, const char *path)
{
    char sha256[RB_SHA256_HEX];
    rb_sha256_hex_of(path, strlen(path), sha256);
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    return rb_format("%s/%s-%.32s", folder, part, sha256);
}

static enum rb_code write_note(const char *path, const json_t *note, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, note);
    return rb_file_write(path, text.data, text.len, 0600, err);
}

enum rb_code rb_kept_save(const char *root, const char *transition, const char *part,
                          const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    RB_AUTO(rb_free_str) char *kept = rb_kept_path(root, transition, part, path);
    RB_AUTO(rb_free_str) char *note_path = rb_format("%s.json", kept);
    struct stat st;
    if (rb_at_look(&st, note_path) == 0)
        return RB_OK;
    if (errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot look at %s", note_path);
    RB_TRY(rb_dir_make_as(folder, 0700, err));
    RB_AUTO(rb_json_freep) json_t *note = json_object();
    RB_AUTO(rb_free_str) char *link = NULL;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(rb_link_read_own(&link, path, err));
    RB_TRY(rb_file_load(&content, &st, path, FILE_LIMIT, err));
    rb_json_set_bytes(note, "path", path);
    rb_json_set_bytes(note, "link", link);
    if (st.st_nlink > 0) {
        RB_TRY(rb_file_write(kept, rb_buf_str(&content), content.len, 0600, err));
        rb_json_set(note, "mode:i user:i group:i", (int64_t)(st.st_mode & 07777),
                    (int64_t)st.st_uid, (int64_t)st.st_gid);
    }
    /* The note comes last: with it the copy is complete. */
    return write_note(note_path, note, err);
}

static rb_file_access access_of(const json_t *note)
{
    return (rb_file_access){.fresh = (mode_t)rb_json_int(note, "mode", 0600) & 0777,
                            .user = (uid_t)rb_json_int(note, "user", geteuid()),
                            .group = (gid_t)rb_json_int(note, "group", getegid())};
}

static enum rb_code put_content(const char *path, const char *kept, const json_t *note,
                                const char *link, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    const rb_file_access access = access_of(note);
    RB_TRY(rb_file_read_own(&content, kept, FILE_LIMIT, err));
    if (link && !rb_file_exists(path))
        RB_TRY(rb_link_switch(path, link, err));
    return rb_file_put_staged(path, rb_buf_str(&content), content.len, &access, err);
}

static enum rb_code read_note(json_t **out, const char *note_path, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read_own(&text, note_path, NOTE_LIMIT, err));
    return rb_json_read(out, rb_buf_str(&text), text.len, note_path, err);
}

/* The name of what is kept is made from the path it came from. */
static bool belongs(const char *kept, const char *root, const char *transition, const char *part,
                    const char *path)
{
    RB_AUTO(rb_free_str) char *expected = rb_kept_path(root, transition, part, path);
    return strcmp(kept, expected) == 0;
}

static enum rb_code restore_one(const char *root, const char *transition, const char *part,
                                const char *note_path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *kept = rb_strndup(note_path, strlen(note_path) - strlen(".json"));
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_TRY(read_note(&note, note_path, err));
    RB_AUTO(rb_free_str) char *path = rb_json_bytes(note, "path");
    RB_AUTO(rb_free_str) char *link = rb_json_bytes(note, "link");
    if (!path || !belongs(kept, root, transition, part, path))
        return rb_fail(err, RB_ERROR,
                       "%s does not say where the file came from: it is damaged\nput the file in "
                       "its place by hand, and move the note away",
                       note_path);
    if (json_object_get(note, "mode"))
        return put_content(path, kept, note, link, err);
    if (link)
        return rb_link_switch(path, link, err);
    return rb_file_remove(path, err);
}

enum rb_code rb_kept_restore(const char *root, const char *transition, const char *part,
                             rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    RB_AUTO(rb_free_str) char *pattern = rb_format("%s-*.json", part);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_TRY(rb_dir_list(&names, folder, err));
    for (size_t i = 0; i < names.n; i++)
        if (rb_path_match(pattern, names.items[i])) {
            RB_AUTO(rb_free_str) char *note = rb_path_join(folder, names.items[i]);
            RB_TRY(restore_one(root, transition, part, note, err));
        }
    return RB_OK;
}

static enum rb_code copy_file(const char *from, const char *to, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(rb_file_read_own(&content, from, FILE_LIMIT, err));
    return rb_file_write(to, rb_buf_str(&content), content.len, 0600, err);
}

enum rb_code rb_kept_own(const char *root, const char *transition, const char *part,
                         const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = folder_of(root, OWN);
    RB_AUTO(rb_free_str) char *kept = rb_kept_path(root, transition, part, path);
    RB_AUTO(rb_free_str) char *kept_note = rb_format("%s.json", kept);
    RB_AUTO(rb_free_str) char *own = rb_kept_path(root, OWN, part, path);
    RB_AUTO(rb_free_str) char *own_note = rb_format("%s.json", own);
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_TRY(read_note(&note, kept_note, err));
    /* An attempt that is undone leaves what was given back as it was. */
    char sha256[RB_SHA256_HEX];
    rb_err none;
    bool given = rb_sha256_file(sha256, kept, &none) == RB_OK &&
                 rb_kept_was_given_back(root, part, path, sha256);
    RB_TRY(rb_dir_remove(own_note, err));
    RB_TRY(rb_dir_remove(own, err));
    RB_AUTO(rb_free_str) char *link = rb_json_bytes(note, "link");
    if (!json_object_get(note, "mode") && !link)
        return RB_OK;
    RB_TRY(rb_dir_make_as(folder, 0700, err));
    if (json_object_get(note, "mode"))
        RB_TRY(copy_file(kept, own, err));
    if (given)
        json_object_set_new(note, GIVEN_BACK, json_true());
    return write_note(own_note, note, err);
}

bool rb_kept_has_own(const char *root, const char *part, const char *path)
{
    RB_AUTO(rb_free_str) char *own = rb_kept_path(root, OWN, part, path);
    RB_AUTO(rb_free_str) char *note = rb_format("%s.json", own);
    return rb_file_exists(note);
}

bool rb_kept_was_given_back(const char *root, const char *part, const char *path,
                            const char *sha256)
{
    RB_AUTO(rb_free_str) char *own = rb_kept_path(root, OWN, part, path);
    RB_AUTO(rb_free_str) char *note_path = rb_format("%s.json", own);
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    char found[RB_SHA256_HEX];
    rb_err none;
    return rb_file_exists(own) && read_note(&note, note_path, &none) == RB_OK &&
           json_is_true(json_object_get(note, GIVEN_BACK)) &&
           rb_sha256_file(found, own, &none) == RB_OK && strcmp(found, sha256) == 0;
}

enum rb_code rb_kept_stage_own(const char *root, const char *part, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *own = rb_kept_path(root, OWN, part, path);
    RB_AUTO(rb_free_str) char *note_path = rb_format("%s.json", own);
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(read_note(&note, note_path, err));
    /* A symlink that has to be made first leads elsewhere. */
    bool leads_elsewhere = rb_json_str(note, "link") && !rb_file_exists(path);
    if (json_object_get(note, "mode") && !leads_elsewhere) {
        const rb_file_access access = access_of(note);
        RB_TRY(rb_file_read_own(&content, own, FILE_LIMIT, err));
        RB_TRY(rb_file_stage(path, rb_buf_str(&content), content.len, &access, err));
    }
    json_object_set_new(note, GIVEN_BACK, json_true());
    return write_note(note_path, note, err);
}

enum rb_code rb_kept_give_back(const char *root, const char *part, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *own = rb_kept_path(root, OWN, part, path);
    RB_AUTO(rb_free_str) char *note = rb_format("%s.json", own);
    return restore_one(root, OWN, part, note, err);
}

enum rb_code rb_kept_drop(const char *root, const char *transition, rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    RB_AUTO(rb_free_str) char *parent = rb_path_dir(folder);
    RB_TRY(rb_dir_remove(folder, err));
    (void)rb_dir_remove_empty(parent); /* stays where it holds back-outs */
    return RB_OK;
}

enum rb_code rb_kept_drop_all(const char *root, const char *transition, rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = rb_format("%s/.rbtool/backups/%s", root, transition);
    return rb_dir_remove(folder, err);
}
