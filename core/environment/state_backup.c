/* Backups in the journal: the file with the rows of each transition, and what was restored from it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/members.h"
#include "environment/state_internal.h"

/* SQL: the transition has committed. A transition other than the one that asks and without an
 * outcome is committed and half-way: the one that asks undoes it. */
#define COMMITTED "(t.outcome IS NULL OR t.outcome IN ('done', 'unhealthy', 'down', 'interrupted'))"

/* SQL: also transitions whose committed scripts were undone by their inverses. What they destroyed
 * is only in the backup. */
#define DESTROYED                                                                                  \
    "(" COMMITTED " OR EXISTS (SELECT 1 FROM json_each(t.plan, '$.databases') d WHERE "            \
    "d.value ->> '$.commits' > 1 OR d.value -> '$.scripts' LIKE '%\"outside\":true%'))"

enum rb_code rb_state_backup_add(rb_state *state, const rb_backup_row *backup, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf items = {0};
    rb_json_canonical(&items, backup->items);
    return rb_state_change(state, err,
                           "REPLACE INTO backup(transition_id, database_name, file, sha256, items, "
                           "bytes) VALUES (?, ?, ?, ?, ?, ?)",
                           "[s,s,s,s,s,I]", backup->transition, backup->database, backup->file,
                           backup->sha256, rb_buf_str(&items), (json_int_t)backup->bytes);
}

static const rb_member members[] = {RB_MEMBER(UINT64, rb_backup_row, id, "id"),
                                    RB_MEMBER(TEXT, rb_backup_row, transition, "transition"),
                                    RB_MEMBER(TEXT, rb_backup_row, database, "database"),
                                    RB_MEMBER(TEXT, rb_backup_row, file, "file"),
                                    RB_MEMBER(TEXT, rb_backup_row, sha256, "sha256"),
                                    RB_MEMBER(UINT64, rb_backup_row, bytes, "bytes"),
                                    RB_MEMBER(UINT64, rb_backup_row, pruned, "pruned"),
                                    RB_MEMBER(TEXT, rb_backup_row, kind, "kind"),
                                    RB_MEMBER(TEXT, rb_backup_row, from, "from"),
                                    RB_MEMBER(TEXT, rb_backup_row, to, "to"),
                                    RB_MEMBER(UINT64, rb_backup_row, at, "at"),
                                    RB_MEMBER_END};

void rb_backup_rows_clear(rb_backup_rows *backups)
{
    for (size_t i = 0; i < backups->n; i++) {
        rb_members_clear(members, &backups->items[i]);
        json_decref(backups->items[i].items);
        json_decref(backups->items[i].restored);
        json_decref(backups->items[i].scripts);
    }
    free(backups->items);
    *backups = (rb_backup_rows){0};
}

/* "scripts" are those that the transition ran in this database. "restored" is what was restored by
 * `rbtool restore` and by transitions other than the one that asks. */
enum rb_code rb_state_backups(rb_backup_rows *out, rb_state *state, const char *database,
                              const char *asking, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *list = NULL;
    RB_TRY(rb_state_list(
        &list, state, &rb_state_backup_shape, "a backup", err,
        "SELECT json_object('id', b.id, 'transition', b.transition_id, 'database', "
        "b.database_name, 'file', b.file, 'sha256', b.sha256, 'items', json(b.items), 'bytes', "
        "b.bytes, 'pruned', b.pruned, 'kind', t.kind, 'from', t.from_tag, 'to', t.to_tag, 'at', "
        "t.started, 'scripts', json((SELECT d.value -> '$.scripts' FROM json_each(t.plan, "
        "'$.databases') d WHERE d.value ->> '$.name' = b.database_name LIMIT 1)), 'restored', "
        "json((SELECT json_group_array(json_object('table', x.name, 'column', x.part, 'restored', "
        "x.n, 'missing', x.missing)) FROM (SELECT json_extract(r.item, '$[0]') AS name, "
        "json_extract(r.item, '$[1]') AS part, sum(json_extract(r.item, '$[2]')) AS n, "
        "json_extract(r.item, '$[3]') AS missing, max(r.rowid) AS last FROM restored r LEFT JOIN "
        "transition_log t "
        "ON t.id = r.transition_id LEFT JOIN "
        "restore h ON h.id = r.transition_id WHERE r.backup_id = b.id AND r.transition_id IS NOT "
        "?2 AND json_valid(r.item) AND (h.committed = 1 OR (t.id IS NOT NULL AND " COMMITTED
        ")) GROUP BY 1, 2 ORDER BY last) x))) FROM backup b JOIN transition_log t ON t.id "
        "= b.transition_id WHERE (?1 IS NULL OR b.database_name = ?1) AND t.id IS NOT ?2 "
        "AND " DESTROYED " ORDER BY b.id DESC",
        "[s?,s?]", database, asking));
    *out = (rb_backup_rows){.items = rb_calloc(json_array_size(list) + 1, sizeof *out->items)};
    rb_json_each (item, list) {
        rb_backup_row *row = &out->items[out->n++];
        rb_members_read(members, row, item);
        row->items = json_incref(json_object_get(item, "items"));
        row->restored = json_incref(json_object_get(item, "restored"));
        row->scripts = json_incref(json_object_get(item, "scripts"));
        RB_AUTO(rb_free_str)
        char *own = rb_format(".rbtool/backups/%s/%s.", row->transition, row->database);
        if (strncmp(row->file, own, strlen(own)) == 0 && !strchr(row->file + strlen(own), '/'))
            continue;
        rb_backup_rows_clear(out);
        return rb_state_damaged(state, "a row names the file of another backup", err);
    }
    return RB_OK;
}

enum rb_code rb_state_backup_restored(rb_state *state, int64_t id, const char *transition,
                                      const json_t *items, rb_err *err)
{
    rb_json_each (item, items) {
        RB_AUTO(rb_buf_clear) rb_buf key = {0};
        RB_AUTO(rb_json_freep)
        json_t *names =
            json_pack("[s?,s?,I,I]", rb_json_str(item, "table"), rb_json_str(item, "column"),
                      (json_int_t)rb_json_int(item, "restored", 0),
                      (json_int_t)rb_json_int(item, "missingCount", 0));
        rb_json_canonical(&key, names);
        RB_TRY(rb_state_change(
            state, err, "REPLACE INTO restored(backup_id, item, transition_id) VALUES (?, ?, ?)",
            "[I,s,s]", (json_int_t)id, rb_buf_str(&key), transition));
    }
    return RB_OK;
}

enum rb_code rb_state_backup_pruned(rb_state *state, int64_t id, int64_t at, rb_err *err)
{
    return rb_state_change(state, err, "UPDATE backup SET pruned = ? WHERE id = ?", "[I,I]",
                           (json_int_t)at, (json_int_t)id);
}

enum rb_code rb_state_restore_begin(rb_state *state, const char *id, int64_t backup,
                                    const json_t *detail, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_canonical(&text, detail);
    RB_TRY(rb_state_hold(state, err));
    return rb_state_change(state, err,
                           "INSERT INTO restore(id, backup_id, detail, host) VALUES (?, ?, ?, ?)",
                           "[s,I,s,s]", id, (json_int_t)backup, rb_buf_str(&text), state->host);
}

enum rb_code rb_state_restore_end(rb_state *state, const char *id, bool committed, rb_err *err)
{
    return rb_state_change(state, err,
                           committed ? "UPDATE restore SET committed = 1 WHERE id = ?"
                                     : "DELETE FROM restore WHERE id = ?",
                           "[s]", id);
}

enum rb_code rb_state_restores(json_t **out, rb_state *state, rb_err *err)
{
    return rb_state_list(out, state, &rb_state_restore_shape, "a restore", err,
                         "SELECT json_object('id', r.id, 'database', b.database_name, 'committed', "
                         "json(iif(r.committed IS NOT NULL, 'true', 'false')), 'detail', "
                         "json(r.detail)) FROM restore r JOIN backup b ON b.id = r.backup_id WHERE "
                         "NOT ? AND r.host = ? AND NOT EXISTS (SELECT 1 FROM entry e WHERE "
                         "e.transition_id = r.id AND e.kind = 'restore') ORDER BY r.rowid",
                         "[i,s]", (int)state->copy, state->host);
}
