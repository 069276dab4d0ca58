/* Verifies a release against the repository. A verifier stores hashes by object id: most files of a
 * release are also in its predecessor. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/artifact.h"
#include "artifact/checkout.h"
#include "artifact/lfs.h"
#include "base/parallel.h"
#include "git/tree.h"
#include "git/treeid.h"
#include "release/flags.h"
#include "release/internal.h"

#define FILE_LIMIT (64u << 20)

struct known_set { /* a migrations folder that has been read */
    char *key;     /* tree id, layout, engine and folder */
    rb_manifest_migration *migrations;
    size_t count;
};

struct rb_verifier {
    rb_repo *repo;
    unsigned how;
    json_t *files; /* blob id -> SHA-256 */
    json_t *sets;  /* key -> index in known */
    struct known_set *known;
    size_t known_count;
};

rb_verifier *rb_verifier_new(rb_repo *repo, unsigned how)
{
    rb_verifier *verifier = rb_calloc(1, sizeof *verifier);
    verifier->repo = repo;
    verifier->how = how;
    verifier->files = json_object();
    verifier->sets = json_object();
    return verifier;
}

void rb_verifier_free(rb_verifier *verifier)
{
    if (!verifier)
        return;
    for (size_t i = 0; i < verifier->known_count; i++) {
        free(verifier->known[i].key);
        rb_release_describe_free(verifier->known[i].migrations, verifier->known[i].count);
    }
    free(verifier->known);
    rb_json_free(verifier->files);
    rb_json_free(verifier->sets);
    free(verifier);
}

rb_manifest_migration *rb_release_describe(size_t *count, const rb_migrations *set)
{
    rb_manifest_migration *out = rb_calloc(set->n, sizeof *out);
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *from = &set->items[i];
        out[i].id = rb_strdup(from->id);
        out[i].name = rb_strdup(from->name ? from->name : "");
        memcpy(out[i].up, from->up.sha256, sizeof out[i].up);
        if (from->down.present)
            memcpy(out[i].down, from->down.sha256, sizeof out[i].down);
        out[i].up_transactional = from->up.transactional;
        out[i].down_transactional = from->down.present && from->down.transactional;
        out[i].code = from->code;
    }
    *count = set->n;
    return out;
}

void rb_release_describe_free(rb_manifest_migration *migrations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(migrations[i].id);
        free(migrations[i].name);
    }
    free(migrations);
}

static void differs(rb_problems *problems, const rb_release *release,
                    const rb_manifest_database *database, size_t i, const char *part,
                    const char *expected, const char *found)
{
    size_t at = (size_t)(database - release->manifest->databases);
    const char *id = i < database->migration_count ? database->migrations[i].id : found;
    RB_AUTO(rb_free_str) char *field = rb_format("databases[%zu].migrations[%zu].%s", at, i, part);
    rb_problems_add(problems, "migration", field, expected, found,
                    "%s: %s (%s, migration %s): expected %s, found %s in its commit; do not use "
                    "it, make the release again",
                    release->tag, field, database->name, id, *expected ? expected : "none",
                    *found ? found : "none");
}

void rb_release_compare(rb_problems *problems, const rb_release *release,
                        const rb_manifest_database *database, const rb_manifest_migration *found,
                        size_t count)
{
    static const char *const words[] = {"false", "true"};
    size_t n = count < database->migration_count ? database->migration_count : count;
    for (size_t i = 0; i < n; i++) {
        static const rb_manifest_migration none = {.id = (char *)"", .name = (char *)""};
        const rb_manifest_migration *a =
            i < database->migration_count ? &database->migrations[i] : &none;
        const rb_manifest_migration *b = i < count ? &found[i] : &none;
        /* the lists are shifted from here on, so comparing the rest is useless */
        if (strcmp(a->id, b->id) != 0) {
            differs(problems, release, database, i, "id", a->id, b->id);
            return;
        }
        const char *const parts[][3] = {
            {"name", a->name, b->name},
            {"up", a->up, b->up},
            {"down", a->down, b->down},
            {"transaction.up", words[a->up_transactional], words[b->up_transactional]},
            {"transaction.down", words[a->down_transactional], words[b->down_transactional]},
            {"code", words[a->code], words[b->code]}};
        for (size_t j = 0; j < sizeof parts / sizeof *parts; j++)
            if (strcmp(parts[j][1], parts[j][2]) != 0)
                differs(problems, release, database, i, parts[j][0], parts[j][1], parts[j][2]);
    }
}

/* Adds a problem without digests, for content that is missing or cannot be read. */
static enum rb_code unreadable(rb_problems *problems, const rb_release *release, const char *code,
                               const char *field, rb_err *why)
{
    rb_problems_add(problems, code, field, "", "", "%s: %s: %s", release->tag, field,
                    rb_err_line(why));
    return RB_OK;
}

static enum rb_code read_set(const struct known_set **out, rb_verifier *verifier,
                             const rb_release *release, const rb_manifest_database *database,
                             rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry folder = {0};
    const char *layout = *database->layout ? database->layout : "auto";
    RB_TRY(rb_tree_find(&folder, verifier->repo, &release->tree, database->directory, err));
    char hex[RB_OID_HEX];
    rb_oid_hex(&folder.oid, hex);
    RB_AUTO(rb_free_str)
    char *key = rb_format("%s %s %s %s", hex, layout, database->engine, database->directory);
    int64_t at = rb_json_int(verifier->sets, key, -1);
    if (at < 0) {
        RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
        RB_TRY(rb_migrations_read(&set, verifier->repo, &release->tree, database->directory, layout,
                                  database->engine, err));
        at = (int64_t)verifier->known_count;
        verifier->known =
            rb_realloc(verifier->known, verifier->known_count + 1, sizeof *verifier->known);
        struct known_set *known = &verifier->known[verifier->known_count++];
        known->key = rb_strdup(key);
        known->migrations = rb_release_describe(&known->count, set);
        if (json_object_set_new(verifier->sets, key, json_integer(at)) != 0)
            abort();
    }
    *out = &verifier->known[at];
    return RB_OK;
}

static enum rb_code verify_database(rb_problems *problems, rb_verifier *verifier,
                                    const rb_release *release, size_t i, rb_err *err)
{
    const rb_manifest_database *database = &release->manifest->databases[i];
    const struct known_set *found = NULL;
    enum rb_code code = read_set(&found, verifier, release, database, err);
    if (code == RB_OK) {
        rb_release_compare(problems, release, database, found->migrations, found->count);
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *field = rb_format("databases[%zu].migrations", i);
    return unreadable(problems, release, "migration", field, err);
}

/* Returns the file's SHA-256, cached by blob id. That of an LFS pointer to the expected content is
 * the content's. The pointer's own has a key that is not looked up: another file with this blob may
 * stand for the content. */
static enum rb_code hash_file(const char **out, rb_verifier *verifier, const rb_release *release,
                              rb_tree_entry *entry, const char *path, const char *expected,
                              rb_err *err)
{
    RB_TRY(rb_tree_find(entry, verifier->repo, &release->tree, path, err));
    char hex[RB_OID_HEX];
    rb_oid_hex(&entry->oid, hex);
    *out = rb_json_str(verifier->files, hex);
    if (*out)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_blob_read(&text, verifier->repo, &entry->oid, path, FILE_LIMIT, err));
    char digest[RB_SHA256_HEX];
    rb_lfs_pointer pointer;
    bool is_pointer = rb_lfs_parse(&pointer, rb_buf_str(&text), text.len);
    if (is_pointer && strcmp(pointer.oid, expected) == 0) {
        *out = expected;
        return RB_OK;
    }
    rb_sha256_hex_of(rb_buf_str(&text), text.len, digest);
    RB_AUTO(rb_free_str) char *key = rb_format("%s%s", hex, is_pointer ? " " : "");
    rb_json_set_str(verifier->files, key, digest);
    *out = rb_json_str(verifier->files, key);
    return RB_OK;
}

/* Compares a file with the manifest. code: the problem's code; field: its field. mode NULL: not
 * compared. */
static enum rb_code verify_file(rb_problems *problems, rb_verifier *verifier,
                                const rb_release *release, const char *code, const char *field,
                                const char *path, const char *sha256, const char *mode, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    const char *found = NULL;
    if (hash_file(&found, verifier, release, &entry, path, sha256, err) != RB_OK)
        return unreadable(problems, release, code, field, err);
    if (strcmp(found, sha256) != 0) {
        RB_AUTO(rb_free_str) char *inner = rb_format("%s.sha256", field);
        rb_problems_add(problems, code, inner, sha256, found,
                        "%s: %s (%s): expected %s, found %s in its commit; do not use it, make the "
                        "release again",
                        release->tag, inner, path, sha256, found);
    }
    RB_AUTO(rb_free_str) char *octal = rb_format("%06o", (unsigned)entry.mode);
    if (mode && strcmp(octal, mode) != 0) {
        RB_AUTO(rb_free_str) char *inner = rb_format("%s.mode", field);
        rb_problems_add(problems, code, inner, mode, octal,
                        "%s: %s (%s): expected mode %s, found %s in its commit; do not use it, "
                        "make the release again",
                        release->tag, inner, path, mode, octal);
    }
    return RB_OK;
}

static enum rb_code verify_files(rb_problems *problems, rb_verifier *verifier,
                                 const rb_release *release, const char *code, const char *list,
                                 const rb_manifest_file *files, size_t count, rb_err *err)
{
    for (size_t i = 0; i < count; i++) {
        RB_AUTO(rb_free_str) char *field = rb_format("%s[%zu]", list, i);
        RB_TRY(verify_file(problems, verifier, release, code, field, files[i].path, files[i].sha256,
                           files[i].mode, err));
    }
    return RB_OK;
}

/* Returns flags as one text, for comparing and caching. */
static char *spell_flags(const rb_manifest_flag *flags, size_t count)
{
    rb_buf out = {0};
    for (size_t i = 0; i < count; i++)
        rb_buf_printf(&out, "%s%s %s %s", i ? "; " : "", flags[i].name, flags[i].state,
                      flags[i].default_ ? flags[i].default_ : "-");
    return rb_buf_detach(&out);
}

static enum rb_code spell_file(char **out, rb_verifier *verifier, const rb_release *release,
                               const char *path, rb_err *err)
{
    RB_AUTO(rb_tree_entry_clear) rb_tree_entry entry = {0};
    RB_TRY(rb_tree_find(&entry, verifier->repo, &release->tree, path, err));
    char key[RB_OID_HEX + 6] = "flags ";
    rb_oid_hex(&entry.oid, key + 6);
    const char *known = rb_json_str(verifier->files, key);
    if (known) {
        *out = rb_strdup(known);
        return RB_OK;
    }
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_TRY(rb_checkout_known(&text, verifier->repo, &release->tree, path,
                             release->manifest->flags_sha256, RB_FLAGS_LIMIT, err));
    rb_manifest_flag *flags = NULL;
    size_t count = 0;
    RB_TRY(rb_flags_parse(&flags, &count, rb_buf_str(&text), text.len, path, err));
    *out = spell_flags(flags, count);
    rb_flags_free(flags, count);
    rb_json_set_str(verifier->files, key, *out);
    return RB_OK;
}

/* Checks the flag file's SHA-256, and that the manifest has the same values as the file. */
static enum rb_code verify_flags(rb_problems *problems, rb_verifier *verifier,
                                 const rb_release *release, rb_err *err)
{
    const rb_manifest *manifest = release->manifest;
    if (!manifest->flags_path)
        return RB_OK;
    size_t before = problems->n;
    RB_TRY(verify_file(problems, verifier, release, "flags", "flags", manifest->flags_path,
                       manifest->flags_sha256, NULL, err));
    if (problems->n > before)
        return RB_OK;
    RB_AUTO(rb_free_str) char *found = NULL;
    if (spell_file(&found, verifier, release, manifest->flags_path, err) != RB_OK)
        return unreadable(problems, release, "flags", "flags", err);
    RB_AUTO(rb_free_str) char *expected = spell_flags(manifest->flags, manifest->flag_count);
    if (strcmp(expected, found) != 0)
        rb_problems_add(problems, "flags", "flags.values", expected, found,
                        "%s: flags.values: expected %s, found %s in %s of its commit; do not use "
                        "it, make the release again",
                        release->tag, expected, found, manifest->flags_path);
    return RB_OK;
}

static void compare_artifact(rb_problems *problems, const rb_release *release, size_t i,
                             const char *part, const char *expected, const char *found)
{
    if (strcmp(expected, found) == 0)
        return;
    RB_AUTO(rb_free_str) char *field = rb_format("artifacts[%zu].%s", i, part);
    rb_problems_add(problems, "artifact", field, expected, found,
                    "%s: %s (artifact %s): expected %s, found %s in its commit; do not use it, "
                    "make the release again",
                    release->tag, field, release->manifest->artifacts[i].name, expected, found);
}

static char *join(const rb_strs *strs, bool safe)
{
    rb_buf out = {0};
    for (size_t i = 0; i < strs->n; i++) {
        RB_AUTO(rb_free_str) char *text = safe ? rb_safe(strs->items[i]) : NULL;
        rb_buf_printf(&out, "%s%s", i ? ", " : "", text ? text : strs->items[i]);
    }
    return rb_buf_detach(&out);
}

static enum rb_code verify_quickly(rb_problems *problems, rb_verifier *verifier,
                                   const rb_release *release, size_t i, rb_err *err)
{
    const rb_manifest_artifact *artifact = &release->manifest->artifacts[i];
    RB_AUTO(rb_treeid_clear) rb_treeid id = {0};
    RB_TRY(rb_treeid_of(&id, verifier->repo, &release->tree, &artifact->paths,
                        !(verifier->how & RB_VERIFY_NO_CACHE), err));
    RB_AUTO(rb_free_str) char *expected = join(&artifact->submodules, false);
    RB_AUTO(rb_free_str) char *found = join(&id.submodules, true);
    compare_artifact(problems, release, i, "tree", artifact->tree, id.hex);
    compare_artifact(problems, release, i, "submodules", expected, found);
    return RB_OK;
}

static enum rb_code verify_deeply(rb_problems *problems, rb_verifier *verifier,
                                  const rb_release *release, size_t i, rb_err *err)
{
    const rb_manifest_artifact *artifact = &release->manifest->artifacts[i];
    const rb_artifact_spec spec = {artifact->name, &artifact->paths, artifact->format,
                                   artifact->tree};
    RB_AUTO(rb_artifact_clear) rb_artifact found = {0};
    RB_TRY(rb_artifact_hash(&found, verifier->repo, &release->tree, &spec, rb_parallel_threads(),
                            err));
    RB_AUTO(rb_free_str) char *submodules = join(&artifact->submodules, false);
    RB_AUTO(rb_free_str) char *found_submodules = join(&found.submodules, true);
    RB_AUTO(rb_free_str) char *files = rb_format("%" PRIu64, artifact->files);
    RB_AUTO(rb_free_str) char *found_files = rb_format("%" PRIu64, found.files);
    RB_AUTO(rb_free_str) char *bytes = rb_format("%" PRIu64, artifact->bytes);
    RB_AUTO(rb_free_str) char *found_bytes = rb_format("%" PRIu64, found.bytes);
    compare_artifact(problems, release, i, "tree", artifact->tree, found.tree);
    compare_artifact(problems, release, i, "digest", artifact->digest, found.digest);
    compare_artifact(problems, release, i, "files", files, found_files);
    compare_artifact(problems, release, i, "bytes", bytes, found_bytes);
    compare_artifact(problems, release, i, "submodules", submodules, found_submodules);
    return RB_OK;
}

static enum rb_code verify_artifact(rb_problems *problems, rb_verifier *verifier,
                                    const rb_release *release, size_t i, rb_err *err)
{
    enum rb_code code = verifier->how & RB_VERIFY_DEEP
                            ? verify_deeply(problems, verifier, release, i, err)
                            : verify_quickly(problems, verifier, release, i, err);
    RB_AUTO(rb_free_str) char *field = rb_format("artifacts[%zu]", i);
    return code == RB_OK ? RB_OK : unreadable(problems, release, "artifact", field, err);
}

enum rb_code rb_verifier_check(rb_problems *problems, rb_verifier *verifier,
                               const rb_release *release, rb_err *err)
{
    const rb_manifest *manifest = release->manifest;
    size_t before = problems->n;
    for (size_t i = 0; i < manifest->artifact_count; i++)
        RB_TRY(verify_artifact(problems, verifier, release, i, err));
    for (size_t i = 0; i < manifest->database_count; i++)
        RB_TRY(verify_database(problems, verifier, release, i, err));
    RB_TRY(verify_flags(problems, verifier, release, err));
    RB_TRY(verify_files(problems, verifier, release, "config", "config", manifest->config,
                        manifest->config_count, err));
    RB_TRY(verify_files(problems, verifier, release, "check", "checks", manifest->checks,
                        manifest->check_count, err));
    if (problems->n > before)
        return rb_fail(err, RB_FOUND, "%s", problems->items[before].message);
    return RB_OK;
}

enum rb_code rb_release_verify(rb_problems *problems, const rb_release *release, rb_repo *repo,
                               unsigned how, rb_err *err)
{
    RB_AUTO(rb_verifier_freep) rb_verifier *verifier = rb_verifier_new(repo, how);
    return rb_verifier_check(problems, verifier, release, err);
}
