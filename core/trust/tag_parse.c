#include "trust/tag_parse.h"

#include <stdlib.h>
#include <string.h>

#include "trust/wire.h"

#define TIME_LIMIT                                                                                 \
    253402300799 /* 9999-12-31T23:59:59Z; git writes no later time for ssh-keygen                  \
                  */
#define MANIFEST_END "-----END RELEASE MANIFEST-----"

static const struct {
    const char *begin;
    const char *end;
    enum rb_signature_kind kind;
} markers[] = {
    {"-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----", RB_SIGNATURE_SSH},
    {"-----BEGIN PGP SIGNATURE-----", "-----END PGP SIGNATURE-----", RB_SIGNATURE_GPG},
    {"-----BEGIN PGP MESSAGE-----", "-----END PGP MESSAGE-----", RB_SIGNATURE_GPG},
    {"-----BEGIN SIGNED MESSAGE-----", "-----END SIGNED MESSAGE-----", RB_SIGNATURE_GPG},
};

#define MARKERS (sizeof markers / sizeof *markers)

void rb_form_clear(rb_form *form)
{
    free(form->name);
    rb_ident_clear(&form->tagger);
    *form = (rb_form){0};
}

static bool starts_with(const char *p, const char *end, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(end - p) >= len && memcmp(p, text, len) == 0;
}

/* Takes a line "NAME value" from the front and returns the value. Adds a problem and returns NULL
 * if the line has another name or contains a NUL. */
static char *take_header(const char **p, const char *end, const char *name, rb_problems *problems)
{
    const char *eol = memchr(*p, '\n', (size_t)(end - *p));
    size_t len = eol ? (size_t)(eol - *p) : (size_t)(end - *p);
    size_t name_len = strlen(name);
    if (eol && len > name_len + 1 && memcmp(*p, name, name_len) == 0 && (*p)[name_len] == ' ' &&
        !memchr(*p, '\0', len)) {
        const char *value = *p + name_len + 1;
        *p = eol + 1;
        return rb_strndup(value, len - name_len - 1);
    }
    rb_wire line = rb_wire_of(*p, len);
    RB_AUTO(rb_free_str) char *found = rb_wire_safe(&line);
    rb_problems_add(problems, "header", name, name, found,
                    "the tag object should have the headers object, type, tag, tagger and no "
                    "other: expected \"%s ...\", found \"%s\"",
                    name, found);
    return NULL;
}

void rb_ident_clear(rb_ident *ident)
{
    free(ident->who);
    free(ident->email);
    *ident = (rb_ident){0};
}

bool rb_ident_parse(rb_ident *out, const char *text)
{
    size_t name = strcspn(text, "<>");
    if (text[name] != '<' || name < 2 || text[name - 1] != ' ' || text[0] == ' ')
        return false;
    size_t email = strcspn(text + name + 1, "<>");
    const char *close = text + name + 1 + email;
    if (close[0] != '>' || close[1] != ' ')
        return false;
    const char *p = close + 2;
    size_t digits = strspn(p, "0123456789");
    if (digits == 0 || digits > 12 || (digits > 1 && *p == '0'))
        return false;
    const char *zone = p + digits;
    if (zone[0] != ' ' || (zone[1] != '+' && zone[1] != '-') ||
        strspn(zone + 2, "0123456789") != 4 || zone[6] != '\0')
        return false;
    int64_t time = strtoll(p, NULL, 10);
    if (time > TIME_LIMIT)
        return false;
    *out = (rb_ident){.who = rb_strndup(text, (size_t)(close + 1 - text)),
                      .email = rb_strndup(text + name + 1, email),
                      .time = time};
    return true;
}

static bool parse_headers(rb_form *form, const char *raw, const char *end, const char *name,
                          rb_problems *problems)
{
    const char *p = raw;
    RB_AUTO(rb_free_str) char *object = take_header(&p, end, "object", problems);
    if (!object)
        return false;
    RB_AUTO(rb_free_str) char *type = take_header(&p, end, "type", problems);
    if (!type)
        return false;
    form->name = take_header(&p, end, "tag", problems);
    if (!form->name)
        return false;
    RB_AUTO(rb_free_str) char *tagger = take_header(&p, end, "tagger", problems);
    if (!tagger)
        return false;
    if (p == end || *p != '\n') {
        rb_wire line = rb_wire_of(p, (size_t)(end - p));
        RB_AUTO(rb_free_str) char *found = rb_wire_safe(&line);
        rb_problems_add(problems, "header", "", "an empty line", found,
                        "the tag object should have the headers object, type, tag, tagger and no "
                        "other: found \"%s\" after them",
                        found);
        return false;
    }
    form->message_at = (size_t)(p + 1 - raw);
    bool ok = rb_oid_parse(&form->target, object);
    if (!ok)
        rb_problems_add(problems, "header", "object", "40 hexadecimal digits", object,
                        "the tag object's header \"object\" is not an object id");
    if (strcmp(type, "commit") != 0) {
        RB_AUTO(rb_free_str) char *found = rb_safe(type);
        rb_problems_add(problems, "object", "type", "commit", found,
                        "the tag points to a %s, a release points to a commit", found);
    }
    if (strcmp(form->name, name) != 0) {
        RB_AUTO(rb_free_str) char *found = rb_safe(form->name);
        RB_AUTO(rb_free_str) char *expected = rb_safe(name);
        rb_problems_add(problems, "name", "tag", expected, found,
                        "the tag is called %s here, but was signed as %s", expected, found);
    }
    if (!rb_ident_parse(&form->tagger, tagger)) {
        RB_AUTO(rb_free_str) char *found = rb_safe(tagger);
        rb_problems_add(problems, "header", "tagger", "Name <email> seconds +hhmm", found,
                        "the tag object's header \"tagger\" is malformed: \"%s\"", found);
        ok = false;
    }
    return ok;
}

/* Counts the lines that begin a signature. As in git, the last one begins the tag's signature. */
static size_t find_signature(rb_form *form, size_t *marker, const char *raw, size_t len)
{
    const char *end = raw + len;
    size_t count = 0;
    form->signature_at = len;
    for (const char *p = raw + form->message_at; p < end;) {
        for (size_t i = 0; i < MARKERS; i++) {
            if (!starts_with(p, end, markers[i].begin))
                continue;
            count++;
            *marker = i;
            form->signature_at = (size_t)(p - raw);
        }
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        p = eol ? eol + 1 : end;
    }
    return count;
}

static void check_end(const char *raw, size_t len, size_t at, size_t marker, rb_problems *problems)
{
    const char *end_line = markers[marker].end;
    size_t end_len = strlen(end_line);
    const char *p = raw + at;
    const char *end = raw + len;
    do {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        p = eol ? eol + 1 : end;
    } while (p < end && !starts_with(p, end, end_line));
    if (p == end) {
        rb_problems_add(problems, "signature", "signature", end_line, "",
                        "the tag's signature is cut off: there is no line %s", end_line);
        return;
    }
    p += end_len;
    p += p < end && *p == '\n';
    if (p == end)
        return;
    rb_wire rest = rb_wire_of(p, (size_t)(end - p));
    RB_AUTO(rb_free_str) char *found = rb_wire_safe(&rest);
    rb_problems_add(problems, "trailing", "signature", "", found,
                    "%zu bytes follow the tag's signature and are not covered by it: \"%s\"",
                    rest.left, found);
}

static void check_manifest_end(const char *raw, const rb_form *form, rb_problems *problems)
{
    static const char line[] = "\n" MANIFEST_END "\n";
    const char *message = raw + form->message_at;
    size_t len = form->signature_at - form->message_at;
    const char *p = len ? memmem(message, len, line, sizeof line - 1) : NULL;
    if (!p || p + sizeof line - 1 == message + len)
        return;
    p += sizeof line - 1;
    rb_wire rest = rb_wire_of(p, (size_t)(message + len - p));
    RB_AUTO(rb_free_str) char *found = rb_wire_safe(&rest);
    rb_problems_add(problems, "trailing", "manifest", "", found,
                    "%zu bytes stand between the manifest and the signature: \"%s\"", rest.left,
                    found);
}

static void parse_signature(rb_form *form, const char *raw, size_t len, rb_problems *problems)
{
    size_t marker = 0;
    size_t count = find_signature(form, &marker, raw, len);
    if (count == 0) {
        rb_problems_add(problems, "unsigned", "signature", "a signature", "",
                        "the tag is not signed; `rbtool release` and `git tag -s` sign");
        return;
    }
    if (count > 1) {
        RB_AUTO(rb_free_str) char *found = rb_format("%zu", count);
        rb_problems_add(problems, "signature", "signature", "1", found,
                        "the tag has %zu signatures, expected one", count);
        return;
    }
    check_end(raw, len, form->signature_at, marker, problems);
    check_manifest_end(raw, form, problems);
    form->signature = markers[marker].kind;
}

enum rb_code rb_form_parse(rb_form *out, const char *raw, size_t len, const char *name,
                           rb_problems *problems)
{
    size_t before = problems->n;
    rb_form form = {.signature_at = len};
    if (parse_headers(&form, raw, raw + len, name, problems))
        parse_signature(&form, raw, len, problems);
    *out = form;
    return problems->n == before ? RB_OK : RB_FOUND;
}
