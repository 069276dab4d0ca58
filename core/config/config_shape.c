#include "config/config_shape.h"

#include <string.h>

#include "base/embed.h"
#include "database/url.h"

RB_EMBED(rb_config_schema, "schemas/config.schema.json");

/* ">=2.3, <3": conditions that must all hold. */
static bool is_range(const char *range)
{
    bool any = false;
    while (*range) {
        range += strspn(range, "<>=");
        const size_t len = strspn(range, "0123456789.");
        if (len == 0)
            return false;
        any = true;
        range += len;
        if (*range && *range != ',' && *range != ' ')
            return false;
        range += strspn(range, ", ");
    }
    return any;
}

/* True for a url of a supported engine, and for $NAME: the environment variable then contains the
 * url, so that a password need not be in a file. */
static bool is_url(const char *url)
{
    return url[0] == '$' ? url[1] != '\0' : rb_url_engine(url, NULL) != NULL;
}

/* As chmod(1) has it, without set-id bits. */
static bool is_mode(const char *mode)
{
    return strlen(mode) == 4 && mode[0] == '0' && strspn(mode, "01234567") == 4 &&
           strcmp(mode, "0000") != 0;
}

const rb_shape *rb_config_shape(void)
{
    static const rb_shape_named checks[] = {
        {"range", is_range}, {"url", is_url}, {"mode", is_mode}, {NULL, NULL}};
    static rb_schema schema = {.text = rb_config_schema, .checks = checks};
    return rb_schema_shape(&schema);
}

const rb_shape *rb_environments_shape(void)
{
    return rb_shape_member(rb_config_shape(), "environments");
}

const rb_shape *rb_environment_shape(void)
{
    return rb_environments_shape()->item;
}
