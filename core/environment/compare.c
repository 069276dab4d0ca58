#include "environment/compare.h"

#include <math.h>
#include <stdlib.h>

/* Returns a number, or a text that is one, since engines differ in the type of a sum. NAN: neither.
 */
static double number_of(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    if (json_is_number(value))
        return json_number_value(value);
    if (!text || !*text || *text == ' ')
        return NAN;
    const double number = strtod(text, &end);
    return *end ? NAN : number;
}

static enum rb_code compare_row(const json_t *a, const json_t *b, size_t row,
                                const rb_env_check *check, rb_err *err)
{
    const char *first = check->compare[0].name;
    const char *second = check->compare[1].name;
    void *x = json_object_iter((json_t *)a);
    void *y = json_object_iter((json_t *)b);
    if (json_object_size(a) != json_object_size(b))
        return rb_fail(err, RB_FOUND, "check \"%s\": %s answers %zu columns, and %s %zu",
                       check->name, first, json_object_size(a), second, json_object_size(b));
    for (size_t column = 1; x && y; column++) {
        const json_t *one = json_object_iter_value(x);
        const json_t *other = json_object_iter_value(y);
        const double m = number_of(one);
        const double n = number_of(other);
        if (!isnan(m) && !isnan(n) && !(fabs(m - n) <= check->tolerance))
            return rb_fail(err, RB_FOUND,
                           "check \"%s\": row %zu, column %zu: %s has %.15g, and %s has %.15g",
                           check->name, row, column, first, m, second, n);
        if ((isnan(m) || isnan(n)) && !json_equal(one, other))
            return rb_fail(err, RB_FOUND,
                           "check \"%s\": row %zu, column %zu differs between %s and %s",
                           check->name, row, column, first, second);
        x = json_object_iter_next((json_t *)a, x);
        y = json_object_iter_next((json_t *)b, y);
    }
    return RB_OK;
}

enum rb_code rb_compare_rows(const json_t *a, const json_t *b, const rb_env_check *check,
                             rb_err *err)
{
    const size_t m = json_array_size(a);
    const size_t n = json_array_size(b);
    if (m > RB_COMPARE_ROWS || n > RB_COMPARE_ROWS)
        return rb_fail(
            err, RB_FOUND, "check \"%s\": %s answers more than %d rows\ncompare counts and sums",
            check->name, check->compare[m > RB_COMPARE_ROWS ? 0 : 1].name, RB_COMPARE_ROWS);
    for (size_t i = 0; i < m && i < n; i++)
        RB_TRY(compare_row(json_array_get(a, i), json_array_get(b, i), i + 1, check, err));
    if (m == n)
        return RB_OK;
    return rb_fail(err, RB_FOUND, "check \"%s\": %s answers %zu rows, and %s %zu", check->name,
                   check->compare[0].name, m, check->compare[1].name, n);
}

static enum rb_code ask(json_t **rows, const rb_env *env, _Atomic(rb_db *) *active,
                        const rb_env_pair *side, int seconds, rb_err *err)
{
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    const rb_db_limits limits = {.seconds = seconds, .statements = true, .where = "attempt"};
    const char *url = rb_env_database(env, side->name);
    if (!url)
        return rb_fail(err, RB_FOUND, "environment %s has no such database", env->name);
    RB_TRY(rb_db_open(&db, url, RB_DB_READ, err));
    RB_TRY(rb_db_limit(db, &limits, err));
    if (active)
        atomic_store(active, db);
    enum rb_code code = rb_db_check(rows, db, side->value, RB_COMPARE_ROWS + 1, err);
    if (active)
        atomic_store(active, NULL);
    return code;
}

enum rb_code rb_compare_run(const rb_env *env, _Atomic(rb_db *) *active, const rb_env_check *check,
                            int seconds, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *a = NULL;
    RB_AUTO(rb_json_freep) json_t *b = NULL;
    json_t **rows[] = {&a, &b};
    for (size_t i = 0; i < 2; i++)
        if (ask(rows[i], env, active, &check->compare[i], seconds, err) != RB_OK)
            return rb_err_prefix(err, "check \"%s\": database %s", check->name,
                                 check->compare[i].name);
    return rb_compare_rows(a, b, check, err);
}
