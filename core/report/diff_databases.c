/* Compares migrations and schemas, and judges what going back would cost. */
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "catalog/catalog.h"
#include "catalog/name.h"
#include "environment/observe.h"
#include "migration/unwrap.h"
#include "report/diff_parts.h"

/* One database on both sides; either may be NULL. */
struct pair {
    const rb_diff_sides *sides;
    const char *name;
    const rb_manifest_database *a;
    const rb_manifest_database *b;
};

/* Adds a formatted reason, made safe, and raises the class if this one is worse. */
static void RB_PRINTF(3, 4)
    add_reason(rb_diff_risk *risk, enum rb_risk class_, const char *fmt, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf reason = {0};
    va_list args;
    va_start(args, fmt);
    rb_buf_vprintf(&reason, fmt, args);
    va_end(args);
    json_array_append_new(risk->reasons, rb_json_text(rb_buf_str(&reason)));
    if (class_ > risk->worst)
        risk->worst = class_;
}

/* Orders migrations by id, for sets with many of them. */
static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(const rb_manifest_migration *const *)a)->id,
                  (*(const rb_manifest_migration *const *)b)->id);
}

static const rb_manifest_migration **index_of(const rb_manifest_database *d)
{
    size_t n = d ? d->migration_count : 0;
    const rb_manifest_migration **index = rb_calloc(n + 1, sizeof(const rb_manifest_migration *));
    for (size_t i = 0; i < n; i++)
        index[i] = &d->migrations[i];
    qsort(index, n, sizeof(const rb_manifest_migration *), compare_ids);
    return index;
}

static const rb_manifest_migration *find(const rb_manifest_migration **index,
                                         const rb_manifest_database *d, const char *id)
{
    rb_manifest_migration key = {.id = (char *)id};
    const rb_manifest_migration *wanted = &key;
    const rb_manifest_migration **hit =
        d ? bsearch(&wanted, index, d->migration_count, sizeof *index, compare_ids) : NULL;
    return hit ? *hit : NULL;
}

static json_t *diff_migrations(const struct pair *p)
{
    json_t *added = json_array(), *removed = json_array(), *changed = json_array();
    const rb_manifest_migration **a = index_of(p->a), **b = index_of(p->b);
    for (size_t i = 0; p->a && i < p->a->migration_count; i++)
        if (!find(b, p->b, p->a->migrations[i].id))
            json_array_append_new(removed, rb_json_text(p->a->migrations[i].id));
    for (size_t i = 0; p->b && i < p->b->migration_count; i++) {
        const rb_manifest_migration *m = &p->b->migrations[i], *was = find(a, p->a, m->id);
        if (!was)
            json_array_append_new(added, rb_json_text(m->id));
        else if (strcmp(m->up, was->up) != 0 || strcmp(m->down, was->down) != 0)
            json_array_append_new(changed, rb_json_text(m->id));
    }
    free(a);
    free(b);
    return json_pack("{s:o,s:o,s:o}", "added", added, "removed", removed, "changed", changed);
}

/* Returns the catalog of a side. If it cannot be rebuilt, it is empty and a reason is added: the
 * rest of the document may be needed urgently. */
static bool catalog_of(json_t **out, rb_diff_risk *risk, const struct pair *p,
                       const rb_release *release, const rb_manifest_database *d)
{
    *out = NULL;
    if (!d) {
        *out = json_object();
        return true;
    }
    rb_err err = {0};
    if (rb_rebuilt_catalog(out, release, p->sides->repo, d, &err) != RB_OK) {
        add_reason(risk, RB_RISK_REVERSIBLE,
                   "%s: schemas are not compared, because one cannot be rebuilt here: %s", p->name,
                   rb_err_line(&err));
        return false;
    }
    char hex[RB_SHA256_HEX];
    rb_catalog_fingerprint(*out, hex);
    if (strcmp(hex, d->fingerprint) != 0)
        add_reason(risk, RB_RISK_REVERSIBLE,
                   "%s: the schema of %s, rebuilt here, is not the one in its manifest "
                   "(fingerprint %.12s, manifest %.12s); the engine's version may differ",
                   p->name, release->tag, hex, d->fingerprint);
    return true;
}

/* True if the script of one of these migrations has words that rename a column. */
static bool names_rename(const rb_diff_sides *sides, const rb_release *release,
                         const rb_manifest_database *d, const json_t *ids, const char *from,
                         const char *to)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    if (!d || json_array_size(ids) == 0 ||
        rb_release_migrations(&set, release, sides->repo, d, RB_IGNORED) != RB_OK)
        return false;
    rb_json_each (id, ids) {
        const rb_migration *m = rb_migrations_find(set, json_string_value(id));
        const char *text = m && m->up.present ? m->up.text : NULL;
        if (text && strcasestr(text, "rename") && strcasestr(text, from) && strcasestr(text, to))
            return true;
    }
    return false;
}

/* Returns the definition of a column; NULL if the table does not have it. */
static const json_t *column_of(const json_t *catalog, const char *table, const char *column)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_place_key(table, column);
    return json_object_get(catalog, key);
}

/* Adds renamed columns. Two columns that only one side has, at the same position and with the same
 * definition, count as renamed if a script between the two releases renames a column. Otherwise a
 * dropped and an added column could look the same. */
static void add_renames(json_t *out, const struct pair *p, const json_t *migrations,
                        const char *table, const json_t *a, const json_t *b)
{
    RB_AUTO(rb_free_str) char *key = rb_catalog_key("order", NULL, table);
    const json_t *x = json_object_get(a, key);
    const json_t *y = json_object_get(b, key);
    for (size_t i = 0, j = 0; i < json_array_size(x) && j < json_array_size(y);) {
        const char *from = json_string_value(json_array_get(x, i));
        const char *to = json_string_value(json_array_get(y, j));
        const json_t *was = column_of(a, table, from);
        const json_t *is = column_of(b, table, to);
        const bool gone = !column_of(b, table, from);
        const bool new = !column_of(a, table, to);
        if (gone && new &&json_equal(was, is) &&
            (names_rename(p->sides, p->sides->to, p->b, json_object_get(migrations, "added"), from,
                          to) ||
             names_rename(p->sides, p->sides->from, p->a, json_object_get(migrations, "removed"),
                          from, to)))
            json_array_append_new(out, rb_json_make("table:s from:s to:s", table, from, to));
        i += gone || !new;
        j += new || !gone;
    }
}

static json_t *find_renames(const struct pair *p, const json_t *migrations, const json_t *a,
                            const json_t *b)
{
    json_t *out = json_array();
    rb_json_each_member (key, value, a) {
        RB_AUTO(rb_catalog_name_clear) rb_catalog_name name = {0};
        if (rb_catalog_is(key, "table") && json_object_get(b, key) &&
            rb_catalog_name_parse(&name, key))
            add_renames(out, p, migrations, name.name, a, b);
    }
    return out;
}

static json_t *diff_schema(json_t **renamed, rb_diff_risk *risk, const struct pair *p,
                           const json_t *migrations)
{
    *renamed = json_array();
    if (p->a && p->b && strcmp(p->a->engine, p->b->engine) == 0 &&
        strcmp(p->a->fingerprint, p->b->fingerprint) == 0)
        return json_array();
    RB_AUTO(rb_json_freep) json_t *a = NULL, *b = NULL, *differences = NULL, *order = NULL;
    bool both = catalog_of(&a, risk, p, p->sides->from, p->a) &&
                catalog_of(&b, risk, p, p->sides->to, p->b);
    if (!both)
        return json_array();
    rb_catalog_compare(&differences, &order, a, b);
    json_decref(*renamed);
    *renamed = find_renames(p, migrations, a, b);
    return json_incref(differences);
}

static const json_t *proof_in(const rb_release *release, const char *database, const char *id)
{
    const rb_manifest_database *d = rb_manifest_database_find(release->manifest, database);
    rb_json_each (item, json_object_get(d ? d->proof : NULL, "migrations")) {
        const char *its = rb_json_str(item, "id");
        if (its && strcmp(its, id) == 0)
            return item;
    }
    return NULL;
}

static const json_t *find_proof(const struct pair *p, const char *id)
{
    const json_t *proof = proof_in(p->sides->to, p->name, id);
    for (size_t i = 0; !proof && i < p->sides->count; i++)
        proof = proof_in(p->sides->between[i], p->name, id);
    return proof;
}

/* Returns "column orders.discount, table log and 3 more". */
static char *enumerate(const json_t *list)
{
    rb_buf out = {0};
    size_t n = json_array_size(list);
    rb_json_each (item, list) {
        if (item_at == 5 && n > 6) {
            rb_buf_printf(&out, " and %zu more", n - item_at);
            break;
        }
        rb_buf_puts(&out, item_at ? ", " : "");
        rb_template_add(&out,
                        json_is_string(item)              ? "{.}"
                        : json_object_get(item, "object") ? "{object}[ {change}]"
                                                          : "{table}[.{column}]",
                        item);
    }
    return rb_buf_detach(&out);
}

static void judge_restores(rb_diff_risk *risk, const char *what, const json_t *proof)
{
    const char *restores = rb_json_str(proof, "restores");
    RB_AUTO(rb_free_str) char *differences = enumerate(json_object_get(proof, "differences"));
    if (!restores || strcmp(restores, "fails") == 0)
        add_reason(risk, RB_RISK_IRREVERSIBLE, "%s: its down fails", what);
    else if (strcmp(restores, "missing") == 0)
        add_reason(risk, RB_RISK_IRREVERSIBLE, "%s: it has no down", what);
    else if (strcmp(restores, "code") == 0)
        add_reason(risk, RB_RISK_IRREVERSIBLE, "%s: it is code that rbtool cannot run", what);
    else if (strcmp(restores, "untested") == 0)
        add_reason(risk, RB_RISK_LOSSY, "%s: its down could not be tried on every row: %s", what,
                   rb_json_str(proof, "error"));
    else if (strcmp(restores, "differs") == 0)
        add_reason(risk, RB_RISK_LOSSY, "%s: its down leaves another schema: %s", what,
                   differences);
}

static void judge_proof(rb_diff_risk *risk, const char *what, const json_t *proof)
{
    judge_restores(risk, what, proof);
    RB_AUTO(rb_free_str) char *destroys = enumerate(json_object_get(proof, "destroys"));
    if (*destroys)
        add_reason(risk, RB_RISK_LOSSY, "%s: its up destroyed data: %s", what, destroys);
    RB_AUTO(rb_free_str) char *discards = enumerate(json_object_get(proof, "discards"));
    if (*discards)
        add_reason(risk, RB_RISK_REVERSIBLE, "%s: its down discards what was entered since: %s",
                   what, discards);
}

/* True for an empty down of a migration that changes something: the proof records "differs", and
 * the class is irreversible. */
static bool is_blank_down(const rb_migration *m, const char *engine)
{
    return m && rb_script_is_blank(&m->down, engine) && !rb_script_is_blank(&m->up, engine);
}

static enum rb_code judge(rb_diff_risk *risk, const struct pair *p, const json_t *migrations,
                          rb_err *err)
{
    RB_AUTO(rb_migrations_freep) rb_migrations *set = NULL;
    const json_t *added = json_object_get(migrations, "added");
    if (json_array_size(added) > 0)
        RB_TRY(rb_release_migrations(&set, p->sides->to, p->sides->repo, p->b, err));
    rb_json_each (item, added) {
        const char *id = json_string_value(item);
        const json_t *proof = find_proof(p, id);
        const rb_migration *m = rb_migrations_find(set, id);
        RB_AUTO(rb_free_str)
        char *what =
            rb_format("%s %s%s%s", p->name, id, m && *m->name ? " " : "", m ? m->name : "");
        if (proof)
            judge_proof(risk, what, proof);
        else
            add_reason(risk, RB_RISK_IRREVERSIBLE, "%s: no release at hand has proven its way back",
                       what);
        const char *restores = proof ? rb_json_str(proof, "restores") : NULL;
        if (restores && strcmp(restores, "differs") == 0 && is_blank_down(m, p->b->engine))
            add_reason(risk, RB_RISK_IRREVERSIBLE, "%s: its down is blank", what);
    }
    rb_json_each (item, json_object_get(migrations, "removed"))
        add_reason(risk, RB_RISK_REVERSIBLE, "%s %s: going back runs its up", p->name,
                   json_string_value(item));
    rb_json_each (item, json_object_get(migrations, "changed"))
        add_reason(risk, RB_RISK_REVERSIBLE,
                   "%s %s: it changed after it was released; neither way runs it again", p->name,
                   json_string_value(item));
    return RB_OK;
}

static enum rb_code diff_database(json_t *out, rb_diff_risk *risk, const rb_diff_sides *sides,
                                  const char *name, rb_err *err)
{
    const struct pair p = {.sides = sides,
                           .name = name,
                           .a = rb_manifest_database_find(sides->from->manifest, name),
                           .b = rb_manifest_database_find(sides->to->manifest, name)};
    RB_AUTO(rb_json_freep) json_t *migrations = diff_migrations(&p);
    RB_TRY(judge(risk, &p, migrations, err));
    json_t *renamed = NULL;
    json_t *schema = diff_schema(&renamed, risk, &p, migrations);
    json_array_append_new(out, rb_json_make("name:s migrations:J schema:j renamed:j", name,
                                            migrations, schema, renamed));
    return RB_OK;
}

enum rb_code rb_diff_databases(json_t **out, rb_diff_risk *risk, const rb_diff_sides *sides,
                               rb_err *err)
{
    const rb_manifest *a = sides->from->manifest, *b = sides->to->manifest;
    RB_AUTO(rb_json_freep) json_t *databases = json_array();
    for (size_t i = 0; i < a->database_count; i++)
        RB_TRY(diff_database(databases, risk, sides, a->databases[i].name, err));
    for (size_t i = 0; i < b->database_count; i++)
        if (!rb_manifest_database_find(a, b->databases[i].name))
            RB_TRY(diff_database(databases, risk, sides, b->databases[i].name, err));
    *out = RB_TAKE(databases);
    return RB_OK;
}
