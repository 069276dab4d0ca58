/*
 * The layout of golang-migrate: VERSION_NAME.up.sql and VERSION_NAME.down.sql, in numeric order
 * (source/parse.go).
 *
 * sqlx and morph read the same files. Variants of teams that run files themselves: other
 * separators, a "V" before the number, no name (V0001.Name.up.sql, 12.up.sql). The id is the number
 * as in a tracking table, without leading zeros.
 *
 * An up and a down are a pair if number and name agree, or if they are the only files of that
 * number. A down without an up is listed in ignored, and lint reports it.
 *
 * If a folder has scripts for several engines (V0001.Name.sqlite.up.sql, 1_name_mysql.up.sql),
 * engine_suffix.c selects those of the database.
 *
 * golang-migrate has no marker for scripts outside of a transaction. These are accepted: sqlx's "--
 * no-transaction" at the start of the file, morph's "-- morph:nontransactional", and popx's
 * VERSION_NAME.autocommit.up.sql.
 */
#include <stdlib.h>
#include <string.h>

#include "migration/engine_suffix.h"
#include "migration/layout.h"

bool rb_golang_parse(rb_golang_name *out, const char *file)
{
    size_t len = strlen(file);
    bool up = rb_layout_ends_with(file, len, ".up.sql");
    if (!up && !rb_layout_ends_with(file, len, ".down.sql"))
        return false;
    const char *end = file + len - strlen(up ? ".up.sql" : ".down.sql");
    const char *digits = file + (*file == 'V' || *file == 'v');
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || digits + n > end)
        return false;
    const char *name = digits + n;
    if (name < end && !strchr("_.-", *name))
        return false;
    if (name < end)
        name++;
    size_t zeros = strspn(digits, "0");
    if (zeros == n)
        zeros--;
    if (!rb_layout_version_fits(digits + zeros, n - zeros))
        return false;
    *out = (rb_golang_name){
        .version = digits + zeros, .version_len = n - zeros, .name = name, .up = up};
    static const char autocommit[] = ".autocommit";
    out->autocommit = rb_layout_ends_with(digits + n, (size_t)(end - digits) - n, autocommit);
    if (out->autocommit)
        end -= sizeof autocommit - 1;
    out->name_len = end > name ? (size_t)(end - name) : 0;
    rb_dialect_take(out);
    return true;
}

static int compare_files(const void *a, const void *b)
{
    const rb_golang_name *x = &((const rb_dialect_file *)a)->name;
    const rb_golang_name *y = &((const rb_dialect_file *)b)->name;
    int order = rb_golang_compare(x->version, x->version_len, y->version, y->version_len);
    if (order == 0)
        /* the names end with the suffixes, so a down comes before its up */
        order = strcmp(x->name, y->name);
    return order;
}

int rb_layout_compare_numbered(const rb_migration *a, const rb_migration *b)
{
    return rb_golang_compare(a->id, strlen(a->id), b->id, strlen(b->id));
}

static enum rb_code detect(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err)
{
    (void)layout;
    (void)err;
    rb_golang_name name;
    for (size_t i = 0; i < source->entries->n && !*out; i++)
        *out = rb_layout_is_file(source, i) && rb_golang_parse(&name, rb_layout_rest(source, i)) &&
               name.up;
    return RB_OK;
}

/* Finds the down of `up` among the files of one version; NULL if there is none. */
static rb_dialect_file *find_down(rb_dialect_file *files, size_t n, const rb_dialect_file *up)
{
    rb_dialect_file *only = NULL;
    size_t ups = 0, downs = 0;
    for (size_t i = 0; i < n; i++) {
        rb_dialect_file *f = &files[i];
        if (f->name.simple)
            continue;
        if (f->name.up) {
            ups++;
            continue;
        }
        downs++;
        only = f;
        if (f->name.name_len == up->name.name_len &&
            memcmp(f->name.name, up->name.name, up->name.name_len) == 0)
            return f;
    }
    return ups == 1 && downs == 1 ? only : NULL;
}

static void note_marker(rb_script *script)
{
    static const char *const markers[] = {"-- no-transaction", "-- morph:nontransactional"};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(script->text, markers[i], strlen(markers[i])) == 0)
            script->transactional = false;
}

static enum rb_code load(rb_script *out, const rb_layout_source *source,
                         const rb_dialect_file *file, rb_err *err)
{
    RB_TRY(rb_layout_load(out, source, file->entry, err));
    note_marker(out);
    if (file->name.autocommit)
        out->transactional = false;
    return RB_OK;
}

/* Adds all files of one version. */
static enum rb_code add_version(rb_migrations *set, const rb_layout_source *source,
                                rb_dialect_file *files, size_t n, rb_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const rb_golang_name *name = &files[i].name;
        if (!name->up)
            continue;
        rb_migration *item =
            rb_layout_add(set, name->version, name->version_len, name->name, name->name_len);
        RB_TRY(load(&item->up, source, &files[i], err));
        rb_dialect_file *down = name->simple ? NULL : find_down(files, n, &files[i]);
        if (down && !down->paired) {
            down->paired = true;
            RB_TRY(load(&item->down, source, down, err));
        }
    }
    return RB_OK;
}

enum rb_code rb_layout_read_numbered(rb_migrations *set, const rb_layout_source *source,
                                     rb_layout_parse *parse, bool engines, rb_err *err)
{
    rb_dialect_file *files = rb_calloc(source->entries->n + 1, sizeof *files);
    size_t n = 0;
    for (size_t i = 0; i < source->entries->n; i++) {
        files[n].entry = i;
        if (rb_layout_is_file(source, i) && parse(&files[n].name, rb_layout_rest(source, i)))
            n++;
    }
    qsort(files, n, sizeof *files, compare_files);
    if (engines)
        n = rb_dialect_select(&set->engines, files, n, source->engine);
    enum rb_code code = RB_OK;
    for (size_t i = 0, next; i < n && code == RB_OK; i = next) {
        const rb_golang_name *a = &files[i].name;
        for (next = i + 1; next < n; next++) {
            const rb_golang_name *b = &files[next].name;
            if (rb_golang_compare(a->version, a->version_len, b->version, b->version_len) != 0)
                break;
        }
        code = add_version(set, source, files + i, next - i, err);
    }
    free(files);
    return code;
}

static enum rb_code read(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err)
{
    (void)layout;
    return rb_layout_read_numbered(set, source, rb_golang_parse, true, err);
}

const rb_layout rb_layout_golang = {"golang-migrate",           detect, read,
                                    rb_layout_compare_numbered, NULL,   NULL};
