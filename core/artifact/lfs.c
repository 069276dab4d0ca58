#include "artifact/lfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define VERSION "version https://git-lfs.github.com/spec/v1\n"
#define OID "oid sha256:"
#define SIZE "size "
#define CHUNK 65536

struct rb_lfs {
    rb_repo *repo;
    rb_attributes *attributes;
    pthread_mutex_t lock;
    char *store; /* folder of LFS objects; found on first use */
};

static bool skip(const char **p, const char *end, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(end - *p) < len || memcmp(*p, text, len) != 0)
        return false;
    *p += len;
    return true;
}

bool rb_lfs_parse(rb_lfs_pointer *out, const void *data, size_t len)
{
    const char *p = data;
    const char *end = p + len;
    unsigned char digest[RB_SHA256_SIZE];
    rb_lfs_pointer pointer = {0};
    if (len > RB_LFS_POINTER_LIMIT || !skip(&p, end, VERSION) || !skip(&p, end, OID) ||
        (size_t)(end - p) < RB_SHA256_HEX)
        return false;
    memcpy(pointer.oid, p, RB_SHA256_HEX - 1);
    p += RB_SHA256_HEX - 1;
    if (!rb_hex_decode(pointer.oid, digest, sizeof digest) || !skip(&p, end, "\n") ||
        !skip(&p, end, SIZE))
        return false;
    const char *digits = p;
    while (p < end && *p >= '0' && *p <= '9' && p - digits < 18)
        pointer.size = pointer.size * 10 + (uint64_t)(*p++ - '0');
    if (p == digits || (*digits == '0' && p - digits > 1) || !skip(&p, end, "\n") || p != end)
        return false;
    *out = pointer;
    return true;
}

rb_lfs *rb_lfs_new(rb_repo *repo, const rb_oid *tree)
{
    rb_lfs *lfs = rb_calloc(1, sizeof *lfs);
    lfs->repo = repo;
    lfs->attributes = rb_attributes_new(repo, tree);
    pthread_mutex_init(&lfs->lock, NULL);
    return lfs;
}

void rb_lfs_free(rb_lfs *lfs)
{
    if (!lfs)
        return;
    rb_attributes_free(lfs->attributes);
    pthread_mutex_destroy(&lfs->lock);
    free(lfs->store);
    free(lfs);
}

rb_attributes *rb_lfs_attributes(rb_lfs *lfs)
{
    return lfs->attributes;
}

/* True if the pointer has extension lines: other programs have changed its content. */
static bool has_extensions(const void *data, size_t len)
{
    const char *p = data;
    return len <= RB_LFS_POINTER_LIMIT && skip(&p, p + len, VERSION) &&
           (size_t)((const char *)data + len - p) > 4 && memcmp(p, "ext-", 4) == 0;
}

enum rb_code rb_lfs_is(bool *out, rb_lfs_pointer *pointer, rb_lfs *lfs, const char *path,
                       const void *data, size_t len, rb_err *err)
{
    *out = false;
    bool extended = has_extensions(data, len);
    if (!extended && !rb_lfs_parse(pointer, data, len))
        return RB_OK;
    const char *filter;
    RB_TRY(rb_attributes_get(&filter, lfs->attributes, path, "filter", err));
    if (!filter || strcmp(filter, "lfs") != 0)
        return RB_OK;
    if (extended) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(path);
        return rb_fail(err, RB_ERROR,
                       "cannot rebuild %s: its LFS pointer uses extensions, whose programs are not "
                       "run here\nstore it without them",
                       safe);
    }
    *out = true;
    return RB_OK;
}

static enum rb_code find_store(const char **out, rb_lfs *lfs, rb_err *err)
{
    const char *set = NULL;
    enum rb_code code = RB_OK;
    pthread_mutex_lock(&lfs->lock);
    if (!lfs->store)
        code = rb_repo_setting(&set, lfs->repo, "lfs.storage", err);
    if (!lfs->store && code == RB_OK) {
        RB_AUTO(rb_free_str)
        char *base = rb_path_join(rb_repo_common_dir(lfs->repo), set && *set ? set : "lfs");
        lfs->store = rb_path_join(base, "objects");
    }
    *out = lfs->store;
    pthread_mutex_unlock(&lfs->lock);
    return code;
}

static enum rb_code pour(int fd, const rb_lfs_pointer *pointer, const char *safe, rb_lfs_sink *sink,
                         void *context, rb_err *err)
{
    RB_AUTO(rb_sha256_freep) rb_sha256 *hash = rb_sha256_new();
    char chunk[CHUNK];
    uint64_t left = pointer->size;
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return rb_fail_errno(err, RB_ERROR, "cannot read the LFS content of %s", safe);
        if ((uint64_t)n > left)
            break;
        left -= (uint64_t)n;
        rb_sha256_add(hash, chunk, (size_t)n);
        RB_TRY(sink(context, chunk, (size_t)n, err));
    }
    unsigned char digest[RB_SHA256_SIZE];
    char hex[RB_SHA256_HEX];
    rb_sha256_end(hash, digest);
    rb_hex_encode(digest, sizeof digest, hex);
    if (n == 0 && left == 0 && strcmp(hex, pointer->oid) == 0)
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "the LFS content of %s is damaged: its bytes do not match oid %s\ndelete it from "
        "the LFS store and run git lfs fetch origin with this release's tag",
        safe, pointer->oid);
}

enum rb_code rb_lfs_content(rb_lfs *lfs, const rb_lfs_pointer *pointer, const char *path,
                            rb_lfs_sink *sink, void *context, rb_err *err)
{
    const char *store = NULL;
    if (pointer->size == 0)
        return RB_OK;
    RB_TRY(find_store(&store, lfs, err));
    RB_AUTO(rb_free_str)
    char *file = rb_format("%s/%.2s/%.2s/%s", store, pointer->oid, pointer->oid + 2, pointer->oid);
    RB_AUTO(rb_free_str) char *safe = rb_safe(path);
    RB_AUTO(rb_close) int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return rb_fail(err, RB_ERROR,
                       "cannot read the LFS content of %s: %s is not in the LFS store\nrun git lfs "
                       "fetch origin with this release's tag",
                       safe, pointer->oid);
    return pour(fd, pointer, safe, sink, context, err);
}
