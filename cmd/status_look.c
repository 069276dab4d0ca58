#include "status.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/anchor.h"
#include "base/file.h"
#include "base/text.h"
#include "environment/drift.h"
#include "environment/observe.h"
#include "environment/state_watch.h"
#include "release_status.h"
#include "transition/known_good.h"
#include "transition/pause.h"
#include "transition/policy_check.h"
#include "transition/recover.h"
#include "transition/secrets.h"

#define BACKUP_DEPTH 32 /* levels of folders below a backup that are measured */

/* True if code is RB_OK; otherwise adds the part to `unreadable`. */
static bool can(const rb_status *st, const char *part, enum rb_code code, rb_err *why)
{
    if (code != RB_OK)
        json_array_append_new(st->unreadable,
                              rb_json_make("part:s message:t", part, rb_err_line(why)));
    return code == RB_OK;
}

static void observe_database(const rb_status *st, const rb_release *release,
                             const rb_manifest_database *d)
{
    rb_err why;
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    const char *url = rb_env_database(st->site.env, d->name);
    RB_AUTO(rb_free_str) char *part = rb_format("database %s", d->name);
    if (!url)
        rb_drift_add(st->drift, "db", "a url in the environment", "none", "%s", d->name);
    else if (can(st, part, rb_db_open(&db, url, RB_DB_READ, &why), &why))
        (void)can(st, part,
                  rb_observe_database(st->drift, st->accepted, db, release, st->site.session->repo,
                                      d, &why),
                  &why);
}

/* Compares one part with its release. release is NULL if that does not verify. */
static void observe_part(const rb_status *st, enum rb_part part, const rb_release *release)
{
    const rb_env *env = st->site.env;
    rb_err why;
    enum rb_code code = RB_OK;
    if (part == RB_PART_APP)
        code = rb_observe_app(st->drift, env, st->live.tag[part], &why);
    else if (part == RB_PART_FLAGS && release)
        code = rb_observe_flags(st->drift, env, release, st->site.session->repo, &why);
    else if (part == RB_PART_CONFIG && release)
        code = rb_observe_config(st->drift, env, release, st->site.session->repo, &why);
    if (code == RB_OK && part == RB_PART_CONFIG && release)
        code = rb_secrets_drift(st->drift, st->site.state, env, release, &why);
    for (size_t i = 0; part == RB_PART_DB && release && i < release->manifest->database_count; i++)
        observe_database(st, release, &release->manifest->databases[i]);
    (void)can(st, rb_part_name(part), code, &why);
}

/* Compares every part with the release that is live in it. */
static void observe(rb_status *st)
{
    RB_AUTO(rb_release_freep) rb_release *other = NULL;
    const char *opened = NULL;
    const rb_release *release = NULL;
    for (int part = 0; part < RB_PARTS; part++) {
        const char *tag = st->live.tag[part];
        if (!tag)
            continue;
        bool is_main = strcmp(tag, st->tag) == 0;
        if (!is_main)
            rb_drift_add(st->drift, rb_part_name((enum rb_part)part), st->tag, tag, "%s", "");
        if (!opened || strcmp(opened, tag) != 0) {
            rb_err why;
            rb_release **into = is_main ? &st->release : &other;
            rb_release_free(*into);
            *into = NULL;
            if (rb_live_release(into, st->site.session, st->name, &st->site.live, tag, &why) !=
                RB_OK)
                rb_drift_add(st->drift, rb_part_name((enum rb_part)part), "a release that verifies",
                             rb_err_line(&why), "%s", tag);
            release = *into;
            opened = tag;
        }
        observe_part(st, (enum rb_part)part, release);
    }
}

static enum rb_step_state state_of(const rb_status *st, enum rb_step_kind kind)
{
    enum rb_step_state state = RB_STEP_NONE;
    rb_err why;
    (void)can(st, "state",
              rb_state_step_get(&state, st->site.state, st->row->id, rb_step_kind_name(kind), &why),
              &why);
    return state;
}

static bool has_step(const rb_transition_row *row, enum rb_step_kind kind)
{
    rb_json_each (step, json_object_get(row->plan, "steps"))
        if (rb_text_same(rb_json_str(step, "id"), rb_step_kind_name(kind)))
            return true;
    return false;
}

/* Finds out how a commit ended that has begun: each database's journal row records it. */
static enum rb_side ask_databases(rb_status *st)
{
    bool all_read = true;
    rb_json_each (item, json_object_get(st->row->plan, "databases")) {
        const char *name = rb_json_str(item, "name");
        const char *url = name ? rb_env_database(st->site.env, name) : NULL;
        RB_AUTO(rb_db_closep) rb_db *db = NULL;
        bool has = false;
        rb_err why;
        bool read = url && rb_db_open(&db, url, RB_DB_READ, &why) == RB_OK &&
                    rb_db_journal_has(&has, db, st->row->id, &why) == RB_OK;
        if (read)
            rb_strs_add(has ? &st->committed : &st->waiting, name);
        all_read = all_read && read;
    }
    if (st->committed.n > 0)
        return RB_SIDE_AFTER;
    return all_read && !st->holder ? RB_SIDE_BEFORE : RB_SIDE_UNKNOWN;
}

static enum rb_side side_of(rb_status *st)
{
    bool database = json_array_size(json_object_get(st->row->plan, "databases")) > 0;
    enum rb_step_state state = state_of(st, database ? RB_DO_COMMIT : RB_DO_SWITCH);
    if (json_is_true(json_object_get(json_object_get(st->row->plan, "before"), "again")))
        return RB_SIDE_AFTER;
    if (state == RB_STEP_NONE || state == RB_STEP_UNDONE)
        return RB_SIDE_BEFORE;
    if (state == RB_STEP_DONE)
        return RB_SIDE_AFTER;
    return database ? ask_databases(st) : RB_SIDE_UNKNOWN;
}

/* Returns the step that has begun and not ended, or the first one. */
static const char *pending_step(const rb_status *st)
{
    const char *out = NULL;
    rb_json_each (step, json_object_get(st->row->plan, "steps")) {
        const char *id = rb_json_str(step, "id");
        enum rb_step_kind kind = id ? rb_step_kind_of(id) : RB_STEP_KINDS;
        if (kind != RB_STEP_KINDS && (!out || state_of(st, kind) != RB_STEP_NONE))
            out = id;
    }
    return out;
}

/* Sets the live release of the parts that a half-way transition moves: TO after its commit. For an
 * abort before its commit it is FROM, which the abort was to undo. */
static void set_live(rb_status *st, char *tag, char *object)
{
    rb_json_each (item, json_object_get(st->row->plan, "only"))
        for (int part = 0; part < RB_PARTS; part++)
            if (rb_text_same(json_string_value(item), rb_part_name((enum rb_part)part))) {
                st->live.tag[part] = tag;
                st->live.object[part] = object;
            }
}

const json_t *rb_status_pause(const rb_status *st)
{
    return st->row && !st->holder ? rb_paused(st->row->plan) : NULL;
}

static void look_at_pending(rb_status *st)
{
    rb_err why;
    if (!can(st, "state", rb_env_session_pending(&st->row, &st->holder, &st->site, &why), &why) ||
        !st->row)
        return;
    st->step = pending_step(st);
    if (rb_status_pause(st))
        st->step = rb_json_str(rb_status_pause(st), "step");
    st->side = side_of(st);
    enum rb_step_state stop = state_of(st, RB_DO_STOP);
    enum rb_step_state start = state_of(st, RB_DO_START);
    st->stopped = has_step(st->row, RB_DO_STOP) && stop != RB_STEP_NONE && stop != RB_STEP_UNDONE &&
                  start != RB_STEP_DONE;
    st->flags_pending = has_step(st->row, RB_DO_FLAGS) && state_of(st, RB_DO_FLAGS) != RB_STEP_DONE;
    (void)can(st, "state", rb_state_said(&st->said, st->site.state, st->row->id, &why), &why);
    if (st->side == RB_SIDE_AFTER)
        set_live(st, st->row->to, st->row->to_object);
    if (st->side == RB_SIDE_BEFORE && rb_text_same(st->row->kind, "abort")) {
        st->side = RB_SIDE_ABORTING;
        set_live(st, st->row->from, st->row->from_object);
    }
}

/* Finds since when the live release is live, and who made it live. */
static void look_at_history(rb_status *st)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    rb_err why;
    if (!can(st, "state", rb_state_history(&rows, st->site.state, true, &why), &why))
        return;
    size_t i = 0;
    while (i < rows.n && !rb_known_reached(&rows.items[i]))
        i++;
    for (; i < rows.n && st->tag; i++) {
        const rb_transition_row *row = &rows.items[i];
        if (!rb_known_reached(row))
            continue;
        if (!rb_text_same(row->to, st->tag) || (st->since > 0 && !rb_known_whole(&rows, i)))
            break;
        const char *by = rb_json_str(json_object_get(row->plan, "before"), "by");
        st->since = row->finished;
        free(st->by);
        st->by = rb_strdup(by);
    }
    if (rows.n > 0 && !rb_known_reached(&rows.items[0]))
        st->last = rb_transition_rows_take(&rows, 0);
}

json_t *rb_status_watch(const json_t *watch)
{
    const char *outcome = rb_json_str(watch, "outcome");
    const int64_t detected = rb_json_int(watch, "detected", 0);
    const int64_t restored = rb_json_int(watch, "restored", 0);
    RB_AUTO(rb_free_str) char *until = rb_status_iso(rb_json_int(watch, "deadline", 0) / 1000);
    json_t *view = rb_json_make(
        "transition:s release:s outcome:s until:s rounds:J failed:J message:J blocked:J held:J "
        "millisecondsToDetect:0 millisecondsToRestore:0",
        rb_json_str(watch, "transition"), rb_json_str(watch, "release"), outcome ? outcome : "open",
        until, json_object_get(watch, "rounds"), json_object_get(watch, "failed"),
        json_object_get(watch, "message"), json_object_get(watch, "blocked"),
        json_object_get(watch, "held"));
    if (detected)
        rb_json_set(view, "millisecondsToDetect:i", detected - rb_json_int(watch, "began", 0));
    if (restored)
        rb_json_set(view, "millisecondsToRestore:i", restored - detected);
    return view;
}

static void look_at_watch(rb_status *st)
{
    RB_AUTO(rb_json_freep) json_t *watch = NULL;
    bool over;
    rb_err why;
    if (can(st, "state", rb_state_watch(&watch, &over, st->site.state, &why), &why) && watch &&
        !over)
        st->watch = rb_status_watch(watch);
}

static void look_at_state(rb_status *st)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows unwritten = {0};
    rb_err why;
    if (!st->site.state)
        return;
    look_at_pending(st);
    st->tag = rb_env_session_live_tag(&st->live);
    look_at_history(st);
    (void)can(st, "state", rb_state_outbox(&unwritten, st->site.state, &why), &why);
    st->unwritten = unwritten.n;
    (void)can(st, "state", rb_state_health(&st->checks, st->site.state, &why), &why);
    look_at_watch(st);
    (void)can(st, "state", rb_env_session_undelivered(st->undelivered, &st->site, &why), &why);
    const char *health = rb_json_str(st->checks, "health");
    if (rb_text_same(health, "healthy") || rb_text_same(health, "unhealthy"))
        st->health = rb_text_same(health, "healthy") ? "healthy" : "unhealthy";
    st->down = json_is_true(json_object_get(st->checks, "down"));
}

static char *format_time(int64_t when, const char *format)
{
    time_t seconds = (time_t)when;
    struct tm tm;
    char text[64];
    if (when <= 0 || !gmtime_r(&seconds, &tm) || strftime(text, sizeof text, format, &tm) == 0)
        return NULL;
    return rb_strdup(text);
}

char *rb_status_time(int64_t when)
{
    char *text = format_time(when, "%Y-%m-%d %H:%M:%S UTC");
    return text ? text : rb_strdup("an unknown time");
}

char *rb_status_iso(int64_t when)
{
    return rb_text_iso(when);
}

/* Adds the bytes of a file or folder to *bytes. *at: the time of its newest file. */
static void measure(int64_t *bytes, int64_t *at, const char *path, int depth)
{
    struct stat st;
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    if (rb_at_look(&st, path) != 0)
        return;
    if (S_ISREG(st.st_mode)) {
        *bytes += st.st_size;
        *at = st.st_mtime > *at ? st.st_mtime : *at;
    } else if (S_ISDIR(st.st_mode) && depth > 0 && rb_dir_list(&names, path, RB_IGNORED) == RB_OK) {
        for (size_t i = 0; i < names.n; i++) {
            RB_AUTO(rb_free_str) char *below = rb_path_join(path, names.items[i]);
            measure(bytes, at, below, depth - 1);
        }
    }
}

/* Lists the backups. A failure is not reported: only the environment's own user may list them, and
 * they do not affect the state. */
static void look_at_backups(rb_status *st)
{
    RB_AUTO(rb_free_str) char *folder = rb_format("%s/.rbtool/backups", st->site.env->root);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    if (rb_dir_list(&names, folder, RB_IGNORED) != RB_OK)
        return;
    for (size_t i = 0; i < names.n; i++) {
        int64_t bytes = 0, at = 0;
        RB_AUTO(rb_free_str) char *path = rb_path_join(folder, names.items[i]);
        measure(&bytes, &at, path, BACKUP_DEPTH);
        RB_AUTO(rb_free_str) char *newest = rb_status_iso(at);
        json_array_append_new(st->backups,
                              rb_json_make("id:t bytes:i age:i at:s", names.items[i], bytes,
                                           at > 0 ? (int64_t)time(NULL) - at : 0, newest));
    }
}

enum rb_code rb_status_look(rb_status *st, rb_cli *cli, const char *name, rb_err *err)
{
    *st = (rb_status){.health = "unchecked",
                      .drift = json_array(),
                      .accepted = json_array(),
                      .backups = json_array(),
                      .undelivered = json_array(),
                      .unreadable = json_array()};
    RB_TRY(rb_env_session_look(&st->site, st->unreadable, cli, name, err));
    st->name = rb_strdup(st->site.env->name);
    rb_json_each (item, st->unreadable)
        st->unknown = st->unknown || rb_text_same(rb_json_str(item, "part"), "state");
    st->live = st->site.live;
    look_at_state(st);
    look_at_backups(st);
    rb_err unread; /* reported by the parts that need the ledger */
    if (rb_session_ledger(st->site.session, &unread) == RB_OK)
        st->drill = rb_drill_last(st->site.session->ledger, st->name);
    /* Half-way, some files are at FROM and some at TO: no comparison makes sense. */
    if (st->tag && (!st->row || st->side == RB_SIDE_BEFORE))
        observe(st);
    if (st->row && st->site.state)
        rb_transition_forget_own(st->drift, st->row, st->site.state);
    return RB_OK;
}

void rb_status_clear(rb_status *st)
{
    rb_transition_row_free(st->row);
    rb_transition_row_free(st->last);
    rb_release_free(st->release);
    free(st->name);
    free(st->holder);
    free(st->by);
    rb_strs_clear(&st->committed);
    rb_strs_clear(&st->waiting);
    json_decref(st->said);
    json_decref(st->drift);
    json_decref(st->accepted);
    json_decref(st->backups);
    json_decref(st->drill);
    json_decref(st->undelivered);
    json_decref(st->unreadable);
    json_decref(st->checks);
    json_decref(st->watch);
    rb_env_session_close(&st->site);
    *st = (rb_status){0};
}

static json_t *list_parts(const rb_live *live)
{
    json_t *list = json_array();
    for (int part = 0; part < RB_PARTS; part++)
        json_array_append_new(
            list,
            rb_json_make("part:s release:s", rb_part_name((enum rb_part)part), live->tag[part]));
    return list;
}

static json_t *describe_checks(const json_t *checks)
{
    RB_AUTO(rb_free_str) char *at = rb_status_iso(rb_json_int(checks, "at", 0));
    if (!checks)
        return NULL;
    json_t *values = json_array();
    rb_json_each_member (name, value, json_object_get(checks, "values"))
        json_array_append_new(values, rb_json_make("name:s value:J", name, value));
    return rb_json_make("at:s message:s output:s failures:J values:j", at,
                        rb_json_str(checks, "message"), rb_json_str(checks, "output"),
                        json_object_get(checks, "failures"), values);
}

json_t *rb_status_document(rb_cli *cli, const rb_status *st)
{
    const json_t *pause = rb_status_pause(st);
    rb_err why;
    const rb_release *release =
        st->row ? NULL : st->release; /* half-way, no release is the live one */
    RB_AUTO(rb_free_str) char *reason = NULL;
    RB_AUTO(rb_free_str) char *since = rb_status_iso(st->since);
    if (!can(st, "ledger", rb_session_ledger(&cli->session, &why), &why))
        release = NULL;
    const char *verdict =
        release ? rb_release_verdict(&reason, cli, release->tag, release->object) : NULL;
    json_t *doc = rb_json_make(
        "environment:s release:s since:s by:s state:s health:s down:b step:s holder:s parts:j "
        "differences:j drift:J accepted:J backups:J lastDrill:J unwritten:n undelivered:J "
        "failedChecks:s "
        "checks:j failure:J "
        "watch:J "
        "verdict:s reason:s approvals:j overrides:j unapproved:j broken:j unreadable:J",
        st->name, st->tag, since, st->by,
        pause         ? "paused"
        : st->row     ? "interrupted"
        : st->tag     ? "settled"
        : st->unknown ? "unknown"
                      : "empty",
        st->health, st->down || st->stopped, st->step, st->holder, list_parts(&st->live),
        rb_env_session_distrust(&st->site), st->drift, st->accepted, st->backups, st->drill,
        st->unwritten, st->undelivered, rb_json_str(st->checks, "message"),
        describe_checks(st->checks), st->said, st->watch, verdict, reason,
        release ? rb_release_approvals(cli, release, st->name) : json_array(),
        release ? rb_release_overrides(cli, release->object, st->name) : json_array(),
        release ? rb_release_broken(cli, release->object, st->name, true) : json_array(),
        release ? rb_release_broken(cli, release->object, st->name, false) : json_array(),
        st->unreadable);
    if (st->row)
        rb_json_set_str(doc, "transition", st->row->id);
    if (pause) {
        RB_AUTO(rb_free_str) char *at = rb_status_iso(rb_json_int(pause, "at", 0));
        rb_json_set(doc, "paused:j",
                    rb_json_make("step:J why:J by:J at:s", json_object_get(pause, "step"),
                                 json_object_get(pause, "why"), json_object_get(pause, "by"), at));
    }
    return doc;
}

enum rb_code rb_status_code(const rb_status *st, rb_err *err)
{
    if (st->row)
        return rb_env_session_settled(&st->site, err);
    bool found = json_array_size(st->drift) > 0 || json_array_size(st->unreadable) > 0 ||
                 st->down || rb_text_same(st->health, "unhealthy");
    return found ? RB_FOUND : RB_OK;
}
