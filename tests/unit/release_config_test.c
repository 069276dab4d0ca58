/* rbtool.json: what is read, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "config/config.h"

static rb_config *parse(const char *text)
{
    rb_err err = {0};
    rb_config *config = NULL;
    enum rb_code code = rb_config_parse(&config, text, strlen(text), "rbtool.json", &err);
    if (code != RB_OK)
        fail_msg("%s", rb_err_line(&err));
    return config;
}

static void refuse(const char *text, const char *message)
{
    rb_err err = {0};
    rb_config *config = NULL;
    assert_int_equal(rb_config_parse(&config, text, strlen(text), "rbtool.json", &err), RB_ERROR);
    assert_null(config);
    if (!strstr(rb_err_line(&err), message))
        fail_msg("expected \"%s\" in: %s", message, rb_err_line(&err));
}

static void only_the_name_is_required(void **state)
{
    (void)state;
    RB_AUTO(rb_config_freep) rb_config *config = parse("{\"app\":{\"name\":\"shop\"}}");
    assert_string_equal(config->app_name, "shop");
    assert_string_equal(config->tags, "v*");
    assert_string_equal(config->known_good, "verdict");
    assert_int_equal(config->artifact_count, 1);
    assert_string_equal(config->artifacts[0].name, "source");
    assert_string_equal(config->artifacts[0].format, "dir");
    assert_int_equal(config->artifacts[0].paths.n, 0);
    assert_int_equal(config->database_count, 0);
    assert_null(config->flags_file);
    assert_null(config->version_file);
    assert_int_equal(json_object_size(config->environments), 0);
}

static void everything_is_read(void **state)
{
    (void)state;
    RB_AUTO(rb_config_freep)
    rb_config *config = parse(
        "{\"app\":{\"name\":\"shop\",\"version\":{\"json\":\"package.json\"}},\"tags\":\"shop-*\","
        "\"artifacts\":[{\"name\":\"app\",\"paths\":[\"src\",\"public\"],\"format\":\"tar.gz\"}],"
        "\"databases\":{\"z\":{\"engine\":\"sqlite\",\"migrations\":\"db/z\"},"
        "\"a\":{\"engine\":\"postgresql\",\"migrations\":\"db/a\",\"layout\":\"dbmate\","
        "\"tracking\":\"diesel\",\"seed\":\"seed.sql\"}},"
        "\"flags\":{\"file\":\"flags.json\"},\"config\":[\"config/*.toml\"],"
        "\"checks\":{\"sql\":[\"checks/*.sql\"]},\"knownGood\":\"verified\","
        "\"schemaCompatible\":true,\"environments\":{\"prod\":{\"root\":\"/srv/shop\"}}}");
    assert_string_equal(config->version_json, "package.json");
    assert_string_equal(config->version_key, "version");
    assert_string_equal(config->artifacts[0].paths.items[1], "public");
    assert_string_equal(config->databases[0].name, "a");
    assert_string_equal(config->databases[0].seed, "seed.sql");
    assert_string_equal(config->databases[1].layout, "auto");
    assert_string_equal(config->flags_format, "flagd");
    assert_string_equal(config->config.items[0], "config/*.toml");
    assert_string_equal(config->sql_checks.items[0], "checks/*.sql");
    assert_non_null(json_object_get(config->environments, "prod"));
}

static void unknown_keys_name_the_nearest(void **state)
{
    (void)state;
    refuse("{\"app\":{\"name\":\"shop\"},\"artefacts\":[]}",
           "rbtool.json, line 1: expected a known key, the nearest is \"artifacts\", found unknown "
           "key "
           "\"artefacts\"");
    refuse("{\"app\":{\"nmae\":\"shop\"}}",
           "app: expected a known key, the nearest is \"name\", found unknown key \"nmae\"");
    refuse("{\"app\":{\"name\":\"shop\"},\"environments\":{\"prod\":{\"chekcs\":[]}}}",
           "environments.prod: expected a known key, the nearest is \"checks\"");
    refuse("{\"app\":{\"name\":\"shop\",\"version\":{\"file\":\"V\",\"key\":\"x\"}}}",
           "app.version: expected a known key, the nearest is \"file\"");
}

static void faults_name_their_line(void **state)
{
    (void)state;
    refuse("{\"app\":\n{\"name\": \"shop\",\n \"nmae\": 1}}",
           "rbtool.json, line 3: app: expected a known key, the nearest is \"name\"");
    refuse(
        "{\"app\": {\"name\": \"shop\"},\n\"env\": {}}",
        "line 2: expected a known key, the nearest is \"environments\", found unknown key \"env\"");
    refuse("{\"app\": {\"name\": \"a \\\" {\"},\n\"environments\": {\n\"p\\u0072od\": {\"root\": "
           "\"/x\","
           "\n\"checks\": [\n{\"name\": \"a\", \"command\": [\"x\"]},\n\n{\"name\": \"b\", \"cmd\":"
           " []}]}}}",
           "rbtool.json, line 1: app.name: expected a name");
    refuse("{\"app\": {\"name\": \"shop\"},\n\"environments\": {\n\"p\\u0072od\": {\"root\": "
           "\"/x\",\n\"checks\":"
           " [\n{\"name\": \"a\", \"command\": [\"x\"]},\n\n{\"name\": \"b\", \"cmd\": []}]}}}",
           "rbtool.json, line 7: environments.prod.checks[1]: expected a known key, the nearest is "
           "\"command\", found unknown key \"cmd\"");
    refuse("{\n\"app\": {\n\"name\": \"shop\"},\n\"tags\": [],\n\"config\": []}",
           "rbtool.json, line 4: tags: expected a string");
    refuse("{\n\"app\": {\"name\": \"shop\"},\n\"artifacts\": [{},\n{\"name\": \"x\"}]}",
           "rbtool.json, line 3: artifacts[0].name: expected a name");
    refuse("{\"app\": {\"name\": \"shop\"},\n\"environments\": {\"p\": {\"root\": "
           "\"/x\",\n\"config\":\n"
           "{\"a.b/c[0]\":\n1}}}}",
           "rbtool.json, line 4: environments.p.config.a.b/c[0]: expected");
}

static void wrong_types_name_their_place(void **state)
{
    (void)state;
    refuse("{}", "app: expected an object, found nothing");
    refuse("[]", "rbtool.json, line 1: expected an object, found []");
    refuse("{\"app\":{}}", "app.name: expected a name");
    refuse("{\"app\":{\"name\":\"../x\"}}", "found \"../x\"");
    refuse("{\"app\":{\"name\":\"s\"},\"artifacts\":[{\"name\":\"a\",\"paths\":[\"src\",3]}]}",
           "artifacts[0].paths[1]: expected a path inside the repository");
    refuse(
        "{\"app\":{\"name\":\"s\"},\"artifacts\":[{\"name\":\"a\",\"paths\":[\"src\",\"src\"]}]}",
        "artifacts[0].paths[1]: expected each item once");
    refuse("{\"app\":{\"name\":\"s\"},\"artifacts\":[{\"name\":\"a\",\"paths\":[\"s\"]},"
           "{\"name\":\"a\",\"paths\":[\"t\"]}]}",
           "artifacts[1].name: expected a name of its own");
    refuse("{\"app\":{\"name\":\"s\"},\"artifacts\":[]}",
           "artifacts: expected a list of at least 1");
    refuse("{\"app\":{\"name\":\"s\"},\"databases\":{\"m\":{\"engine\":\"mysql\","
           "\"migrations\":\"m\"}}}",
           "databases.m.engine: expected \"sqlite\" or \"postgresql\", found \"mysql\"");
    refuse("{\"app\":{\"name\":\"s\"},\"databases\":{\"m/..\":{\"engine\":\"sqlite\","
           "\"migrations\":\"m\"}}}",
           "databases: expected keys that are a name");
    refuse("{\"app\":{\"name\":\"s\"},\"environments\":{\"p\":{\"keep\":1.5}}}",
           "environments.p.keep: expected a whole number from 2 to 10000, found 1.5");
    refuse("{\"app\":{\"name\":\"s\"},\"knownGood\":\"yes\"}",
           "knownGood: expected \"verdict\" or \"verified\", found \"yes\"");
}

static void paths_stay_inside(void **state)
{
    (void)state;
    static const char *const bad[] = {"/etc",
                                      "../x",
                                      "a/../b",
                                      "a//b",
                                      "a/",
                                      "./a",
                                      ".git/config",
                                      "sub/.GiT/x",
                                      "git~1",
                                      ".git. . . . . . .",
                                      "",
                                      ".g\xe2\x80\x8cit/x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RB_AUTO(rb_free_str)
        char *text = rb_format("{\"app\":{\"name\":\"s\"},\"flags\":{\"file\":\"%s\"}}", bad[i]);
        refuse(text, "flags.file: expected a path inside the repository");
    }
}

static void bad_json_is_refused(void **state)
{
    (void)state;
    refuse("{\"app\":{\"name\":\"a\",\"name\":\"b\"}}", "duplicate");
    refuse("{\"app\":{\"name\":\"a\"}} x", "line 1");
    refuse("{\"app\":{\"name\":\"\xff\"}}", "unable to decode byte 0xff");
    refuse("", "not valid JSON");
    rb_err err = {0};
    rb_config *config = NULL;
    char *large = calloc(1, RB_CONFIG_LIMIT + 1);
    assert_int_equal(rb_config_parse(&config, large, RB_CONFIG_LIMIT + 1, "rbtool.json", &err),
                     RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "limit of 1048576 bytes"));
    free(large);
}

/* The same documents go through schemas/ in tests/cli/schemas.bats. */
static void each_line(const char *path, enum rb_code expected)
{
    rb_err err = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    assert_int_equal(rb_file_read(&text, path, 1 << 24, &err), RB_OK);
    size_t count = 0;
    for (char *line = text.data; *line; count++) {
        size_t len = strcspn(line, "\n");
        RB_AUTO(rb_config_freep) rb_config *config = NULL;
        if (rb_config_parse(&config, line, len, "rbtool.json", &err) != expected)
            fail_msg("%.*s: %s", (int)len, line, expected ? "is accepted" : rb_err_line(&err));
        line += len + 1;
    }
    assert_true(count > 50);
}

static void the_cases_of_the_schema_hold(void **state)
{
    (void)state;
    each_line("tests/data/config/valid.jsonl", RB_OK);
    each_line("tests/data/config/invalid.jsonl", RB_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_name_is_required),
                                       cmocka_unit_test(everything_is_read),
                                       cmocka_unit_test(unknown_keys_name_the_nearest),
                                       cmocka_unit_test(wrong_types_name_their_place),
                                       cmocka_unit_test(faults_name_their_line),
                                       cmocka_unit_test(paths_stay_inside),
                                       cmocka_unit_test(bad_json_is_refused),
                                       cmocka_unit_test(the_cases_of_the_schema_hold)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
