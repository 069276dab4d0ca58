/* Reads again what has changed of the catalog that a session knows. */
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "database/postgres/catalog_read.h"

RB_EMBED(rb_pg_catalog_units_sql, "core/database/postgres/catalog_units.sql");

#define MOST 2000     /* objects; it costs less to read all than more of them */
#define CUT_LENGTH 60 /* bytes of a name that the server may have cut, which has 63 bytes, */
#define CUT_PREFIX 20 /* and of what stays of it in any case */

static const char settings[] =
    "SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off; SET LOCAL TimeZone = 'UTC';"
    " SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = postgres;"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = hex; SET LOCAL lc_monetary = 'C';"
    " SET LOCAL xmlbinary = base64; SET LOCAL jit = off; SET LOCAL work_mem = '64MB';"
    " SET LOCAL plan_cache_mode = force_generic_plan";

/* What depends on units with these classes and oids, and what belongs to the same tables; [class,
 * oid]. Every object whose text names another depends on it. */
static const char scope_sql[] =
    "WITH RECURSIVE below(class, oid) AS ("
    "SELECT c, o FROM unnest($1::oid[], $2::oid[]) u(c, o)"
    " UNION SELECT d.classid, d.objid FROM below b JOIN pg_depend d"
    " ON d.refclassid = b.class AND d.refobjid = b.oid"
    "), near(class, oid) AS (SELECT class, oid FROM below"
    " UNION SELECT s.class, s.oid FROM near n CROSS JOIN LATERAL ("
    "SELECT d.refclassid, d.refobjid FROM pg_depend d WHERE d.classid = n.class"
    " AND d.objid = n.oid AND d.deptype IN ('a', 'i', 'P', 'S')"
    " UNION ALL SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = n.class"
    " AND d.refobjid = n.oid AND d.deptype IN ('a', 'i', 'P', 'S')) s(class, oid)"
    ") SELECT class::regclass, oid FROM near";

typedef struct change {
    rb_buf classes; /* of units that are not as they were: "'{1259,1259" */
    rb_buf oids;
    json_t *scope; /* oids of what is read again, and of units that vanished; as keys */
    json_t *parts; /* classes of the former, {"pg_class": true} */
    rb_buf array;  /* its oids, as SQL */
} change;

static void change_clear(change *c)
{
    rb_buf_clear(&c->classes);
    rb_buf_clear(&c->oids);
    rb_buf_clear(&c->array);
    json_decref(c->scope);
    json_decref(c->parts);
}

/* What a name has in common with those that the server makes where it is taken: "t_a_idx" of
 * "t_a_idx1". NULL for a name that it does not make; a new string. */
static char *stem_of(const char *name)
{
    size_t len = strlen(name);
    while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9')
        len--;
    const char *label = name + len - (len < 4 ? len : 4);
    if (strncmp(label, "_idx", 4) != 0 && strncmp(label, "_seq", 4) != 0)
        return NULL;
    return rb_strndup(name, strlen(name) < CUT_LENGTH ? len : CUT_PREFIX);
}

static void add_changed(change *c, const char *class_, size_t len, const char *oid)
{
    rb_buf_printf(&c->classes, "%s%.*s", c->classes.len ? "," : "'{", (int)len, class_);
    rb_buf_printf(&c->oids, "%s%s", c->oids.len ? "," : "'{", oid);
}

/* {"class.oid": [rows, stem or null]} */
static void add_unit(json_t *units, change *c, const json_t *before, const PGresult *rows, int row)
{
    enum { CLASS, OID, ROWS, YOUNG, NAME };
    const char *class_ = PQgetvalue(rows, row, CLASS);
    const char *oid = PQgetvalue(rows, row, OID);
    const long long n = strtoll(PQgetvalue(rows, row, ROWS), NULL, 10);
    RB_AUTO(rb_free_str) char *id = rb_format("%s.%s", class_, oid);
    RB_AUTO(rb_free_str) char *stem = stem_of(PQgetvalue(rows, row, NAME));
    json_t *unit = json_object_get(before, id);
    const bool same = unit && json_integer_value(json_array_get(unit, 0)) == n;
    if (n > 0 && same)
        json_object_set_nocheck(units, id, unit);
    else if (n > 0)
        json_object_set_new_nocheck(units, id, json_pack("[I,s?]", (json_int_t)n, stem));
    if (same && PQgetvalue(rows, row, YOUNG)[0] != 't')
        return;
    add_changed(c, class_, strlen(class_), oid);
}

/* Sets "units" and "since" of known. */
static enum rb_code read_units(json_t *known, change *c, rb_pg *pg, const json_t *before,
                               rb_err *err)
{
    RB_AUTO(rb_pg_clear) PGresult *rows = NULL;
    const char *since = rb_json_str(before, "since");
    const rb_pg_part part = {.parts = json_object_get(known, "parts")};
    RB_AUTO(rb_free_str)
    char *sql = rb_pg_catalog_statements(rb_pg_catalog_units_sql, pg, &part);
    RB_AUTO(rb_buf_clear) rb_buf run = {0};
    json_t *units = json_object();
    json_object_set_new(known, "units", units);
    RB_TRY(rb_pg_catalog_prepare(&run, pg, sql, since ? since : "NULL", err));
    RB_TRY(rb_pg_rows(&rows, pg, run.data, NULL, 0, err));
    for (int row = 0; row < PQntuples(rows); row++) {
        if (strcmp(PQgetvalue(rows, row, 0), "0") != 0)
            add_unit(units, c, json_object_get(before, "units"), rows, row);
        else
            json_object_set_new(known, "since", json_sprintf("'%s'", PQgetvalue(rows, row, 2)));
    }
    return RB_OK;
}

static const char *oid_of(const char *id)
{
    return strchr(id, '.') + 1;
}

/* Sets what is to be read again; *fits: it is less than all, of parts that the catalog has. */
static enum rb_code find_scope(bool *fits, change *c, rb_pg *pg, const json_t *parts, rb_err *err)
{
    RB_AUTO(rb_pg_clear) PGresult *rows = NULL;
    RB_AUTO(rb_free_str) char *values = NULL;
    RB_AUTO(rb_buf_clear) rb_buf run = {0};
    if (c->oids.len == 0)
        return RB_OK;
    values = rb_format("%s}', %s}'", c->classes.data, c->oids.data);
    RB_TRY(rb_pg_catalog_prepare(&run, pg, scope_sql, values, err));
    RB_TRY(rb_pg_rows(&rows, pg, run.data, NULL, 0, err));
    rb_buf_puts(&c->array, "'{");
    for (int row = 0; row < PQntuples(rows); row++) {
        const char *class_ = PQgetvalue(rows, row, 0);
        *fits &= !json_is_false(json_object_get(parts, class_)) && row < MOST;
        json_object_set_new_nocheck(c->parts, class_, json_true());
        json_object_set_new_nocheck(c->scope, PQgetvalue(rows, row, 1), json_true());
        rb_buf_printf(&c->array, "%s%s", row > 0 ? "," : "", PQgetvalue(rows, row, 1));
    }
    rb_buf_puts(&c->array, "}'");
    return RB_OK;
}

static void add_stems(json_t *stems, const json_t *units, const json_t *scope)
{
    rb_json_each_member (id, unit, units) {
        const char *stem = json_string_value(json_array_get(unit, 1));
        if (stem && json_object_get(scope, oid_of(id)))
            json_object_set_new_nocheck(stems, stem, json_true());
    }
}

/* Whether names that the server made may depend on units that are not read again. */
static bool shares_names(const json_t *before, const json_t *now, const json_t *scope)
{
    RB_AUTO(rb_json_freep) json_t *stems = json_object();
    add_stems(stems, before, scope);
    add_stems(stems, now, scope);
    rb_json_each_member (id, unit, now) {
        const char *stem = json_string_value(json_array_get(unit, 1));
        if (stem && json_object_get(stems, stem) && !json_object_get(scope, oid_of(id)))
            return true;
    }
    return false;
}

static enum rb_code read_scope(json_t *known, const change *c, rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *catalog = json_copy(json_object_get(pg->known, "catalog"));
    RB_AUTO(rb_json_freep) json_t *keys = json_copy(json_object_get(pg->known, "keys"));
    const rb_pg_part part = {.parts = c->parts, .scope = c->array.data};
    rb_json_each_member (oid, read, c->scope) {
        rb_json_each (key, json_object_get(keys, oid))
            json_object_del(catalog, json_string_value(key));
        json_object_del(keys, oid);
        (void)read;
    }
    if (c->array.len > 0)
        RB_TRY(rb_pg_catalog_read(catalog, keys, pg, &part, err));
    json_object_set(known, "catalog", catalog);
    json_object_set(known, "keys", keys);
    return RB_OK;
}

/* *fits: false if all has to be read. */
static enum rb_code update(bool *fits, json_t *known, change *c, rb_pg *pg, rb_err *err)
{
    const json_t *before = json_object_get(pg->known, "units");
    const json_t *parts = json_object_get(pg->known, "parts");
    json_object_set(known, "parts", (json_t *)parts);
    RB_TRY(read_units(known, c, pg, pg->known, err));
    const json_t *now = json_object_get(known, "units");
    rb_json_each_member (id, unit, before) {
        if (json_object_get(now, id))
            continue;
        json_object_set_new_nocheck(c->scope, oid_of(id), json_true());
        /* The object may be there still, without what made it a unit: a comment. */
        add_changed(c, id, strcspn(id, "."), oid_of(id));
        (void)unit;
    }
    RB_TRY(find_scope(fits, c, pg, parts, err));
    *fits = *fits && !shares_names(before, now, c->scope);
    return *fits ? read_scope(known, c, pg, err) : RB_OK;
}

static enum rb_code read_all(rb_pg *pg, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *known = json_object();
    RB_AUTO(change_clear) change c = {.scope = json_object(), .parts = json_object()};
    bool fits = json_object_get(pg->known, "units") != NULL;
    if (fits)
        RB_TRY(update(&fits, known, &c, pg, err));
    if (!fits) {
        RB_AUTO(rb_json_freep) json_t *parts = NULL;
        json_t *catalog = json_object();
        json_t *keys = json_object();
        RB_TRY(rb_pg_catalog_parts(&parts, pg, err));
        json_object_clear(known);
        rb_json_set(known, "catalog:j keys:j", catalog, keys);
        json_object_set(known, "parts", parts);
        /* A session that only reads has seen the catalog once, as a rule. */
        if (pg->mode != RB_DB_READ)
            RB_TRY(read_units(known, &c, pg, NULL, err));
        RB_TRY(rb_pg_catalog_read(catalog, keys, pg, &(rb_pg_part){.parts = parts}, err));
    }
    rb_json_replace(&pg->known, known);
    return RB_OK;
}

static enum rb_code read_catalog(json_t **out, rb_pg *pg, rb_err *err)
{
    RB_TRY(rb_pg_exec(pg, settings, err));
    rb_pg_prepared_unknown(pg);
    RB_TRY(read_all(pg, err));
    *out = json_copy(json_object_get(pg->known, "catalog"));
    return RB_OK;
}

/* The savepoint, or the end of the transaction, restores the settings. */
enum rb_code rb_pg_catalog(json_t **out, rb_db *db, rb_err *err)
{
    rb_pg *pg = rb_pg_of(db);
    bool inside = PQtransactionStatus(pg->conn) != PQTRANS_IDLE;
    RB_TRY(rb_pg_exec(
        pg, inside ? "SAVEPOINT rbtool_catalog" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        err));
    enum rb_code code = read_catalog(out, pg, err);
    const char *end = inside ? "ROLLBACK TO rbtool_catalog; RELEASE rbtool_catalog" : "ROLLBACK";
    enum rb_code ended = rb_pg_exec(pg, end, code == RB_OK ? err : RB_IGNORED);
    if (code == RB_OK && ended != RB_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return code == RB_OK ? ended : code;
}
