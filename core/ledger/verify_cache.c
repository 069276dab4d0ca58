#include "ledger/verify_cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

#define FILE_LIMIT ((size_t)512 << 20) /* a larger one is begun anew */
#define BLOCK ((size_t)64 << 10)
#define LENGTH 4
#define STRINGS 5 /* of a problem */

/* A reader over bytes that is never left: what is cut reads as empty, and ok turns false. */
typedef struct reader {
    const char *p;
    const char *end;
    bool ok;
} reader;

rb_ledger_store *rb_ledger_store_new(void)
{
    return rb_calloc(1, sizeof(rb_ledger_store));
}

void rb_ledger_store_free(rb_ledger_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->block_count; i++)
        free(store->blocks[i]);
    free(store->blocks);
    rb_buf_clear(&store->file);
    free(store->offsets);
    free(store->slots);
    free(store->path);
    free(store->head);
    free(store->order);
    free(store->chain);
    free(store->place);
    free(store);
}

const char *rb_ledger_store_text(rb_ledger_store *store, const char *text, size_t len)
{
    if (len + 1 > store->left) {
        size_t size = len + 1 > BLOCK ? len + 1 : BLOCK;
        store->blocks = rb_realloc(store->blocks, store->block_count + 1, sizeof *store->blocks);
        store->blocks[store->block_count++] = rb_malloc(size);
        store->left = size;
    }
    /* Blocks are filled from the end of what is left: their size need not be remembered. */
    char *block = store->blocks[store->block_count - 1];
    store->left -= len + 1;
    char *out = block + store->left;
    memcpy(out, text, len);
    out[len] = '\0';
    return out;
}

bool rb_ledger_store_admits(rb_ledger_store *store, enum rb_entry_trust trust, size_t len)
{
    size_t *sum = trust == RB_ENTRY_GOOD ? &store->vouched : &store->unvouched;
    size_t limit = trust == RB_ENTRY_GOOD ? RB_VOUCHED_LIMIT : RB_UNVOUCHED_LIMIT;
    if (len > limit - *sum) {
        store->full = store->full || trust == RB_ENTRY_GOOD;
        return false;
    }
    *sum += len;
    return true;
}

static const void *take(reader *in, size_t len)
{
    static const char nothing[RB_OID_SIZE] = {0};
    if (!in->ok || (size_t)(in->end - in->p) < len) {
        in->ok = false;
        return nothing;
    }
    in->p += len;
    return in->p - len;
}

static uint64_t take_number(reader *in, size_t bytes)
{
    const unsigned char *p = take(in, bytes);
    uint64_t n = 0;
    for (size_t i = bytes; in->ok && i > 0; i--)
        n = n << 8 | p[i - 1];
    return n;
}

static void put_number(rb_buf *out, uint64_t n, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        rb_buf_addc(out, (char)(n >> (8 * i) & 0xff));
}

/* Length + 1 and the bytes with a NUL; 0 for no string. */
static const char *take_text(reader *in, size_t *len)
{
    size_t n = (size_t)take_number(in, LENGTH);
    const char *text = n > 0 ? take(in, n) : NULL;
    if (!in->ok || n == 0)
        return NULL;
    if (memchr(text, '\0', n) != text + n - 1) {
        in->ok = false;
        return NULL;
    }
    if (len)
        *len = n - 1;
    return text;
}

static void put_text(rb_buf *out, const char *text, size_t len)
{
    put_number(out, text ? len + 1 : 0, LENGTH);
    if (text) {
        rb_buf_add(out, text, len);
        rb_buf_addc(out, '\0');
    }
}

static void put_string(rb_buf *out, const char *text)
{
    put_text(out, text, text ? strlen(text) : 0);
}

/* The record begins with the id: slots compare it. */
static void put_record(rb_buf *out, const rb_judged *judged)
{
    const rb_entry *entry = &judged->entry;
    size_t start = out->len;
    put_number(out, 0, LENGTH);
    rb_buf_add(out, entry->id.id, RB_OID_SIZE);
    put_number(out, (uint64_t)entry->kind, 1);
    put_number(out, (uint64_t)entry->trust, 1);
    put_number(out, judged->claims, 1);
    put_number(out, (uint64_t)entry->at, 8);
    put_number(out, entry->parent_count, 1);
    for (size_t i = 0; i < entry->parent_count; i++)
        rb_buf_add(out, judged->parents[i].id, RB_OID_SIZE);
    const char *const texts[] = {entry->title,     entry->app,       entry->ledger,
                                 entry->tag,       entry->object,    entry->environment,
                                 entry->committer, entry->principal, entry->fingerprint};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        put_string(out, texts[i]);
    put_text(out, entry->text, entry->text_len);
    put_number(out, entry->problems.n, LENGTH);
    for (size_t i = 0; i < entry->problems.n; i++) {
        const rb_problem *p = &entry->problems.items[i];
        const char *const strings[STRINGS] = {p->code, p->field, p->expected, p->found, p->message};
        put_number(out, p->warning, 1);
        for (size_t j = 0; j < STRINGS; j++)
            put_string(out, strings[j]);
    }
    size_t len = out->len - start - LENGTH;
    for (size_t i = 0; i < LENGTH; i++)
        out->data[start + i] = (char)(len >> (8 * i) & 0xff);
}

static void take_problems(rb_problems *out, reader *in)
{
    size_t n = (size_t)take_number(in, LENGTH);
    for (size_t i = 0; in->ok && i < n; i++) {
        bool warning = take_number(in, 1) != 0;
        const char *strings[STRINGS];
        for (size_t j = 0; j < STRINGS; j++)
            strings[j] = take_text(in, NULL);
        if (!in->ok || !strings[0] || !strings[4])
            return;
        rb_problems_add(out, strings[0], strings[1], strings[2], strings[3], "%s", strings[4]);
        if (warning)
            rb_problems_warn(out);
    }
}

static bool take_record(rb_judged *out, reader in)
{
    *out = (rb_judged){.kept = true};
    rb_entry *entry = &out->entry;
    memcpy(entry->id.id, take(&in, RB_OID_SIZE), RB_OID_SIZE);
    uint64_t kind = take_number(&in, 1);
    uint64_t trust = take_number(&in, 1);
    out->claims = take_number(&in, 1) != 0;
    entry->at = (int64_t)take_number(&in, 8);
    entry->parent_count = (size_t)take_number(&in, 1);
    if (!in.ok || kind > RB_ENTRY_KINDS || trust > RB_ENTRY_FOREIGN ||
        entry->parent_count > RB_ENTRY_PARENTS)
        return false;
    entry->kind = (enum rb_entry_kind)kind;
    entry->trust = (enum rb_entry_trust)trust;
    for (size_t i = 0; i < entry->parent_count; i++)
        memcpy(out->parents[i].id, take(&in, RB_OID_SIZE), RB_OID_SIZE);
    const char **const texts[] = {&entry->title,     &entry->app,       &entry->ledger,
                                  &entry->tag,       &entry->object,    &entry->environment,
                                  &entry->committer, &entry->principal, &entry->fingerprint};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = take_text(&in, NULL);
    entry->text = take_text(&in, &entry->text_len);
    take_problems(&entry->problems, &in);
    if (in.ok && entry->title && entry->committer)
        return true;
    rb_problems_clear(&entry->problems);
    return false;
}

static uint32_t *slot_of(const rb_ledger_store *store, const rb_oid *id)
{
    size_t i;
    memcpy(&i, id->id, sizeof i);
    for (i &= store->slot_count - 1;; i = (i + 1) & (store->slot_count - 1)) {
        uint32_t *slot = &store->slots[i];
        if (*slot == 0 ||
            memcmp(store->file.data + store->offsets[*slot - 1] + LENGTH, id->id, RB_OID_SIZE) == 0)
            return slot;
    }
}

static reader record_at(const rb_ledger_store *store, size_t offset)
{
    reader in = {store->file.data + offset, store->file.data + store->file.len, true};
    size_t len = (size_t)take_number(&in, LENGTH);
    reader record = {in.p, in.p, in.ok};
    const char *start = take(&in, len);
    if (in.ok) {
        record.p = start;
        record.end = start + len;
    }
    record.ok = in.ok && len >= RB_OID_SIZE;
    return record;
}

/* Takes the records of the chunk at `at`; 0 when it is damaged, else where the next one is. */
static size_t read_chunk(rb_ledger_store *store, size_t at, size_t *cap)
{
    const rb_buf *file = &store->file;
    reader in = {file->data + at, file->data + file->len, true};
    size_t len = (size_t)take_number(&in, LENGTH);
    const char *expected = take(&in, RB_SHA256_SIZE);
    const char *body = take(&in, len);
    unsigned char sum[RB_SHA256_SIZE];
    if (!in.ok)
        return 0;
    rb_sha256_of(body, len, sum);
    if (memcmp(sum, expected, sizeof sum) != 0)
        return 0;
    size_t end = (size_t)(body - file->data) + len;
    for (size_t p = end - len; p < end;) {
        reader record = record_at(store, p);
        if (!record.ok || record.end > file->data + end)
            return 0;
        if (store->count == *cap) {
            *cap = *cap ? *cap * 2 : 1024;
            store->offsets = rb_realloc(store->offsets, *cap, sizeof *store->offsets);
        }
        store->offsets[store->count++] = p;
        p = (size_t)(record.end - file->data);
    }
    return end;
}

size_t rb_ledger_store_read(rb_ledger_store *store, const char *digest)
{
    free(store->head);
    store->head = rb_format("rbtool ledger 2 %s\n", digest);
    size_t head = strlen(store->head);
    size_t cap = 0;
    store->damaged = store->file.len < head || memcmp(store->file.data, store->head, head) != 0;
    for (size_t at = head; !store->damaged && at < store->file.len;) {
        at = read_chunk(store, at, &cap);
        store->damaged = at == 0;
    }
    store->slot_count = 1024;
    while (store->slot_count < store->count * 2)
        store->slot_count *= 2;
    store->slots = rb_calloc(store->slot_count, sizeof *store->slots);
    for (size_t i = 0; i < store->count; i++) {
        rb_oid id;
        memcpy(id.id, store->file.data + store->offsets[i] + LENGTH, RB_OID_SIZE);
        *slot_of(store, &id) = (uint32_t)(i + 1);
    }
    return store->count;
}

void rb_ledger_store_open(rb_ledger_store *store, const char *common_dir, const char *digest)
{
    rb_err ignored;
    store->path = rb_format("%s/rbtool/ledger", common_dir);
    if (rb_file_read(&store->file, store->path, FILE_LIMIT, &ignored) != RB_OK)
        rb_buf_clear(&store->file);
    rb_ledger_store_read(store, digest);
}

bool rb_ledger_store_get(rb_judged *out, const rb_ledger_store *store, const rb_oid *id)
{
    uint32_t slot = store->slot_count > 0 ? *slot_of(store, id) : 0;
    return slot != 0 && take_record(out, record_at(store, store->offsets[slot - 1]));
}

static void add_chunk(rb_buf *out, const rb_judged *judged, size_t n, bool all)
{
    RB_AUTO(rb_buf_clear) rb_buf body = {0};
    for (size_t i = 0; i < n; i++)
        if (!judged[i].passing && (all || !judged[i].kept))
            put_record(&body, &judged[i]);
    unsigned char sum[RB_SHA256_SIZE];
    rb_sha256_of(rb_buf_str(&body), body.len, sum);
    put_number(out, body.len, LENGTH);
    rb_buf_add(out, sum, sizeof sum);
    rb_buf_add(out, rb_buf_str(&body), body.len);
}

/* A write cut short by a full disk is taken back; by a kill, the chunk's hash shows it. */
static void append(const rb_ledger_store *store, const rb_buf *chunk)
{
    int fd = open(store->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    struct stat st;
    char head[128];
    size_t len = strlen(store->head);
    /* Another process may have begun it anew, under other signers. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && len <= sizeof head &&
        pread(fd, head, len, 0) == (ssize_t)len && memcmp(head, store->head, len) == 0 &&
        (size_t)st.st_size + chunk->len <= FILE_LIMIT &&
        write(fd, chunk->data, chunk->len) != (ssize_t)chunk->len && ftruncate(fd, st.st_size) != 0)
        unlink(store->path);
    close(fd);
}

void rb_ledger_store_save(rb_ledger_store *store, const rb_judged *judged, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = any || (!judged[i].passing && !judged[i].kept);
    if (!store->path || !any)
        return;
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    if (!store->damaged) {
        add_chunk(&out, judged, n, false);
        append(store, &out);
        return;
    }
    rb_err ignored;
    RB_AUTO(rb_free_str) char *dir = rb_path_dir(store->path);
    rb_buf_puts(&out, store->head);
    add_chunk(&out, judged, n, true);
    if (rb_dir_make(dir, &ignored) != RB_OK ||
        rb_file_write(store->path, out.data, out.len, 0644, &ignored) != RB_OK)
        return;
}
