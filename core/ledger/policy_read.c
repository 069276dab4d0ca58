#include <string.h>
#include <strings.h>

#include "ledger/policy_internal.h"
#include "trust/pattern.h"

#define POLICY_LIMIT (1u << 20) /* bytes */

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
    return rb_shape_is_plain(pattern) && strlen(text) < 256 && !strpbrk(pattern, "!, \t\"");
}

static bool is_environment(const char *text)
{
    return strcmp(text, "*") == 0 || rb_shape_is_name(text);
}

static const rb_shape any_text = {.kind = RB_SHAPE_STRING};
static const rb_shape text = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_plain, .max = 4096, .expected = "plain text"};
static const rb_shape member = {.kind = RB_SHAPE_STRING,
                                .check = is_member,
                                .expected =
                                    "a principal, a pattern of them, or a key (SHA256:...)"};
static const rb_shape members = {
    .kind = RB_SHAPE_ARRAY, .item = &member, .max = 1000, .unique = true};
static const rb_shape roles = {
    .kind = RB_SHAPE_OBJECT,
    .fields = RB_SHAPE_FIELDS({"release", &members, true}, {"mark", &members, true},
                              {"approve", &members, true}, {"accept-loss", &members, true},
                              {"policy", &members, true}, {"witness", &members, true})};
static const rb_shape number = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 100};
static const rb_shape approvals = {
    .kind = RB_SHAPE_OBJECT,
    .fields = RB_SHAPE_FIELDS({"deploy", &number, true}, {"revert", &number, true})};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};
static const rb_shape days = {.kind = RB_SHAPE_INTEGER, .min = 1, .max = 3650};
static const rb_shape ages = {
    .kind = RB_SHAPE_OBJECT,
    .fields =
        RB_SHAPE_FIELDS({"drill", &days, true}, {"backup", &days, true}, {"review", &days, true})};
static const rb_shape count = {.kind = RB_SHAPE_INTEGER, .min = 0};
static const rb_shape environment = {
    .kind = RB_SHAPE_OBJECT,
    .fields = RB_SHAPE_FIELDS({"approvals", &approvals, true}, {"signed", &boolean, true},
                              {"maxAge", &ages, true}, {"maxRowsAtRisk", &count, true})};
static const rb_shape environments = {.kind = RB_SHAPE_MAP,
                                      .item = &environment,
                                      .check = is_environment,
                                      .max = 1000,
                                      .expected = "the name of an environment, or *"};
static const rb_shape fingerprint = {
    .kind = RB_SHAPE_STRING,
    .check = rb_policy_is_key,
    .expected = "a key's fingerprint: as `ssh-keygen -l` prints it (SHA256:...), or 40 hexadecimal "
                "digits of an OpenPGP or X.509 key"};
static const rb_shape revocation = {
    .kind = RB_SHAPE_OBJECT,
    .fields = RB_SHAPE_FIELDS({"key", &fingerprint, false}, {"why", &text, true})};
static const rb_shape revoked = {.kind = RB_SHAPE_ARRAY, .item = &revocation, .max = 10000};

const rb_shape rb_policy_shape = {
    .kind = RB_SHAPE_OBJECT,
    .fields = RB_SHAPE_FIELDS({"$schema", &any_text, true}, {"roles", &roles, true},
                              {"environments", &environments, true}, {"revoked", &revoked, true})};

enum rb_code rb_policy_read(json_t **out, const char *data, size_t len, const char *what,
                            rb_err *err)
{
    if (len > POLICY_LIMIT)
        return rb_fail(err, RB_ERROR, "%s has %zu bytes, more than the limit of %u", what, len,
                       POLICY_LIMIT);
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    RB_TRY(rb_json_read(&json, data, len, what, err));
    RB_TRY(rb_shape_check(&rb_policy_shape, json, what, err));
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

/* Compares fingerprints: hexadecimal digits without case, base64 with case. */
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
