#include "trust/signers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "trust/pattern.h"

static void signer_clear(rb_signer *signer)
{
    free(signer->principals);
    free(signer->namespaces);
    rb_key_free(signer->key);
    *signer = (rb_signer){0};
}

void rb_signers_free(rb_signers *signers)
{
    if (!signers)
        return;
    for (size_t i = 0; i < signers->n; i++)
        signer_clear(&signers->items[i]);
    free(signers->items);
    free(signers->by_key);
    free(signers->path);
    rb_revoked_free(signers->revoked);
    free(signers);
}

bool rb_signers_time(uint64_t *out, const char *text)
{
    size_t len = strlen(text);
    bool utc = false;
    if (len > 1 && strcasecmp(text + len - 1, "Z") == 0) {
        utc = true;
        len -= 1;
    } else if (len > 3 && strcasecmp(text + len - 3, "UTC") == 0) {
        utc = true;
        len -= 3;
    }
    if (len != 8 && len != 12 && len != 14)
        return false;
    /* strptime() needs a separator after each number. */
    char spaced[32];
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (i >= 4 && i % 2 == 0)
            spaced[n++] = i == 8 ? 'T' : i < 8 ? '-' : ':';
        spaced[n++] = text[i];
    }
    spaced[n] = '\0';
    const char *format = len == 8 ? "%Y-%m-%d" : len == 12 ? "%Y-%m-%dT%H:%M" : "%Y-%m-%dT%H:%M:%S";
    struct tm tm = {0};
    const char *rest = strptime(spaced, format, &tm);
    if (!rest || *rest)
        return false;
    time_t when = utc ? timegm(&tm) : mktime(&tm);
    if (when < 0)
        return false;
    *out = (uint64_t)when;
    return true;
}

/* Reads a quoted value, in which \" stands for a quote. */
static char *dequote(const char **p)
{
    const char *s = *p;
    if (*s++ != '"')
        return NULL;
    rb_buf out = {0};
    for (; *s && *s != '"'; s++) {
        if (s[0] == '\\' && s[1] == '"')
            s++;
        rb_buf_addc(&out, *s);
    }
    if (!*s) {
        rb_buf_clear(&out);
        return NULL;
    }
    *p = s + 1;
    return rb_buf_detach(&out);
}

static bool take_name(const char **p, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(*p, name, len) != 0 || (*p)[len] != '=')
        return false;
    *p += len + 1;
    return true;
}

static bool read_time(uint64_t *out, const char **p)
{
    if (*out != 0)
        return false;
    RB_AUTO(rb_free_str) char *text = dequote(p);
    return text && rb_signers_time(out, text) && *out != 0;
}

static bool read_option(rb_signer *signer, const char **p)
{
    static const char authority[] = "cert-authority";
    if (strncasecmp(*p, authority, sizeof authority - 1) == 0) {
        signer->authority = true;
        *p += sizeof authority - 1;
        return true;
    }
    if (take_name(p, "namespaces")) {
        if (signer->namespaces)
            return false;
        signer->namespaces = dequote(p);
        return signer->namespaces != NULL;
    }
    if (take_name(p, "valid-after"))
        return read_time(&signer->after, p);
    if (take_name(p, "valid-before"))
        return read_time(&signer->before, p);
    return true; /* nothing was parsed; the caller then expects a comma, and reports the option */
}

static bool read_options(rb_signer *signer, const char *p)
{
    while (*p && *p != ' ' && *p != '\t') {
        if (!read_option(signer, &p))
            return false;
        if (*p == '\0' || *p == ' ' || *p == '\t')
            break;
        if (*p++ != ',' || *p == '\0' || *p == ' ' || *p == '\t')
            return false;
    }
    return !(signer->after && signer->before && signer->before <= signer->after);
}

/* Returns the end of the options: the first white space outside quotes; NULL if a quote is not
 * closed. */
static const char *behind_options(const char *p)
{
    bool quoted = false;
    for (; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
        if (p[0] == '\\' && p[1] == '"')
            p++;
        else if (*p == '"')
            quoted = !quoted;
    }
    return *p == '\0' ? NULL : p;
}

/*
 * Takes the principals: up to white space, or in quotes up to the closing quote (as ssh-keygen
 * splits words). NULL if nothing follows them.
 */
static char *take_principals(const char **p)
{
    static const char space[] = " \t\r\n";
    size_t len = strcspn(*p, " \t\r\n\"");
    const char *rest = *p + len;
    if (*rest == '\0')
        return NULL;
    char *principals;
    if (*rest == '"') {
        const char *end = strchr(rest + 1, '"');
        if (!end)
            return NULL;
        principals = rb_format("%.*s%.*s", (int)len, *p, (int)(end - rest - 1), rest + 1);
        rest = end;
    } else {
        principals = rb_strndup(*p, len);
    }
    rest++;
    *p = rest + strspn(rest, space);
    return principals;
}

static bool read_line(rb_signer *signer, const char *p, rb_err *err)
{
    signer->principals = take_principals(&p);
    if (!signer->principals)
        return false;
    if (rb_key_parse_line(&signer->key, &p, err) == RB_OK)
        return true;
    const char *options = p;
    p = behind_options(p);
    if (!p)
        return false;
    p += strspn(p, " \t");
    return rb_key_parse_line(&signer->key, &p, err) == RB_OK && read_options(signer, options);
}

static void add_signer(rb_signers *signers, rb_signer *signer)
{
    signers->items = rb_grow(signers->items, signers->n, sizeof *signers->items);
    signers->items[signers->n++] = *signer;
    *signer = (rb_signer){0};
}

static int compare_blobs(const void *data, size_t len, const rb_key *key)
{
    const rb_buf *b = rb_key_public(key);
    if (len != b->len)
        return len < b->len ? -1 : 1;
    return memcmp(data, b->data, len);
}

static int compare_indices(const void *a, const void *b, void *items)
{
    const rb_signer *signers = items;
    const rb_buf *x = rb_key_public(signers[*(const size_t *)a].key);
    return compare_blobs(x->data, x->len, signers[*(const size_t *)b].key);
}

const rb_key *rb_signers_key(const rb_signers *signers, const void *blob, size_t len)
{
    size_t low = 0;
    size_t high = signers->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const rb_key *key = signers->items[signers->by_key[middle]].key;
        int order = compare_blobs(blob, len, key);
        if (order == 0)
            return key;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum rb_code rb_signers_parse(rb_signers **out, const char *path, const char *text, size_t len,
                              rb_err *err)
{
    if (len > RB_SIGNERS_LIMIT)
        return rb_fail(err, RB_ERROR, "%s has %zu bytes, more than the limit of %u", path, len,
                       RB_SIGNERS_LIMIT);
    rb_signers *signers = rb_calloc(1, sizeof *signers);
    signers->path = rb_strdup(path);
    const char *end = text + len;
    for (size_t number = 1; text < end; number++) {
        const char *eol = memchr(text, '\n', (size_t)(end - text));
        const char *next =
            eol ? eol + 1 : end; /* the newline ends the principals if nothing else does */
        RB_AUTO(rb_free_str) char *line = rb_strndup(text, (size_t)(next - text));
        const char *p = line + strspn(line, " \t");
        text = next;
        if (*p == '\0' || *p == '#' || *p == '\n')
            continue;
        RB_AUTO(signer_clear) rb_signer signer = {.line = number};
        if (read_line(&signer, p, RB_IGNORED)) {
            add_signer(signers, &signer);
        } else if (signers->skipped++ == 0) {
            signers->first_skipped = number;
        }
    }
    signers->by_key = rb_calloc(signers->n + 1, sizeof *signers->by_key);
    for (size_t i = 0; i < signers->n; i++)
        signers->by_key[i] = i;
    if (signers->n > 1)
        qsort_r(signers->by_key, signers->n, sizeof *signers->by_key, compare_indices,
                signers->items);
    *out = signers;
    return RB_OK;
}

static bool names_one(const char *list, const char *principals)
{
    for (const char *p = principals; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        RB_AUTO(rb_free_str) char *principal = rb_strndup(p, len);
        if (len > 0 && rb_pattern_list_matches(principal, list))
            return true;
        p += len;
    }
    return false;
}

uint64_t rb_signers_end(const rb_signers *signers, const char *principals, const char *fingerprint)
{
    uint64_t last = 0;
    for (size_t i = 0; i < signers->n; i++) {
        const rb_signer *line = &signers->items[i];
        char own[RB_FINGERPRINT_SIZE];
        rb_key_fingerprint(line->key, own);
        if (line->authority || strcmp(own, fingerprint) != 0 ||
            !names_one(line->principals, principals))
            continue;
        if (line->before == 0)
            return 0;
        last = line->before > last ? line->before : last;
    }
    return last;
}
