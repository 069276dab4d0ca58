/* Lists the refs below refs/tags/. Reads packed-refs here: libgit2 copies and sorts each ref
 * several times, which was a fifth of a command among 20,000 releases. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "git/internal.h"
#include "git/refs.h"
#include "git/tag.h"

#define TAGS "refs/tags/"
#define DEPTH 64 /* of nested folders below refs/tags; git's own names have far fewer */

void rb_tag_refs_clear(rb_tag_refs *refs)
{
    free(refs->items);
    rb_buf_clear(&refs->packed);
    rb_strs_clear(&refs->loose);
    *refs = (rb_tag_refs){0};
}

static rb_tag_ref *add(rb_tag_refs *refs, const char *name)
{
    refs->items = rb_grow(refs->items, refs->n, sizeof *refs->items);
    refs->items[refs->n] = (rb_tag_ref){.name = name};
    return &refs->items[refs->n++];
}

/* Follows symbolic refs. A dangling one, or a name that git refuses, gets no object. As git does,
 * leaves out a file that is not a ref. */
static void add_loose(rb_tag_refs *refs, rb_repo *repo, char *name)
{
    git_reference *ref = NULL;
    git_reference *target = NULL;
    RB_AUTO(rb_free_str) char *full = rb_format(TAGS "%s", name);
    rb_strs_take(&refs->loose, name);
    int status = git_reference_lookup(&ref, repo->repo, full);
    if (status != 0 && status != GIT_EINVALIDSPEC)
        return;
    rb_tag_ref *item = add(refs, name);
    if (status == 0 && git_reference_resolve(&target, ref) == 0) {
        item->object = rb_git_from(git_reference_target(target));
        item->resolved = true;
    }
    git_reference_free(target);
    git_reference_free(ref);
}

/* Adds the refs of a folder below refs/tags: "" or "a/b/". */
static enum rb_code read_loose(rb_tag_refs *refs, rb_repo *repo, const char *folder, int depth,
                               rb_err *err)
{
    struct stat st;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_free_str) char *path = rb_format("%s/" TAGS "%s", repo->common, folder);
    RB_TRY(rb_dir_list(&names, path, err));
    for (size_t i = 0; i < names.n; i++) {
        RB_AUTO(rb_free_str) char *file = rb_format("%s%s", path, names.items[i]);
        if (stat(file, &st) == 0 && S_ISDIR(st.st_mode)) {
            RB_AUTO(rb_free_str) char *below = rb_format("%s%s/", folder, names.items[i]);
            if (depth < DEPTH)
                RB_TRY(read_loose(refs, repo, below, depth + 1, err));
        } else if (!rb_text_ends(names.items[i], ".lock")) {
            add_loose(refs, repo, rb_format("%s%s", folder, names.items[i]));
        }
    }
    return RB_OK;
}

/* Adds a line of packed-refs, "ID NAME". False if it is malformed. */
static bool add_packed(rb_tag_refs *refs, char *line)
{
    static const size_t name_at = RB_OID_HEX;
    rb_oid object;
    int valid = 0;
    if (*line == '#' || *line == '^') /* the header, and what an annotated tag leads to */
        return true;
    if (strlen(line) <= name_at || line[name_at - 1] != ' ')
        return false;
    line[name_at - 1] = '\0';
    if (!rb_oid_parse(&object, line))
        return false;
    if (strncmp(line + name_at, TAGS, strlen(TAGS)) != 0)
        return true;
    rb_tag_ref *item = add(refs, line + name_at + strlen(TAGS));
    if (git_reference_name_is_valid(&valid, line + name_at) == 0 && valid) {
        item->object = object;
        item->resolved = true;
    }
    return true;
}

static enum rb_code read_packed(rb_tag_refs *refs, const rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(repo->common, "packed-refs");
    if (rb_file_exists(path))
        RB_TRY(rb_file_read(&refs->packed, path, RB_PACKED_REFS_LIMIT, err));
    char *end = refs->packed.len > 0 ? refs->packed.data + refs->packed.len : NULL;
    for (char *line = refs->packed.data, *next; end && line < end; line = next) {
        next = memchr(line, '\n', (size_t)(end - line));
        if (next)
            *next++ = '\0';
        if (!next || !add_packed(refs, line))
            return rb_fail(err, RB_ERROR,
                           "cannot list the tags of this repository: line at byte %zu of %s is not "
                           "a ref\nrun `git fsck`",
                           (size_t)(line - refs->packed.data), path);
    }
    return RB_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const rb_tag_ref *)a)->name, ((const rb_tag_ref *)b)->name);
}

/* Sorts the list from item `from` on. packed-refs is sorted, unless an old git wrote it. */
static void sort(rb_tag_refs *refs, size_t from)
{
    size_t i = from + 1;
    while (i < refs->n && by_name(&refs->items[i - 1], &refs->items[i]) < 0)
        i++;
    if (i < refs->n)
        qsort(refs->items + from, refs->n - from, sizeof *refs->items, by_name);
}

/* Merges the two sorted parts of the list. A loose ref, of the first part, replaces a packed one.
 */
static void merge(rb_tag_refs *refs, size_t loose)
{
    rb_tag_ref *items = rb_calloc(refs->n, sizeof *items);
    size_t n = 0;
    for (size_t i = 0, j = loose; i < loose || j < refs->n;) {
        int order = i == loose ? 1 : j == refs->n ? -1 : by_name(&refs->items[i], &refs->items[j]);
        items[n++] = refs->items[order <= 0 ? i : j];
        i += order <= 0;
        j += order >= 0;
    }
    free(refs->items);
    refs->items = items;
    refs->n = n;
}

enum rb_code rb_tag_refs_read(rb_tag_refs *out, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_tag_refs_clear) rb_tag_refs refs = {0};
    /* loose refs first: git packs a ref before it removes the file */
    RB_TRY(read_loose(&refs, repo, "", 0, err));
    const size_t loose = refs.n;
    RB_TRY(read_packed(&refs, repo, err));
    sort(&refs, loose);
    if (loose > 0) {
        qsort(refs.items, loose, sizeof *refs.items, by_name);
        merge(&refs, loose);
    }
    rb_tag_refs_clear(out);
    *out = refs;
    refs = (rb_tag_refs){0};
    return RB_OK;
}

enum rb_code rb_tag_names(rb_strs *out, rb_repo *repo, const char *glob, rb_err *err)
{
    RB_AUTO(rb_tag_refs_clear) rb_tag_refs refs = {0};
    RB_TRY(rb_tag_refs_read(&refs, repo, err));
    for (size_t i = 0; i < refs.n; i++)
        if (fnmatch(glob, refs.items[i].name, 0) == 0)
            rb_strs_add(out, refs.items[i].name);
    return RB_OK;
}
