/*
 * Writes archive files: the canonical tar, plain or compressed, and zip. The bytes of compressed
 * files can change with the library's version, so the digest covers the uncompressed tar.
 */
#ifndef RB_ARTIFACT_ARCHIVE_H
#define RB_ARTIFACT_ARCHIVE_H

#include "artifact/tar.h"

typedef struct rb_archive rb_archive;

bool rb_archive_format_known(const char *format); /* tar, tar.gz, tar.zst, zip */

/* Creates the file; `path` must not exist. */
enum rb_code rb_archive_create(rb_archive **out, const char *path, const char *format, rb_err *err);
void rb_archive_close(rb_archive *archive); /* without finishing: the file stays behind */
RB_DEFINE_AUTO(rb_archive, rb_archive_close)

/* Begins an entry, whose content follows in pieces. head: its tar header. */
enum rb_code rb_archive_entry(rb_archive *archive, const rb_tar_entry *entry, const rb_buf *head,
                              rb_err *err);
enum rb_code rb_archive_data(rb_archive *archive, const void *data, size_t len, rb_err *err);
/* Writes bytes that only a tar has: padding and the end. */
enum rb_code rb_archive_tar(rb_archive *archive, const void *data, size_t len, rb_err *err);
enum rb_code rb_archive_finish(rb_archive *archive, rb_err *err); /* synced */

#endif
