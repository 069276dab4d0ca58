/*
 * Writes archive files: the canonical tar, plain or compressed, and zip. Compressed bytes depend on
 * the library's version, so an artifact's digest is that of the uncompressed tar.
 *
 * Order of calls: create; for each entry rb_archive_entry(), its content, rb_archive_tar() for the
 * padding; finish; close.
 */
#ifndef RB_ARTIFACT_ARCHIVE_H
#define RB_ARTIFACT_ARCHIVE_H

#include "artifact/tar.h"

typedef struct rb_archive rb_archive;

bool rb_archive_format_known(const char *format); /* true for tar, tar.gz, tar.zst, zip */

/* Creates the file; `path` must not exist. */
enum rb_code rb_archive_create(rb_archive **out, const char *path, const char *format, rb_err *err);
/* closes an unfinished file as it is, without removing it */
void rb_archive_close(rb_archive *archive);
RB_DEFINE_AUTO(rb_archive, rb_archive_close)

/* Begins an entry; its content follows in pieces. head: the entry's tar header. */
enum rb_code rb_archive_entry(rb_archive *archive, const rb_tar_entry *entry, const rb_buf *head,
                              rb_err *err);
enum rb_code rb_archive_data(rb_archive *archive, const void *data, size_t len, rb_err *err);
/* Writes bytes that only a tar contains: padding and the end of the archive. */
enum rb_code rb_archive_tar(rb_archive *archive, const void *data, size_t len, rb_err *err);
enum rb_code rb_archive_finish(rb_archive *archive, rb_err *err); /* completes and syncs the file */

#endif
