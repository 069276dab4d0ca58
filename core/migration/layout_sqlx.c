/*
 * The layout of sqlx (sqlx-core/src/migrate/source.rs): VERSION_DESCRIPTION.sql in numeric order;
 * VERSION is a signed 64-bit number. Files that end in .up.sql and .down.sql form a reversible
 * migration; any other file is a simple migration without a down.
 *
 * A folder with pairs only is detected as golang-migrate's layout; `"tracking": "auto"` finds
 * sqlx's table in a database. Simple files look like those of many tools, so they are only detected
 * if the tree uses sqlx: a sqlx.toml, a .sqlx folder, or a Cargo.toml that names sqlx, in the
 * migrations folder or in one above it.
 */
#include <stdlib.h>
#include <string.h>

#include "git/tree.h"
#include "migration/layout.h"

#define CARGO_LIMIT (1u << 20)

static bool parse(rb_golang_name *out, const char *file)
{
    size_t len = strlen(file), digits = strspn(file, "0123456789");
    if (digits == 0 || file[digits] != '_' ||
        !rb_layout_ends_with(file + digits, len - digits, ".sql"))
        return false;
    size_t zeros = strspn(file, "0");
    zeros -= zeros == digits;
    bool up = rb_layout_ends_with(file, len, ".up.sql");
    bool down = rb_layout_ends_with(file, len, ".down.sql");
    size_t suffix = strlen(up ? ".up.sql" : down ? ".down.sql" : ".sql");
    *out = (rb_golang_name){.version = file + zeros,
                            .version_len = digits - zeros,
                            .name = file + digits + 1,
                            .name_len = len - digits - 1 > suffix ? len - digits - 1 - suffix : 0,
                            .up = !down,
                            .simple = !up && !down};
    return rb_layout_version_fits(out->version, out->version_len);
}

static bool names_sqlx(const rb_layout_source *source, const char *path)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    return rb_tree_read(&text, source->repo, source->tree, path, CARGO_LIMIT, RB_IGNORED) ==
               RB_OK &&
           strstr(rb_buf_str(&text), "sqlx") != NULL;
}

static bool has(const rb_layout_source *source, const char *path)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    return rb_tree_find(&entry, source->repo, source->tree, path, RB_IGNORED) == RB_OK;
}

/* True if the tree uses sqlx. Files that cannot be read are skipped. */
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

static enum rb_code detect(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err)
{
    (void)layout;
    (void)err;
    rb_golang_name name;
    bool simple = false;
    for (size_t i = 0; i < source->entries->n && !simple; i++)
        simple =
            rb_layout_is_file(source, i) && parse(&name, rb_layout_rest(source, i)) && name.simple;
    *out = simple && tree_uses_sqlx(source);
    return RB_OK;
}

static enum rb_code read(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err)
{
    (void)layout;
    return rb_layout_read_numbered(set, source, parse, false, err);
}

const rb_layout rb_layout_sqlx = {"sqlx", detect, read, rb_layout_compare_numbered, NULL, NULL};
