/*
 * Archive files: the canonical tar as it is or compressed, and zip. Their bytes may change with
 * the library's version, which is why the digest is over the uncompressed tar.
 */
#ifndef RB_ARTIFACT_ARCHIVE_H
#define RB_ARTIFACT_ARCHIVE_H

#include "artifact/tar.h"

typedef struct rb_archive rb_archive;

bool rb_archive_format_known(const char *format); /* tar, tar.gz, tar.zst, zip */

/* path must not exist. */
enum rb_code rb_archive_create(rb_archive **out, const char *path, const char *format,
                               rb_err *err) RB_MUST_USE;
void rb_archive_close(rb_archive *archive); /* without finishing: the file stays behind */
RB_DEFINE_AUTO(rb_archive, rb_archive_close)

/* For each entry: rb_archive_entry, then its content in pieces. head: the tar header of it. */
enum rb_code rb_archive_entry(rb_archive *archive, const rb_tar_entry *entry, const rb_buf *head,
                              rb_err *err) RB_MUST_USE;
enum rb_code rb_archive_data(rb_archive *archive, const void *data, size_t len,
                             rb_err *err) RB_MUST_USE;
/* Bytes that only a tar has: padding and the end. */
enum rb_code rb_archive_tar(rb_archive *archive, const void *data, size_t len,
                            rb_err *err) RB_MUST_USE;
enum rb_code rb_archive_finish(rb_archive *archive, rb_err *err) RB_MUST_USE; /* synced */

#endif
