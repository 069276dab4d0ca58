#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/shape.h"
#include "base/text.h"
#include "git/tag.h"
#include "ledger_write.h"
#include "ui.h"

#define ID_LEAST 6 /* shortest prefix of an entry's id, in digits */

static const rb_opt opts[] = {
    RB_TEXT("message", 'm', "TEXT", "what was found", why),
    RB_TEXT("review", 0, "SUBJECT", "record that plan, backup or history was reviewed", review),
    RB_TEXT("due", 0, "DATE", "with --review: when the next one is due, YYYY-MM-DD", due),
    RB_TEXT("env", 'e', "NAME", "with --review: of this environment only", env),
    RB_OPTION_KEY,
    RB_OPTION_JSON,
    RB_OPTIONS_END};

/* True if `id` is the id of the entry or of the transition that it records, or a prefix of one. */
static bool is_named(const rb_entry *entry, const char *id)
{
    const size_t len = strlen(id);
    if (len >= ID_LEAST && strncmp(rb_ledger_write_id(&entry->id).hex, id, len) == 0)
        return true;
    return (entry->kind == RB_ENTRY_TRANSITION || entry->kind == RB_ENTRY_DRILL ||
            entry->kind == RB_ENTRY_RESTORE) &&
           rb_text_same(rb_json_str(rb_entry_detail(entry), "id"), id);
}

/* Finds the entry. *out is NULL if no entry has that id. */
static enum rb_code find_entry(const rb_entry **out, const rb_ledger *ledger, const char *id,
                               rb_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        if (entry->trust == RB_ENTRY_FOREIGN || !is_named(entry, id))
            continue;
        if (*out)
            return rb_fail(err, RB_ERROR,
                           "%s is the beginning of several entries' ids\n"
                           "give more digits: `rbtool log --json` shows all of them",
                           id);
        *out = entry;
    }
    return RB_OK;
}

typedef struct subject { /* copied, since writing the entry frees the ledger that they come from */
    char *tag;           /* or NULL */
    char *object;        /* or NULL */
    char *environment;   /* or NULL */
    json_t *detail;
} subject;

static void subject_clear(subject *s)
{
    free(s->tag);
    free(s->object);
    free(s->environment);
    rb_json_free(s->detail);
}

/* Finds what the note is about: a release, an entry or a transition. */
static enum rb_code find_subject(subject *out, rb_cli *cli, const char *id, rb_err *err)
{
    char object[RB_OID_HEX];
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    const rb_entry *entry = NULL;
    if (rb_tag_read(&tag, cli->session.repo, id, RB_IGNORED) == RB_OK && tag->annotated &&
        rb_manifest_is_in(tag)) {
        rb_oid_hex(&tag->object, object);
        *out = (subject){.tag = rb_strdup(id),
                         .object = rb_strdup(object),
                         .detail = rb_json_make("about:0 transition:0")};
        return RB_OK;
    }
    RB_TRY(find_entry(&entry, cli->session.ledger, id, err));
    if (!entry)
        return rb_fail(err, RB_ERROR,
                       "the ledger has no entry or transition %s, and it is not a release\n"
                       "`rbtool log` shows the ids",
                       id);
    *out = (subject){.tag = rb_strdup(entry->tag),
                     .object = rb_strdup(entry->object),
                     .environment = rb_strdup(entry->environment)};
    out->detail = rb_json_make(
        "about:s transition:s", rb_ledger_write_id(&entry->id).hex,
        entry->kind == RB_ENTRY_TRANSITION ? rb_json_str(rb_entry_detail(entry), "id") : NULL);
    return RB_OK;
}

/* Reads YYYY-MM-DD as midnight UTC, in seconds. */
static enum rb_code read_date(int64_t *out, const char *date, rb_err *err)
{
    if (date && strlen(date) == strlen("YYYY-MM-DD") && rb_text_day(out, date) && *out > 0)
        return RB_OK;
    return rb_fail(err, RB_ERROR, "--due %s: the date is not of the form YYYY-MM-DD",
                   date ? date : "is missing");
}

/* Writes the entry and prints it. */
static enum rb_code write_entry(rb_cli *cli, const rb_draft *draft, const rb_caller *caller,
                                rb_err *err)
{
    rb_oid id;
    RB_TRY(rb_ledger_write_entry(&id, cli, draft, err));
    if (cli->json) {
        rb_ui_document(cli, rb_ledger_write_document(draft, caller, &id));
        return RB_OK;
    }
    rb_ui_line("<green>%s</>%s%s%s%s: %s (by %s, entry %.10s)", rb_entry_kind_name(draft->kind),
               draft->tag ? " " : "", draft->tag ? draft->tag : "",
               draft->environment ? " in " : "", draft->environment ? draft->environment : "",
               draft->title, caller->principal, rb_ledger_write_id(&id).hex);
    rb_ledger_write_hint(cli);
    return RB_OK;
}

static enum rb_code write_note(rb_cli *cli, const rb_options *o, rb_err *err)
{
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_AUTO(subject_clear) subject about = {0};
    if (!o->why || !*o->why)
        return rb_fail(err, RB_ERROR, "a note needs its text: -m TEXT");
    if (o->due || o->env)
        return rb_fail(err, RB_ERROR, "%s is for --review", o->due ? "--due" : "--env");
    if (o->argc < 1)
        return rb_fail(err, RB_ERROR,
                       "ID is missing: of an entry or a transition, or a release's tag\n"
                       "`rbtool log` shows the ids");
    RB_TRY(rb_ledger_write_signer(&caller, cli, o->key, "a note", err));
    RB_AUTO(rb_free_str) char *title = rb_strndup(o->why, strcspn(o->why, "\n"));
    RB_TRY(find_subject(&about, cli, o->argv[0], err));
    json_object_set_new(about.detail, "text", json_string(o->why));
    const rb_draft draft = {.kind = RB_ENTRY_NOTE,
                            .tag = about.tag,
                            .object = about.object,
                            .environment = about.environment,
                            .title = title,
                            .detail = about.detail,
                            .key = o->key,
                            .must_sign = true};
    return write_entry(cli, &draft, &caller, err);
}

static enum rb_code write_review(rb_cli *cli, const rb_options *o, rb_err *err)
{
    static const char *const subjects[] = {"plan", "backup", "history", NULL};
    char object[RB_OID_HEX];
    int64_t due = 0;
    size_t i = 0;
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    while (subjects[i] && strcmp(subjects[i], o->review) != 0)
        i++;
    if (!subjects[i])
        return rb_fail(err, RB_ERROR, "--review %s: a review is of plan, backup or history",
                       o->review);
    RB_TRY(read_date(&due, o->due, err));
    if (o->env && !rb_shape_is_name(o->env))
        return rb_fail(err, RB_ERROR, "'%s' is not a name of an environment", o->env);
    RB_TRY(rb_ledger_write_caller(&caller, cli, RB_ROLE_APPROVE, o->key, "a review", err));
    const char *text = o->why ? o->why : "";
    RB_AUTO(rb_free_str)
    char *title = rb_format("%s, due %s%s%.*s", o->review, o->due, *text ? ": " : "",
                            (int)strcspn(text, "\n"), text);
    rb_draft draft = {.kind = RB_ENTRY_REVIEW,
                      .environment = o->env,
                      .title = title,
                      .key = o->key,
                      .must_sign = true};
    if (o->argc > 0) {
        RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
        RB_TRY(rb_session_tag(&tag, &cli->session, o->argv[0], err));
        rb_oid_hex(&tag->object, object);
        draft.tag = o->argv[0];
        draft.object = object;
    }
    RB_AUTO(rb_json_freep)
    json_t *detail =
        json_pack("{s:s,s:s,s:I}", "subject", o->review, "text", text, "due", (json_int_t)due);
    draft.detail = detail;
    return write_entry(cli, &draft, &caller, err);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    return o->review ? write_review(cli, o, err) : write_note(cli, o, err);
}

RB_COMMAND(note, "[ID]", "add a finding to a transition, or record a review", RB_GROUP_PEOPLE, 0, 1,
           RB_CHANGES);
