#include "git/treeid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/record_cache.h"
#include "git/blobs.h"
#include "git/internal.h"

/*
 * The parts of a tree, in bytewise order of path: blobs, and subtrees with a known id, whose path
 * ends with '/'. In this order, the entries of each folder are in git's order, which sorts folders
 * as if their names ended with '/'.
 */
struct parts {
    rb_tree_entries entries;
    unsigned char (*ids)[RB_SHA256_SIZE];
};

/* A folder whose entries have been read. clean: no gitlink is below it. */
struct folder {
    char *path; /* path with '/' at its end; "" for the top */
    rb_oid oid;
    bool clean;
};

struct folders {
    struct folder *items;
    size_t n;
    size_t at; /* index of the first folder that is not built */
};

struct gathering {
    rb_repo *repo;
    rb_record_cache *cache; /* cache of ids; NULL: no cache */
    struct parts parts;
    rb_tree_entries missing; /* blobs to be hashed; their paths are borrowed from parts */
    size_t *missing_at;      /* index in parts of each missing blob */
    struct folders folders;
    rb_strs submodules;
};

/* Kinds of objects. A record of the cache is a kind and a SHA-256 id; its key is the SHA-1 id. */
enum kind { KIND_BLOB = 1, KIND_TREE = 2 };

_Static_assert(RB_OID_SIZE == RB_RECORD_KEY, "object ids are keys");

static bool get_known(unsigned char out[RB_SHA256_SIZE], const rb_record_cache *cache,
                      const rb_oid *oid, enum kind kind)
{
    const void *record;
    size_t len;
    if (!rb_record_cache_get(&record, &len, cache, oid->id) || len != 1 + RB_SHA256_SIZE ||
        *(const unsigned char *)record != kind)
        return false;
    memcpy(out, (const unsigned char *)record + 1, RB_SHA256_SIZE);
    return true;
}

static void put_known(rb_record_cache *cache, const rb_oid *oid, enum kind kind,
                      const unsigned char id[RB_SHA256_SIZE])
{
    unsigned char record[1 + RB_SHA256_SIZE];
    if (get_known(record + 1, cache, oid, kind))
        return; /* the same blob occurs twice in one tree */
    record[0] = (unsigned char)kind;
    memcpy(record + 1, id, RB_SHA256_SIZE);
    rb_record_cache_put(cache, oid->id, record, sizeof record);
}

static void gathering_clear(struct gathering *g)
{
    rb_record_cache_free(g->cache);
    rb_tree_entries_clear(&g->parts.entries);
    free(g->parts.ids);
    free(g->missing.items);
    free(g->missing_at);
    for (size_t i = 0; i < g->folders.n; i++)
        free(g->folders.items[i].path);
    free(g->folders.items);
    rb_strs_clear(&g->submodules);
}

void rb_treeid_clear(rb_treeid *id)
{
    rb_strs_clear(&id->submodules);
    *id = (rb_treeid){0};
}

static const char *mode_text(enum rb_mode mode)
{
    switch (mode) {
    case RB_MODE_TREE:
        return "40000";
    case RB_MODE_EXEC:
        return "100755";
    case RB_MODE_LINK:
        return "120000";
    case RB_MODE_FILE:
    case RB_MODE_GITLINK:
        break;
    }
    return "100644";
}

static void hash_tree(const rb_buf *body, unsigned char out[RB_SHA256_SIZE])
{
    char head[32];
    size_t len = (size_t)snprintf(head, sizeof head, "tree %zu", body->len) + 1;
    RB_AUTO(rb_sha256_freep) rb_sha256 *hash = rb_sha256_new();
    rb_sha256_add(hash, head, len);
    rb_sha256_add(hash, rb_buf_str(body), body->len);
    rb_sha256_end(hash, out);
}

/* Returns the folder with this path, or NULL. Folders are asked for in the order in which they were
 * read. Those without a blob are skipped. */
static const struct folder *folder_at(struct folders *folders, const char *path, size_t len)
{
    for (size_t i = folders->at; i < folders->n; i++) {
        const struct folder *folder = &folders->items[i];
        if (strlen(folder->path) == len && memcmp(folder->path, path, len) == 0) {
            folders->at = i + 1;
            return folder;
        }
        if (strncmp(folder->path, path, len) > 0)
            break;
    }
    return NULL;
}

static void add_line(rb_buf *body, enum rb_mode mode, const char *name, size_t len,
                     const unsigned char id[RB_SHA256_SIZE])
{
    rb_buf_puts(body, mode_text(mode));
    rb_buf_addc(body, ' ');
    rb_buf_add(body, name, len);
    rb_buf_addc(body, '\0');
    rb_buf_add(body, id, RB_SHA256_SIZE);
}

/* Computes the id of the folder with the parts first to last - 1; `prefix` is the length of its
 * path. Returns false if the folder is empty. */
static bool build(unsigned char out[RB_SHA256_SIZE], const struct parts *parts,
                  struct folders *folders, rb_record_cache *cache, size_t first, size_t last,
                  size_t prefix)
{
    RB_AUTO(rb_buf_clear) rb_buf body = {0};
    const struct folder *folder = cache && folders && first < last
                                      ? folder_at(folders, parts->entries.items[first].path, prefix)
                                      : NULL;
    for (size_t i = first; i < last;) {
        const rb_tree_entry *entry = &parts->entries.items[i];
        const char *name = entry->path + prefix;
        const char *slash = strchr(name, '/');
        size_t len = slash ? (size_t)(slash - name) : strlen(name);
        if (!slash || slash[1] == '\0') {
            if (entry->mode != RB_MODE_GITLINK)
                add_line(&body, entry->mode, name, len, parts->ids[i]);
            i++;
            continue;
        }
        size_t end = i + 1;
        while (end < last &&
               strncmp(parts->entries.items[end].path, entry->path, prefix + len + 1) == 0)
            end++;
        unsigned char id[RB_SHA256_SIZE];
        if (build(id, parts, folders, cache, i, end, prefix + len + 1))
            add_line(&body, RB_MODE_TREE, name, len, id);
        i = end;
    }
    hash_tree(&body, out);
    if (folder && folder->clean && body.len > 0)
        put_known(cache, &folder->oid, KIND_TREE, out);
    return body.len > 0;
}

void rb_treeid_from_blobs(rb_treeid *out, const rb_tree_entries *entries,
                          const unsigned char (*blobs)[RB_SHA256_SIZE])
{
    unsigned char id[RB_SHA256_SIZE];
    struct parts parts = {.entries = *entries, .ids = (unsigned char(*)[RB_SHA256_SIZE])blobs};
    rb_treeid_clear(out);
    for (size_t i = 0; i < entries->n; i++)
        if (entries->items[i].mode == RB_MODE_GITLINK)
            rb_strs_add(&out->submodules, entries->items[i].path);
    build(id, &parts, NULL, NULL, 0, entries->n, 0);
    rb_hex_encode(id, sizeof id, out->hex);
}

/* Appends an entry and returns the buffer for its id. */
static unsigned char *add_part(struct gathering *g, const char *path, const git_oid *oid,
                               enum rb_mode mode)
{
    g->parts.ids = rb_grow(g->parts.ids, g->parts.entries.n, sizeof *g->parts.ids);
    rb_git_entry_add(&g->parts.entries, path, oid, mode);
    return g->parts.ids[g->parts.entries.n - 1];
}

static void gather_blob(struct gathering *g, const char *path, const git_oid *oid,
                        enum rb_mode mode)
{
    rb_oid id = rb_git_from(oid);
    unsigned char *out = add_part(g, path, oid, mode);
    if (g->cache && get_known(out, g->cache, &id, KIND_BLOB))
        return;
    g->missing.items = rb_grow(g->missing.items, g->missing.n, sizeof *g->missing.items);
    g->missing_at = rb_grow(g->missing_at, g->missing.n, sizeof *g->missing_at);
    g->missing_at[g->missing.n] = g->parts.entries.n - 1;
    g->missing.items[g->missing.n++] = g->parts.entries.items[g->parts.entries.n - 1];
}

static size_t add_folder(struct folders *folders, const char *path, const rb_oid *oid)
{
    folders->items = rb_grow(folders->items, folders->n, sizeof *folders->items);
    folders->items[folders->n] =
        (struct folder){.path = rb_strdup(path), .oid = *oid, .clean = true};
    return folders->n++;
}

static enum rb_code gather(struct gathering *g, const rb_oid *oid, rb_buf *path, int depth,
                           rb_err *err)
{
    unsigned char known[RB_SHA256_SIZE];
    if (path->len > 0 && g->cache && get_known(known, g->cache, oid, KIND_TREE)) {
        memcpy(add_part(g, path->data, rb_git_oid(oid), RB_MODE_TREE), known, sizeof known);
        return RB_OK;
    }
    RB_AUTO(rb_git_tree_freep) git_tree *tree = NULL;
    RB_TRY(rb_git_depth(path, depth, err));
    RB_TRY(rb_git_tree(&tree, g->repo, oid, rb_buf_str(path), err));
    size_t self = add_folder(&g->folders, rb_buf_str(path), oid);
    size_t links = g->submodules.n;
    size_t len = path->len;
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        enum rb_mode mode = rb_git_mode(entry);
        rb_oid id = rb_git_from(git_tree_entry_id(entry));
        rb_buf_puts(path, git_tree_entry_name(entry));
        if (mode == RB_MODE_TREE) {
            rb_buf_addc(path, '/');
            RB_TRY(gather(g, &id, path, depth + 1, err));
        } else if (mode == RB_MODE_GITLINK) {
            rb_strs_add(&g->submodules, path->data);
        } else {
            gather_blob(g, path->data, rb_git_oid(&id), mode);
        }
        rb_buf_truncate(path, len);
    }
    g->folders.items[self].clean = g->submodules.n == links;
    return RB_OK;
}

static enum rb_code gather_roots(struct gathering *g, const rb_oid *tree, const rb_strs *paths,
                                 rb_err *err)
{
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries roots = {0};
    RB_AUTO(rb_buf_clear) rb_buf path = {0};
    RB_TRY(rb_git_roots(&roots, g->repo, tree, paths, err));
    for (size_t i = 0; i < roots.n; i++) {
        const rb_tree_entry *root = &roots.items[i];
        rb_buf_truncate(&path, 0);
        rb_buf_puts(&path, root->path);
        if (root->mode == RB_MODE_TREE)
            RB_TRY(gather(g, &root->oid, &path, 0, err));
        else if (root->mode == RB_MODE_GITLINK)
            rb_strs_add(&g->submodules, root->path);
        else
            gather_blob(g, root->path, rb_git_oid(&root->oid), root->mode);
    }
    return RB_OK;
}

static enum rb_code hash_missing(struct gathering *g, rb_err *err)
{
    if (g->missing.n == 0)
        return RB_OK;
    rb_blobs job = {.repo = g->repo,
                    .entries = &g->missing,
                    .threads = g->missing.n < 32 ? 1 : rb_parallel_threads()};
    unsigned char(*ids)[RB_SHA256_SIZE] = rb_calloc(g->missing.n, sizeof *ids);
    enum rb_code code = rb_blobs_read(ids, &job, err);
    for (size_t i = 0; code == RB_OK && i < g->missing.n; i++) {
        memcpy(g->parts.ids[g->missing_at[i]], ids[i], sizeof *ids);
        if (g->cache)
            put_known(g->cache, &g->missing.items[i].oid, KIND_BLOB, ids[i]);
    }
    free(ids);
    return code;
}

enum rb_code rb_treeid_of(rb_treeid *out, rb_repo *repo, const rb_oid *tree, const rb_strs *paths,
                          bool use_cache, rb_err *err)
{
    RB_AUTO(gathering_clear) struct gathering g = {.repo = repo};
    if (use_cache) {
        RB_AUTO(rb_free_str) char *path = rb_path_join(rb_repo_common_dir(repo), "rbtool/treeids");
        g.cache = rb_record_cache_open(path, "rbtool treeids 2\n");
    }
    RB_TRY(gather_roots(&g, tree, paths, err));
    RB_TRY(hash_missing(&g, err));
    unsigned char id[RB_SHA256_SIZE];
    build(id, &g.parts, &g.folders, g.cache, 0, g.parts.entries.n, 0);
    if (g.cache)
        rb_record_cache_save(g.cache);
    rb_treeid_clear(out);
    rb_hex_encode(id, sizeof id, out->hex);
    out->submodules = g.submodules;
    g.submodules = (rb_strs){0};
    return RB_OK;
}
