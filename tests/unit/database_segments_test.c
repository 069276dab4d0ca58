/* Which scripts share a transaction. */
#include "database_help.h"

#define MOST 6

/* The segments of ups, "1,2|3*|4"; "*": outside of a transaction. */
static char *segments_of(const char *const *ups, const char *engine)
{
    script_pair pairs[MOST] = {0};
    rb_db_step steps[MOST] = {0};
    static const char *const ids[MOST] = {"1", "2", "3", "4", "5", "6"};
    rb_db_segment segment;
    rb_buf out = {0};
    size_t n = 0;
    for (; ups[n]; n++)
        pairs[n] = (script_pair){ids[n], ups[n], NULL};
    rb_migrations *set = help_set(pairs, n);
    for (size_t i = 0; i < n; i++)
        steps[i] = (rb_db_step){.migration = &set->items[i], .up = true};
    rb_db_segments(steps, n, engine);
    for (size_t k = 0; rb_db_segment_at(&segment, steps, n, k); k++) {
        rb_buf_puts(&out, k > 0 ? "|" : "");
        for (size_t i = segment.from; i < segment.to; i++)
            rb_buf_printf(&out, "%s%s%s", i > segment.from ? "," : "", ids[i],
                          segment.alone ? "*" : "");
        assert_int_equal(segment.last, segment.to == n);
    }
    rb_migrations_free(set);
    return rb_buf_detach(&out);
}

static void scripts_that_a_transaction_refuses_are_segments_of_their_own(void **state)
{
    (void)state;
    static const struct {
        const char *ups[MOST + 1];
        const char *expected;
    } cases[] = {
        {{NULL}, ""},
        {{"CREATE TABLE a (b int)", "CREATE INDEX i ON a (b)"}, "1,2"},
        {{"CREATE TABLE a (b int)", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON a (b)",
          "DROP TABLE a"},
         "1|2*|3"},
        {{"/* first */ create index concurrently on a (b)", "drop index concurrently i"}, "1*|2*"},
        {{"REINDEX TABLE CONCURRENTLY a", "REINDEX (VERBOSE) INDEX i", "REINDEX SCHEMA public"},
         "1*|2|3*"},
        {{"VACUUM ANALYZE a", "CLUSTER", "CLUSTER a USING i", "ANALYZE a; SET a.b = 1"},
         "1*|2*|3,4"},
        {{"ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "ALTER TABLE a DETACH PARTITION b"},
         "1*|2"},
        {{"REFRESH MATERIALIZED VIEW CONCURRENTLY a", "SELECT 'create index concurrently i on a'"},
         "1,2"},
        {{"ALTER TYPE m ADD VALUE 'calm'", "SELECT 1", "SELECT 'calm'::m", "SELECT 'calm'"},
         "1,2|3,4"},
        {{"ALTER TYPE m ADD VALUE IF NOT EXISTS 'it''s' AFTER 'x'", "SELECT 'x'"}, "1,2"},
        {{"ALTER TYPE m ADD VALUE 'calm'", "VACUUM", "SELECT 'calm'::m"}, "1|2*|3"},
        {{"ALTER TYPE m ADD VALUE 'on'", "CREATE TABLE n (conn text DEFAULT 'noon') -- 'on'",
          "ALTER TYPE m ADD VALUE 'off' BEFORE 'on'", "SELECT '{sad,on}'::m[]"},
         "1,2,3|4"},
        {{"DO $$ BEGIN ALTER TYPE m ADD VALUE 'it''s'; END $$",
          "COPY a FROM stdin;\nwhat it''s\n\\.\n"},
         "1|2"},
        {{"ALTER TYPE m ADD VALUE 'x'", "SELECT enum_range(NULL::m)"}, "1|2"},
        {{"ALTER TABLE a ADD value text DEFAULT 'x'", "SELECT 'x'"}, "1,2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RB_AUTO(rb_free_str) char *found = segments_of(cases[i].ups, "postgresql");
        assert_string_equal(found, cases[i].expected);
    }
}

static void an_engine_without_such_scripts_has_one_segment(void **state)
{
    (void)state;
    static const char *const ups[] = {"CREATE TABLE a (b)", "VACUUM", "SELECT 1", NULL};
    RB_AUTO(rb_free_str) char *found = segments_of(ups, "sqlite");
    assert_string_equal(found, "1,2,3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_that_a_transaction_refuses_are_segments_of_their_own),
        cmocka_unit_test(an_engine_without_such_scripts_has_one_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
