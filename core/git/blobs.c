#include "git/blobs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

#define LARGE ((size_t)1 << 20)      /* bytes of a blob that one thread at a time may read */
#define HELD_LIMIT ((size_t)1 << 20) /* bytes that are read and wait to be passed to next() */
/* number of blobs that are read and wait to be passed to next() */
#define RING 256
/* A waiting thread may pin a delta base of 1 MiB in libgit2's cache of 16 MiB. If all were pinned,
 * libgit2 would search for one to evict for ever. */
#define THREADS 8

struct slot {
    struct rb_raw raw;
    bool ready;
};

/* The state of all threads. They cannot deadlock: the thread that reads the entry which next() gets
 * first never waits. */
struct reading {
    const rb_blobs *job;
    unsigned char (*ids)[RB_SHA256_SIZE];
    pthread_mutex_t lock;
    pthread_cond_t room;
    size_t taken;  /* index of the first entry that no thread has taken */
    size_t passed; /* index of the entry that next() gets first */
    size_t held;   /* bytes that wait to be passed to next() */
    bool passing;
    enum rb_code code; /* code of the failure at the lowest index */
    size_t failed;     /* index of that failure */
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
    pthread_cond_broadcast(&reading->room);
    pthread_mutex_unlock(&reading->lock);
}

static void release(struct slot *slot)
{
    rb_git_raw_clear(&slot->raw);
    *slot = (struct slot){0};
}

/* Takes the next entry to read, after waiting for room. False if there is none, or after a
 * failure. */
static bool take(struct reading *reading, size_t *index)
{
    pthread_mutex_lock(&reading->lock);
    *index = reading->taken;
    bool go = *index < reading->job->entries->n;
    reading->taken += go;
    while (go && reading->code == RB_OK && *index != reading->passed &&
           (*index - reading->passed >= RING || reading->held >= HELD_LIMIT))
        pthread_cond_wait(&reading->room, &reading->lock);
    go = go && reading->code == RB_OK;
    pthread_mutex_unlock(&reading->lock);
    return go;
}

/* Waits until the others wait for this entry, if its blob is large: libgit2 allocates as much
 * memory as an object is large. An unreadable size is left to the read. False: another thread
 * failed. */
static bool wait_for_turn(struct reading *reading, size_t index)
{
    const rb_blobs *job = reading->job;
    size_t size = 0;
    pthread_mutex_lock(&reading->lock);
    bool first = index == reading->passed;
    pthread_mutex_unlock(&reading->lock);
    if (first || rb_git_size(&size, job->repo, &job->entries->items[index].oid) != 0 ||
        size < LARGE)
        return true;
    pthread_mutex_lock(&reading->lock);
    while (reading->code == RB_OK && index != reading->passed)
        pthread_cond_wait(&reading->room, &reading->lock);
    bool go = reading->code == RB_OK;
    pthread_mutex_unlock(&reading->lock);
    return go;
}

/* Copies the failure of another thread, which is the one that is reported. */
static enum rb_code same_failure(struct reading *reading, rb_err *err)
{
    pthread_mutex_lock(&reading->lock);
    *err = reading->err;
    pthread_mutex_unlock(&reading->lock);
    return err->code;
}

static enum rb_code read_object(struct rb_raw *raw, struct reading *reading, size_t index,
                                rb_err *err)
{
    const rb_blobs *job = reading->job;
    const rb_tree_entry *entry = &job->entries->items[index];
    if (!wait_for_turn(reading, index))
        return same_failure(reading, err);
    int status = rb_git_read(raw, job->repo, &entry->oid, !job->unchecked);
    if (status == 0 && raw->type != GIT_OBJECT_BLOB) {
        git_error_set_str(GIT_ERROR_ODB, "it is not a blob");
        status = GIT_ERROR;
    }
    if (status != 0)
        return rb_git_unreadable(job->repo, status, "blob", &entry->oid, entry->path, err);
    return RB_OK;
}

static enum rb_code read_one(struct reading *reading, struct slot *slot, size_t index,
                             rb_sha256 *hash, rb_err *err)
{
    const struct rb_raw *raw = &slot->raw;
    RB_TRY(read_object(&slot->raw, reading, index, err));
    char head[32];
    size_t len = (size_t)snprintf(head, sizeof head, "blob %zu", raw->len) + 1;
    rb_sha256_add(hash, head, len);
    rb_sha256_add(hash, raw->data, raw->len);
    rb_sha256_end(hash, reading->ids[index]);
    if (!reading->job->each)
        return RB_OK;
    rb_blob blob = {.index = index,
                    .entry = &reading->job->entries->items[index],
                    .data = raw->data,
                    .len = raw->len};
    return reading->job->each(reading->job->context, &blob, err);
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

/* Marks an entry as read, and passes to next() all entries that are ready, in order. If another
 * thread is doing so, that thread continues with this entry. */
static void pass(struct reading *reading, size_t done)
{
    pthread_mutex_lock(&reading->lock);
    reading->slots[done % RING].ready = true;
    reading->held += reading->slots[done % RING].raw.len;
    while (!reading->passing && reading->code == RB_OK &&
           reading->slots[reading->passed % RING].ready) {
        size_t index = reading->passed;
        struct slot *slot = &reading->slots[index % RING];
        size_t len = slot->raw.len;
        reading->passing = true;
        pthread_mutex_unlock(&reading->lock);
        rb_err err;
        if (give(reading, index, slot, &err) != RB_OK)
            fail(reading, index, &err);
        release(slot);
        pthread_mutex_lock(&reading->lock);
        reading->held -= len;
        reading->passed++;
        reading->passing = false;
        pthread_cond_broadcast(&reading->room);
    }
    pthread_mutex_unlock(&reading->lock);
}

static void *work(void *argument)
{
    struct reading *reading = argument;
    RB_AUTO(rb_sha256_freep) rb_sha256 *hash = rb_sha256_new();
    size_t index;
    while (take(reading, &index)) {
        struct slot *slot = &reading->slots[index % RING];
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
    rb_git_memory(job->sparing);
    pthread_mutex_init(&reading.lock, NULL);
    pthread_cond_init(&reading.room, NULL);
    while (started + 1 < job->threads && started < THREADS &&
           pthread_create(&threads[started], NULL, work, &reading) == 0)
        started++;
    work(&reading);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < RING; i++)
        release(&reading.slots[i]);
    pthread_cond_destroy(&reading.room);
    pthread_mutex_destroy(&reading.lock);
    if (reading.code != RB_OK)
        *err = reading.err;
    return reading.code;
}
