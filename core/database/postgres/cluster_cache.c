#include "database/postgres/cluster_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define SLOT "postgresql"
#define STAMP "rbtool.stamp"
#define STAMP_LIMIT 4096
#define LIMIT ((uint64_t)1 << 30) /* bytes of a cluster that may be kept */

void rb_pg_cache_prepare(const char *cache, uid_t user)
{
    rb_err ignored;
    struct stat st;
    if (rb_dir_make_as(cache, 0700, &ignored) == RB_OK && geteuid() == 0 &&
        lstat(cache, &st) == 0 && st.st_uid == 0)
        (void)!lchown(cache, user, (gid_t)-1);
}

/* True if no other user can have written to the folder. */
static bool is_own(const char *dir)
{
    struct stat st;
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 022) == 0;
}

char *rb_pg_cache_home(const char *cache)
{
    RB_AUTO(rb_free_str) char *home = rb_format("%s/run-XXXXXX", cache);
    if (!is_own(cache) || !mkdtemp(home))
        return NULL;
    return rb_strdup(home);
}

void rb_pg_cache_add_program(rb_buf *out, const char *path)
{
    struct stat st = {0};
    (void)!stat(path, &st);
    rb_buf_printf(out, "%s %ju %jd.%09ld %jd\n", path, (uintmax_t)st.st_ino,
                  (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (intmax_t)st.st_size);
}

/* Returns a text that identifies the programs that made a cluster, and the boot of the host: files
 * are not synced, so that a cluster is only valid until the host restarts. */
static char *stamp_of(const char *programs)
{
    RB_AUTO(rb_free_str) char *server = rb_path_join(programs, "postgres");
    RB_AUTO(rb_buf_clear) rb_buf boot = {0};
    rb_buf out = {0};
    rb_err ignored;
    if (rb_file_read(&boot, "/proc/sys/kernel/random/boot_id", STAMP_LIMIT, &ignored) != RB_OK)
        return NULL;
    rb_buf_add(&out, boot.data, boot.len);
    rb_pg_cache_add_program(&out, server);
    rb_pg_cache_add_program(&out, "/proc/self/exe");
    return rb_buf_detach(&out);
}

static bool has_stamp(const char *data, const char *programs)
{
    RB_AUTO(rb_free_str) char *expected = stamp_of(programs);
    RB_AUTO(rb_free_str) char *path = rb_path_join(data, STAMP);
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    rb_err ignored;
    return expected && rb_file_read(&found, path, STAMP_LIMIT, &ignored) == RB_OK &&
           strcmp(rb_buf_str(&found), expected) == 0;
}

bool rb_pg_cache_take(const char *cache, const char *data, const char *programs)
{
    RB_AUTO(rb_free_str) char *slot = rb_path_join(cache, SLOT);
    rb_err ignored;
    if (rename(slot, data) != 0)
        return false;
    if (is_own(data) && has_stamp(data, programs))
        return true;
    (void)!rb_dir_remove(data, &ignored);
    return false;
}

void rb_pg_cache_stamp(const char *data, const char *programs)
{
    RB_AUTO(rb_free_str) char *stamp = stamp_of(programs);
    RB_AUTO(rb_free_str) char *path = rb_path_join(data, STAMP);
    rb_err ignored;
    if (stamp)
        (void)!rb_file_write(path, stamp, strlen(stamp), 0600, &ignored);
}

void rb_pg_cache_give(const char *cache, const char *data, uint64_t bytes)
{
    RB_AUTO(rb_free_str) char *slot = rb_path_join(cache, SLOT);
    if (bytes <= LIMIT)
        (void)!rename(data, slot); /* a cluster that is not moved is removed by the caller */
}
