/* What a plan says, as typed data: steps, their order, the worst decision, consent. */
#include "transition/plan_make.h"
#include "transition_lab.h"

/* "up 1,down 2,renumber 3 to 4" of the plan's one database. */
static char *scripts_of(const rb_plan *plan)
{
    rb_buf out = {0};
    assert_int_equal(plan->database_count, 1);
    for (size_t i = 0; i < plan->databases[0].step_count; i++) {
        const rb_db_step *step = &plan->databases[0].steps[i];
        rb_buf_puts(&out, i ? "," : "");
        if (step->was)
            rb_buf_printf(&out, "renumber %s to %s", step->was->id, step->migration->id);
        else
            rb_buf_printf(&out, "%s %s", step->up ? "up" : "down", step->migration->id);
    }
    return rb_buf_detach(&out);
}

static void assert_scripts(const rb_plan *plan, const char *expected)
{
    RB_AUTO(rb_free_str) char *text = scripts_of(plan);
    assert_string_equal(text, expected);
}

static void assert_order(const rb_plan *plan, const enum rb_step_kind *kinds, size_t n)
{
    assert_int_equal(plan->order_count, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(rb_step_kind_name(plan->order[i]), rb_step_kind_name(kinds[i]));
}

/* A plan that needs no person. */
static void assert_clear(const rb_plan *plan)
{
    rb_err err = {0};
    assert_int_equal(plan->worst, RB_OK);
    assert_false(plan->consent);
    assert_int_equal(json_array_size(plan->drift), 0);
    assert_int_equal(rb_plan_at_stake(plan), 0);
    assert_ok(rb_plan_allowed(plan, false, NULL, &err));
}

static void test_deploy_into_nothing(void **state)
{
    (void)state;
    static const enum rb_step_kind order[] = {RB_DO_STAGE,  RB_DO_DATABASE, RB_DO_SWITCH,
                                              RB_DO_COMMIT, RB_DO_FLAGS,    RB_DO_RECORD};
    place p;
    place_open(&p, "nothing");
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "deploy", SHOP_NEXT);
    assert_clear(plan);
    assert_order(plan, order, 6);
    assert_scripts(plan, "up 1,up 3");
    assert_true(plan->databases[0].create);
    assert_null(plan->databases[0].from_set);
    assert_null(plan->current_before);
    assert_false(rb_file_exists(p.database)); /* a plan makes nothing */
    place_close(&p);
}

static void test_deploy_forward(void **state)
{
    (void)state;
    place p;
    place_open(&p, "forward");
    place_go(&p, "deploy", SHOP_FIRST);
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "deploy", SHOP_NEXT);
    assert_clear(plan);
    assert_scripts(plan, "up 3");
    assert_false(plan->databases[0].create);
    assert_string_equal(plan->current_before, "releases/v1.0.0");
    place_close(&p);
}

static void test_revert(void **state)
{
    (void)state;
    static const enum rb_step_kind order[] = {RB_DO_STAGE,  RB_DO_FLAGS,  RB_DO_DATABASE,
                                              RB_DO_SWITCH, RB_DO_COMMIT, RB_DO_RECORD};
    place p;
    place_open(&p, "revert");
    place_go(&p, "deploy", SHOP_FIRST);
    place_go(&p, "deploy", SHOP_NEXT);
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "revert", SHOP_FIRST);
    assert_clear(plan);
    assert_order(plan, order, 6);
    assert_scripts(plan, "down 3");
    place_close(&p);
}

static void test_only(void **state)
{
    (void)state;
    static const enum rb_step_kind order[] = {RB_DO_FLAGS, RB_DO_RECORD};
    rb_err err = {0};
    place p;
    place_open(&p, "only");
    place_go(&p, "deploy", SHOP_FIRST);
    place_go(&p, "deploy", SHOP_NEXT);
    rb_plan_request rq = place_request(&p, "revert", SHOP_FIRST);
    for (size_t part = 0; part < RB_PARTS; part++)
        rq.parts[part] = part == RB_PART_FLAGS;
    RB_AUTO(rb_plan_freep) rb_plan *plan = NULL;
    assert_ok(rb_plan_make(&plan, &rq, &err));
    assert_clear(plan);
    assert_int_equal(plan->database_count, 0);
    assert_order(plan, order, 2);
    assert_false(plan->parts[RB_PART_APP]);
    assert_false(plan->parts[RB_PART_DB]);
    assert_true(plan->parts[RB_PART_FLAGS]);
    place_close(&p);
}

static void test_out_of_order(void **state)
{
    (void)state;
    place p;
    place_open(&p, "late");
    place_go(&p, "deploy", SHOP_NEXT);
    RB_AUTO(rb_plan_freep) rb_plan *forward = place_plan(&p, "deploy", SHOP_LATE);
    assert_clear(forward);
    assert_scripts(forward, "up 2");
    place_go(&p, "deploy", SHOP_LATE);
    RB_AUTO(rb_plan_freep) rb_plan *back = place_plan(&p, "revert", SHOP_NEXT);
    assert_clear(back);
    assert_scripts(back, "down 2");
    RB_AUTO(rb_plan_freep) rb_plan *further = place_plan(&p, "revert", SHOP_FIRST);
    assert_scripts(further, "down 2,down 3"); /* in the order in which they were applied */
    place_close(&p);
}

static void test_renumbered(void **state)
{
    (void)state;
    place p;
    place_open(&p, "renumbered");
    place_go(&p, "deploy", SHOP_LATE);
    place_sql(&p, "INSERT INTO orders VALUES (1, 5, 2, 'n')");
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "deploy", SHOP_RENUMBERED);
    assert_clear(plan);
    assert_scripts(plan, "renumber 3 to 4");
    place_go(&p, "deploy", SHOP_RENUMBERED);
    RB_AUTO(rb_plan_freep) rb_plan *back = place_plan(&p, "revert", SHOP_LATE);
    assert_clear(back);
    assert_scripts(back, "renumber 4 to 3");
    place_close(&p);
}

static void test_drift(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    place_open(&p, "drift");
    place_go(&p, "deploy", SHOP_FIRST);
    sh_do("echo '{}' >drift/flags.json");
    place_sql(&p, "CREATE INDEX by_hand ON orders (total)");
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "deploy", SHOP_NEXT);
    assert_int_equal(json_array_size(plan->drift), 2);
    assert_int_equal(plan->worst, RB_OK);
    assert_false(plan->consent);
    assert_int_equal(rb_plan_allowed(plan, false, NULL, &err), RB_DECIDE);
    assert_ok(rb_plan_allowed(plan, true, NULL, &err));
    assert_int_equal(json_array_size(plan->databases[0].drifted), 1);
    place_close(&p);
}

static void test_irreversible(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    place_open(&p, "one-way");
    place_go(&p, "deploy", SHOP_RENUMBERED);
    place_go(&p, "deploy", SHOP_ONE_WAY);
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "revert", SHOP_RENUMBERED);
    assert_int_equal(plan->worst, RB_DECIDE);
    assert_non_null(rb_err_line(&plan->refusal));
    assert_scripts(plan, "");
    assert_int_equal(rb_plan_allowed(plan, true, plan->digest, &err), RB_DECIDE);
    place_close(&p);
}

static void open_lossy(place *p, const char *name)
{
    place_open(p, name);
    place_go(p, "deploy", SHOP_FIRST);
    place_go(p, "deploy", SHOP_NEXT);
    place_sql(p, "INSERT INTO orders VALUES (1, 5, 2, NULL), (2, 6, NULL, NULL)");
}

static void test_data_at_risk(void **state)
{
    (void)state;
    place p;
    open_lossy(&p, "risk");
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "revert", SHOP_FIRST);
    assert_int_equal(plan->worst, RB_OK);
    assert_true(plan->consent);
    assert_int_equal(json_array_size(plan->databases[0].at_risk), 1);
    assert_int_equal(rb_plan_at_stake(plan), 1);
    RB_AUTO(rb_plan_freep) rb_plan *again = place_plan(&p, "revert", SHOP_FIRST);
    assert_string_equal(again->digest, plan->digest);
    place_sql(&p, "INSERT INTO orders VALUES (3, 7, 4, NULL)"); /* another count only */
    RB_AUTO(rb_plan_freep) rb_plan *more = place_plan(&p, "revert", SHOP_FIRST);
    assert_int_equal(rb_plan_at_stake(more), 2);
    assert_string_equal(more->digest, plan->digest);
    place_sql(&p, "UPDATE orders SET note = 'typed' WHERE id = 3"); /* another column */
    RB_AUTO(rb_plan_freep) rb_plan *other = place_plan(&p, "revert", SHOP_FIRST);
    assert_int_equal(json_array_size(other->databases[0].at_risk), 2);
    assert_string_not_equal(other->digest, plan->digest);
    place_close(&p);
}

static void test_digests(void **state)
{
    (void)state;
    rb_err err = {0};
    place p;
    open_lossy(&p, "digests");
    RB_AUTO(rb_plan_freep) rb_plan *plan = place_plan(&p, "revert", SHOP_FIRST);
    RB_AUTO(rb_free_str) char *twelve = rb_strndup(plan->digest, 12);
    RB_AUTO(rb_free_str) char *eleven = rb_strndup(plan->digest, 11);
    RB_AUTO(rb_free_str) char *longer = rb_format("%s0", plan->digest);
    RB_AUTO(rb_free_str) char *wrong = rb_strdup(twelve);
    wrong[11] = wrong[11] == '0' ? '1' : '0';
    assert_ok(rb_plan_allowed(plan, false, plan->digest, &err));
    assert_ok(rb_plan_allowed(plan, false, twelve, &err));
    const char *const refused[] = {NULL, "", eleven, longer, wrong};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(rb_plan_allowed(plan, false, refused[i], &err), RB_DECIDE);
    assert_int_equal(rb_plan_allowed(plan, true, NULL, &err), RB_DECIDE);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deploy_into_nothing),
        cmocka_unit_test(test_deploy_forward),
        cmocka_unit_test(test_revert),
        cmocka_unit_test(test_only),
        cmocka_unit_test(test_out_of_order),
        cmocka_unit_test(test_renumbered),
        cmocka_unit_test(test_drift),
        cmocka_unit_test(test_irreversible),
        cmocka_unit_test(test_data_at_risk),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests_name("transition_plan", tests, shop_open, shop_close);
}
