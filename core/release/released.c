#include "release/released.h"

#include <stdlib.h>
#include <string.h>

void rb_carried_clear(rb_carried *carried)
{
    free(carried->items);
    rb_migrations_free(carried->set);
    *carried = (rb_carried){0};
}

static const rb_release *follow(const rb_chain *chain, const rb_release *release)
{
    const rb_link *link = release->manifest->previous;
    const rb_chain_item *item = chain && link ? rb_chain_find(chain, link->tag) : NULL;
    return item && strcmp(item->object, link->object) == 0 ? rb_chain_open(chain, item) : NULL;
}

/* Finds the release that first had each migration. Walks the chain while a release has one of
 * them. */
static void find_first(rb_carried *out, const rb_release *release, const rb_chain *chain,
                       const char *name)
{
    RB_AUTO(rb_json_freep) json_t *open = json_object();
    for (size_t i = 0; i < out->n; i++)
        if (json_object_set_new(open, out->items[i].id, json_integer((json_int_t)i)) != 0)
            abort();
    for (const rb_release *at = follow(chain, release); at && json_object_size(open) > 0;
         at = follow(chain, at)) {
        RB_AUTO(rb_json_freep) json_t *still = json_object();
        const rb_manifest_database *database = rb_manifest_database_find(at->manifest, name);
        for (size_t i = 0; database && i < database->migration_count; i++) {
            const char *id = database->migrations[i].id;
            json_t *index = json_object_get(open, id);
            if (!index)
                continue;
            out->items[json_integer_value(index)].release = at->tag;
            if (json_object_set(still, id, index) != 0)
                abort();
        }
        rb_json_free(open);
        open = RB_TAKE(still);
    }
}

/* Finds the file of each migration in the release's tree, because manifests do not contain file
 * names. If the tree cannot be read, the files stay unknown. */
static void find_files(rb_carried *out, const rb_release *release, rb_repo *repo,
                       const rb_manifest_database *database, const rb_migrations *now)
{
    bool read = false;
    for (size_t i = 0; i < out->n; i++) {
        if (rb_migrations_find(now, out->items[i].id))
            continue;
        if (!read && rb_release_migrations(&out->set, release, repo, database, RB_IGNORED) != RB_OK)
            return;
        read = true;
        const rb_migration *m = rb_migrations_find(out->set, out->items[i].id);
        out->items[i].file = m ? m->up.path : NULL;
    }
}

void rb_carried_find(rb_carried *out, const rb_release *release, const rb_chain *chain,
                     rb_repo *repo, const char *database, const rb_migrations *now)
{
    const rb_manifest_database *d = rb_manifest_database_find(release->manifest, database);
    *out = (rb_carried){0};
    if (!d)
        return;
    out->n = d->migration_count;
    out->items = rb_calloc(out->n, sizeof *out->items);
    for (size_t i = 0; i < out->n; i++) {
        const rb_manifest_migration *m = &d->migrations[i];
        out->items[i] = (rb_released){
            .id = m->id, .up = m->up, .down = *m->down ? m->down : NULL, .release = release->tag};
    }
    find_first(out, release, chain, database);
    find_files(out, release, repo, d, now);
}

rb_released *rb_released_of(size_t *n, const rb_migrations *set, const char *name)
{
    rb_released *out = rb_calloc(set->n + 1, sizeof *out);
    *n = set->n;
    for (size_t i = 0; i < set->n; i++) {
        const rb_migration *m = &set->items[i];
        out[i] = (rb_released){.id = m->id,
                               .up = m->up.sha256,
                               .down = m->down.present ? m->down.sha256 : NULL,
                               .release = name,
                               .file = m->up.path};
    }
    return out;
}
