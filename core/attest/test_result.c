#include "attest/test_result.h"

#include "base/text.h"

enum result { PASSED, WARNED, FAILED, RESULTS };

static enum result result_of(const json_t *migration)
{
    const char *restores = rb_json_str(migration, "restores");
    if (rb_text_same(restores, "fails") || rb_text_same(restores, "missing") ||
        json_is_false(json_object_get(migration, "reapplies")))
        return FAILED;
    const bool same = rb_text_same(restores, "identical") || rb_text_same(restores, "order");
    return same && json_array_size(json_object_get(migration, "destroys")) == 0 ? PASSED : WARNED;
}

json_t *rb_test_result_statement(const rb_release *release)
{
    static const char *const names[RESULTS] = {"PASSED", "WARNED", "FAILED"};
    const rb_manifest *manifest = release->manifest;
    json_t *tests[RESULTS] = {json_array(), json_array(), json_array()};
    enum result worst = PASSED;
    char commit[RB_OID_HEX];
    rb_oid_hex(&release->commit, commit);
    for (size_t i = 0; i < manifest->database_count; i++) {
        const rb_manifest_database *d = &manifest->databases[i];
        rb_json_each (migration, json_object_get(d->proof, "migrations")) {
            const enum result result = result_of(migration);
            RB_AUTO(rb_free_str)
            char *name = rb_format("%s/%s", d->name, rb_json_str(migration, "id"));
            json_array_append_new(tests[result], json_string(name));
            worst = result > worst ? result : worst;
        }
    }
    json_t *configuration = json_array();
    json_array_append_new(configuration, rb_json_make("name:s digest:j", "source",
                                                      rb_json_make("gitCommit:s", commit)));
    RB_AUTO(rb_json_freep) json_t *encoded = rb_manifest_encode(manifest);
    json_t *predicate =
        rb_json_make("result:s configuration:j passedTests:j warnedTests:j failedTests:j",
                     names[worst], configuration, tests[PASSED], tests[WARNED], tests[FAILED]);
    return rb_json_make("_type:s subject:J predicateType:s predicate:j",
                        "https://in-toto.io/Statement/v1", json_object_get(encoded, "subject"),
                        RB_TEST_RESULT_TYPE, predicate);
}
