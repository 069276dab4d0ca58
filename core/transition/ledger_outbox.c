#include "transition/ledger_outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "environment/checks.h"
#include "environment/state_watch.h"
#include "ledger/sync.h"
#include "transition/known_good.h"
#include "transition/parts.h"

#define ERROR_LIMIT 500  /* bytes of an error in an entry */
#define ITEMS_LIMIT 200  /* tables and columns at risk that an entry lists */
#define SAMPLED_LIMIT 16 /* checks of a watch whose values an entry has point by point */
#define ENTRIES 2        /* entries of one transition, at most */

typedef struct recorder {
    rb_repo *repo;
    rb_state *state;
    const char *environment;
    const rb_ledger *ledger;
    rb_transition_rows rows; /* all rows of the journal, newest first */
    bool signs;              /* this host has a key to sign with */
} recorder;

char *rb_record_public(const char *error)
{
    if (!error)
        return NULL;
    RB_AUTO(rb_free_str) char *message = rb_checks_public(error);
    char *safe = rb_safe(message);
    size_t len = strlen(safe);
    if (len <= ERROR_LIMIT)
        return safe;
    len = ERROR_LIMIT;
    while (len > 0 && !rb_text_is_utf8(safe, len))
        len--;
    char *cut = rb_format("%.*s...", (int)len, safe);
    free(safe);
    return cut;
}

/* Returns the losses that were agreed to, up to the limit. The digest covers all of them. */
static json_t *accepted_items(const json_t *accepted)
{
    json_t *list = json_array();
    rb_json_each (item, json_object_get(accepted, "items"))
        if (item_at < ITEMS_LIMIT)
            json_array_append_new(
                list, rb_json_make("database:J table:J column:J rows:i values:i",
                                   json_object_get(item, "database"),
                                   json_object_get(item, "table"), json_object_get(item, "column"),
                                   rb_json_int(item, "rows", 0), rb_json_int(item, "values", 0)));
    return list;
}

/* Lists the backups that the transition wrote. */
static enum rb_code backups_of(json_t **out, rb_state *state, const char *id, rb_err *err)
{
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows rows = {0};
    RB_TRY(rb_state_backups(&rows, state, NULL, NULL, err));
    *out = json_array();
    for (size_t i = rows.n; i > 0; i--) {
        const rb_backup_row *row = &rows.items[i - 1];
        RB_AUTO(rb_json_freep) json_t *tables = json_array();
        int64_t rows_of_all = 0;
        const char *last = "";
        if (!rb_text_same(row->transition, id))
            continue;
        rb_json_each (item, row->items) { /* items are sorted by table */
            const char *table = rb_json_str(item, "table");
            if (rb_text_same(table, last))
                continue;
            last = table;
            rows_of_all += rb_json_int(item, "rows", 0);
            if (json_array_size(tables) < ITEMS_LIMIT)
                json_array_append(tables, json_object_get(item, "table"));
        }
        json_array_append_new(*out, rb_json_make("database:s path:s tables:J rows:i", row->database,
                                                 row->file, tables, (int64_t)rows_of_all));
    }
    return RB_OK;
}

/* Adds what came back from backups, if anything: counts without the keys. A transition that did not
 * reach its target restored nothing that stayed. */
static void add_restored(json_t *detail, const rb_transition_row *row)
{
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    rb_json_each (item, json_object_get(row->plan, "putBack"))
        if (rb_outcome_reached(row->outcome) && item_at < ITEMS_LIMIT)
            json_array_append_new(
                list, rb_json_make("database:J backup:J table:J column:J restored:J missing:J",
                                   json_object_get(item, "database"), json_object_get(item, "from"),
                                   json_object_get(item, "table"), json_object_get(item, "column"),
                                   json_object_get(item, "restored"),
                                   json_object_get(item, "missingCount")));
    if (json_array_size(list) > 0)
        json_object_set(detail, "restored", list);
}

/* Adds the recovery points that were created, if any. */
static void add_recovery(json_t *detail, const json_t *points)
{
    RB_AUTO(rb_json_freep) json_t *list = json_array();
    rb_json_each (item, points)
        if (rb_json_str(item, "lsn"))
            json_array_append_new(
                list,
                rb_json_make("database:J restorePoint:J lsn:J timeline:J system:J",
                             json_object_get(item, "database"),
                             json_object_get(item, "restorePoint"), json_object_get(item, "lsn"),
                             json_object_get(item, "timeline"), json_object_get(item, "system")));
    if (json_array_size(list) > 0)
        json_object_set(detail, "recovery", list);
}

/* Returns a number as text, since an entry has no fractions. NULL gives null. */
static json_t *number_text(const json_t *number)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (number)
        rb_json_canonical(&text, number);
    return number ? json_string(rb_buf_str(&text)) : json_null();
}

/* Adds the values of checks before and after the transition, if any. */
static void add_values(json_t *detail, const json_t *plan)
{
    const json_t *before = json_object_get(json_object_get(plan, "before"), "values");
    const json_t *after = json_object_get(plan, "values");
    RB_AUTO(rb_json_freep) json_t *names = json_object();
    json_t *list = json_array();
    json_object_update(names, (json_t *)before);
    json_object_update(names, (json_t *)after);
    rb_json_each_member (name, ignored, names)
        if (json_array_size(list) < ITEMS_LIMIT)
            json_array_append_new(list, rb_json_make("name:s before:j after:j", name,
                                                     number_text(json_object_get(before, name)),
                                                     number_text(json_object_get(after, name))));
    if (json_array_size(list) > 0)
        json_object_set(detail, "values", list);
    json_decref(list);
}

/* Makes the entry's detail from the journal only. It must always be the same, since find() compares
 * it to recognise an entry that is in the ledger already. */
static enum rb_code transition_detail(json_t **out, const recorder *r, const rb_transition_row *row,
                                      rb_err *err)
{
    json_t *steps = NULL;
    RB_AUTO(rb_json_freep) json_t *backups = NULL;
    RB_TRY(backups_of(&backups, r->state, row->id, err));
    RB_TRY(rb_state_steps(&steps, r->state, row, err));
    RB_AUTO(rb_free_str) char *error = rb_record_public(row->error);
    const json_t *accepted = json_object_get(row->plan, "accepted");
    json_t *detail =
        rb_json_make("id:s kind:s from:s fromObject:s to:s toObject:s digest:s outcome:s started:i "
                     "finished:i steps:j error:s acceptedLoss:s acceptedDrift:b acceptedReverted:b",
                     row->id, row->kind, row->from, row->from_object, row->to, row->to_object,
                     rb_json_str(row->plan, "digest"), row->outcome, (int64_t)row->started,
                     (int64_t)row->finished, steps, error, rb_json_str(accepted, "loss"),
                     json_is_true(json_object_get(accepted, "drift")),
                     json_is_true(json_object_get(accepted, "reverted")));
    if (json_is_true(json_object_get(row->plan, "marksBad")))
        json_object_set_new(detail, "marksBad", json_true());
    const char *scripts = rb_json_str(row->plan, "scriptsFrom");
    if (scripts) {
        rb_json_set(detail, "scriptsFrom:s scriptsFromObject:s", scripts,
                    rb_json_str(json_object_get(row->plan, "before"), "scriptsFrom"));
    }
    if (json_is_array(json_object_get(row->plan, "policy")))
        json_object_set(detail, "policy", json_object_get(row->plan, "policy"));
    size_t at = 0;
    while (at < r->rows.n && !rb_text_same(r->rows.items[at].id, row->id))
        at++;
    rb_json_set(detail, "whole:b accepted:j backups:J",
                at < r->rows.n && rb_known_whole(&r->rows, at), accepted_items(accepted), backups);
    add_restored(detail, row);
    add_recovery(detail, json_object_get(row->plan, "recovery"));
    add_values(detail, row->plan);
    json_t *paused = json_object_get(row->plan, "paused");
    if (json_is_integer(json_object_get(paused, "at")))
        json_object_set(detail, "paused", paused);
    const json_t *known = json_object_get(row->plan, "before");
    rb_json_set(detail, "host:s user:s version:s", rb_json_str(known, "host"),
                rb_json_str(known, "user"), rb_json_str(known, "version"));
    *out = detail;
    return RB_OK;
}

static const rb_entry *find(const recorder *r, const rb_draft *draft)
{
    for (size_t i = r->ledger->n; i > 0; i--) {
        const rb_entry *entry = &r->ledger->items[i - 1];
        if (entry->kind == draft->kind && entry->trust != RB_ENTRY_FOREIGN &&
            entry->trust != RB_ENTRY_BROKEN &&
            rb_text_same(entry->environment, draft->environment) &&
            (!draft->object || rb_text_same(entry->object, draft->object)) &&
            json_equal(rb_entry_detail(entry), draft->detail))
            return entry;
    }
    return NULL;
}

/* Appends those entries of a transition that the ledger lacks, in one write, and records in the
 * state which entry each one has. silent: the first entry also stands for the verdict, which gets
 * no entry of its own. */
static enum rb_code write_entries(rb_recording *out, const recorder *r, const char *transition,
                                  const rb_draft *drafts, size_t n, bool silent, rb_err *err)
{
    rb_draft missing[ENTRIES];
    rb_oid ids[ENTRIES];
    const rb_entry *known[ENTRIES];
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        known[i] = find(r, &drafts[i]);
        if (!known[i])
            missing[left++] = drafts[i];
    }
    if (left > 0)
        RB_TRY(rb_ledger_append_all(ids, r->repo, missing, left, err));
    out->written += left;
    left = 0;
    for (size_t i = 0; i < n; i++) {
        char hex[RB_OID_HEX];
        rb_oid_hex(known[i] ? &known[i]->id : &ids[left++], hex);
        RB_TRY(
            rb_state_written(r->state, transition, rb_entry_kind_name(drafts[i].kind), hex, err));
        if (i == 0 && silent)
            RB_TRY(rb_state_written(r->state, transition, rb_entry_kind_name(RB_ENTRY_VERDICT), hex,
                                    err));
    }
    return rb_state_flush(r->state, err);
}

/* True for a transition whose entry is about TO. The entry of a revert is about FROM. */
static bool is_forward(const rb_transition_row *row)
{
    return rb_text_same(row->kind, "deploy") || rb_text_same(row->kind, "adopt");
}

/* Returns " (flags only)" for a transition that moved some parts, else "". */
static char *only_of(const json_t *plan)
{
    const json_t *only = json_object_get(plan, "only");
    RB_AUTO(rb_free_str) char *option = rb_parts_option(plan);
    rb_buf out = {0};
    size_t n = json_array_size(only);
    if (n == 0 || n >= RB_PARTS || (json_object_get(plan, "parts") && !*option))
        return rb_strdup("");
    for (size_t i = 0; i < n; i++)
        rb_buf_printf(&out, "%s%s", i ? ", " : " (", json_string_value(json_array_get(only, i)));
    rb_buf_puts(&out, " only)");
    return rb_buf_detach(&out);
}

char *rb_transition_by(rb_repo *repo)
{
    RB_AUTO(rb_free_str) char *ident = NULL;
    if (rb_repo_committer(&ident, repo, RB_IGNORED) != RB_OK)
        return NULL;
    const char *end = strchr(ident, '>');
    RB_AUTO(rb_free_str) char *who = rb_strndup(ident, end ? (size_t)(end - ident) + 1 : 0);
    return *who ? rb_safe(who) : NULL;
}

static char *title_of(const rb_transition_row *row, const char *environment, rb_repo *repo)
{
    bool forward = is_forward(row);
    const char *other = forward ? row->from : row->to;
    RB_AUTO(rb_free_str) char *only = only_of(row->plan);
    /* Several people may use a host: name the one who began it, unless the same person writes the
     * entry. */
    const char *began = rb_json_str(json_object_get(row->plan, "before"), "by");
    RB_AUTO(rb_free_str) char *now = rb_transition_by(repo);
    RB_AUTO(rb_free_str)
    char *by =
        began && !rb_text_same(began, now) ? rb_format(", begun by %s", began) : rb_strdup("");
    RB_AUTO(rb_free_str)
    char *text = rb_format("%s in %s: %s, %s %s%s%s", row->kind, environment, row->outcome,
                           forward ? "from" : "to", other ? other : "nothing", only, by);
    return rb_safe(text);
}

static enum rb_code write_one(rb_recording *out, const recorder *r, const rb_transition_row *row,
                              rb_err *err)
{
    bool forward = is_forward(row);
    const rb_draft about = {.app = rb_json_str(row->plan, "app"),
                            .tag = forward ? row->to : row->from,
                            .object = forward ? row->to_object : row->from_object,
                            .environment = r->environment,
                            .begins = true};
    rb_draft drafts[ENTRIES];
    size_t n = 0;
    RB_AUTO(rb_json_freep) json_t *detail = NULL;
    RB_AUTO(rb_free_str) char *title = title_of(row, r->environment, r->repo);
    RB_AUTO(rb_free_str) char *why = rb_format("reverted in %s", r->environment);
    RB_AUTO(rb_free_str) char *bad = rb_format("bad: %s", why);
    RB_AUTO(rb_json_freep)
    json_t *verdict = rb_json_make("verdict:s why:s transition:s", "bad", why, row->id);
    /* Servers refuse unsigned verdicts. The transition's entry contains the same information. */
    const bool silent = row->lacks_verdict && !r->signs;
    if (!row->entry || silent) {
        RB_TRY(transition_detail(&detail, r, row, err));
        drafts[n] = about;
        drafts[n].kind = RB_ENTRY_TRANSITION;
        drafts[n].detail = detail;
        drafts[n++].title = title;
    }
    if (row->lacks_verdict && !silent) {
        drafts[n] = about;
        drafts[n].kind = RB_ENTRY_VERDICT;
        drafts[n].detail = verdict;
        drafts[n++].title = bad;
    }
    return write_entries(out, r, row->id, drafts, n, silent, err);
}

/* Writes the entry of a `rbtool restore`. */
static enum rb_code write_restore(rb_recording *out, const recorder *r, const json_t *restore,
                                  rb_err *err)
{
    json_t *detail = json_object_get(restore, "detail");
    RB_AUTO(rb_free_str)
    char *title = rb_format("in %s: %lld from backup %s of %s", r->environment,
                            (long long)rb_json_int(detail, "restored", 0),
                            rb_json_str(detail, "transition"), rb_json_str(detail, "database"));
    const rb_draft draft = {.kind = RB_ENTRY_RESTORE,
                            .environment = r->environment,
                            .title = title,
                            .detail = detail,
                            .begins = true};
    return write_entries(out, r, rb_json_str(restore, "id"), &draft, 1, false, err);
}

/* Returns the time from `from` to `to`, or null if one of them did not happen. */
static json_t *between(const json_t *watch, const char *from, const char *to)
{
    const int64_t begin = rb_json_int(watch, from, 0);
    const int64_t end = rb_json_int(watch, to, 0);
    return begin > 0 && end > 0 ? json_integer(end - begin) : json_null();
}

/* Returns [{"name","first","last","min","max","count","points"}] for the values in a watch. */
static json_t *watched_values(const json_t *values)
{
    static const char *const keys[] = {"first", "last", "min", "max"};
    json_t *list = json_array();
    rb_json_each_member (name, value, values) {
        const bool sampled = json_array_size(list) < SAMPLED_LIMIT;
        if (json_array_size(list) >= ITEMS_LIMIT)
            break;
        json_t *points = json_array();
        rb_json_each (point, sampled ? json_object_get(value, "points") : NULL)
            json_array_append_new(points,
                                  rb_json_make("milliseconds:J value:j", json_array_get(point, 0),
                                               number_text(json_array_get(point, 1))));
        json_t *item =
            rb_json_make("name:s count:J points:j", name, json_object_get(value, "count"), points);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_object_set_new(item, keys[i], number_text(json_object_get(value, keys[i])));
        json_array_append_new(list, item);
    }
    return list;
}

/* Writes the entry of a watch that has ended. */
static enum rb_code write_watch(rb_recording *out, const recorder *r, const json_t *watch,
                                rb_err *err)
{
    const char *outcome = rb_json_str(watch, "outcome");
    RB_AUTO(rb_free_str) char *title = rb_format("watch in %s: %s", r->environment, outcome);
    RB_AUTO(rb_free_str) char *message = rb_record_public(rb_json_str(watch, "message"));
    RB_AUTO(rb_free_str) char *held = rb_record_public(rb_json_str(watch, "held"));
    RB_AUTO(rb_json_freep)
    json_t *detail = rb_json_make(
        "transition:s outcome:s began:i deadline:i rounds:J failed:J millisecondsToDetect:j "
        "millisecondsToRestore:j message:s held:s",
        rb_json_str(watch, "transition"), outcome, rb_json_int(watch, "began", 0) / 1000,
        rb_json_int(watch, "deadline", 0) / 1000, json_object_get(watch, "rounds"),
        json_object_get(watch, "failed"), between(watch, "began", "detected"),
        between(watch, "detected", "restored"), message, held);
    if (json_object_size(json_object_get(watch, "values")) > 0)
        json_object_set_new(detail, "values", watched_values(json_object_get(watch, "values")));
    const rb_draft draft = {.kind = RB_ENTRY_WATCH,
                            .tag = rb_json_str(watch, "release"),
                            .object = rb_json_str(watch, "object"),
                            .environment = r->environment,
                            .title = title,
                            .detail = detail,
                            .begins = true};
    return write_entries(out, r, rb_json_str(watch, "transition"), &draft, 1, false, err);
}

/* Loads what writing entries needs. Called only if the outbox is not empty. */
static enum rb_code prepare(recorder *r, rb_recording *out, rb_session *session, rb_err *err)
{
    RB_AUTO(rb_free_str) char *fetched = NULL;
    RB_TRY(rb_session_signers(session, err));
    RB_TRY(rb_ledger_ready(&fetched, session->repo, session->signers, true, err));
    if (fetched)
        rb_session_ledger_changed(session);
    RB_TRY(rb_trust_has_key(&r->signs, session->repo, err));
    RB_TRY(rb_session_ledger(session, err));
    r->repo = session->repo;
    r->ledger = session->ledger;
    out->begins = session->ledger->n == 0;
    return rb_state_history(&r->rows, r->state, true, err);
}

enum rb_code rb_record(rb_recording *out, rb_session *session, const char *environment,
                       rb_state *state, rb_err *err)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows outbox = {0};
    recorder r = {.state = state, .environment = environment};
    RB_AUTO(rb_json_freep) json_t *restores = NULL;
    RB_AUTO(rb_json_freep) json_t *watches = NULL;
    *out = (rb_recording){0};
    RB_TRY(rb_state_watches(&watches, state, err));
    RB_TRY(rb_state_restores(&restores, state, err));
    RB_TRY(rb_state_outbox(&outbox, state, err));
    out->left = outbox.n + json_array_size(restores) + json_array_size(watches);
    enum rb_code code = out->left > 0 ? prepare(&r, out, session, err) : RB_OK;
    for (size_t i = 0; i < outbox.n && code == RB_OK; i++) {
        code = write_one(out, &r, &outbox.items[i], err);
        out->left -= code == RB_OK ? 1 : 0;
    }
    rb_json_each (restore, restores) {
        if (code == RB_OK && json_is_true(json_object_get(restore, "committed")))
            code = write_restore(out, &r, restore, err);
        out->left -= code == RB_OK ? 1 : 0;
    }
    rb_json_each (watch, watches) {
        if (code == RB_OK)
            code = write_watch(out, &r, watch, err);
        out->left -= code == RB_OK ? 1 : 0;
    }
    rb_transition_rows_clear(&r.rows);
    if (out->written > 0)
        rb_session_ledger_changed(session);
    return code;
}
