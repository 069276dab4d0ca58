/* libarchive, which archive.c loads when it writes the first archive (base/library.h). */
#ifndef RB_ARTIFACT_LIBARCHIVE_H
#define RB_ARTIFACT_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/library.h"

/* The functions of libarchive that are used. */
#define RB_LIBARCHIVE(X)                                                                           \
    X(archive_entry_free)                                                                          \
    X(archive_entry_new)                                                                           \
    X(archive_entry_set_filetype)                                                                  \
    X(archive_entry_set_pathname)                                                                  \
    X(archive_entry_set_perm)                                                                      \
    X(archive_entry_set_size)                                                                      \
    X(archive_entry_set_symlink)                                                                   \
    X(archive_error_string)                                                                        \
    X(archive_write_add_filter_gzip)                                                               \
    X(archive_write_add_filter_zstd)                                                               \
    X(archive_write_close)                                                                         \
    X(archive_write_data)                                                                          \
    X(archive_write_free)                                                                          \
    X(archive_write_header)                                                                        \
    X(archive_write_new)                                                                           \
    X(archive_write_open2)                                                                         \
    X(archive_write_set_bytes_in_last_block)                                                       \
    X(archive_write_set_bytes_per_block)                                                           \
    X(archive_write_set_filter_option)                                                             \
    X(archive_write_set_format_raw)                                                                \
    X(archive_write_set_format_zip)

typedef struct rb_libarchive {
    RB_LIBARCHIVE(RB_LIBRARY_MEMBER)
} rb_libarchive;

#endif
