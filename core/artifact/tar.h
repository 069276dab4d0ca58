/*
 * The canonical tar, to the byte (POSIX.1-2017 pax, ustar interchange format):
 *
 * - A file or symlink is a header block, then its content, padded with zeros to 512 bytes. No
 *   folder entries. Two zero blocks end the archive; nothing pads it further.
 * - mode 0000644 or 0000755 (files that may be executed), also for symlinks (0000644); uid, gid,
 *   mtime, devmajor, devminor zero; uname and gname empty; all numbers octal, zero-filled, one NUL.
 * - A path of up to 100 bytes is the name. A longer one is split at the first '/' that leaves at
 *   most 100 bytes for the name, where at most 155 remain for the prefix.
 * - What does not fit goes into one pax header before it (typeflag x, name "PaxHeader"): records
 *   linkpath, path, size, in this order, each only where needed, their bytes as git has them. The
 *   ustar field then holds the first 100 bytes of name or link, or a size of zero.
 */
#ifndef RB_ARTIFACT_TAR_H
#define RB_ARTIFACT_TAR_H

#include <stdint.h>

#include "base/buf.h"
#include "git/tree.h"

#define RB_TAR_BLOCK 512

typedef struct rb_tar_entry {
    const char *path;
    enum rb_mode mode;  /* RB_MODE_FILE, RB_MODE_EXEC, RB_MODE_LINK */
    uint64_t size;      /* size of a file's content; 0 for links */
    const char *target; /* target of a link, else NULL */
} rb_tar_entry;

void rb_tar_head(rb_buf *out, const rb_tar_entry *entry); /* appends the header blocks */
/* number of zero bytes after the content */
size_t rb_tar_padding(uint64_t size);

#endif
