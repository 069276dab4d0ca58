/*
 * What scripts read, and where they wrote it. A value that they made from nothing else than what a
 * copy has too tells nothing that somebody did since the copy.
 */
#include "database/sqlite/watch.h"
#include "sql/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void rb_watch_forget_sources(rb_watch *watch)
{
    for (size_t i = 0; i < watch->source_count; i++) {
        free(watch->sources[i].to);
        free(watch->sources[i].from);
        free(watch->sources[i].column);
    }
    free(watch->sources);
    watch->sources = NULL;
    watch->source_count = 0;
    rb_keyset_clear(&watch->known_sources);
    rb_strs_clear(&watch->reads);
}

void rb_watch_read(rb_watch *watch, const char *table, const char *column)
{
    /* Every definition is in sqlite_schema. */
    if (!watch->active || !table || strncasecmp(table, "sqlite_", 7) == 0)
        return;
    rb_strs_add(&watch->reads, table);
    rb_strs_add(&watch->reads, column ? column : "");
}

static uint64_t mix(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    while (*text++);
    return hash;
}

static void add_source(rb_watch *watch, const char *to, const char *from, const char *column)
{
    uint64_t hash = mix(mix(mix(0xcbf29ce484222325u, to), from), column);
    if (rb_keyset_has(&watch->known_sources, hash))
        return;
    (void)rb_keyset_add(&watch->known_sources, hash);
    size_t n = watch->source_count;
    if ((n & (n + 1)) == 0) /* full at 0, 1, 3, 7, ... */
        watch->sources = rb_realloc(watch->sources, n * 2 + 1, sizeof *watch->sources);
    watch->sources[n] = (rb_watch_source){rb_strdup(to), rb_strdup(from), rb_strdup(column)};
    watch->source_count++;
}

void rb_watch_keep_sources(rb_watch *watch, const char *sql, size_t len)
{
    /* Of a table that is copied whole SQLite does not ask. */
    RB_AUTO(rb_free_str)
    char *copied = watch->noted.n > 0 && watch->reads.n == 0 ? rb_ddl_copied(sql, len) : NULL;
    if (copied)
        rb_watch_read(watch, copied, "");
    for (size_t i = 0; i < watch->noted.n; i++)
        for (size_t k = 0; k + 1 < watch->reads.n; k += 2)
            /* A SELECT from the very table that is written to may read its other rows. */
            add_source(watch, watch->noted.items[i], watch->reads.items[k],
                       watch->selects &&
                               strcasecmp(watch->noted.items[i], watch->reads.items[k]) == 0
                           ? ""
                           : watch->reads.items[k + 1]);
    rb_strs_clear(&watch->reads);
    watch->selects = false;
}

static void rename_one(char **name, const char *from, const char *to)
{
    if (strcasecmp(*name, from) != 0)
        return;
    free(*name);
    *name = rb_strdup(to);
}

void rb_watch_rename_sources(rb_watch *watch, const char *from, const char *to)
{
    for (size_t i = 0; i < watch->source_count; i++) {
        rename_one(&watch->sources[i].to, from, to);
        rename_one(&watch->sources[i].from, from, to);
    }
    rb_keyset_clear(&watch->known_sources);
}

/* Questions */

/* The one that has that name now, else the one that had it: a table that was rebuilt. */
static const rb_watch_table *find(const rb_watch *watch, const char *name)
{
    for (size_t i = 0; i < watch->n; i++)
        if (watch->tables[i].now && strcasecmp(watch->tables[i].now, name) == 0)
            return &watch->tables[i];
    for (size_t i = 0; i < watch->n; i++)
        if (strcasecmp(watch->tables[i].was, name) == 0)
            return &watch->tables[i];
    return NULL;
}

static bool has_now(const rb_watch_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (table->columns[i].now && strcasecmp(table->columns[i].now, name) == 0)
            return true;
    return false;
}

static bool had(const rb_watch_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcasecmp(table->columns[i].was, name) == 0)
            return true;
    return false;
}

static void add_name(rb_strs *names, const char *name)
{
    if (!rb_strs_has_name(names, name))
        rb_strs_add(names, name);
}

/* A column that the scripts made, too, has nothing of its own. */
static bool own_source(rb_strs *out, const rb_watch_table *own, const char *column)
{
    bool there = has_now(own, column);
    if (column[0] == '\0' || (!there && had(own, column)))
        return false;
    if (there)
        add_name(out, column);
    return true;
}

/* Of one table that was written to. What it got from tables that the scripts made is asked of them
 * in turn: they come behind it. */
static bool sources_of(rb_strs *out, rb_strs *made, const rb_watch *watch, const char *table,
                       const rb_watch_table *own)
{
    for (size_t i = 0; i < watch->source_count; i++) {
        const rb_watch_source *source = &watch->sources[i];
        if (strcasecmp(source->to, table) != 0)
            continue;
        const rb_watch_table *from = find(watch, source->from);
        if (from && from == own) {
            if (!own_source(out, own, source->column))
                return false;
        } else if (from && !from->ignored) {
            return false;
        } else if (!from) {
            add_name(made, source->from);
        }
    }
    return true;
}

bool rb_watch_sources(rb_strs *out, const rb_watch *watch, const char *table, const char *column)
{
    const rb_watch_table *own = watch ? find(watch, table) : NULL;
    RB_AUTO(rb_strs_clear) rb_strs made = {0};
    if (!watch || (own && (!column || !own->loaded || has_now(own, column))))
        return false;
    rb_strs_add(&made, table);
    for (size_t i = 0; i < made.n; i++)
        if (!sources_of(out, &made, watch, made.items[i], own))
            return false;
    return true;
}
