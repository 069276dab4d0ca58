/*
 * Digests: SHA-256 (FIPS 180-4), SHA-384 for the migration tool sqlx, SHA-1 for git's object ids,
 * CRC-32 for several migration tools.
 * Encodings: hexadecimal and base64 (RFC 4648).
 */
#ifndef RB_BASE_HASH_H
#define RB_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define RB_SHA256_SIZE 32
#define RB_SHA256_HEX 65 /* including the '\0' */

typedef struct rb_sha256 rb_sha256;

rb_sha256 *rb_sha256_new(void);
void rb_sha256_free(rb_sha256 *hash);
RB_DEFINE_AUTO(rb_sha256, rb_sha256_free)
void rb_sha256_add(rb_sha256 *hash, const void *data, size_t len);
/* Writes the digest and makes the object ready for the next message. */
void rb_sha256_end(rb_sha256 *hash, unsigned char out[RB_SHA256_SIZE]);

void rb_sha256_of(const void *data, size_t len, unsigned char out[RB_SHA256_SIZE]);
void rb_sha256_hex_of(const void *data, size_t len, char out[RB_SHA256_HEX]);
/* Computes the digest of a file's content. Reads it in blocks, so that its size does not matter. */
enum rb_code rb_sha256_file(char out[RB_SHA256_HEX], const char *path, rb_err *err);

#define RB_SHA384_HEX 97 /* including the '\0' */
void rb_sha384_hex_of(const void *data, size_t len, char out[RB_SHA384_HEX]);

/* Computes the SHA-1 of the concatenation of two parts; git names objects by it. It detects damage
 * on disk. Trust needs SHA-256. */
void rb_sha1_of(const void *head, size_t head_len, const void *data, size_t len,
                unsigned char out[20]);

/* Returns the CRC-32 that zip and Ethernet use. crc: that of what comes before, or 0. */
uint32_t rb_crc32(uint32_t crc, const void *data, size_t len);

void rb_hex_encode(const unsigned char *data, size_t len, char *out); /* 2 * len + 1 bytes */
bool rb_hex_decode(const char *hex, unsigned char *out,
                   size_t len); /* exactly 2 * len, lower case */

void rb_base64_encode(rb_buf *out, const void *data, size_t len); /* no line breaks */
/* Decodes strictly: no white space, canonical padding. */
bool rb_base64_decode(rb_buf *out, const char *text, size_t len);

#endif
