#include "artifact/tar.h"

#include <stdio.h>
#include <string.h>

#define NAME_LEN 100
#define PREFIX_LEN 155
#define SIZE_LIMIT ((uint64_t)1 << 33) /* largest size in eleven octal digits, plus 1 */

struct block { /* POSIX ustar; no padding, since all members are bytes */
    char name[NAME_LEN];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char target[NAME_LEN];
    char magic[6];
    char version[2];
    char uname[32];
    char gname[32];
    char devmajor[8];
    char devminor[8];
    char prefix[PREFIX_LEN];
    char rest[12];
};

_Static_assert(sizeof(struct block) == RB_TAR_BLOCK, "a tar block has 512 bytes");

static void put(char *field, size_t cap, const char *text)
{
    size_t len = strlen(text);
    memcpy(field, text, len < cap ? len : cap);
}

/* Writes a number: octal, zero-filled, one NUL at the end. */
static void put_number(char *field, size_t cap, uint64_t value)
{
    field[cap - 1] = '\0';
    for (size_t i = cap - 1; i > 0; i--) {
        field[i - 1] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static void seal(struct block *block)
{
    unsigned sum = 0;
    const unsigned char *bytes = (const unsigned char *)block;
    memset(block->checksum, ' ', sizeof block->checksum);
    for (size_t i = 0; i < sizeof *block; i++)
        sum += bytes[i];
    put_number(block->checksum, 7, sum);
}

static struct block plain_block(char type, unsigned mode, uint64_t size)
{
    struct block block = {.type = type};
    put_number(block.mode, sizeof block.mode, mode);
    put_number(block.uid, sizeof block.uid, 0);
    put_number(block.gid, sizeof block.gid, 0);
    put_number(block.size, sizeof block.size, size);
    put_number(block.mtime, sizeof block.mtime, 0);
    memcpy(block.magic, "ustar", sizeof block.magic);
    memcpy(block.version, "00", sizeof block.version);
    put_number(block.devmajor, sizeof block.devmajor, 0);
    put_number(block.devminor, sizeof block.devminor, 0);
    return block;
}

/* Stores the path. Returns false, with the first 100 bytes as name, if it does not fit. */
static bool put_path(struct block *block, const char *path)
{
    size_t len = strlen(path);
    if (len <= NAME_LEN) {
        put(block->name, sizeof block->name, path);
        return true;
    }
    const char *slash = strchr(path + len - NAME_LEN - 1, '/');
    if (slash && slash[1] && slash > path && (size_t)(slash - path) <= PREFIX_LEN) {
        memcpy(block->prefix, path, (size_t)(slash - path));
        put(block->name, sizeof block->name, slash + 1);
        return true;
    }
    put(block->name, sizeof block->name, path);
    return false;
}

/* Appends a pax record "LEN key=value
 * "; LEN includes its own digits. */
static void add_record(rb_buf *out, const char *key, const char *value)
{
    size_t rest = strlen(key) + strlen(value) + 3;
    size_t len = rest + 1;
    while (len != rest + (size_t)snprintf(NULL, 0, "%zu", len))
        len = rest + (size_t)snprintf(NULL, 0, "%zu", len);
    rb_buf_printf(out, "%zu %s=", len, key);
    rb_buf_puts(out, value);
    rb_buf_addc(out, '\n');
}

static void pad(rb_buf *out, size_t size)
{
    static const char zeros[RB_TAR_BLOCK];
    rb_buf_add(out, zeros, rb_tar_padding(size));
}

size_t rb_tar_padding(uint64_t size)
{
    return (size_t)((RB_TAR_BLOCK - size % RB_TAR_BLOCK) % RB_TAR_BLOCK);
}

void rb_tar_head(rb_buf *out, const rb_tar_entry *entry)
{
    bool link = entry->mode == RB_MODE_LINK;
    bool large = entry->size >= SIZE_LIMIT;
    struct block block = plain_block(link ? '2' : '0', entry->mode == RB_MODE_EXEC ? 0755 : 0644,
                                     large || link ? 0 : entry->size);
    RB_AUTO(rb_buf_clear) rb_buf records = {0};
    if (link)
        put(block.target, sizeof block.target, entry->target);
    if (link && strlen(entry->target) > NAME_LEN)
        add_record(&records, "linkpath", entry->target);
    if (!put_path(&block, entry->path))
        add_record(&records, "path", entry->path);
    if (large) {
        char size[24];
        snprintf(size, sizeof size, "%llu", (unsigned long long)entry->size);
        add_record(&records, "size", size);
    }
    if (records.len > 0) {
        struct block pax = plain_block('x', 0644, records.len);
        put(pax.name, sizeof pax.name, "PaxHeader");
        seal(&pax);
        rb_buf_add(out, &pax, sizeof pax);
        rb_buf_add(out, records.data, records.len);
        pad(out, records.len);
    }
    seal(&block);
    rb_buf_add(out, &block, sizeof block);
}
