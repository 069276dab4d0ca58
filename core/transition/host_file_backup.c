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
#define OWN "own" /* used instead of a transition's id */
#define RESTORED "restored"

static char *folder_of(const char *root, const char *transition)
{
    return rb_format("%s/.rbtool/backups/%s/files", root, transition);
}

char *rb_host_backup_path(const char *root, const char *transition, const char *part,
                          const char *path)
{
    char sha256[RB_SHA256_HEX];
    rb_sha256_hex_of(path, strlen(path), sha256);
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    return rb_format("%s/%s-%.32s", folder, part, sha256);
}

/* Paths of the two files of a backup. */
typedef struct backup {
    char *content;
    char *note;
} backup;

static void backup_clear(backup *b)
{
    free(b->content);
    free(b->note);
}

static backup backup_of(const char *root, const char *transition, const char *part,
                        const char *path)
{
    backup b = {.content = rb_host_backup_path(root, transition, part, path)};
    b.note = rb_format("%s.json", b.content);
    return b;
}

static enum rb_code write_note(const char *path, const json_t *note, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, note);
    return rb_file_write(path, text.data, text.len, 0600, err);
}

static enum rb_code read_note(json_t **out, const char *path, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_file_read_own(&text, path, NOTE_LIMIT, err));
    return rb_json_read(out, rb_buf_str(&text), text.len, path, err);
}

enum rb_code rb_host_backup_save(const char *root, const char *transition, const char *part,
                                 const char *path, rb_err *err)
{
    RB_AUTO(backup_clear) backup b = backup_of(root, transition, part, path);
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    RB_AUTO(rb_json_freep) json_t *note = json_object();
    RB_AUTO(rb_free_str) char *link = NULL;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    struct stat st;
    if (rb_at_look(&st, b.note) == 0)
        return RB_OK;
    if (errno != ENOENT)
        return rb_fail_errno(err, RB_ERROR, "cannot look at %s", b.note);
    RB_TRY(rb_dir_make_as(folder, 0700, err));
    RB_TRY(rb_link_read_own(&link, path, err));
    RB_TRY(rb_file_load(&content, &st, path, FILE_LIMIT, err));
    rb_json_set_bytes(note, "path", path);
    rb_json_set_bytes(note, "link", link);
    if (st.st_nlink > 0) {
        RB_TRY(rb_file_write(b.content, rb_buf_str(&content), content.len, 0600, err));
        rb_json_set(note, "mode:i user:i group:i", (int64_t)(st.st_mode & 07777),
                    (int64_t)st.st_uid, (int64_t)st.st_gid);
    }
    /* The note is written last: a backup with a note is complete. */
    return write_note(b.note, note, err);
}

static rb_file_access access_of(const json_t *note)
{
    return (rb_file_access){.fresh = (mode_t)rb_json_int(note, "mode", 0600) & 0777,
                            .user = (uid_t)rb_json_int(note, "user", geteuid()),
                            .group = (gid_t)rb_json_int(note, "group", getegid())};
}

static enum rb_code restore_one(const char *root, const char *transition, const char *part,
                                const char *note_path, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(read_note(&note, note_path, err));
    RB_AUTO(rb_free_str) char *path = rb_json_bytes(note, "path");
    RB_AUTO(rb_free_str) char *link = rb_json_bytes(note, "link");
    RB_AUTO(backup_clear) backup b = backup_of(root, transition, part, path ? path : "");
    if (!path ||
        strcmp(b.note, note_path) != 0) /* the note's file name is derived from the path in it */
        return rb_fail(err, RB_ERROR,
                       "%s does not contain the path of its file: it is damaged\nrestore the file "
                       "by hand, and move the note away",
                       note_path);
    if (!json_object_get(note, "mode"))
        return link ? rb_link_switch(path, link, err) : rb_file_remove(path, err);
    const rb_file_access access = access_of(note);
    RB_TRY(rb_file_read_own(&content, b.content, FILE_LIMIT, err));
    if (link && !rb_file_exists(path))
        RB_TRY(rb_link_switch(path, link, err));
    return rb_file_put_staged(path, rb_buf_str(&content), content.len, &access, err);
}

enum rb_code rb_host_backup_restore(const char *root, const char *transition, const char *part,
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

enum rb_code rb_host_backup_own(const char *root, const char *transition, const char *part,
                                const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = folder_of(root, OWN);
    RB_AUTO(backup_clear) backup from = backup_of(root, transition, part, path);
    RB_AUTO(backup_clear) backup own = backup_of(root, OWN, part, path);
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    char sha256[RB_SHA256_HEX];
    RB_TRY(read_note(&note, from.note, err));
    /* If the restored file was overwritten by a transition that is undone, it still counts as
     * restored. */
    bool restored = rb_sha256_file(sha256, from.content, RB_IGNORED) == RB_OK &&
                    rb_host_backup_own_restored(root, part, path, sha256);
    bool has_content = json_object_get(note, "mode") != NULL;
    RB_TRY(rb_dir_remove(own.note, err));
    RB_TRY(rb_dir_remove(own.content, err));
    if (!has_content && !rb_json_str(note, "link"))
        return RB_OK;
    RB_TRY(rb_dir_make_as(folder, 0700, err));
    if (has_content) {
        RB_TRY(rb_file_read_own(&content, from.content, FILE_LIMIT, err));
        RB_TRY(rb_file_write(own.content, rb_buf_str(&content), content.len, 0600, err));
    }
    if (restored)
        json_object_set_new(note, RESTORED, json_true());
    return write_note(own.note, note, err);
}

bool rb_host_backup_has_own(const char *root, const char *part, const char *path)
{
    RB_AUTO(backup_clear) backup own = backup_of(root, OWN, part, path);
    return rb_file_exists(own.note);
}

bool rb_host_backup_own_restored(const char *root, const char *part, const char *path,
                                 const char *sha256)
{
    RB_AUTO(backup_clear) backup own = backup_of(root, OWN, part, path);
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    char found[RB_SHA256_HEX];
    return rb_file_exists(own.content) && read_note(&note, own.note, RB_IGNORED) == RB_OK &&
           json_is_true(json_object_get(note, RESTORED)) &&
           rb_sha256_file(found, own.content, RB_IGNORED) == RB_OK && strcmp(found, sha256) == 0;
}

enum rb_code rb_host_backup_stage_own(const char *root, const char *part, const char *path,
                                      rb_err *err)
{
    RB_AUTO(backup_clear) backup own = backup_of(root, OWN, part, path);
    RB_AUTO(rb_json_freep) json_t *note = NULL;
    RB_AUTO(rb_buf_clear) rb_buf content = {0};
    RB_TRY(read_note(&note, own.note, err));
    /* A symlink that was removed since must be made before the file can be written through it. */
    bool leads_elsewhere = rb_json_str(note, "link") && !rb_file_exists(path);
    if (json_object_get(note, "mode") && !leads_elsewhere) {
        const rb_file_access access = access_of(note);
        RB_TRY(rb_file_read_own(&content, own.content, FILE_LIMIT, err));
        RB_TRY(rb_file_stage(path, rb_buf_str(&content), content.len, &access, err));
    }
    json_object_set_new(note, RESTORED, json_true());
    return write_note(own.note, note, err);
}

enum rb_code rb_host_backup_restore_own(const char *root, const char *part, const char *path,
                                        rb_err *err)
{
    RB_AUTO(backup_clear) backup own = backup_of(root, OWN, part, path);
    return restore_one(root, OWN, part, own.note, err);
}

enum rb_code rb_host_backup_remove(const char *root, const char *transition, bool databases,
                                   rb_err *err)
{
    RB_AUTO(rb_free_str) char *folder = folder_of(root, transition);
    RB_AUTO(rb_free_str) char *parent = rb_path_dir(folder);
    if (databases)
        return rb_dir_remove(parent, err);
    RB_TRY(rb_dir_remove(folder, err));
    (void)rb_dir_remove_empty(parent); /* fails if it still has backups of databases */
    return RB_OK;
}

char *rb_host_backup_app(const char *root, const char *transition)
{
    return rb_format("%s/.rbtool/backups/%s/app", root, transition);
}
