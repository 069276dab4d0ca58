#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/environment.h"
#include "environment/checks.h"

static const char *lookup(const char *name)
{
    return strcmp(name, "SHOP_URL") == 0 ? "sqlite:data/shop.db" : NULL;
}

static enum rb_code parse(rb_env **out, const char *text, const char *name, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    assert_int_equal(rb_json_read(&json, text, strlen(text), "test", err), RB_OK);
    return rb_env_read(out, json, name, "/base", lookup, err);
}

static void refuses(const char *text, const char *name, const char *said)
{
    rb_env *env = NULL;
    rb_err err = {0};
    assert_int_equal(parse(&env, text, name, &err), RB_ERROR);
    assert_null(env);
    if (!strstr(rb_err_line(&err), said))
        fail_msg("expected '%s' in '%s'", said, rb_err_line(&err));
}

static void reads_everything(void **state)
{
    (void)state;
    RB_AUTO(rb_env_freep) rb_env *env = NULL;
    rb_err err = {0};
    assert_int_equal(
        parse(&env,
              "{\"prod\":{\"root\":\"srv\",\"databases\":{\"main\":\"$SHOP_URL\","
              "\"pg\":\"postgresql:///x\"},\"flags\":\"/etc/f.json\",\"config\":{\"a\":\"b\"},"
              "\"service\":{\"stop\":[\"x\",\"y\"],\"start\":[\"z\"]},\"checks\":[{\"name\":\"n\","
              "\"command\":[\"c\"],\"timeout\":7}],\"objectives\":{\"rto\":300},\"keep\":9,"
              "\"owners\":[\"o\"],\"escalation\":[\"e\"]}}",
              NULL, &err),
        RB_OK);
    assert_string_equal(env->name, "prod");
    assert_string_equal(env->root, "/base/srv");
    assert_string_equal(rb_env_database(env, "main"), "sqlite:/base/data/shop.db");
    assert_string_equal(rb_env_database(env, "pg"), "postgresql:///x");
    assert_null(rb_env_database(env, "other"));
    assert_string_equal(env->flags, "/etc/f.json");
    assert_string_equal(env->config[0].value, "/base/b");
    assert_int_equal(env->stop.n, 2);
    assert_int_equal(env->checks[0].timeout, 7);
    assert_int_equal(env->rto, 300);
    assert_int_equal(env->rpo, -1);
    assert_int_equal(env->keep, 9);
}

static void paths_have_no_dots_and_go_up_from_where_symlinks_lead(void **state)
{
    (void)state;
    RB_AUTO(rb_env_freep) rb_env *env = NULL;
    rb_err err = {0};
    char dir[] = "/tmp/rbtool-env-XXXXXX";
    assert_non_null(mkdtemp(dir));
    RB_AUTO(rb_free_str) char *link = rb_format("%s/link", dir);
    assert_int_equal(symlink("/none/deep/folder", link), 0);
    RB_AUTO(rb_free_str)
    char *text = rb_format("{\"prod\":{\"root\":\"../srv/./x/..//shop\",\"flags\":\"%s/../f\","
                           "\"config\":{\"a\":\"/../..\",\"b\":\"%s/b\"},"
                           "\"databases\":{\"main\":\"sqlite:../d/../e.db\"}}}",
                           link, link);
    assert_int_equal(parse(&env, text, NULL, &err), RB_OK);
    assert_string_equal(env->root, "/srv/shop");
    assert_string_equal(env->flags, "/none/deep/f");
    assert_string_equal(env->config[0].value, "/");
    RB_AUTO(rb_free_str) char *below = rb_format("%s/b", link);
    assert_string_equal(env->config[1].value, below);
    assert_string_equal(rb_env_database(env, "main"), "sqlite:/e.db");
    unlink(link);
    rmdir(dir);
}

static void refuses_what_is_wrong(void **state)
{
    (void)state;
    refuses("{}", NULL, "no environment is configured");
    refuses("{\"a\":{\"root\":\"/x\"}}", "b", "there is a");
    refuses("{\"a\":{\"root\":\"/x\"},\"b\":{\"root\":\"/y\"}}", NULL, "--env");
    refuses("{\"a\":{}}", NULL, "environments.a: root");
    refuses("{\"a\":{\"root\":\"/x\",\"flag\":\"y\"}}", NULL, "flags");
    refuses("{\"a\":{\"root\":\"/x\",\"databases\":{\"m\":\"$NOPE\"}}}", NULL, "$NOPE");
    refuses("{\"a\":{\"root\":\"/x\",\"databases\":{\"m\":\"mysql://\"}}}", NULL, "sqlite:PATH");
    refuses(
        "{\"a\":{\"root\":\"/x\",\"databases\":{\"m\":\"sqlite:/none/d\",\"n\":\"sqlite:d\",\"o\":"
        "\"sqlite:/none/./d\"}}}",
        NULL, "environments.a.databases.m and databases.o are one");
    refuses("{\"a\":{\"root\":\"/x\",\"service\":{\"stop\":[]}}}", NULL, "service.stop");
    refuses("{\"a\":{\"root\":\"/x\",\"checks\":[{\"name\":\"n\",\"command\":[\"c\"],"
            "\"timeout\":0}]}}",
            NULL, "from 1 to 86400");
    refuses("{\"a\":{\"root\":\"/x\",\"keep\":1}}", NULL, "keep");
}

/* Of files that do not exist too, by text. */
static void refuses_shared_places(void **state)
{
    (void)state;
    refuses("{\"a\":{\"root\":\"/none/a\",\"databases\":{\"m\":\"sqlite:/none/d\"},\"flags\":"
            "\"/none/x/../d-wal\"}}",
            NULL,
            "environments.a.databases.m (its -wal file) and flags are the same place, /none/d-wal");
    refuses("{\"a\":{\"root\":\"/none/a\",\"flags\":\"/none/a/./x/../.rbtool/f\"}}", NULL,
            "comes and goes");
    const char *two =
        "{\"a\":{\"root\":\"/none/a\",\"databases\":{\"m\":\"$SHOP_URL\"}},\"b\":{"
        "\"root\":\"/none/b\",\"databases\":{\"n\":\"$SHOP_URL\",\"o\":\"$NOPE\"}},\"c\":{"
        "\"root\":\"/none/c\"},\"d\":{\"root\":\"/none/a\",\"flag\":\"\"}}";
    refuses(two, "a", "environments a and b share a place: a.databases.m and b.databases.n");
    RB_AUTO(rb_env_freep) rb_env *env = NULL;
    rb_err err = {0};
    assert_int_equal(parse(&env, two, "c", &err), RB_OK);
}

/* Also a command that the copy's list of commands to drop does not have yet. */
static void a_copy_runs_no_command(void **state)
{
    (void)state;
    RB_AUTO(rb_env_freep) rb_env *env = NULL;
    RB_AUTO(rb_strs_clear) rb_strs command = {0};
    rb_err err = {0};
    assert_int_equal(parse(&env, "{\"a\":{\"root\":\"/none/a\"}}", "a", &err), RB_OK);
    rb_strs_add(&command, "false");
    assert_int_equal(rb_command_run(NULL, env, &command, 9, "x", NULL, "v1", &err), RB_FOUND);
    rb_env_drop_commands(env);
    assert_int_equal(rb_command_run(NULL, env, &command, 9, "x", NULL, "v1", &err), RB_ERROR);
    assert_string_equal(err.message, "x: false was not run: this is a copy of environment a, and "
                                     "commands act on the real one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(paths_have_no_dots_and_go_up_from_where_symlinks_lead),
        cmocka_unit_test(refuses_what_is_wrong),
        cmocka_unit_test(refuses_shared_places),
        cmocka_unit_test(a_copy_runs_no_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
