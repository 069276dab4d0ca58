#include "base/hash.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/anchor.h"

/* Leaves out what no command uses, before anything starts OpenSSL (libssh2 does for libgit2): the
 * texts of its errors, and freeing everything at the exit. */
__attribute__((constructor)) static void start_openssl(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_ATEXIT, NULL);
}

struct rb_sha256 {
    EVP_MD_CTX *ctx;
};

/* Fetch the algorithm once: OpenSSL's implicit fetch in each digest costs more than hashing a small
 * blob. */
static const EVP_MD *fetch_once(EVP_MD **md, const char *name)
{
    EVP_MD *seen = __atomic_load_n(md, __ATOMIC_ACQUIRE);
    if (seen)
        return seen;
    EVP_MD *made = EVP_MD_fetch(NULL, name, NULL);
    if (!made)
        abort();
    if (!__atomic_compare_exchange_n(md, &seen, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        EVP_MD_free(made);
        return seen;
    }
    return made;
}

static const EVP_MD *sha256_md(void)
{
    static EVP_MD *md;
    return fetch_once(&md, "SHA256");
}

static const EVP_MD *sha1_md(void)
{
    static EVP_MD *md;
    return fetch_once(&md, "SHA1");
}

rb_sha256 *rb_sha256_new(void)
{
    rb_sha256 *hash = rb_malloc(sizeof *hash);
    hash->ctx = EVP_MD_CTX_new();
    if (!hash->ctx || EVP_DigestInit_ex2(hash->ctx, sha256_md(), NULL) != 1)
        abort();
    return hash;
}

void rb_sha256_free(rb_sha256 *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->ctx);
    free(hash);
}

void rb_sha256_add(rb_sha256 *hash, const void *data, size_t len)
{
    if (EVP_DigestUpdate(hash->ctx, data, len) != 1)
        abort();
}

void rb_sha256_end(rb_sha256 *hash, unsigned char out[RB_SHA256_SIZE])
{
    if (EVP_DigestFinal_ex(hash->ctx, out, NULL) != 1 ||
        EVP_DigestInit_ex2(hash->ctx, NULL, NULL) != 1)
        abort();
}

void rb_sha256_of(const void *data, size_t len, unsigned char out[RB_SHA256_SIZE])
{
    if (EVP_Digest(data, len, out, NULL, sha256_md(), NULL) != 1)
        abort();
}

void rb_sha384_hex_of(const void *data, size_t len, char out[RB_SHA384_HEX])
{
    static EVP_MD *md;
    unsigned char digest[RB_SHA384_HEX / 2];
    if (EVP_Digest(data, len, digest, NULL, fetch_once(&md, "SHA384"), NULL) != 1)
        abort();
    rb_hex_encode(digest, sizeof digest, out);
}

void rb_sha1_of(const void *head, size_t head_len, const void *data, size_t len,
                unsigned char out[20])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex2(ctx, sha1_md(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, head, head_len) != 1 || EVP_DigestUpdate(ctx, data, len) != 1 ||
        EVP_DigestFinal_ex(ctx, out, NULL) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
}

void rb_sha256_hex_of(const void *data, size_t len, char out[RB_SHA256_HEX])
{
    unsigned char digest[RB_SHA256_SIZE];
    rb_sha256_of(data, len, digest);
    rb_hex_encode(digest, sizeof digest, out);
}

enum rb_code rb_sha256_file(char out[RB_SHA256_HEX], const char *path, rb_err *err)
{
    /* O_NONBLOCK: the path may lead to a FIFO or device by now, where open() or read() would not
     * end. */
    RB_AUTO(rb_close) int fd = rb_at_open(path, O_RDONLY | O_NONBLOCK, 0);
    struct stat st;
    if (fd < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot read %s", path);
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return rb_fail(err, RB_ERROR, "cannot read %s: it is not a regular file", path);
    RB_AUTO(rb_sha256_freep) rb_sha256 *hash = rb_sha256_new();
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        rb_sha256_add(hash, chunk, (size_t)n);
    if (n < 0)
        return rb_fail_errno(err, RB_ERROR, "cannot read %s", path);
    unsigned char digest[RB_SHA256_SIZE];
    rb_sha256_end(hash, digest);
    rb_hex_encode(digest, sizeof digest, out);
    return RB_OK;
}

uint32_t rb_crc32(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    }
    return ~crc;
}

void rb_hex_encode(const unsigned char *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rb_hex_decode(const char *hex, unsigned char *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = high < 0 ? -1 : hex_digit(hex[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return hex[2 * len] == '\0';
}

void rb_base64_encode(rb_buf *out, const void *data, size_t len)
{
    size_t need = (len + 2) / 3 * 4;
    rb_buf_reserve(out, need);
    EVP_EncodeBlock((unsigned char *)out->data + out->len, data, (int)len);
    out->len += need;
    out->data[out->len] = '\0';
}

/* OpenSSL ignores white space and left-over bits. Accept only the text that encoding the result
 * gives. */
bool rb_base64_decode(rb_buf *out, const char *text, size_t len)
{
    RB_AUTO(rb_buf_clear) rb_buf bytes = {0};
    RB_AUTO(rb_buf_clear) rb_buf again = {0};
    size_t pad = 0;
    while (pad < len && text[len - 1 - pad] == '=')
        pad++;
    rb_buf_reserve(&bytes, len / 4 * 3 + 1);
    int n = len > INT_MAX ? -1
                          : EVP_DecodeBlock((unsigned char *)bytes.data,
                                            (const unsigned char *)text, (int)len);
    if (n < 0 || (size_t)n < pad)
        return false;
    bytes.len = (size_t)n - pad;
    rb_base64_encode(&again, bytes.data, bytes.len);
    if (again.len != len || (len > 0 && memcmp(again.data, text, len) != 0))
        return false;
    rb_buf_add(out, bytes.data, bytes.len);
    return true;
}
