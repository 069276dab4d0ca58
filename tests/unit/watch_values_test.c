/* The values that checks print in a watch: bounded, and true of all rounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/watch.h"

static void the_points_of_a_long_watch_are_bounded_and_cover_all_of_it(void **state)
{
    (void)state;
    json_t *values = json_object();
    for (int i = 0; i < 10000; i++) {
        json_t *round = json_pack("{s:i}", "rows", i == 77 ? -5 : i);
        rb_watch_add_values(values, round, (int64_t)i * 1000);
        json_decref(round);
        assert_true(json_array_size(json_object_get(json_object_get(values, "rows"), "points")) <=
                    RB_WATCH_POINTS);
    }
    const json_t *series = json_object_get(values, "rows");
    const json_t *points = json_object_get(series, "points");
    const size_t n = json_array_size(points);
    assert_int_equal(rb_json_int(series, "count", 0), 10000);
    assert_int_equal(rb_json_int(series, "first", -1), 0);
    assert_int_equal(rb_json_int(series, "last", 0), 9999);
    assert_int_equal(rb_json_int(series, "min", 0), -5);
    assert_int_equal(rb_json_int(series, "max", 0), 9999);
    assert_true(n >= RB_WATCH_POINTS / 2);
    const int64_t step = rb_json_int(series, "step", 0) * 1000;
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_integer_value(json_array_get(json_array_get(points, i), 0)),
                         (int64_t)i * step);
    assert_true((int64_t)n * step + step > 9999000);
    json_decref(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_points_of_a_long_watch_are_bounded_and_cover_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
