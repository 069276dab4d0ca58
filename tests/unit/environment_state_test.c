/* The journal of an environment: what another process can see of it, and when. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "database/database.h"
#include "environment/state.h"

#define OBJECT "0123456789012345678901234567890123456789"

static void ok(enum rb_code code, rb_err *err)
{
    if (code != RB_OK)
        fail_msg("%s", rb_err_line(err));
}

static int set_up(void **state)
{
    const char *base = getenv("TMPDIR");
    char *dir = rb_format("%s/rbtool-state-XXXXXX", base ? base : "/tmp");
    *state = mkdtemp(dir);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    rb_err err;
    ok(rb_dir_remove(*state, &err), &err);
    free(*state);
    return 0;
}

static rb_state *open_state(const char *root, bool write)
{
    rb_err err;
    rb_state *state = NULL;
    ok(rb_state_open(&state, root, write, &err), &err);
    assert_non_null(state);
    return state;
}

static void begin(rb_state *state)
{
    rb_err err;
    json_t *plan = json_pack("{s:[s,s],s:[{s:s}]}", "only", "app", "db", "steps", "id", "stage");
    const rb_transition_row row = {.id = (char *)"T1",
                                   .kind = (char *)"deploy",
                                   .to = (char *)"v1",
                                   .to_object = (char *)OBJECT,
                                   .plan = plan};
    ok(rb_state_begin(state, &row, &err), &err);
    json_decref(plan);
}

static void step(rb_state *state, const char *name, enum rb_step_state now)
{
    rb_err err;
    if (now == RB_STEP_DONE)
        ok(rb_state_step_ended(state, "T1", name, now, 5, &err), &err);
    else
        ok(rb_state_step(state, "T1", name, now, &err), &err);
}

/* As another process reads it now. */
static void expect(const char *root, bool pending, const char *name, enum rb_step_state expected)
{
    rb_err err;
    rb_transition_row *row = NULL;
    enum rb_step_state found = RB_STEP_NONE;
    rb_state *state = open_state(root, false);
    ok(rb_state_pending(&row, state, &err), &err);
    assert_int_equal(row != NULL, pending);
    if (row)
        assert_non_null(json_object_get(row->plan, "steps"));
    ok(rb_state_step_get(&found, state, "T1", name, &err), &err);
    assert_string_equal(rb_step_state_name(found), rb_step_state_name(expected));
    rb_transition_row_free(row);
    rb_state_close(state);
}

/* A beginning and a result wait for the intent or the end that follows; an intent never waits. */
static void test_order(void **context)
{
    const char *root = *context;
    rb_err err;
    rb_state *state = open_state(root, true);
    begin(state);
    expect(root, false, "stage", RB_STEP_NONE);
    step(state, "stage", RB_STEP_INTENT);
    expect(root, true, "stage", RB_STEP_INTENT);
    step(state, "stage", RB_STEP_DONE);
    expect(root, true, "stage", RB_STEP_INTENT);
    step(state, "switch", RB_STEP_INTENT);
    expect(root, true, "stage", RB_STEP_DONE);
    expect(root, true, "switch", RB_STEP_INTENT);
    step(state, "switch", RB_STEP_DONE);
    const rb_live live = {.tag = {(char *)"v1"}, .object = {(char *)OBJECT}};
    ok(rb_state_end(state, "T1", "done", NULL, &live, &err), &err);
    expect(root, false, "switch", RB_STEP_DONE);
    rb_live now;
    ok(rb_state_live(&now, state, &err), &err);
    assert_string_equal(now.tag[RB_PART_APP], "v1");
    assert_null(now.tag[RB_PART_DB]);
    rb_live_clear(&now);
    rb_state_close(state);
}

static void test_flush(void **context)
{
    const char *root = *context;
    rb_err err;
    rb_state *state = open_state(root, true);
    begin(state);
    step(state, "stage", RB_STEP_INTENT);
    step(state, "stage", RB_STEP_DONE);
    ok(rb_state_flush(state, &err), &err);
    expect(root, true, "stage", RB_STEP_DONE);
    ok(rb_state_flush(state, &err), &err);
    step(state, "stage", RB_STEP_UNDONE);
    expect(root, true, "stage", RB_STEP_UNDONE);
    rb_state_close(state);
}

/* Killed before the next intent: the step is done once more. */
static void test_kill(void **context)
{
    const char *root = *context;
    pid_t child = fork();
    if (child == 0) {
        rb_state *state = open_state(root, true);
        begin(state);
        step(state, "stage", RB_STEP_INTENT);
        step(state, "stage", RB_STEP_DONE);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect(root, true, "stage", RB_STEP_INTENT);
}

/* The same id again: refused, and nothing of it stays open. */
static void test_begun_twice(void **context)
{
    const char *root = *context;
    rb_err err;
    RB_AUTO(rb_json_freep) json_t *plan = json_object();
    const rb_transition_row row = {
        .id = (char *)"T1", .kind = (char *)"deploy", .to = (char *)"v1", .plan = plan};
    rb_state *state = open_state(root, true);
    begin(state);
    step(state, "stage", RB_STEP_INTENT);
    assert_int_equal(rb_state_begin(state, &row, &err), RB_ERROR);
    step(state, "stage", RB_STEP_UNDONE);
    expect(root, true, "stage", RB_STEP_UNDONE);
    rb_live now;
    ok(rb_state_live(&now, state, &err), &err);
    assert_null(now.tag[RB_PART_APP]);
    rb_state_close(state);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size == RLIM_INFINITY ? limit.rlim_max : size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk on which not even a rollback can write, wherever it begins to be full: when there is room
 * again, the same handle goes on, and others read. */
static void test_failed_rollback(void **context)
{
    const char *root = *context;
    rb_err err;
    int failures = 0;
    signal(SIGXFSZ, SIG_IGN);
    rb_state *state = open_state(root, true);
    begin(state);
    for (int i = 0; i < 400; i++) { /* the table gets pages at the file's end */
        RB_AUTO(rb_free_str) char *name = rb_format("step %d %0100d", i, i);
        step(state, name, RB_STEP_INTENT);
    }
    for (rlim_t limit = 1024; limit < 128 * 1024; limit += 3 * 1024) {
        RB_AUTO(rb_free_str) char *name = rb_format("last %d", (int)limit);
        limit_files(limit);
        failures += rb_state_step(state, "T1", name, RB_STEP_INTENT, &err) != RB_OK;
        limit_files(RLIM_INFINITY);
        step(state, name, RB_STEP_INTENT);
        expect(root, true, name, RB_STEP_INTENT);
    }
    assert_true(failures > 5);
    rb_state_close(state);
}

static void test_history(void **context)
{
    rb_err err;
    rb_transition_rows rows;
    rb_state *state = open_state(*context, true);
    begin(state);
    ok(rb_state_end(state, "T1", "failed", "why", NULL, &err), &err);
    for (int parts = 0; parts < 2; parts++) {
        ok(rb_state_history(&rows, state, parts, &err), &err);
        assert_int_equal(rows.n, 1);
        assert_string_equal(rows.items[0].to, "v1");
        assert_string_equal(rows.items[0].error, "why");
        assert_int_equal(json_object_size(rows.items[0].plan) > 0, parts);
        if (parts)
            assert_int_equal(json_array_size(json_object_get(rows.items[0].plan, "only")), 2);
        rb_transition_rows_clear(&rows);
    }
    rb_state_close(state);
}

/* What the tables would not take, with the tables that whoever damages the file makes. */
static const char loose[] =
    "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; CREATE TABLE live(part, tag, object); CREATE "
    "TABLE transition_log(sequence INTEGER PRIMARY "
    "KEY, id, kind, from_tag, from_object, to_tag, to_object, plan, outcome, error, started, "
    "finished, host, data); CREATE TABLE pin(name, value); CREATE TABLE step(transition_id, step, "
    "state, at, outcome, milliseconds); "
    "CREATE "
    "TABLE entry(transition_id, kind, id); CREATE TABLE backup(id INTEGER PRIMARY KEY, "
    "transition_id, database_name, file, sha256, items, bytes, pruned); CREATE TABLE "
    "restored(backup_id, item, transition_id); CREATE TABLE restore(id, backup_id, detail, "
    "committed, host); PRAGMA user_version=1;"
    "INSERT INTO live VALUES ('app', 'v1', '" OBJECT "'), ('db', 'v1', NULL);"
    "INSERT INTO transition_log VALUES (1, 'T1', 'revert', 'v2', '" OBJECT "', 'v1', '" OBJECT
    "', :plan, "
    "'done', "
    "'why', 1, 2, NULL, NULL), (2, 'T2', 'deploy', NULL, NULL, 'v1', '" OBJECT
    "', :plan, NULL, NULL, 1, NULL, "
    "NULL, NULL);"
    "INSERT INTO step VALUES ('T1', 'stage', 'done', 1, 'done', 5);"
    "INSERT INTO entry VALUES ('T1', 'transition', 'abc');"
    "INSERT INTO backup VALUES (1, 'T1', 'main', '.rbtool/backups/T1/main.sqlite', 'abc', "
    "'[{\"table\":\"t\"}]', 5, NULL);"
    "INSERT INTO restored VALUES (1, '[\"u\",null]', 'T1');";

static const char plan_text[] =
    "{\"only\":[\"app\"],\"steps\":[{\"id\":\"stage\"}],\"databases\":[{\"name\":\"main\","
    "\"scripts\":[{\"id\":\"1\",\"direction\":\"up\"}]}],\"drift\":[{\"part\":\"app\","
    "\"path\":\"p\"}],\"takenOver\":[],\"dataAtRisk\":[{\"table\":\"t\",\"column\":null}],"
    "\"before\":{\"current\":null,\"staged\":false,\"databases\":[{\"name\":\"main\",\"url\":"
    "\"2f\",\"create\":true}],"
    "\"failing\":[\"up\"]},\"parts\":[{\"part\":\"app\",\"from\":\"v2\",\"to\":\"v1\"}],\"more\":"
    "1}";

/* Made once more, then changed by sql, NULL: by nothing. */
static void make_loose(const char *root, const char *plan, const char *sql)
{
    rb_err err;
    RB_AUTO(rb_free_str) char *dir = rb_format("%s/.rbtool", root);
    RB_AUTO(rb_free_str) char *url = rb_format("sqlite:%s/state.db", dir);
    RB_AUTO(rb_db_closep) rb_db *db = NULL;
    ok(rb_dir_remove(dir, &err), &err);
    ok(rb_dir_make(dir, &err), &err);
    ok(rb_db_open(&db, url, RB_DB_CREATE, &err), &err);
    rb_buf text = {0};
    for (const char *p = loose; *p;) {
        const char *mark = strstr(p, ":plan");
        size_t len = mark ? (size_t)(mark - p) : strlen(p);
        rb_buf_printf(&text, "%.*s", (int)len, p);
        if (mark)
            rb_buf_printf(&text, "'%s'", plan);
        p += len + (mark ? strlen(":plan") : 0);
    }
    ok(rb_db_exec(db, rb_buf_str(&text), NULL, &err), &err);
    rb_buf_clear(&text);
    if (sql)
        ok(rb_db_exec(db, sql, NULL, &err), &err);
}

/* All that is ever asked of a journal, for reading. The first failure is returned. */
static enum rb_code read_everything(rb_state *state, rb_err *err)
{
    RB_AUTO(rb_live_clear) rb_live live = {0};
    RB_AUTO(rb_transition_row_freep) rb_transition_row *row = NULL;
    RB_AUTO(rb_json_freep) json_t *steps = NULL;
    RB_AUTO(rb_strs_clear) rb_strs entries = {0};
    enum rb_step_state now;
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows left = {0};
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows backups = {0};
    RB_TRY(rb_state_live(&live, state, err));
    RB_TRY(rb_state_pending(&row, state, err));
    if (row) {
        assert_non_null(row->to);
        RB_TRY(rb_state_steps(&steps, state, row, err));
        RB_TRY(rb_state_step_get(&now, state, row->id, "stage", err));
    }
    RB_TRY(rb_state_entries(&entries, state, err));
    RB_TRY(rb_state_history(&rows, state, true, err));
    for (size_t i = 0; i < rows.n; i++) {
        const rb_transition_row *ended = &rows.items[i];
        assert_true(ended->id && ended->kind && ended->to && ended->outcome);
    }
    RB_TRY(rb_state_outbox(&left, state, err));
    RB_TRY(rb_state_backups(&backups, state, "main", "T9", err));
    for (size_t i = 0; i < backups.n; i++) {
        const rb_backup_row *backup = &backups.items[i];
        assert_true(backup->file && backup->sha256 && json_is_array(backup->items));
    }
    return RB_OK;
}

/* It can be read, or the error names the file and says what to do. */
static enum rb_code try_reading(const char *root, const char *why)
{
    rb_err err = {0};
    RB_AUTO(rb_state_closep) rb_state *state = open_state(root, false);
    enum rb_code code = read_everything(state, &err);
    if (code != RB_OK && (code != RB_ERROR || !strstr(rb_err_line(&err), "state.db") ||
                          strchr(rb_err_line(&err), '\n')))
        fail_msg("%s: %s", why, rb_err_line(&err));
    return code;
}

static void test_damaged_rows(void **context)
{
    static const char *const cells[][2] = {{"live", "part"},
                                           {"live", "tag"},
                                           {"live", "object"},
                                           {"transition_log", "id"},
                                           {"transition_log", "kind"},
                                           {"transition_log", "from_tag"},
                                           {"transition_log", "plan"},
                                           {"transition_log", "from_object"},
                                           {"transition_log", "error"},
                                           {"transition_log", "to_object"},
                                           {"transition_log", "to_tag"},
                                           {"transition_log", "outcome"},
                                           {"transition_log", "started"},
                                           {"step", "step"},
                                           {"step", "state"},
                                           {"step", "outcome"},
                                           {"step", "milliseconds"},
                                           {"entry", "id"},
                                           {"entry", "kind"},
                                           {"backup", "file"},
                                           {"backup", "sha256"},
                                           {"backup", "items"},
                                           {"backup", "database_name"},
                                           {"restored", "item"}};
    static const char *const values[] = {"NULL", "1",      "x'00ff'",  "''",      "'[]'",   "'[1]'",
                                         "'{}'", "'[{}]'", "'{\"a\"'", "1.5e300", "char(0)"};
    make_loose(*context, plan_text, NULL);
    assert_int_equal(try_reading(*context, "as it was"), RB_OK);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        for (size_t j = 0; j < sizeof values / sizeof *values; j++) {
            RB_AUTO(rb_free_str)
            char *sql = rb_format("UPDATE %s SET %s = %s", cells[i][0], cells[i][1], values[j]);
            make_loose(*context, plan_text, sql);
            enum rb_code code = try_reading(*context, sql);
            bool needed = strcmp(cells[i][1], "part") == 0 || strcmp(cells[i][1], "tag") == 0 ||
                          strcmp(cells[i][1], "to_tag") == 0 || strcmp(cells[i][1], "id") == 0;
            if (j == 0 && needed && strcmp(cells[i][0], "entry") != 0)
                assert_int_equal(code, RB_ERROR);
        }
}

/* Every value of the plan in turn becomes something else. */
static void change(const char *root, json_t *plan, json_t *at, int *changed)
{
    static const char *const others[] = {"null", "1", "\"z\"", "[]", "[1]", "{}", "[{}]", "true"};
    size_t n = json_is_object(at) ? json_object_size(at) : json_array_size(at);
    for (size_t i = 0; i < n; i++) {
        void *member = json_object_iter(at);
        for (size_t k = 0; member && k < i; k++)
            member = json_object_iter_next(at, member);
        json_t *kept = json_incref(member ? json_object_iter_value(member) : json_array_get(at, i));
        for (size_t j = 0; j < sizeof others / sizeof *others; j++) {
            json_t *other = json_loads(others[j], JSON_DECODE_ANY, NULL);
            if (member)
                json_object_iter_set_new(at, member, other);
            else
                json_array_set_new(at, i, other);
            RB_AUTO(rb_buf_clear) rb_buf text = {0};
            rb_json_canonical(&text, plan);
            make_loose(root, rb_buf_str(&text), NULL);
            *changed += try_reading(root, rb_buf_str(&text)) == RB_ERROR;
        }
        if (member)
            json_object_iter_set(at, member, kept);
        else
            json_array_set(at, i, kept);
        change(root, plan, kept, changed);
        json_decref(kept);
    }
}

static void test_damaged_plan(void **context)
{
    rb_err err;
    int refused = 0;
    RB_AUTO(rb_json_freep) json_t *plan = NULL;
    ok(rb_json_read(&plan, plan_text, strlen(plan_text), "plan", &err), &err);
    change(*context, plan, plan, &refused);
    assert_true(refused > 50);
}

/* Only a journal of this version is read; one without tables, as an early kill leaves it, counts as
 * none. */
static void test_version(void **context)
{
    rb_err err;
    RB_AUTO(rb_state_closep) rb_state *state = NULL;
    make_loose(*context, plan_text, "PRAGMA user_version=2");
    for (int write = 0; write < 2; write++) {
        assert_int_equal(rb_state_open(&state, *context, write, &err), RB_ERROR);
        assert_non_null(
            strstr(err.message, "state.db has version 2, and this rbtool reads version 1"));
    }
    RB_AUTO(rb_free_str) char *path = rb_format("%s/.rbtool/state.db", (char *)*context);
    ok(rb_file_write(path, "", 0, 0644, &err), &err);
    ok(rb_state_open(&state, *context, false, &err), &err);
    assert_null(state);
    state = open_state(*context, true);
}

/* A pin survives the process, is replaced by name, and a journal without any has none. */
static void test_pins(void **context)
{
    rb_err err;
    RB_AUTO(rb_free_str) char *none = NULL;
    RB_AUTO(rb_free_str) char *host = NULL;
    rb_state *state = open_state(*context, true);
    ok(rb_state_pin(&none, state, "policy", &err), &err);
    assert_null(none);
    ok(rb_state_pin_set(state, "policy", "one", &err), &err);
    ok(rb_state_pin_set(state, "policy", "two", &err), &err);
    ok(rb_state_pin_set(state, "settings", "abc", &err), &err);
    rb_state_close(state);
    state = open_state(*context, false);
    ok(rb_state_pin(&host, state, "policy", &err), &err);
    assert_string_equal(host, "two");
    rb_state_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_damaged_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_plan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_rollback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begun_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_history, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pins, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
