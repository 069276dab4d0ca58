#include "git/blobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

#define HELD_LIMIT ((size_t)1 << 20) /* bytes read and not yet passed on */
#define RING 256                     /* blobs read and not yet passed on */
#define THREADS 64

struct slot {
    struct rb_raw raw;
    size_t size; /* as reserved */
    bool ready;
};

/* Blobs are reserved in order, so that one who waits for room waits only for those before it. */
struct reading {
    const rb_blobs *job;
    unsigned char (*ids)[RB_SHA256_SIZE];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t reserved; /* entries before it are taken */
    size_t passed;   /* entries before it were given to next */
    size_t held;
    bool reserving;
    bool passing;
    enum rb_code code; /* of the first failure */
    size_t failed;     /* its index */
    rb_err err;
    struct slot slots[RING];
};

static bool is_blob(const rb_tree_entry *entry)
{
    return entry->mode != RB_MODE_GITLINK && entry->mode != RB_MODE_TREE;
}

static void fail(struct reading *reading, size_t index, const rb_err *err)
{
    pthread_mutex_lock(&reading->lock);
    if (reading->code == RB_OK || index < reading->failed) {
        reading->code = err->code;
        reading->failed = index;
        reading->err = *err;
    }
    pthread_cond_broadcast(&reading->changed);
    pthread_mutex_unlock(&reading->lock);
}

static enum rb_code read_one(struct reading *reading, struct slot *slot, size_t index,
                             rb_sha256 *hash, rb_err *err)
{
    const rb_tree_entry *entry = &reading->job->entries->items[index];
    const struct rb_raw *raw = &slot->raw;
    int status = rb_git_read(&slot->raw, reading->job->repo, &entry->oid);
    if (status == 0 && raw->type != GIT_OBJECT_BLOB) {
        git_error_set_str(GIT_ERROR_ODB, "it is not a blob");
        status = GIT_ERROR;
    }
    if (status != 0)
        return rb_git_unreadable(reading->job->repo, status, "blob", &entry->oid, entry->path, err);
    char head[32];
    size_t len = (size_t)snprintf(head, sizeof head, "blob %zu", raw->len) + 1;
    rb_sha256_add(hash, head, len);
    rb_sha256_add(hash, raw->data, raw->len);
    rb_sha256_end(hash, reading->ids[index]);
    if (!reading->job->each)
        return RB_OK;
    rb_blob blob = {.index = index, .entry = entry, .data = raw->data, .len = raw->len};
    return reading->job->each(reading->job->context, &blob, err);
}

static void release(struct slot *slot)
{
    rb_git_raw_clear(&slot->raw);
    *slot = (struct slot){0};
}

/* Waits until there is room for size bytes more, or for anything when nothing is held. */
static bool reserve(struct reading *reading, size_t index, size_t size)
{
    pthread_mutex_lock(&reading->lock);
    while (reading->code == RB_OK && (index - reading->passed >= RING ||
                                      (reading->held > 0 && reading->held + size > HELD_LIMIT)))
        pthread_cond_wait(&reading->changed, &reading->lock);
    reading->held += size;
    reading->reserving = false;
    bool go = reading->code == RB_OK;
    pthread_cond_broadcast(&reading->changed);
    pthread_mutex_unlock(&reading->lock);
    return go;
}

/* The next blob to read with its size accounted for; false when there is none, or after a
 * failure. */
static bool take(struct reading *reading, size_t *index, size_t *size)
{
    const rb_tree_entries *entries = reading->job->entries;
    pthread_mutex_lock(&reading->lock);
    while (reading->reserving && reading->code == RB_OK)
        pthread_cond_wait(&reading->changed, &reading->lock);
    bool go = reading->code == RB_OK && reading->reserved < entries->n;
    if (go) {
        reading->reserving = true;
        *index = reading->reserved++;
    }
    pthread_mutex_unlock(&reading->lock);
    if (!go)
        return false;
    *size = 0;
    const rb_tree_entry *entry = &entries->items[*index];
    git_object_t type;
    int status = is_blob(entry) ? git_odb_read_header(size, &type, reading->job->repo->odb,
                                                      rb_git_oid(&entry->oid))
                                : 0;
    if (status != 0) {
        rb_err err;
        if (rb_git_unreadable(reading->job->repo, status, "blob", &entry->oid, entry->path, &err))
            fail(reading, *index, &err);
    }
    return reserve(reading, *index, *size);
}

static enum rb_code give(struct reading *reading, size_t index, struct slot *slot, rb_err *err)
{
    const rb_blobs *job = reading->job;
    if (!job->next || !is_blob(&job->entries->items[index]))
        return RB_OK;
    rb_blob blob = {.index = index,
                    .entry = &job->entries->items[index],
                    .data = slot->raw.data,
                    .len = slot->raw.len};
    return job->next(job->context, &blob, err);
}

/* Passes on what is ready and next in order, unless another thread is at it: that one goes on. */
static void pass(struct reading *reading, size_t done)
{
    pthread_mutex_lock(&reading->lock);
    reading->slots[done % RING].ready = true;
    while (!reading->passing && reading->code == RB_OK &&
           reading->slots[reading->passed % RING].ready) {
        size_t index = reading->passed;
        struct slot *slot = &reading->slots[index % RING];
        size_t size = slot->size;
        reading->passing = true;
        pthread_mutex_unlock(&reading->lock);
        rb_err err;
        if (give(reading, index, slot, &err) != RB_OK)
            fail(reading, index, &err);
        release(slot);
        pthread_mutex_lock(&reading->lock);
        reading->held -= size;
        reading->passed++;
        reading->passing = false;
        pthread_cond_broadcast(&reading->changed);
    }
    pthread_mutex_unlock(&reading->lock);
}

static void *work(void *argument)
{
    struct reading *reading = argument;
    RB_AUTO(rb_sha256_freep) rb_sha256 *hash = rb_sha256_new();
    size_t index;
    size_t size;
    while (take(reading, &index, &size)) {
        struct slot *slot = &reading->slots[index % RING];
        slot->size = size;
        rb_err err;
        if (is_blob(&reading->job->entries->items[index]) &&
            read_one(reading, slot, index, hash, &err) != RB_OK) {
            fail(reading, index, &err);
            break;
        }
        pass(reading, index);
    }
    return NULL;
}

enum rb_code rb_blobs_read(unsigned char (*ids)[RB_SHA256_SIZE], const rb_blobs *job, rb_err *err)
{
    struct reading reading = {.job = job, .ids = ids};
    pthread_t threads[THREADS];
    int started = 0;
    pthread_mutex_init(&reading.lock, NULL);
    pthread_cond_init(&reading.changed, NULL);
    while (started + 1 < job->threads && started < THREADS &&
           pthread_create(&threads[started], NULL, work, &reading) == 0)
        started++;
    work(&reading);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < RING; i++)
        release(&reading.slots[i]);
    pthread_cond_destroy(&reading.changed);
    pthread_mutex_destroy(&reading.lock);
    if (reading.code != RB_OK)
        *err = reading.err;
    return reading.code;
}
