#include "ledger/entry_verify.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/parallel.h"

#define NAMESPACE "git"
#define SHOWN 256 /* bytes of a title or a name that are stored */

typedef struct judging {
    rb_checked_entry *judged;
    rb_pendings *pendings;
    rb_repo *repo;
    const rb_signers *signers;
    bool all; /* also check attachments of entries that no allowed signer signed */
} judging;

void rb_pendings_clear(rb_pendings *pendings)
{
    for (size_t i = 0; i < pendings->n; i++)
        rb_entry_form_clear(&pendings->items[i].form);
    free(pendings->items);
    *pendings = (rb_pendings){0};
}

static void add_pending(rb_pendings *pendings, size_t index, rb_entry_form *form)
{
    pendings->items = rb_grow(pendings->items, pendings->n, sizeof *pendings->items);
    pendings->bytes += 2 * form->payload.len;
    pendings->items[pendings->n++] = (rb_pending){.index = index, .form = *form};
    *form = (rb_entry_form){0};
}

static const char *keep(rb_ledger_store *store, const char *text)
{
    return text ? rb_ledger_store_text(store, text, strlen(text)) : NULL;
}

static const char *keep_start(rb_ledger_store *store, const char *text)
{
    return rb_ledger_store_text(store, text ? text : "", text ? strnlen(text, SHOWN) : 0);
}

/* Fills what every commit has, in few bytes. */
static void fill_head(rb_checked_entry *out, rb_ledger_store *store, const rb_entry_form *form)
{
    rb_entry *entry = &out->entry;
    entry->kind = form->kind;
    entry->title = keep_start(store, form->title);
    entry->committer = keep_start(store, form->committer.who);
    entry->at = form->committer.time;
    entry->parent_count = form->parent_count;
    out->parents = (const rb_oid *)rb_ledger_store_text(store, (const char *)form->parents,
                                                        form->parent_count * sizeof *form->parents);
    entry->app = keep(store, rb_json_str(form->json, "app"));
    entry->ledger = keep(store, rb_json_str(form->json, "ledger"));
}

/* Fills the rest of a well-formed entry. Anybody who may push can write entries that no allowed
 * signer signed, and no decision depends on them: only a limited part of these is stored. */
static void fill_text(rb_entry *entry, rb_ledger_store *store, const rb_entry_form *form)
{
    if (!rb_ledger_store_admits(store, entry->trust, form->text_len)) {
        rb_problems_add(
            &entry->problems, "limit", "", "", "",
            "the entry is not read: the entries that no allowed signer signed exceed the "
            "limit of %u bytes together",
            RB_UNVOUCHED_LIMIT);
        rb_problems_warn(&entry->problems);
        return;
    }
    entry->tag = keep(store, rb_json_str(form->json, "tag"));
    entry->object = keep(store, rb_json_str(form->json, "object"));
    entry->environment = keep(store, rb_json_str(form->json, "environment"));
    entry->text = rb_ledger_store_text(store, form->text, form->text_len);
    entry->text_len = form->text_len;
}

enum rb_code rb_entry_verify_read(rb_checked_entry *out, rb_pendings *pendings, size_t index,
                                  rb_repo *repo, rb_ledger_store *store, const rb_oid *id,
                                  rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf raw = {0};
    RB_AUTO(rb_entry_form_clear) rb_entry_form form = {.kind = RB_ENTRY_KINDS};
    *out =
        (rb_checked_entry){.entry = {.id = *id, .kind = RB_ENTRY_KINDS, .trust = RB_ENTRY_FOREIGN}};
    rb_problems *problems = &out->entry.problems;
    enum rb_code code = rb_object_read(&raw, repo, id, RB_OBJECT_COMMIT, "the ledger's entry",
                                       RB_ENTRY_READ_LIMIT, err);
    if (code == RB_ERROR)
        return code;
    if (code == RB_FOUND) {
        rb_problems_add(problems, RB_ENTRY_UNREADABLE, "", RB_ENTRY_TYPE, "", "%s",
                        rb_err_line(err));
        out->entry.title = out->entry.committer = "";
        return RB_OK;
    }
    code = rb_entry_form_read(&form, rb_buf_str(&raw), raw.len, problems);
    fill_head(out, store, &form);
    out->claims = form.claims;
    if (form.claims)
        out->entry.trust = RB_ENTRY_BROKEN;
    if (code == RB_OK)
        add_pending(pendings, index, &form);
    return RB_OK;
}

static enum rb_entry_trust judge_signature(rb_pending *pending, const rb_signers *signers,
                                           rb_problems *problems)
{
    const rb_entry_form *form = &pending->form;
    RB_AUTO(rb_free_str) char *principal = NULL;
    RB_AUTO(rb_free_str) char *fingerprint = NULL;
    if (form->signature.len == 0) {
        rb_problems_add(problems, "unsigned", "signature", "a signature", "",
                        "the entry is not signed");
        return RB_ENTRY_UNSIGNED;
    }
    size_t before = problems->n;
    enum rb_code code =
        rb_trust_check_key(&principal, &fingerprint, signers, NAMESPACE, form->signature.data,
                           form->signature.len, form->payload.data, form->payload.len,
                           form->committer.time, form->committer.email, problems);
    pending->fingerprint = RB_TAKE(fingerprint);
    if (code == RB_OK) {
        pending->principal = RB_TAKE(principal);
        return RB_ENTRY_GOOD;
    }
    pending->failed = code == RB_ERROR ? problems->n : 0;
    return strcmp(problems->items[before].code, "signature") == 0 ? RB_ENTRY_BROKEN
                                                                  : RB_ENTRY_UNKNOWN;
}

enum rb_code rb_entry_list_attachments(rb_flat_file *files, size_t *n, rb_buf *names, rb_repo *repo,
                                       const json_t *json, const rb_oid *tree, rb_err *err)
{
    const json_t *named = json_object_get(json, "attachments");
    RB_TRY(rb_flat_read(files, n, RB_ATTACHMENTS, names, repo, tree, "the entry's tree", err));
    bool same = *n == json_array_size(named);
    for (size_t i = 0; same && i < *n; i++)
        same = strcmp(files[i].name, rb_json_str(json_array_get(named, i), "name")) == 0;
    if (!same)
        return rb_fail(err, RB_FOUND,
                       "the entry's tree holds %zu files, which are not the %zu attachments that "
                       "it names",
                       *n, json_array_size(named));
    return RB_OK;
}

/* Checks the sizes before anything is read. */
static enum rb_code check_sizes(rb_repo *repo, const rb_flat_file *files, size_t n, rb_err *err)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t size;
        RB_TRY(rb_object_size(&size, repo, &files[i].blob, "the entry's attachment", err));
        total += size;
        if (size > RB_ATTACHMENT_LIMIT || total > RB_ATTACHED_LIMIT)
            return rb_fail(err, RB_FOUND,
                           "the entry's attachment %s has %zu bytes, and all up to it %zu; the "
                           "limits are %u and %u",
                           files[i].name, size, total, RB_ATTACHMENT_LIMIT, RB_ATTACHED_LIMIT);
    }
    return RB_OK;
}

enum rb_code rb_entry_read_attachment(rb_buf *out, rb_repo *repo, const rb_flat_file *file,
                                      const json_t *named, rb_err *err)
{
    char hex[RB_SHA256_HEX];
    RB_TRY(rb_object_read(out, repo, &file->blob, RB_OBJECT_BLOB, "the entry's attachment",
                          RB_ATTACHMENT_LIMIT, err));
    rb_sha256_hex_of(rb_buf_str(out), out->len, hex);
    if (strcmp(hex, rb_json_str(named, "sha256")) != 0)
        return rb_fail(err, RB_FOUND,
                       "the entry's attachment %s has the SHA-256 %s, the entry names %s",
                       file->name, hex, rb_json_str(named, "sha256"));
    return RB_OK;
}

/* Checks the attachments. A missing object does not make the entry invalid; the entry has a problem
 * until the object is fetched. */
static bool judge_attachments(rb_checked_entry *judged, rb_repo *repo, const rb_entry_form *form,
                              bool contents)
{
    rb_err why;
    rb_flat_file files[RB_ATTACHMENTS];
    size_t n = 0;
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    const json_t *named = json_object_get(form->json, "attachments");
    enum rb_code code =
        rb_entry_list_attachments(files, &n, &names, repo, form->json, &form->tree, &why);
    if (code == RB_OK)
        code = check_sizes(repo, files, n, &why);
    for (size_t i = 0; contents && code == RB_OK && i < n; i++) {
        RB_AUTO(rb_buf_clear) rb_buf data = {0};
        code = rb_entry_read_attachment(&data, repo, &files[i], json_array_get(named, i), &why);
    }
    if (code == RB_OK)
        return true;
    bool missing = code == RB_ERROR;
    rb_problems_add(&judged->entry.problems, missing ? "missing" : "attachment", "attachments", "",
                    "", "%s", rb_err_line(&why));
    if (missing)
        rb_problems_warn(&judged->entry.problems);
    judged->passing = missing;
    return missing;
}

static void judge_one(void *context, size_t i)
{
    judging *all = context;
    rb_pending *pending = &all->pendings->items[i];
    rb_checked_entry *judged = &all->judged[pending->index];
    judged->entry.trust = judge_signature(pending, all->signers, &judged->entry.problems);
    bool contents = all->all || judged->entry.trust == RB_ENTRY_GOOD;
    if (!judge_attachments(judged, all->repo, &pending->form, contents))
        judged->entry.trust = RB_ENTRY_BROKEN;
}

enum rb_code rb_entry_verify_all(rb_checked_entry *judged, rb_pendings *pendings, rb_repo *repo,
                                 const rb_signers *signers, rb_ledger_store *store,
                                 bool all_contents, rb_err *err)
{
    enum rb_code code = RB_OK;
    judging all = {.judged = judged,
                   .pendings = pendings,
                   .repo = repo,
                   .signers = signers,
                   .all = all_contents};
    rb_parallel(pendings->n, rb_parallel_threads(), judge_one, &all);
    for (size_t i = 0; i < pendings->n; i++) {
        rb_pending *pending = &pendings->items[i];
        rb_entry *entry = &judged[pending->index].entry;
        if (pending->failed > 0 && code == RB_OK)
            code = rb_fail(err, RB_ERROR, "%s", entry->problems.items[pending->failed - 1].message);
        bool told = entry->trust != RB_ENTRY_BROKEN;
        entry->principal = told ? keep(store, pending->principal) : NULL;
        entry->fingerprint = told ? keep(store, pending->fingerprint) : NULL;
        fill_text(entry, store, &pending->form);
        free(pending->principal);
        free(pending->fingerprint);
    }
    rb_pendings_clear(pendings);
    return code;
}
