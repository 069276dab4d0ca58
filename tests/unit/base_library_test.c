#include "base/library.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct found {
    double (*first)(double);
    double (*second)(double);
};

static const char *const math[] = {"cos", "fabs", NULL};
static const char *const lacking[] = {"cos", "no_such_function", NULL};

static void finds_the_functions_in_their_order(void **state)
{
    struct found f = {0};
    const rb_library library = {"libm.so.6", "to count", "libc6", math, &f};
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(rb_library_load(&library, RB_IGNORED), RB_OK);
    assert_true(f.first(0.0) == 1.0 && f.second(-2.0) == 2.0);
}

static void names_what_to_install(void **state)
{
    struct found f = {0};
    const rb_library missing = {"libno-such.so.1", "to count", "libno-such1", math, &f};
    const rb_library old = {"libm.so.6", "to count", "libc6", lacking, &f};
    rb_err err;
    (void)state;
    assert_int_equal(rb_library_load(&missing, &err), RB_ERROR);
    assert_non_null(strstr(rb_err_line(&err), "cannot load libno-such.so.1 to count: "));
    assert_non_null(strstr(rb_err_line(&err), "install it: `apt-get install libno-such1`"));
    for (int i = 0; i < 2; i++) { /* half a library is none */
        assert_int_equal(rb_library_load(&old, &err), RB_ERROR);
        assert_non_null(strstr(rb_err_line(&err), "libm.so.6 lacks no_such_function"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_functions_in_their_order),
        cmocka_unit_test(names_what_to_install),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
