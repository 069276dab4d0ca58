#include "ledger/entry_parse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/entry_shape.h"

#define CLAIM "\"type\": \"" RB_ENTRY_TYPE "\""
#define SIGNATURE "gpgsig "
#define SHOWN 100 /* bytes of a header in a message */

typedef struct lines {
    const char *p;
    const char *end;
} lines;

void rb_entry_form_clear(rb_entry_form *form)
{
    rb_ident_clear(&form->committer);
    free(form->title);
    rb_buf_clear(&form->payload);
    rb_buf_clear(&form->signature);
    free(form->text);
    rb_json_free(form->json);
    *form = (rb_entry_form){0};
}

/* Removes the line "NAME value\n" from the front and returns the value; NULL if the line has
 * another name. */
static char *take(lines *in, const char *name)
{
    const char *eol = memchr(in->p, '\n', (size_t)(in->end - in->p));
    size_t len = strlen(name);
    if (!eol || (size_t)(eol - in->p) <= len || memcmp(in->p, name, len) != 0 || in->p[len] != ' ')
        return NULL;
    char *value = rb_strndup(in->p + len + 1, (size_t)(eol - in->p) - len - 1);
    in->p = eol + 1;
    return value;
}

static bool refuse_header(const lines *in, const char *expected, rb_problems *problems)
{
    const char *eol = memchr(in->p, '\n', (size_t)(in->end - in->p));
    size_t len = eol ? (size_t)(eol - in->p) : (size_t)(in->end - in->p);
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    rb_buf_add_safe(&found, in->p, len < SHOWN ? len : SHOWN);
    rb_problems_add(problems, "header", expected, expected, rb_buf_str(&found),
                    "an entry's commit has the headers tree, parent, author, committer, gpgsig and "
                    "no other: expected %s, found \"%s\"",
                    expected, rb_buf_str(&found));
    return false;
}

static bool read_parents(rb_entry_form *form, lines *in, rb_problems *problems)
{
    size_t count = 0;
    for (char *value; (value = take(in, "parent")); free(value)) {
        rb_oid id;
        if (!rb_oid_parse(&id, value)) {
            free(value);
            return refuse_header(in, "a parent's id", problems);
        }
        for (size_t i = 0; i < form->parent_count; i++)
            if (rb_oid_equal(&id, &form->parents[i])) {
                rb_problems_add(problems, "parents", "parent", "", value,
                                "the entry has the parent %s twice", value);
                break;
            }
        if (++count <= RB_ENTRY_PARENTS)
            form->parents[form->parent_count++] = id;
    }
    if (count <= RB_ENTRY_PARENTS)
        return true;
    RB_AUTO(rb_free_str) char *found = rb_format("%zu", count);
    rb_problems_add(problems, "parents", "parent", "16 at most", found,
                    "the entry joins %zu histories, the limit is %d; those behind the first %d are "
                    "not read",
                    count, RB_ENTRY_PARENTS, RB_ENTRY_PARENTS);
    return true;
}

/* Reads a header with continuation lines, which begin with a space. */
static bool read_signature(rb_entry_form *form, lines *in)
{
    size_t len = strlen(SIGNATURE);
    if ((size_t)(in->end - in->p) < len || memcmp(in->p, SIGNATURE, len) != 0)
        return true;
    for (const char *p = in->p + len; p < in->end;) {
        const char *eol = memchr(p, '\n', (size_t)(in->end - p));
        if (!eol)
            return false;
        rb_buf_add(&form->signature, p, (size_t)(eol + 1 - p));
        in->p = eol + 1;
        if (in->p == in->end || *in->p != ' ')
            return true;
        p = in->p + 1;
    }
    return false;
}

static bool read_headers(rb_entry_form *form, lines *in, rb_problems *problems)
{
    const char *start = in->p;
    RB_AUTO(rb_free_str) char *tree = take(in, "tree");
    if (!tree || !rb_oid_parse(&form->tree, tree))
        return refuse_header(in, "tree and an object id", problems);
    if (!read_parents(form, in, problems))
        return false;
    RB_AUTO(rb_free_str) char *author = take(in, "author");
    if (!author)
        return refuse_header(in, "author", problems);
    RB_AUTO(rb_free_str) char *committer = take(in, "committer");
    if (!committer || !rb_ident_parse(&form->committer, committer))
        return refuse_header(in, "committer, Name <email> seconds +hhmm", problems);
    rb_buf_add(&form->payload, start, (size_t)(in->p - start));
    if (!read_signature(form, in) || in->p == in->end || *in->p != '\n')
        return refuse_header(in, "an empty line", problems);
    rb_buf_add(&form->payload, in->p, (size_t)(in->end - in->p));
    in->p++;
    if (form->payload.len + form->signature.len - (size_t)(in->end - in->p) >
        RB_ENTRY_HEADERS_LIMIT) {
        rb_problems_add(problems, "size", "", "", "",
                        "the headers of the entry's commit have more than %u bytes",
                        RB_ENTRY_HEADERS_LIMIT);
        return false;
    }
    return true;
}

/* Checks that the title begins with "KIND", "KIND TAG" or "verdict TAG good", so that a list of
 * titles shows what was signed. */
static void check_title(const rb_entry_form *form, rb_problems *problems)
{
    const char *tag = rb_json_str(form->json, "tag");
    const char *verdict = rb_json_str(json_object_get(form->json, "verdict"), "verdict");
    RB_AUTO(rb_buf_clear) rb_buf start = {0};
    rb_buf_puts(&start, rb_entry_kind_name(form->kind));
    if (tag)
        rb_buf_printf(&start, " %s", tag);
    if (verdict)
        rb_buf_printf(&start, " %s", verdict);
    const char *rest = form->title + start.len;
    if (strncmp(form->title, start.data, start.len) == 0 && strchr(" :", *rest))
        return;
    RB_AUTO(rb_free_str) char *expected = rb_safe(start.data);
    RB_AUTO(rb_buf_clear) rb_buf found = {0};
    size_t shown = strlen(form->title);
    rb_buf_add_safe(&found, form->title, shown < SHOWN ? shown : SHOWN);
    rb_problems_add(problems, "title", "title", expected, rb_buf_str(&found),
                    "the title says \"%s\", but the entry is about \"%s\"", rb_buf_str(&found),
                    expected);
}

static void check_content(const rb_entry_form *form, rb_problems *problems)
{
    int64_t at = rb_json_int(form->json, "at", -1);
    if (at != form->committer.time) {
        RB_AUTO(rb_free_str) char *expected = rb_format("%" PRId64, form->committer.time);
        RB_AUTO(rb_free_str) char *found = rb_format("%" PRId64, at);
        rb_problems_add(problems, "time", "at", expected, found,
                        "the entry says that it is of %s, its commit that it is of %s", found,
                        expected);
    }
    bool merge = form->kind == RB_ENTRY_MERGE;
    if (merge ? form->parent_count < 2 : form->parent_count > 1)
        rb_problems_add(problems, "parents", "parent", merge ? "two or more" : "one at most", "",
                        "a %s entry with %zu parents; only merge entries have several",
                        rb_entry_kind_name(form->kind), form->parent_count);
    if ((form->parent_count == 0) != (rb_json_str(form->json, "ledger") == NULL))
        rb_problems_add(problems, "ledger", "ledger", "", "",
                        form->parent_count == 0
                            ? "the entry has no parent and names another one as the ledger's first"
                            : "the entry has a parent and does not name the ledger's first entry");
    const char *last = "";
    rb_json_each (item, json_object_get(form->json, "attachments")) {
        const char *name = rb_json_str(item, "name");
        if (strcmp(name, last) <= 0)
            rb_problems_add(problems, "form", "attachments", "names in order, each once", name,
                            "the attachments are not in order of their names: %s", name);
        last = name;
    }
    check_title(form, problems);
}

static bool read_json(rb_entry_form *form, const char *text, size_t len, rb_problems *problems)
{
    rb_err why;
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_AUTO(rb_buf_clear) rb_buf again = {0};
    enum rb_code code = rb_json_read(&json, text, len, "entry", &why);
    if (code == RB_OK && !rb_entry_kind_of(&form->kind, rb_json_str(json, "kind")))
        code = rb_fail(&why, RB_ERROR, "entry: it has no kind that is known here");
    if (code == RB_OK)
        code = rb_shape_check(rb_entry_shape(form->kind), json, "entry", &why);
    if (code == RB_OK) {
        rb_json_pretty(&again, json);
        if (again.len != len || memcmp(again.data, text, len) != 0)
            code = rb_fail(&why, RB_ERROR,
                           "entry: its JSON is not in its one form (sorted keys, two spaces)");
    }
    if (code != RB_OK) {
        form->kind = RB_ENTRY_KINDS;
        rb_problems_add(problems, "form", "", "", "", "%s", rb_err_line(&why));
        return false;
    }
    form->json = RB_TAKE(json);
    check_content(form, problems);
    return true;
}

/* Parses title, empty line and JSON. */
static void read_message(rb_entry_form *form, const lines *in, rb_problems *problems)
{
    const char *p = in->p;
    const char *eol = memchr(p, '\n', (size_t)(in->end - p));
    form->title = rb_strndup(p, eol ? (size_t)(eol - p) : (size_t)(in->end - p));
    form->claims = memmem(p, (size_t)(in->end - p), CLAIM, strlen(CLAIM)) != NULL;
    if (!form->claims) {
        rb_problems_add(problems, "foreign", "", RB_ENTRY_TYPE, "",
                        "the commit is not an entry of a ledger");
        return;
    }
    if ((size_t)(in->end - p) > RB_ENTRY_LIMIT || strlen(form->title) > RB_ENTRY_TITLE_LIMIT) {
        rb_problems_add(
            problems, "size", "", "", "",
            "the entry's message has %zu bytes and its title %zu, the limits are %u and "
            "%u",
            (size_t)(in->end - p), strlen(form->title), RB_ENTRY_LIMIT, RB_ENTRY_TITLE_LIMIT);
        return;
    }
    if (!eol || eol + 2 >= in->end || eol[1] != '\n') {
        rb_problems_add(problems, "form", "", "a title, an empty line, the JSON", "",
                        "the entry's message is not a title, an empty line, and its JSON");
        return;
    }
    p = eol + 2;
    size_t before = problems->n;
    if (read_json(form, p, (size_t)(in->end - p), problems) && problems->n == before) {
        form->text_len = (size_t)(in->end - p);
        form->text = rb_strndup(p, form->text_len);
    }
}

enum rb_code rb_entry_form_read(rb_entry_form *out, const char *raw, size_t len,
                                rb_problems *problems)
{
    size_t before = problems->n;
    rb_entry_form form = {.kind = RB_ENTRY_KINDS};
    lines in = {.p = raw, .end = raw + len};
    if (memchr(raw, '\0', len)) {
        rb_problems_add(problems, "form", "", "text", "", "the entry's commit holds a NUL byte");
    } else if (read_headers(&form, &in, problems)) {
        read_message(&form, &in, problems);
    }
    if (!form.title) {
        const char *blank = len ? memmem(raw, len, "\n\n", 2) : NULL;
        const char *title = blank ? blank + 2 : raw + len;
        const char *end = memchr(title, '\n', (size_t)(raw + len - title));
        form.title = rb_strndup(title, (size_t)((end ? end : raw + len) - title));
        form.claims = len && memmem(raw, len, CLAIM, strlen(CLAIM)) != NULL;
    }
    if (problems->n > before) {
        form.kind = RB_ENTRY_KINDS;
        rb_json_free(form.json);
        form.json = NULL;
    }
    *out = form;
    return problems->n == before ? RB_OK : RB_FOUND;
}
