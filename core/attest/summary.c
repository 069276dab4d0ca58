#include "attest/summary.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put(json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0)
        abort();
}

static void append(json_t *array, json_t *value)
{
    if (!value || json_array_append_new(array, value) != 0)
        abort();
}

static json_t *digest_of(const char *algorithm, const char *hex)
{
    json_t *digest = json_object();
    rb_json_set_str(digest, algorithm, hex);
    return digest;
}

/* RFC 3986: all but unreserved characters. */
static char *escaped(const char *text)
{
    rb_buf out = {0};
    for (const char *p = text; *p; p++)
        if (isalnum((unsigned char)*p) || strchr("-._~", *p))
            rb_buf_addc(&out, *p);
        else
            rb_buf_printf(&out, "%%%02X", (unsigned char)*p);
    return rb_buf_detach(&out);
}

bool rb_summary_is_uri(const char *text)
{
    size_t scheme =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    if (!isalpha((unsigned char)*text) || text[scheme] != ':' || !text[scheme + 1])
        return false;
    for (const char *p = text; *p; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p))
            return false;
    return true;
}

static char *resource_of(const rb_summary *summary)
{
    RB_AUTO(rb_free_str) char *tag = escaped(summary->tag);
    if (summary->resource)
        return rb_strdup(summary->resource);
    if (!summary->release)
        return rb_format("urn:rbtool:tag:%s", tag);
    RB_AUTO(rb_free_str) char *name = escaped(summary->release->manifest->app_name);
    RB_AUTO(rb_free_str) char *version = escaped(summary->release->manifest->app_version);
    return rb_format("pkg:generic/%s@%s", name, version);
}

/* The artifacts, by the digests that are the manifest's subjects, and the tag itself. */
static json_t *subjects_of(const rb_summary *summary)
{
    json_t *subjects = json_array();
    RB_AUTO(rb_json_freep)
    json_t *manifest = summary->release ? rb_manifest_encode(summary->release->manifest) : NULL;
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(manifest, "subject"), i, item)
        append(subjects, json_incref(item));
    RB_AUTO(rb_free_str) char *tag = escaped(summary->tag);
    RB_AUTO(rb_free_str) char *name = rb_format("refs/tags/%s", tag);
    json_t *subject = json_object();
    rb_json_set_str(subject, "name", name);
    put(subject, "digest", digest_of("gitTag", summary->object));
    append(subjects, subject);
    return subjects;
}

static json_t *policy_of(const rb_summary *summary)
{
    json_t *policy = json_object();
    RB_AUTO(rb_free_str)
    char *uri = rb_format("urn:rbtool:policy:%s", summary->policy ? summary->policy : "none");
    rb_json_set_str(policy, "uri", uri);
    if (summary->policy)
        put(policy, "digest", digest_of("gitCommit", summary->policy));
    return policy;
}

static json_t *inputs_of(const rb_summary *summary)
{
    json_t *inputs = json_array();
    json_t *tag = json_object();
    json_t *digest = digest_of("gitTag", summary->object);
    RB_AUTO(rb_free_str) char *uri = rb_format("urn:rbtool:tag-object:%s", summary->object);
    rb_json_set_str(tag, "uri", uri);
    if (summary->sha256)
        rb_json_set_str(digest, "sha256", summary->sha256);
    put(tag, "digest", digest);
    append(inputs, tag);
    if (!summary->verdict_entry)
        return inputs;
    json_t *entry = json_object();
    RB_AUTO(rb_free_str) char *said = rb_format("urn:rbtool:entry:%s", summary->verdict_entry);
    rb_json_set_str(entry, "uri", said);
    put(entry, "digest", digest_of("gitCommit", summary->verdict_entry));
    append(inputs, entry);
    return inputs;
}

bool rb_summary_passed(const rb_summary *summary)
{
    return summary->passed && summary->unapproved == 0 &&
           (!summary->verdict || strcmp(summary->verdict, "bad") != 0);
}

/* rbtool does not evaluate SLSA's build track, and custom levels must not begin with SLSA_. */
static json_t *levels_of(const rb_summary *summary)
{
    json_t *levels = json_array();
    if (!rb_summary_passed(summary)) {
        append(levels, json_string("FAILED"));
        return levels;
    }
    append(levels, json_string("SLSA_BUILD_LEVEL_UNEVALUATED"));
    append(levels, json_string("RBTOOL_RELEASE_VERIFIED"));
    if (summary->verdict)
        append(levels, json_string("RBTOOL_KNOWN_GOOD"));
    return levels;
}

static json_t *verifier_of(const rb_summary *summary)
{
    json_t *verifier = json_object();
    json_t *version = json_object();
    rb_json_set_str(version, "rbtool", summary->version);
    rb_json_set_str(verifier, "id", summary->verifier);
    put(verifier, "version", version);
    return verifier;
}

json_t *rb_summary_statement(const rb_summary *summary)
{
    json_t *statement = json_object();
    json_t *predicate = json_object();
    time_t when = (time_t)summary->when;
    struct tm tm;
    char time[64] = "";
    if (gmtime_r(&when, &tm))
        strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &tm);
    RB_AUTO(rb_free_str) char *resource = resource_of(summary);
    put(predicate, "verifier", verifier_of(summary));
    rb_json_set_str(predicate, "timeVerified", time);
    rb_json_set_str(predicate, "resourceUri", resource);
    put(predicate, "policy", policy_of(summary));
    put(predicate, "inputAttestations", inputs_of(summary));
    rb_json_set_str(predicate, "verificationResult",
                    rb_summary_passed(summary) ? "PASSED" : "FAILED");
    put(predicate, "verifiedLevels", levels_of(summary));
    rb_json_set_str(predicate, "slsaVersion", "1.0");
    rb_json_set_str(statement, "_type", "https://in-toto.io/Statement/v1");
    put(statement, "subject", subjects_of(summary));
    rb_json_set_str(statement, "predicateType", RB_SUMMARY_TYPE);
    put(statement, "predicate", predicate);
    return statement;
}
