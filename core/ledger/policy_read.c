#include <string.h>
#include <strings.h>

#include "base/embed.h"
#include "ledger/policy_internal.h"
#include "trust/pattern.h"

#define POLICY_LIMIT (1u << 20) /* bytes */

RB_EMBED(rb_policy_schema, "schemas/policy.schema.json");

static const char *const role_names[RB_ROLES] = {"release",     "mark",   "approve",
                                                 "accept-loss", "policy", "witness"};

const char *rb_role_name(enum rb_role role)
{
    return role_names[role];
}

bool rb_policy_is_key(const char *text)
{
    if (strlen(text) == 40 && strspn(text, "0123456789ABCDEFabcdef") == 40)
        return true; /* the fingerprint of an OpenPGP or X.509 key */
    return strncmp(text, "SHA256:", 7) == 0 && strlen(text) == 7 + 43 &&
           strspn(text + 7, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
               43;
}

static bool is_member(const char *text)
{
    const char *pattern = *text == '!' ? text + 1 : text;
    if (strncmp(pattern, "SHA256:", strlen("SHA256:")) == 0)
        return rb_policy_is_key(pattern);
    return rb_shape_is_plain(pattern) && !strpbrk(pattern, "!, \t\"");
}

static bool is_environment(const char *text)
{
    return strcmp(text, "*") == 0 || rb_shape_is_name(text);
}

const rb_shape *rb_policy_shape(void)
{
    static const rb_shape_named checks[] = {{"member", is_member},
                                            {"environment", is_environment},
                                            {"key", rb_policy_is_key},
                                            {NULL, NULL}};
    static rb_schema schema = {.text = rb_policy_schema, .checks = checks};
    return rb_schema_shape(&schema);
}

enum rb_code rb_policy_read(json_t **out, const char *data, size_t len, const char *what,
                            rb_err *err)
{
    if (len > POLICY_LIMIT)
        return rb_fail(err, RB_ERROR, "%s has %zu bytes, more than the limit of %u", what, len,
                       POLICY_LIMIT);
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_json_read(&json, data, len, what, err));
    RB_TRY(rb_shape_check(rb_policy_shape(), json, what, err));
    *out = RB_TAKE(json);
    return RB_OK;
}

static bool matches_one(const char *pattern, const char *principals)
{
    for (const char *p = principals; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        RB_AUTO(rb_free_str) char *principal = rb_strndup(p, len);
        if (len > 0 && rb_pattern_matches(principal, pattern, strlen(pattern)))
            return true;
        p += len;
    }
    return false;
}

/* Compares fingerprints: hexadecimal ones without case, base64 with case. */
static bool same_key(const char *a, const char *b)
{
    return strncmp(a, "SHA256:", 7) == 0 ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

static bool matches_member(const char *name, const char *principals, const char *key)
{
    return rb_policy_is_key(name) ? key && same_key(name, key) : matches_one(name, principals);
}

bool rb_members_match(const json_t *list, const char *principals, const char *key)
{
    bool found = false;
    rb_json_each (item, list) {
        const char *pattern = json_string_value(item);
        if (*pattern == '!' && matches_member(pattern + 1, principals, key))
            return false;
        found = found || (*pattern != '!' && matches_member(pattern, principals, key));
    }
    return found;
}

bool rb_policy_json_allows(const json_t *policy, enum rb_role role, const char *principals,
                           const char *key)
{
    const json_t *list = json_object_get(json_object_get(policy, "roles"), role_names[role]);
    return principals && (!list || rb_members_match(list, principals, key));
}

bool rb_policy_json_revokes(const json_t *policy, const char *key)
{
    rb_json_each (item, json_object_get(policy, "revoked"))
        if (key && same_key(rb_json_str(item, "key"), key))
            return true;
    return false;
}

const json_t *rb_policy_json_environment(const json_t *policy, const char *name)
{
    const json_t *all = json_object_get(policy, "environments");
    const json_t *own = json_object_get(all, name);
    return own ? own : json_object_get(all, "*");
}

bool rb_policy_is_root(const rb_policy *policy, const char *principals, const char *key)
{
    RB_AUTO(rb_json_freep) json_t *list = rb_json_strs(&policy->roots);
    return principals && rb_members_match(list, principals, key);
}

bool rb_set_has(const rb_buf *set, size_t i)
{
    return i / 8 < set->len && (set->data[i / 8] >> (i % 8) & 1);
}

void rb_set_add(rb_buf *set, size_t i)
{
    while (set->len <= i / 8)
        rb_buf_addc(set, '\0');
    set->data[i / 8] = (char)(set->data[i / 8] | 1 << (i % 8));
}
