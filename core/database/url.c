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

const char *const rb_engines[] = {"sqlite", "postgresql", NULL};

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

/* Removes what `name` stands before in the query of a url: password=...& */
static void drop_parameter(char *url, const char *name)
{
    size_t len = strlen(name);
    for (char *p = strchr(url, '?'); p; p = strchr(p + 1, '&')) {
        while (strncmp(p + 1, name, len) == 0 && p[1 + len] == '=') {
            char *next = strchr(p + 1, '&');
            memmove(p + 1, next ? next + 1 : p + strlen(p), strlen(next ? next + 1 : "") + 1);
        }
    }
}

/* scheme://USER:PASSWORD@HOST/... */
char *rb_url_public(const char *url)
{
    char *copy = rb_strdup(url);
    char *start = strstr(copy, "://");
    if (!start || rb_url_file(url))
        return copy;
    start += strlen("://");
    char *end = start + strcspn(start, "/?");
    char *at = NULL;
    for (char *p = start; p < end; p++)
        if (*p == '@')
            at = p;
    char *colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
    if (colon)
        memmove(colon, at, strlen(at) + 1);
    drop_parameter(copy, "password");
    drop_parameter(copy, "sslpassword");
    return copy;
}
