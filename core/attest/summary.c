#include "attest/summary.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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
    RB_AUTO(rb_free_str) char *tag = rb_text_uri(summary->tag, "");
    if (summary->resource)
        return rb_strdup(summary->resource);
    if (!summary->release)
        return rb_format("urn:rbtool:tag:%s", tag);
    RB_AUTO(rb_free_str) char *name = rb_text_uri(summary->release->manifest->app_name, "");
    RB_AUTO(rb_free_str) char *version = rb_text_uri(summary->release->manifest->app_version, "");
    return rb_format("pkg:generic/%s@%s", name, version);
}

/* Returns the subjects: the artifacts, with the digests of the manifest, and the tag. */
static json_t *subjects_of(const rb_summary *summary)
{
    json_t *subjects = json_array();
    RB_AUTO(rb_json_freep)
    json_t *manifest = summary->release ? rb_manifest_encode(summary->release->manifest) : NULL;
    json_array_extend(subjects, json_object_get(manifest, "subject"));
    RB_AUTO(rb_free_str) char *tag = rb_text_uri(summary->tag, "");
    RB_AUTO(rb_free_str) char *name = rb_format("refs/tags/%s", tag);
    json_array_append_new(
        subjects, rb_json_make("name:s digest:j", name, rb_json_make("gitTag:s", summary->object)));
    return subjects;
}

static json_t *policy_of(const rb_summary *summary)
{
    RB_AUTO(rb_free_str)
    char *uri = rb_format("urn:rbtool:policy:%s", summary->policy ? summary->policy : "none");
    json_t *policy = rb_json_make("uri:s", uri);
    if (summary->policy)
        rb_json_set(policy, "digest:j", rb_json_make("gitCommit:s", summary->policy));
    return policy;
}

static json_t *inputs_of(const rb_summary *summary)
{
    json_t *inputs = json_array();
    json_t *digest = rb_json_make("gitTag:s", summary->object);
    RB_AUTO(rb_free_str) char *uri = rb_format("urn:rbtool:tag-object:%s", summary->object);
    if (summary->sha256)
        rb_json_set_str(digest, "sha256", summary->sha256);
    json_array_append_new(inputs, rb_json_make("uri:s digest:j", uri, digest));
    if (!summary->verdict_entry)
        return inputs;
    RB_AUTO(rb_free_str) char *said = rb_format("urn:rbtool:entry:%s", summary->verdict_entry);
    json_array_append_new(
        inputs,
        rb_json_make("uri:s digest:j", said, rb_json_make("gitCommit:s", summary->verdict_entry)));
    return inputs;
}

bool rb_summary_passed(const rb_summary *summary)
{
    rb_json_each (rule, summary->rules)
        if (!json_is_true(json_object_get(rule, "met")))
            return false;
    return summary->passed && (!summary->verdict || strcmp(summary->verdict, "bad") != 0);
}

/* Returns custom levels, which must not begin with SLSA_: rbtool does not evaluate SLSA's build
 * track. */
static json_t *levels_of(const rb_summary *summary)
{
    if (!rb_summary_passed(summary))
        return json_pack("[s]", "FAILED");
    return json_pack("[s,s,s*]", "SLSA_BUILD_LEVEL_UNEVALUATED", "RBTOOL_RELEASE_VERIFIED",
                     summary->verdict ? "RBTOOL_KNOWN_GOOD" : NULL);
}

json_t *rb_summary_statement(const rb_summary *summary)
{
    RB_AUTO(rb_free_str) char *time = rb_text_iso(summary->when);
    RB_AUTO(rb_free_str) char *resource = resource_of(summary);
    json_t *predicate =
        rb_json_make("verifier:j timeVerified:s resourceUri:s policy:j inputAttestations:j "
                     "verificationResult:s verifiedLevels:j slsaVersion:s",
                     rb_json_make("id:s version:j", summary->verifier,
                                  rb_json_make("rbtool:s", summary->version)),
                     time, resource, policy_of(summary), inputs_of(summary),
                     rb_summary_passed(summary) ? "PASSED" : "FAILED", levels_of(summary), "1.0");
    if (summary->reasons &&
        summary->reasons->n > 0) /* SLSA requires a URI as name of an extension */
        json_object_set_new(predicate, RB_SUMMARY_REASONS, rb_json_strs(summary->reasons));
    if (json_array_size(summary->rules) > 0)
        json_object_set(predicate, RB_SUMMARY_RULES, (json_t *)summary->rules);
    return rb_json_make("_type:s subject:j predicateType:s predicate:j",
                        "https://in-toto.io/Statement/v1", subjects_of(summary), RB_SUMMARY_TYPE,
                        predicate);
}
