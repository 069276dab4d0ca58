#include "artifact/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "artifact/libarchive.h"
#include "base/anchor.h"
#include "base/file.h"

#define BLOCK 65536

struct rb_archive {
    const rb_libarchive *lib;
    struct archive *handle;
    int fd;
    int failed; /* errno of the first failed write */
    char *path;
    bool zip;
    locale_t utf8; /* 0: the system has no UTF-8 locale */
};

bool rb_archive_format_known(const char *format)
{
    static const char *const known[] = {"tar", "tar.gz", "tar.zst", "zip"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(format, known[i]) == 0)
            return true;
    return false;
}

/* Writes to the file and records the first failure: libarchive loses errno, and leaks if its writer
 * fails. */
static la_ssize_t write_out(struct archive *handle, void *context, const void *data, size_t len)
{
    rb_archive *archive = context;
    const char *p = data;
    size_t left = len;
    (void)handle;
    while (left > 0 && archive->failed == 0) {
        ssize_t n = write(archive->fd, p, left);
        if (n > 0) {
            p += n;
            left -= (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            archive->failed = n == 0 ? ENOSPC : errno;
        }
    }
    return (la_ssize_t)len;
}

static enum rb_code explain(const rb_archive *archive, rb_err *err)
{
    const char *why = archive->lib->archive_error_string(archive->handle);
    RB_AUTO(rb_free_str) char *safe = rb_safe(why ? why : "libarchive gave no reason");
    errno = archive->failed;
    return archive->failed ? rb_fail_errno(err, RB_ERROR, "cannot write %s", archive->path)
                           : rb_fail(err, RB_ERROR, "cannot write %s: %s", archive->path, safe);
}

static enum rb_code check(const rb_archive *archive, bool ok, rb_err *err)
{
    return ok && archive->failed == 0 ? RB_OK : explain(archive, err);
}

static int choose(const rb_libarchive *lib, struct archive *handle, const char *format)
{
    if (strcmp(format, "zip") == 0)
        return lib->archive_write_set_format_zip(handle);
    int status = lib->archive_write_set_format_raw(handle);
    if (status == ARCHIVE_OK && strcmp(format, "tar.gz") == 0) {
        status = lib->archive_write_add_filter_gzip(handle);
        if (status == ARCHIVE_OK)
            status = lib->archive_write_set_filter_option(handle, "gzip", "timestamp", NULL);
    }
    if (status == ARCHIVE_OK && strcmp(format, "tar.zst") == 0) {
        status = lib->archive_write_add_filter_zstd(handle);
        /* level 3, the default, takes 5 MB more memory for 8 % fewer bytes */
        if (status == ARCHIVE_OK)
            status = lib->archive_write_set_filter_option(handle, "zstd", "compression-level", "2");
    }
    return status;
}

/* Begins the only, nameless entry of libarchive's raw format: the tar that is compressed. */
static int begin_raw(const rb_libarchive *lib, struct archive *handle)
{
    struct archive_entry *entry = lib->archive_entry_new();
    lib->archive_entry_set_filetype(entry, AE_IFREG);
    int status = lib->archive_write_header(handle, entry);
    lib->archive_entry_free(entry);
    return status;
}

static enum rb_code load(const rb_libarchive **out, rb_err *err)
{
    static rb_libarchive functions;
    static const char *const names[] = {RB_LIBARCHIVE(RB_LIBRARY_NAME) NULL};
    static const rb_library library = {"libarchive.so.13", "to write an archive", "libarchive13",
                                       names, &functions};
    *out = &functions;
    return rb_library_load(&library, err);
}

enum rb_code rb_archive_create(rb_archive **out, const char *path, const char *format, rb_err *err)
{
    RB_AUTO(rb_archive_closep) rb_archive *archive = rb_calloc(1, sizeof *archive);
    archive->fd = -1;
    RB_TRY(load(&archive->lib, err));
    archive->path = rb_strdup(path);
    archive->zip = strcmp(format, "zip") == 0;
    archive->utf8 = archive->zip ? newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0) : (locale_t)0;
    archive->fd = rb_at_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    if (archive->fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot create %s", path);
    const rb_libarchive *lib = archive->lib;
    archive->handle = lib->archive_write_new();
    if (!archive->handle)
        return rb_fail(err, RB_ERROR, "cannot write %s: libarchive did not start", path);
    if (choose(lib, archive->handle, format) != ARCHIVE_OK ||
        lib->archive_write_set_bytes_per_block(archive->handle, BLOCK) != ARCHIVE_OK ||
        lib->archive_write_set_bytes_in_last_block(archive->handle, 1) != ARCHIVE_OK ||
        lib->archive_write_open2(archive->handle, archive, NULL, write_out, NULL, NULL) !=
            ARCHIVE_OK ||
        (!archive->zip && begin_raw(lib, archive->handle) != ARCHIVE_OK))
        return explain(archive, err);
    *out = RB_TAKE(archive);
    return RB_OK;
}

void rb_archive_close(rb_archive *archive)
{
    if (!archive)
        return;
    if (archive->handle) {
        archive->failed =
            /* without this, freeing would write the rest of an archive that is discarded */
            ECANCELED;
        archive->lib->archive_write_free(archive->handle);
    }
    rb_close(&archive->fd);
    if (archive->utf8)
        freelocale(archive->utf8);
    free(archive->path);
    free(archive);
}

/* libarchive marks a name as UTF-8 according to the locale, so a UTF-8 locale is set for this
 * name. */
static bool enter_utf8(const rb_archive *archive, const char *name, locale_t *before)
{
    if (!archive->utf8)
        return false;
    *before = uselocale(archive->utf8);
    mbstate_t state = {0};
    if (mbsrtowcs(NULL, &name, 0, &state) != (size_t)-1)
        return true;
    uselocale(*before);
    return false;
}

static enum rb_code add_zip_entry(rb_archive *archive, const rb_tar_entry *item, rb_err *err)
{
    const rb_libarchive *lib = archive->lib;
    struct archive_entry *entry = lib->archive_entry_new();
    bool link = item->mode == RB_MODE_LINK;
    lib->archive_entry_set_pathname(entry, item->path);
    lib->archive_entry_set_filetype(entry, link ? AE_IFLNK : AE_IFREG);
    lib->archive_entry_set_perm(entry, link ? 0777 : item->mode == RB_MODE_EXEC ? 0755 : 0644);
    lib->archive_entry_set_size(entry, link ? 0 : (la_int64_t)item->size);
    if (link)
        lib->archive_entry_set_symlink(entry, item->target);
    locale_t before;
    bool entered = enter_utf8(archive, item->path, &before);
    int status = lib->archive_write_header(archive->handle, entry);
    if (entered)
        uselocale(before);
    lib->archive_entry_free(entry);
    return check(archive, status == ARCHIVE_OK, err);
}

static enum rb_code write_data(rb_archive *archive, const void *data, size_t len, rb_err *err)
{
    const char *p = data;
    while (len > 0) {
        la_ssize_t n = archive->lib->archive_write_data(archive->handle, p, len);
        RB_TRY(check(archive, n > 0, err));
        p += n;
        len -= (size_t)n;
    }
    return RB_OK;
}

enum rb_code rb_archive_entry(rb_archive *archive, const rb_tar_entry *entry, const rb_buf *head,
                              rb_err *err)
{
    return archive->zip ? add_zip_entry(archive, entry, err)
                        : write_data(archive, head->data, head->len, err);
}

enum rb_code rb_archive_data(rb_archive *archive, const void *data, size_t len, rb_err *err)
{
    return write_data(archive, data, len, err);
}

enum rb_code rb_archive_tar(rb_archive *archive, const void *data, size_t len, rb_err *err)
{
    return archive->zip ? RB_OK : write_data(archive, data, len, err);
}

enum rb_code rb_archive_finish(rb_archive *archive, rb_err *err)
{
    RB_TRY(check(archive, archive->lib->archive_write_close(archive->handle) == ARCHIVE_OK, err));
    if (fchmod(archive->fd, 0644) != 0 || fsync(archive->fd) != 0)
        return rb_fail_errno(err, RB_ERROR, "cannot sync %s", archive->path);
    RB_AUTO(rb_free_str) char *above = rb_path_dir(archive->path);
    return rb_dir_sync(above, err);
}
