#include "database/url.h"

#include <string.h>

typedef struct scheme {
    const char *start;
    const char *engine;
    bool is_file;
} scheme;

static const scheme schemes[] = {
    {"sqlite:", "sqlite", true},
    {"postgresql://", "postgresql", false},
    {"postgres://", "postgresql", false},
};

static const scheme *scheme_of(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t len = strlen(schemes[i].start);
        if (strncmp(url, schemes[i].start, len) == 0 && url[len])
            return &schemes[i];
    }
    return NULL;
}

const char *rb_url_engine(const char *url, const char **rest)
{
    const scheme *s = scheme_of(url);
    if (s && rest)
        *rest = url + strlen(s->start);
    return s ? s->engine : NULL;
}

const char *rb_url_file(const char *url)
{
    const scheme *s = scheme_of(url);
    return s && s->is_file ? url + strlen(s->start) : NULL;
}

char *rb_url_with_file(const char *url, const char *path)
{
    const scheme *s = scheme_of(url);
    return rb_format("%s%s", s ? s->start : "", path);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* True if the key at p is `name`. The key may have percent-encoded characters. */
static bool key_is(const char *p, const char *name)
{
    for (; *name; name++, p++) {
        char c = *p;
        if (c == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
            c = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
            p += 2;
        }
        if (c != *name)
            return false;
    }
    return *p == '=';
}

/* Removes the parameter `name` and its value from a url's query: password=...& */
static void drop_parameter(char *url, const char *name)
{
    for (char *p = strchr(url, '?'); p; p = strchr(p + 1, '&'))
        while (key_is(p + 1, name)) {
            char *next = strchr(p + 1, '&');
            memmove(p + 1, next ? next + 1 : p + strlen(p), strlen(next ? next + 1 : "") + 1);
        }
}

/* Returns the last "@" that may end the user and password. Searches up to the path, or the query,
 * since a "/" or "?" in the password may not be percent-encoded. */
static const char *login_end(const char *start)
{
    size_t path = strcspn(start, "/");
    size_t query = strcspn(start, "?");
    return start + (path > query ? path : query);
}

bool rb_url_is_ambiguous(const char *url)
{
    const char *start = strstr(url, "://");
    if (!start || rb_url_file(url))
        return false;
    start += strlen("://");
    const char *first = memchr(start, '@', (size_t)(login_end(start) - start));
    const char *last = memrchr(start, '@', (size_t)(login_end(start) - start));
    return first != last || (first && first > start + strcspn(start, "/"));
}

/* Removes the password of scheme://USER:PASSWORD@HOST/... */
char *rb_url_public(const char *url)
{
    char *copy = rb_strdup(url);
    char *start = strstr(copy, "://");
    if (!start || rb_url_file(url))
        return copy;
    start += strlen("://");
    char *at = memrchr(start, '@', (size_t)(login_end(start) - start));
    char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
    if (colon)
        memmove(colon, at, strlen(at) + 1);
    drop_parameter(copy, "password");
    drop_parameter(copy, "sslpassword");
    return copy;
}
