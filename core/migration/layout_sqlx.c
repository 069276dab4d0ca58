/*
 * sqlx (sqlx-core/src/migrate/source.rs): VERSION_DESCRIPTION.sql in numeric order, where
 * VERSION is a signed 64-bit number. A file that ends in .up.sql or .down.sql is one half of a
 * reversible migration; any other is a simple migration, which has no down.
 *
 * Pairs alone are golang-migrate's files too and are detected as such; `"tracking": "auto"` finds
 * sqlx's table in a database. Simple files look like those of many tools. They are detected as
 * sqlx's only where the tree shows that it uses sqlx: a sqlx.toml, a .sqlx folder, or a Cargo.toml
 * that names sqlx, in the migrations folder or in one above it.
 */
#include <stdlib.h>
#include <string.h>

#include "git/tree.h"
#include "migration/layout.h"

#define CARGO_LIMIT (1u << 20)

struct file {
    size_t entry;
    const char *version; /* digits without leading zeros */
    size_t version_len;
    const char *name;
    size_t name_len;
    enum { SIMPLE, UP, DOWN } kind;
};

static bool ends_with(const char *text, size_t len, const char *suffix)
{
    size_t n = strlen(suffix);
    return len >= n && memcmp(text + len - n, suffix, n) == 0;
}

static bool parse(struct file *out, const rb_layout_source *source, size_t i)
{
    const char *file = rb_layout_rest(source, i);
    size_t len = strlen(file), digits = strspn(file, "0123456789");
    if (!rb_layout_is_file(source, i) || digits == 0 || file[digits] != '_' ||
        !ends_with(file + digits, len - digits, ".sql"))
        return false;
    size_t zeros = strspn(file, "0");
    zeros -= zeros == digits;
    bool up = ends_with(file, len, ".up.sql"), down = ends_with(file, len, ".down.sql");
    size_t suffix = strlen(up ? ".up.sql" : down ? ".down.sql" : ".sql");
    *out = (struct file){.entry = i,
                         .version = file + zeros,
                         .version_len = digits - zeros,
                         .name = file + digits + 1,
                         .name_len = len - digits - 1 > suffix ? len - digits - 1 - suffix : 0,
                         .kind = up     ? UP
                                 : down ? DOWN
                                        : SIMPLE};
    return rb_layout_version_fits(out->version, out->version_len);
}

static bool names_sqlx(const rb_layout_source *source, const char *path)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_err ignored;
    return rb_tree_read(&text, source->repo, source->tree, path, CARGO_LIMIT, &ignored) == RB_OK &&
           strstr(rb_buf_str(&text), "sqlx") != NULL;
}

static bool has(const rb_layout_source *source, const char *path)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    rb_err ignored;
    return rb_tree_find(&entry, source->repo, source->tree, path, &ignored) == RB_OK;
}

/* True if the tree shows that it uses sqlx. A file that cannot be read proves nothing. */
static bool tree_uses_sqlx(const rb_layout_source *source)
{
    RB_AUTO(rb_free_str) char *at = rb_strdup(source->dir);
    for (bool last = false; !last;) {
        last = *at == '\0';
        RB_AUTO(rb_free_str) char *cargo = rb_format("%s%sCargo.toml", at, *at ? "/" : "");
        RB_AUTO(rb_free_str) char *toml = rb_format("%s%ssqlx.toml", at, *at ? "/" : "");
        RB_AUTO(rb_free_str) char *folder = rb_format("%s%s.sqlx", at, *at ? "/" : "");
        if (names_sqlx(source, cargo) || has(source, toml) || has(source, folder))
            return true;
        char *slash = strrchr(at, '/');
        *(slash ? slash : at) = '\0';
    }
    return false;
}

static enum rb_code detect(bool *out, const rb_layout_source *source, rb_err *err)
{
    (void)err;
    struct file file;
    bool simple = false;
    for (size_t i = 0; i < source->entries->n && !simple; i++)
        simple = parse(&file, source, i) && file.kind == SIMPLE;
    *out = simple && tree_uses_sqlx(source);
    return RB_OK;
}

static int compare_files(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    int order = rb_golang_compare(x->version, x->version_len, y->version, y->version_len);
    return order ? order : strcmp(x->name, y->name);
}

static bool same_version(const struct file *a, const struct file *b)
{
    return rb_golang_compare(a->version, a->version_len, b->version, b->version_len) == 0;
}

static enum rb_code load(rb_script *out, const rb_layout_source *source, const struct file *file,
                         rb_err *err)
{
    RB_TRY(rb_layout_load(out, source, file->entry, err));
    rb_layout_note_marker(out);
    return RB_OK;
}

/* Adds a version. Like sqlx, finds the down of a migration by its version alone. */
static enum rb_code add_version(rb_migrations *set, const rb_layout_source *source,
                                const struct file *files, size_t n, rb_err *err)
{
    size_t ups = 0, downs = 0;
    const struct file *down = NULL;
    for (size_t i = 0; i < n; i++) {
        ups += files[i].kind == UP;
        downs += files[i].kind == DOWN;
        down = files[i].kind == DOWN ? &files[i] : down;
    }
    for (size_t i = 0; i < n; i++) {
        const struct file *f = &files[i];
        if (f->kind == DOWN)
            continue;
        rb_migration *item = rb_layout_add(set, f->version, f->version_len, f->name, f->name_len);
        RB_TRY(load(&item->up, source, f, err));
        if (f->kind == UP && ups == 1 && downs == 1)
            RB_TRY(load(&item->down, source, down, err));
    }
    return RB_OK;
}

static enum rb_code read(rb_migrations *set, const rb_layout_source *source, rb_err *err)
{
    struct file *files = rb_calloc(source->entries->n + 1, sizeof *files);
    size_t n = 0;
    for (size_t i = 0; i < source->entries->n; i++)
        n += parse(&files[n], source, i);
    qsort(files, n, sizeof *files, compare_files);
    enum rb_code code = RB_OK;
    for (size_t i = 0, next; i < n && code == RB_OK; i = next) {
        for (next = i + 1; next < n && same_version(&files[next], &files[i]);)
            next++;
        code = add_version(set, source, files + i, next - i, err);
    }
    free(files);
    return code;
}

static int compare(const rb_migration *a, const rb_migration *b)
{
    return rb_golang_compare(a->id, strlen(a->id), b->id, strlen(b->id));
}

const rb_layout rb_layout_sqlx = {"sqlx", detect, read, compare};
