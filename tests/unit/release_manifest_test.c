/* The manifest: one spelling, read back as it was written, and nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "release/flags.h"
#include "release/manifest.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C40 "cccccccccccccccccccccccccccccccccccccccc"

static rb_manifest *sample(void)
{
    rb_manifest *m = rb_calloc(1, sizeof *m);
    m->app_name = rb_strdup("shop");
    m->app_version = rb_strdup("1.4.0");
    strcpy(m->commit, C40);
    strcpy(m->tree, C40);
    m->previous = rb_calloc(1, sizeof *m->previous);
    *m->previous = (rb_link){rb_strdup("v1.3.2"), C40, A64};
    m->heads = rb_calloc(1, sizeof *m->heads);
    m->heads[0] = (rb_link){rb_strdup("v1.2.9"), C40, B64};
    m->head_count = 1;
    m->artifacts = rb_calloc(1, sizeof *m->artifacts);
    m->artifact_count = 1;
    m->artifacts[0] = (rb_manifest_artifact){.name = rb_strdup("app"),
                                             .format = rb_strdup("dir"),
                                             .files = 4465,
                                             .bytes = 1ull << 53,
                                             .tree = A64,
                                             .digest = B64};
    rb_strs_add(&m->artifacts[0].paths, "src/\xc3\xa9");
    rb_strs_add(&m->artifacts[0].submodules, "src/sub \"quoted\"\n");
    m->databases = rb_calloc(1, sizeof *m->databases);
    m->database_count = 1;
    m->databases[0] = (rb_manifest_database){
        .name = rb_strdup("main"),
        .engine = rb_strdup("sqlite"),
        .directory = rb_strdup("migrations"),
        .layout = rb_strdup("diesel"),
        .tracking = rb_strdup("auto"),
        .fingerprint = A64,
        .migration_count = 2,
        .proof = json_pack("{s:s,s:s,s:[]}", "engine", "sqlite", "version", "3", "migrations")};
    rb_manifest_migration *migrations = rb_calloc(2, sizeof *migrations);
    migrations[0] =
        (rb_manifest_migration){rb_strdup("1"), rb_strdup("users"), A64, B64, true, true, false};
    migrations[1] =
        (rb_manifest_migration){rb_strdup("2"), rb_strdup(""), A64, "", false, false, true};
    m->databases[0].migrations = migrations;
    m->flags_path = rb_strdup("flags.json");
    m->flags_format = rb_strdup("flagd");
    strcpy(m->flags_sha256, A64);
    m->flags = rb_calloc(2, sizeof *m->flags);
    m->flag_count = 2;
    m->flags[0] = (rb_manifest_flag){rb_strdup("a"), rb_strdup("ENABLED"), rb_strdup("on")};
    m->flags[1] = (rb_manifest_flag){rb_strdup("b"), rb_strdup("DISABLED"), NULL};
    m->config = rb_calloc(1, sizeof *m->config);
    m->config_count = 1;
    m->config[0] = (rb_manifest_file){rb_strdup("config/app.toml"), A64, "100644"};
    m->class_ = rb_strdup("lossy");
    m->known_good = rb_strdup("verdict");
    rb_strs_add(&m->notes, "lossy drops orders.note");
    return m;
}

static char *spell(const rb_manifest *manifest)
{
    json_t *json = rb_manifest_encode(manifest);
    rb_buf text = {0};
    rb_json_pretty(&text, json);
    json_decref(json);
    return rb_buf_detach(&text);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    RB_AUTO(rb_manifest_freep) rb_manifest *one = sample();
    RB_AUTO(rb_manifest_freep) rb_manifest *two = NULL;
    RB_AUTO(rb_free_str) char *text = spell(one);
    rb_err err = {0};
    if (rb_manifest_parse(&two, text, strlen(text), &err) != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    RB_AUTO(rb_free_str) char *again = spell(two);
    assert_string_equal(text, again);
    assert_string_equal(two->previous->tag, "v1.3.2");
    assert_int_equal(two->artifacts[0].bytes, 1ull << 53);
    assert_string_equal(two->artifacts[0].digest, B64);
    assert_string_equal(two->artifacts[0].submodules.items[0], "src/sub \"quoted\"\n");
    assert_string_equal(two->databases[0].migrations[1].down, "");
    assert_false(two->databases[0].migrations[1].up_transactional);
    assert_true(two->databases[0].migrations[1].code);
    assert_null(two->flags[1].default_);
    assert_string_equal(two->notes.items[0], "lossy drops orders.note");
    assert_ptr_equal(rb_manifest_database_find(two, "main"), &two->databases[0]);
    assert_null(rb_manifest_database_find(two, "other"));
}

/* Replaces the first occurrence of from in a good manifest's text. */
static void refuse(const char *from, const char *to, const char *message)
{
    RB_AUTO(rb_manifest_freep) rb_manifest *manifest = sample();
    RB_AUTO(rb_free_str) char *text = spell(manifest);
    const char *at = strstr(text, from);
    assert_non_null(at);
    RB_AUTO(rb_free_str)
    char *edited = rb_format("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    rb_err err = {0};
    rb_manifest *out = NULL;
    assert_int_equal(rb_manifest_parse(&out, edited, strlen(edited), &err), RB_FOUND);
    assert_null(out);
    if (!strstr(rb_err_line(&err), message))
        fail_msg("expected \"%s\" in: %s", message, rb_err_line(&err));
}

static void other_spellings_are_refused(void **state)
{
    (void)state;
    refuse("\n  \"predicate\"", "\n   \"predicate\"", "not written canonically: line 3 differs");
    refuse("\"files\": 4465", "\"files\":4465", "not written canonically");
    refuse("\"shop\"", "\"\\u0073hop\"", "not written canonically");
    refuse("src/\xc3\xa9", "src/\\u00e9", "not written canonically");
    refuse("{\n", "{\r\n", "not written canonically");
    refuse("4465", "4465.0", "predicate.artifacts[0].files: expected a whole number");
    refuse("9007199254740992", "9007199254740993", "predicate.artifacts[0].bytes");
    refuse("\"files\": 4465", "\"files\": -1", "predicate.artifacts[0].files");
}

static void other_content_is_refused(void **state)
{
    (void)state;
    refuse("\"name\": \"shop\"", "\"name\": \"shop\", \"name\": \"shop\"", "duplicate");
    refuse("shop", "sh\xffp", "decode byte");
    refuse("\"knownGood\": \"verdict\"", "\"knownGood\": \"verdict\", \"more\": 1",
           "found unknown key \"more\"");
    refuse("\"name\": \"shop\",", "", "predicate.app.name: expected a name");
    refuse("\"lossy\"", "\"harmless\"", "predicate.rollback.class: expected \"reversible\"");
    refuse("shop/app", "shop/other", "subject[0].name: expected shop/app, found shop/other");
    refuse("\"name\": \"shop\"", "\"name\": \"mall\"", "subject[0].name: expected mall/app");
    refuse("config/app.toml", "../app.toml", "predicate.config[0].path: expected a path inside");
    refuse("\"name\": \"a\"", "\"name\": \"c\"", "predicate.flags.values[1].name");
    refuse("\"id\": \"2\"", "\"id\": \"1\"", "predicate.databases[0].migrations[1].id");
    refuse("\"migrations\": []", "\"migrations\": [1.5]",
           "predicate.databases[0].proof.migrations[0]: expected an object, found 1.5");
    refuse(C40, "cccc", "expected an object id (40 lower-case hexadecimal digits)");
    refuse("urn:rbtool:release:v1", "urn:rbtool:release:v2", "predicateType");
    refuse("]\n}\n", "]\n}\n{}\n", "end of file expected");
}

static void nulls_are_kept(void **state)
{
    (void)state;
    RB_AUTO(rb_manifest_freep) rb_manifest *one = sample();
    RB_AUTO(rb_manifest_freep) rb_manifest *two = NULL;
    free(one->previous->tag);
    free(one->previous);
    one->previous = NULL;
    free(one->flags_path);
    one->flags_path = NULL;
    RB_AUTO(rb_free_str) char *text = spell(one);
    rb_err err = {0};
    assert_int_equal(rb_manifest_parse(&two, text, strlen(text), &err), RB_OK);
    assert_null(two->previous);
    assert_null(two->flags_path);
    assert_int_equal(two->flag_count, 0);
    assert_non_null(strstr(text, "\"flags\": null"));
}

static void only_tag_objects_hold_manifests(void **state)
{
    (void)state;
    rb_tag tag = {.annotated = true};
    rb_buf_puts(&tag.raw, "object x\n\ntitle\n" RB_MANIFEST_BEGIN "\n{}\n");
    assert_true(rb_manifest_is_in(&tag));
    tag.annotated = false;
    assert_false(rb_manifest_is_in(&tag));
    tag.annotated = true;
    rb_buf_clear(&tag.raw);
    rb_buf_puts(&tag.raw, "object x\n\nsay " RB_MANIFEST_BEGIN "\n");
    assert_false(rb_manifest_is_in(&tag));
    rb_buf_clear(&tag.raw);
}

static void flags(const char *text, size_t count, const char *message)
{
    rb_manifest_flag *out = NULL;
    size_t n = 0;
    rb_err err = {0};
    enum rb_code code = rb_flags_parse(&out, &n, text, strlen(text), "flags.json", &err);
    assert_int_equal(code, message ? RB_FOUND : RB_OK);
    assert_int_equal(n, count);
    if (message && !strstr(rb_err_line(&err), message))
        fail_msg("expected \"%s\" in: %s", message, rb_err_line(&err));
    if (count == 2) {
        assert_string_equal(out[0].name, "a");
        assert_string_equal(out[0].default_, "on");
        assert_string_equal(out[1].state, "DISABLED");
        assert_null(out[1].default_);
    }
    rb_flags_free(out, n);
}

static void flag_files_are_read(void **state)
{
    (void)state;
    flags("{\"$schema\":\"https://flagd.dev/schema/v0/flags.json\",\"flags\":{"
          "\"b\":{\"state\":\"DISABLED\",\"variants\":{\"x\":0.5}},"
          "\"a\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},"
          "\"defaultVariant\":\"on\",\"targeting\":{\"if\":[]}}}}",
          2, NULL);
    flags("{\"flags\":{}}", 0, NULL);
    flags("{}", 0, "flags: expected an object or a list of flags");
    flags("{\"flags\":{\"a\":{\"state\":\"on\"}}}", 0, "flags.a.state: expected \"ENABLED\"");
    flags("{\"flags\":{\"a\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1},"
          "\"defaultVariant\":\"of\"}}}",
          0, "flags.a.defaultVariant: expected the name of one of its variants, found \"of\"");
    flags("{\"flags\":{\"a\":{\"state\":\"ENABLED\"},\"a\":{\"state\":\"ENABLED\"}}}", 0,
          "duplicate");
    flags("{\"flags\":{\"a\\u0007\":{\"state\":\"ENABLED\"}}}", 0, "control characters");
}

/* The same documents go through schemas/ in tests/cli/schemas.bats. */
static void each_line(const char *path, enum rb_code expected, size_t least)
{
    rb_err err = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    assert_int_equal(rb_file_read(&text, path, 1 << 24, &err), RB_OK);
    size_t count = 0;
    for (char *line = text.data; *line; count++) {
        size_t len = strcspn(line, "\n");
        RB_AUTO(rb_json_freep) json_t *json = NULL;
        assert_int_equal(rb_json_read(&json, line, len, "a case", &err), RB_OK);
        RB_AUTO(rb_buf_clear) rb_buf pretty = {0};
        rb_json_pretty(&pretty, json);
        RB_AUTO(rb_manifest_freep) rb_manifest *manifest = NULL;
        if (rb_manifest_parse(&manifest, pretty.data, pretty.len, &err) != expected)
            fail_msg("%.*s: %s", (int)len, line, expected ? "is accepted" : rb_err_line(&err));
        line += len + 1;
    }
    assert_true(count >= least);
}

static void the_cases_of_the_schema_hold(void **state)
{
    (void)state;
    each_line("tests/data/manifest/valid.jsonl", RB_OK, 8);
    each_line("tests/data/manifest/invalid.jsonl", RB_FOUND, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_written_is_read_back),
                                       cmocka_unit_test(other_spellings_are_refused),
                                       cmocka_unit_test(other_content_is_refused),
                                       cmocka_unit_test(nulls_are_kept),
                                       cmocka_unit_test(only_tag_objects_hold_manifests),
                                       cmocka_unit_test(flag_files_are_read),
                                       cmocka_unit_test(the_cases_of_the_schema_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
