#include "books.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "env_session.h"
#include "ui.h"

static void books_free(rb_books *books)
{
    if (!books)
        return;
    rb_policy_free(books->policy);
    rb_ledger_free(books->ledger);
    rb_problems_clear(&books->problems);
    rb_strs_clear(&books->own);
    free(books->overrides);
    free(books->unapproved);
    rb_transition_rows_free(books->pending, books->pending_count);
    free(books);
}
RB_DEFINE_AUTO(rb_books, books_free)

static int later_first(const void *a, const void *b)
{
    const rb_transition_row *left = *(rb_transition_row *const *)a;
    const rb_transition_row *right = *(rb_transition_row *const *)b;
    return (left->finished < right->finished) - (left->finished > right->finished);
}

/* Takes the rows out of the outbox. */
static void add_pending(rb_books *books, rb_outbox_item *items, size_t count)
{
    books->pending =
        rb_realloc(books->pending, books->pending_count + count + 1, sizeof(rb_transition_row *));
    for (size_t i = count; i > 0; i--) {
        books->pending[books->pending_count++] = items[i - 1].row;
        items[i - 1].row = NULL;
    }
}

static bool is_told(const rb_books *books, const char *entry)
{
    rb_oid id;
    return !entry || !rb_oid_parse(&id, entry) || rb_ledger_find(books->ledger, &id);
}

static const char *about(const rb_transition_row *row)
{
    return rb_text_same(row->kind, "revert") ? row->from_object : row->to_object;
}

/* The ledger here has a later word on the same release. Rows that were taken are NULL. */
static bool is_outdated(const rb_books *books, rb_transition_row *const *rows, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (rows[i] && rows[i]->entry && is_told(books, rows[i]->entry) &&
            rb_text_same(about(rows[i]), about(rows[at])))
            return true;
    return false;
}

/* Where several clones share an environment, what the others have written since the last sync. */
static enum rb_code add_untold(rb_books *books, rb_state *state, rb_err *err)
{
    rb_transition_row **rows = NULL;
    size_t count = 0;
    bool all = true;
    for (size_t i = 0; i < books->own.n && all; i++)
        all = is_told(books, books->own.items[i]);
    if (all)
        return RB_OK;
    RB_TRY(rb_state_history(&rows, &count, state, true, err));
    books->pending =
        rb_realloc(books->pending, books->pending_count + count + 1, sizeof(rb_transition_row *));
    for (size_t i = 0; i < count; i++)
        if (rows[i]->entry && /* else it is in the outbox */
            !is_told(books, rows[i]->entry) && !is_outdated(books, rows, i)) {
            books->pending[books->pending_count++] = rows[i];
            rows[i] = NULL;
        }
    rb_transition_rows_free(rows, count);
    return RB_OK;
}

static enum rb_code read_journal(rb_books *books, const char *root, rb_err *err)
{
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    rb_outbox_item *items;
    size_t count;
    RB_TRY(rb_state_open(&state, root, false, err));
    if (!state)
        return RB_OK;
    if (rb_state_is_copy(state)) /* its entries are not known to be this host's */
        return RB_OK;
    RB_TRY(rb_state_entries(&books->own, state, err));
    RB_TRY(rb_state_outbox(&items, &count, state, err));
    add_pending(books, items, count);
    rb_outbox_free(items, count);
    return add_untold(books, state, err);
}

/* An environment that is not this host's, or cannot be read, has no say here. */
static void read_journals(rb_books *books, rb_cli *cli)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    rb_err ignored;
    if (rb_site_names(&names, &roots, cli, &ignored) != RB_OK)
        return;
    for (size_t i = 0; i < roots.n; i++)
        (void)!read_journal(books, roots.items[i], &ignored);
    rb_strs_sort(&books->own);
    if (books->pending_count > 1)
        qsort(books->pending, books->pending_count, sizeof *books->pending, later_first);
}

static void find_overrides(rb_books *books)
{
    books->overrides = rb_calloc(books->ledger->n + 1, sizeof *books->overrides);
    for (size_t i = books->ledger->n; i > 0; i--) {
        const rb_entry *entry = &books->ledger->items[i - 1];
        if (entry->kind == RB_ENTRY_OVERRIDE && entry->trust != RB_ENTRY_FOREIGN &&
            entry->trust != RB_ENTRY_BROKEN)
            books->overrides[books->override_count++] = entry;
    }
}

enum rb_code rb_cli_books(const rb_books **out, rb_cli *cli, rb_err *err)
{
    rb_repo *repo;
    const rb_signers *signers;
    if (!cli->books) {
        RB_AUTO(books_freep) rb_books *books = rb_calloc(1, sizeof *books);
        RB_TRY(rb_cli_repo(&repo, cli, err));
        RB_TRY(rb_cli_signers(&signers, cli, err));
        RB_TRY(rb_ledger_load(&books->ledger, repo, signers, NULL, 0, err));
        RB_TRY(rb_policy_load(&books->policy, &books->problems, repo, books->ledger, signers, err));
        find_overrides(books);
        const rb_keeping keeping = rb_books_keeping(books, repo);
        rb_unapproved_find(&books->unapproved, &books->unapproved_count, &keeping, signers);
        read_journals(books, cli);
        cli->books = books;
        books = NULL;
    }
    *out = cli->books;
    return RB_OK;
}

void rb_cli_books_drop(rb_cli *cli)
{
    books_free(cli->books);
    cli->books = NULL;
}

rb_keeping rb_books_keeping(const rb_books *books, rb_repo *repo)
{
    return (rb_keeping){repo, books->ledger, books->policy};
}

rb_known rb_books_known(const rb_books *books)
{
    return (rb_known){.ledger = books->ledger,
                      .policy = books->policy,
                      .own = &books->own,
                      .pending = books->pending,
                      .pending_count = books->pending_count};
}

const char *rb_books_verdict(char **why, const rb_books *books, const char *tag, const char *object)
{
    rb_known known = rb_books_known(books);
    rb_standing word;
    rb_known_standing(&word, &known, tag, object);
    *why = word.why;
    return rb_verdict_name(word.verdict);
}

char *rb_books_bad(const void *context, const char *tag, const char *object)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict = rb_books_verdict(&why, context, tag, object);
    return rb_text_same(verdict, "bad") ? rb_strdup(why ? why : "") : NULL;
}

json_t *rb_books_overrides(const rb_books *books, const char *object, const char *environment)
{
    json_t *list = json_array();
    for (size_t i = 0; i < books->override_count; i++) {
        const rb_entry *entry = books->overrides[i];
        if (!rb_text_same(entry->object, object) ||
            (environment && !rb_text_same(entry->environment, environment)))
            continue;
        const json_t *detail = rb_entry_detail(entry);
        RB_AUTO(rb_free_str)
        char *by = rb_safe(entry->principal ? entry->principal : entry->committer);
        json_t *item = json_object();
        rb_json_set_str(item, "rule", rb_json_str(detail, "rule"));
        rb_json_set_str(item, "why", rb_json_str(detail, "why"));
        rb_json_set_str(item, "environment", entry->environment);
        rb_json_set_str(item, "by", by);
        json_object_set_new(item, "signed", json_boolean(entry->trust == RB_ENTRY_GOOD));
        json_object_set_new(item, "at", json_integer(entry->at));
        json_array_append_new(list, item);
    }
    return list;
}

json_t *rb_books_unapproved(const rb_books *books, const char *object, const char *environment)
{
    json_t *list = json_array();
    for (size_t i = books->unapproved_count; i > 0; i--) {
        const rb_unapproved *found = &books->unapproved[i - 1];
        const rb_entry *entry = found->entry;
        if (!rb_text_same(found->object, object) ||
            (environment && !rb_text_same(entry->environment, environment)))
            continue;
        char hex[RB_OID_HEX];
        rb_oid_hex(&entry->id, hex);
        RB_AUTO(rb_free_str)
        char *by = rb_safe(entry->principal ? entry->principal : entry->committer);
        json_t *item = json_object();
        rb_json_set_str(item, "kind", rb_json_str(rb_entry_detail(entry), "kind"));
        rb_json_set_str(item, "environment", entry->environment);
        json_object_set_new(item, "needed", json_integer(found->needed));
        json_object_set_new(item, "given", json_integer(found->given));
        rb_json_set_str(item, "by", by);
        json_object_set_new(item, "signed", json_boolean(entry->trust == RB_ENTRY_GOOD));
        json_object_set_new(item, "at", json_integer(entry->at));
        rb_json_set_str(item, "entry", hex);
        json_array_append_new(list, item);
    }
    return list;
}

/* Where approvals may be asked for. */
static void add_places(rb_strs *out, rb_cli *cli, const rb_books *books)
{
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    const char *name;
    json_t *value;
    rb_err ignored;
    if (rb_site_names(out, &roots, cli, &ignored) != RB_OK)
        rb_strs_clear(out);
    const json_t *policy = rb_policy_json(books->policy);
    json_object_foreach (json_object_get(policy, "environments"), name, value)
        if (strcmp(name, "*") != 0 && !rb_strs_has(out, name))
            rb_strs_add(out, name);
    rb_strs_sort(out);
}

json_t *rb_books_approvals(rb_cli *cli, const rb_books *books, const rb_release *release,
                           const char *environment)
{
    RB_AUTO(rb_strs_clear) rb_strs places = {0};
    json_t *list = json_array();
    if (environment)
        rb_strs_add(&places, environment);
    else
        add_places(&places, cli, books);
    for (size_t i = 0; i < places.n; i++) {
        rb_approvals approvals = {0};
        rb_approvals_count(&approvals, books->policy, release, places.items[i], "deploy");
        if (approvals.needed > 0 || approvals.given > 0) {
            json_t *item = json_object();
            rb_json_set_str(item, "environment", places.items[i]);
            json_object_set_new(item, "needed", json_integer(approvals.needed));
            json_object_set_new(item, "given", json_integer(approvals.given));
            json_object_set_new(item, "people", rb_json_strs(&approvals.people));
            json_array_append_new(list, item);
        }
        rb_approvals_clear(&approvals);
    }
    return list;
}

/* Anyone can put a name on an entry that is not signed by it. */
static const char *doubt(const json_t *item)
{
    return json_is_true(json_object_get(item, "signed")) ? "" : " (not verified)";
}

static void show_approvals(rb_cli *cli, const json_t *item)
{
    RB_AUTO(rb_buf_clear) rb_buf people = {0};
    size_t i;
    json_t *who;
    int64_t needed = rb_json_int(item, "needed", 0);
    int64_t given = rb_json_int(item, "given", 0);
    json_array_foreach (json_object_get(item, "people"), i, who)
        rb_buf_printf(&people, "%s%s", i ? ", " : ": ", json_string_value(who));
    rb_ui_line("approvals   %s%d of %d%s for a deploy in %s%s",
               rb_ui_color(cli, given < needed ? RB_YELLOW : RB_PLAIN), (int)given, (int)needed,
               rb_ui_color(cli, RB_PLAIN), rb_json_str(item, "environment"), rb_buf_str(&people));
}

void rb_books_note_policy(const rb_cli *cli, const rb_books *books)
{
    bool rooted = rb_policy_rooted(books->policy);
    if (rooted && !rb_policy_entry(books->policy))
        rb_ui_note(cli,
                   "%sno policy is in force here%s: git config rbtool.root is set, but the ledger "
                   "here holds none under it; fetch it with `rbtool sync`",
                   rb_ui_color(cli, RB_YELLOW), rb_ui_color(cli, RB_PLAIN));
    else if (!rooted && books->problems.n > 0)
        rb_ui_note(cli,
                   "%sno policy is in force here%s, though the ledger holds one: git config "
                   "rbtool.root is not set",
                   rb_ui_color(cli, RB_YELLOW), rb_ui_color(cli, RB_PLAIN));
}

void rb_books_show(rb_cli *cli, const rb_books *books, const rb_release *release,
                   const char *environment)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    size_t i;
    json_t *item;
    const char *verdict = rb_books_verdict(&why, books, release->tag, release->object);
    rb_books_note_policy(cli, books);
    rb_ui_line("verdict     %s%s%s%s%s",
               rb_ui_color(cli, !verdict                       ? RB_PLAIN
                                : rb_text_same(verdict, "bad") ? RB_RED
                                                               : RB_GREEN),
               verdict ? verdict : "none", rb_ui_color(cli, RB_PLAIN), why ? ": " : "",
               why ? why : "");
    RB_AUTO(rb_json_freep) json_t *approvals = rb_books_approvals(cli, books, release, environment);
    json_array_foreach (approvals, i, item)
        show_approvals(cli, item);
    RB_AUTO(rb_json_freep)
    json_t *overrides = rb_books_overrides(books, release->object, environment);
    json_array_foreach (overrides, i, item) {
        const char *place = rb_json_str(item, "environment");
        rb_ui_line("%sOVERRIDE    %s in %s by %s%s: %s%s", rb_ui_color(cli, RB_RED),
                   rb_json_str(item, "rule"), place ? place : "any environment",
                   rb_json_str(item, "by"), doubt(item), rb_json_str(item, "why"),
                   rb_ui_color(cli, RB_PLAIN));
    }
    RB_AUTO(rb_json_freep)
    json_t *unapproved = rb_books_unapproved(books, release->object, environment);
    json_array_foreach (unapproved, i, item)
        rb_ui_line("%sUNAPPROVED  %s in %s by %s%s had %d of %d approvals (entry %.10s)%s",
                   rb_ui_color(cli, RB_RED), rb_json_str(item, "kind"),
                   rb_json_str(item, "environment"), rb_json_str(item, "by"), doubt(item),
                   (int)rb_json_int(item, "given", 0), (int)rb_json_int(item, "needed", 0),
                   rb_json_str(item, "entry"), rb_ui_color(cli, RB_PLAIN));
}

/* Notes say what the rule for TO does not. */
static void word_notes(rb_plan *plan, const rb_books *books, const rb_release *release)
{
    size_t i;
    json_t *item;
    RB_AUTO(rb_json_freep)
    json_t *overrides =
        rb_books_overrides(books, release->object, rb_json_str(plan->json, "environment"));
    json_array_foreach (overrides, i, item) {
        RB_AUTO(rb_free_str)
        char *note =
            rb_format("OVERRIDE of %s for %s by %s%s: %s", rb_json_str(item, "rule"), release->tag,
                      rb_json_str(item, "by"), doubt(item), rb_json_str(item, "why"));
        rb_plan_note(plan, note);
    }
}

/* told: it was said of the same release already. */
static void set_verdict(rb_plan *plan, json_t *verdicts, const char *side, const rb_books *books,
                        const rb_release *release, bool told)
{
    RB_AUTO(rb_free_str) char *why = NULL;
    const char *verdict =
        release ? rb_books_verdict(&why, books, release->tag, release->object) : NULL;
    rb_json_set_str(verdicts, side, verdict);
    if (!release || told)
        return;
    RB_AUTO(rb_free_str)
    char *note = verdict ? rb_format("%s is %s: %s", release->tag, verdict, why)
                         : rb_format("%s has no verdict", release->tag);
    rb_plan_note(plan, note);
    word_notes(plan, books, release);
}

enum rb_code rb_site_plan_words(rb_cli *cli, rb_plan *plan, const rb_plan_request *request,
                                rb_err *err)
{
    const rb_books *books;
    RB_TRY(rb_cli_books(&books, cli, err));
    json_t *verdicts = json_object();
    set_verdict(plan, verdicts, "from", books, request->from, false);
    set_verdict(plan, verdicts, "to", books, request->to, request->to == request->from);
    json_object_set_new(plan->json, "verdicts", verdicts);
    if (plan->consent && rb_policy_entry(books->policy)) {
        RB_AUTO(rb_free_str)
        char *members = rb_policy_members(books->policy, RB_ROLE_ACCEPT_LOSS);
        RB_AUTO(rb_free_str)
        char *note =
            rb_format("who agrees to this digest has to be in role accept-loss: %s", members);
        rb_plan_note(plan, note);
    }
    return RB_OK;
}
