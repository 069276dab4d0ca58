#include "git/attributes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "git/internal.h"

#define FILE_LIMIT (4u << 20) /* bytes of one .gitattributes file; the limit of git, too */
#define BATCH 20000           /* files that one process is asked about */
#define BATCH_LIMIT ((size_t)256 << 20)

static const char *const names[] = {"filter", "working-tree-encoding", "eol", "ident"};
#define NAMES (sizeof names / sizeof *names)

struct rb_attributes {
    rb_repo *repo;
    rb_oid tree;
    pthread_mutex_t lock;
    json_t *values; /* {NAME: {path: value}}; NULL before the first question */
};

rb_attributes *rb_attributes_new(rb_repo *repo, const rb_oid *tree)
{
    rb_attributes *attributes = rb_calloc(1, sizeof *attributes);
    attributes->repo = repo;
    attributes->tree = *tree;
    pthread_mutex_init(&attributes->lock, NULL);
    return attributes;
}

void rb_attributes_free(rb_attributes *attributes)
{
    if (!attributes)
        return;
    json_decref(attributes->values);
    pthread_mutex_destroy(&attributes->lock);
    free(attributes);
}

/* Adds the tree's .gitattributes files to `index`, as `git update-index --index-info` reads them.
 * Leaves it empty if none of them contains the name of an attribute. git ignores symlinks. */
static enum rb_code list_files(rb_buf *index, const rb_attributes *attributes,
                               const rb_tree_entries *entries, rb_err *err)
{
    static const char file[] = ".gitattributes";
    bool any = false;
    for (size_t i = 0; i < entries->n; i++) {
        const rb_tree_entry *entry = &entries->items[i];
        const char *slash = strrchr(entry->path, '/');
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        char hex[RB_OID_HEX];
        if (strcmp(slash ? slash + 1 : entry->path, file) != 0 ||
            (entry->mode != RB_MODE_FILE && entry->mode != RB_MODE_EXEC))
            continue;
        RB_TRY(rb_blob_read(&text, attributes->repo, &entry->oid, entry->path, FILE_LIMIT, err));
        for (size_t j = 0; j < NAMES; j++)
            any = any || memmem(rb_buf_str(&text), text.len, names[j], strlen(names[j]));
        rb_oid_hex(&entry->oid, hex);
        rb_buf_printf(index, "100644 %s\t%s", hex, entry->path);
        rb_buf_addc(index, '\0');
    }
    if (!any)
        rb_buf_clear(index);
    return RB_OK;
}

/* Runs git with the index in the temporary folder `dir`, which is git's folder for it. */
static enum rb_code run(rb_buf *out, const rb_attributes *attributes, const char *dir,
                        const char *const *args, const rb_buf *input, rb_err *err)
{
    const char *set = rb_git_env("GIT_OBJECT_DIRECTORY"); /* a hook may have one of its own */
    RB_AUTO(rb_free_str) char *folder = rb_format("GIT_DIR=%s", dir);
    RB_AUTO(rb_free_str) char *index = rb_format("GIT_INDEX_FILE=%s/index", dir);
    RB_AUTO(rb_free_str)
    char *objects =
        rb_format("GIT_OBJECT_DIRECTORY=%s%s", set ? set : rb_repo_common_dir(attributes->repo),
                  set ? "" : "/objects");
    const char *const env[] = {folder,
                               index,
                               objects,
                               "GIT_ATTR_NOSYSTEM=1",
                               "GIT_FLUSH=0",
                               "GIT_NO_REPLACE_OBJECTS=1",
                               "GIT_ATTR_SOURCE",
                               "GIT_WORK_TREE",
                               "GIT_COMMON_DIR",
                               NULL};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    const rb_process process = {.argv = args,
                                .env = env,
                                .input = input->data,
                                .input_len = input->len,
                                .output_limit = BATCH_LIMIT};
    RB_TRY(rb_process_run(&result, &process, err));
    if (result.status != 0 || result.out.len >= BATCH_LIMIT)
        return rb_fail(err, RB_ERROR, "cannot read the attributes of files: git %s: %s", args[3],
                       rb_buf_str(&result.err));
    rb_buf_clear(out);
    *out = result.out;
    result.out = (rb_buf){0};
    return RB_OK;
}

/* Asks about the entries from `from` on, at most BATCH of them. The answer is PATH NUL NAME NUL
 * VALUE NUL for each file and attribute. */
static enum rb_code ask(json_t *values, const rb_attributes *attributes, const char *dir,
                        const rb_tree_entries *entries, size_t from, rb_err *err)
{
    const char *const args[] = {"git",        "-c",     "core.attributesFile=/dev/null",
                                "check-attr", "-z",     "--stdin",
                                "--cached",   names[0], names[1],
                                names[2],     names[3], NULL};
    RB_AUTO(rb_buf_clear) rb_buf paths = {0};
    RB_AUTO(rb_buf_clear) rb_buf answer = {0};
    for (size_t i = from; i < entries->n && i < from + BATCH; i++)
        rb_buf_add(&paths, entries->items[i].path, strlen(entries->items[i].path) + 1);
    RB_TRY(run(&answer, attributes, dir, args, &paths, err));
    const char *end = rb_buf_str(&answer) + answer.len;
    for (const char *path = rb_buf_str(&answer); path < end;) {
        const char *name = path + strlen(path) + 1;
        const char *value = name + strlen(name) + 1;
        if (strcmp(value, "unspecified") != 0 && strcmp(value, "unset") != 0)
            json_object_set_new_nocheck(json_object_get(values, name), path,
                                        json_string_nocheck(value));
        path = value + strlen(value) + 1;
    }
    return RB_OK;
}

static enum rb_code ask_all(json_t *values, const rb_attributes *attributes, const char *dir,
                            const rb_tree_entries *entries, const rb_buf *index, rb_err *err)
{
    static const char *const add[] = {
        "git", "-c", "core.attributesFile=/dev/null", "update-index", "-z", "--index-info", NULL};
    RB_AUTO(rb_free_str) char *head = rb_path_join(dir, "HEAD");
    RB_AUTO(rb_free_str) char *refs = rb_path_join(dir, "refs");
    RB_AUTO(rb_buf_clear) rb_buf ignored = {0};
    RB_TRY(rb_dir_make(refs, err));
    RB_TRY(rb_file_write(head, "ref: refs/heads/x\n", 18, 0600, err));
    RB_TRY(run(&ignored, attributes, dir, add, index, err));
    for (size_t from = 0; from < entries->n; from += BATCH)
        RB_TRY(ask(values, attributes, dir, entries, from, err));
    return RB_OK;
}

static enum rb_code load(rb_attributes *attributes, rb_err *err)
{
    static const rb_strs everything = {0};
    RB_AUTO(rb_tree_entries_clear) rb_tree_entries entries = {0};
    RB_AUTO(rb_buf_clear) rb_buf index = {0};
    RB_AUTO(rb_json_freep) json_t *values = json_object();
    char dir[] = "/tmp/rbtool-attributes.XXXXXX";
    for (size_t i = 0; i < NAMES; i++)
        json_object_set_new(values, names[i], json_object());
    RB_TRY(rb_tree_list(&entries, attributes->repo, &attributes->tree, &everything, err));
    RB_TRY(list_files(&index, attributes, &entries, err));
    if (index.len > 0 && !mkdtemp(dir))
        return rb_fail_errno(err, RB_ERROR, "cannot make a temporary folder, %s", dir);
    enum rb_code code =
        index.len > 0 ? ask_all(values, attributes, dir, &entries, &index, err) : RB_OK;
    if (index.len > 0)
        (void)!rb_dir_remove(dir, RB_IGNORED);
    if (code == RB_OK)
        attributes->values = RB_TAKE(values);
    return code;
}

enum rb_code rb_attributes_get(const char **out, rb_attributes *attributes, const char *path,
                               const char *name, rb_err *err)
{
    pthread_mutex_lock(&attributes->lock);
    enum rb_code code = attributes->values ? RB_OK : load(attributes, err);
    *out = code == RB_OK ? rb_json_str(json_object_get(attributes->values, name), path) : NULL;
    pthread_mutex_unlock(&attributes->lock);
    return code;
}
