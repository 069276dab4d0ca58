#include "migration/lint.h"

#include <stdlib.h>
#include <string.h>

#include "migration/destroys.h"
#include "migration/engine_suffix.h"
#include "migration/layout.h"
#include "migration/unwrap.h"

/* State of a run. released[] is sorted by id; was[] has the ones that the set still contains. */
struct run {
    rb_findings *out;
    const rb_migrations *set;
    const char *engine;
    bool postgres;
    const rb_released **released;
    bool *seen;
    size_t count;
    const rb_released *
        *was; /* for each migration of the set, the released one with its id, or NULL */
    rb_lint_outside *outside;
};

static int compare_released(const void *a, const void *b)
{
    return strcmp((*(const rb_released *const *)a)->id, (*(const rb_released *const *)b)->id);
}

static const rb_released *find_released(const struct run *run, const char *id)
{
    rb_released key = {.id = id};
    const rb_released *wanted = &key;
    const rb_released **hit =
        bsearch(&wanted, run->released, run->count, sizeof *run->released, compare_released);
    if (!hit)
        return NULL;
    run->seen[hit - run->released] = true;
    return *hit;
}

/* Converts an offset in the script to a line of its file. */
static size_t line_at(const rb_script *script, size_t offset)
{
    return script->line + rb_sql_line(script->text, offset) - 1;
}

bool rb_released_has_scripts(const rb_migration *m, const rb_released *was)
{
    return !m->code && strcmp(m->up.sha256, was->up) == 0 &&
           m->down.present == (was->down != NULL) &&
           (!was->down || strcmp(m->down.sha256, was->down) == 0);
}

/* Finds the released migration that became m by a change of its id only: its id is missing in the
 * set, and its scripts are those of m. NULL if none or several match. Transitions use the same
 * rule. */
static const rb_released *find_renumbered(const struct run *run, const rb_migration *m)
{
    const rb_released *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < run->count; i++)
        if (!run->seen[i] && rb_released_has_scripts(m, run->released[i])) {
            found = run->released[i];
            count++;
        }
    for (size_t i = 0; i < run->set->n && count == 1; i++) {
        const rb_migration *other = &run->set->items[i];
        count += other != m && !run->was[i] && rb_released_has_scripts(other, found);
    }
    return count == 1 ? found : NULL;
}

/* Finds a migration that has the scripts of `was` under an id with which they were not released, or
 * NULL. */
static const rb_migration *find_moved(const struct run *run, const rb_released *was)
{
    for (size_t i = 0; i < run->set->n; i++) {
        const rb_migration *m = &run->set->items[i];
        bool own = run->was[i] && rb_released_has_scripts(m, run->was[i]);
        if (!own && rb_released_has_scripts(m, was))
            return m;
    }
    return NULL;
}

/* RB004: reports a changed script under a released id, because environments ran the released
 * text. */
static void check_changed(const struct run *run, const rb_migration *m, const rb_released *was)
{
    const rb_migration *moved = strcmp(m->up.sha256, was->up) == 0 ? NULL : find_moved(run, was);
    if (moved) {
        rb_findings_add(run->out, "RB004", m->id, m->up.path, m->up.line,
                        "its id was released with %s for the scripts that now have id %s (%s); "
                        "environments that ran those will not run this one: give those their id "
                        "back, and this one a later id",
                        was->release, moved->id, moved->up.path);
        return;
    }
    if (strcmp(m->up.sha256, was->up) != 0)
        rb_findings_add(run->out, "RB004", m->id, m->up.path, m->up.line,
                        "its up changed since %s; environments that ran the old one will not run "
                        "it again: restore the file and write a new migration",
                        was->release);
    if (!m->down.present && was->down)
        rb_findings_add(run->out, "RB004", m->id, m->up.path, m->up.line,
                        "its down, released with %s, is gone", was->release);
    else if (m->down.present && (!was->down || strcmp(m->down.sha256, was->down) != 0))
        rb_findings_add(run->out, "RB004", m->id, m->down.path, m->down.line,
                        "its down %s since %s; reverting that release runs the old one unless "
                        "--scripts-from names a release with this one",
                        was->down ? "changed" : "was added", was->release);
}

/* Finds a down without an up that has another number or name than m, and is probably the missing
 * one. */
static const char *stray_down(const struct run *run, const rb_migration *m)
{
    const rb_migrations *set = run->set;
    const char *best = NULL;
    for (size_t i = 0; i < set->ignored.n; i++) {
        const char *slash = strrchr(set->ignored.items[i], '/');
        rb_golang_name name;
        if (!rb_golang_parse(&name, slash ? slash + 1 : set->ignored.items[i]) || name.up)
            continue;
        if (set->engines.n > 0 && rb_dialect_is_other(&name, run->engine))
            continue;
        bool same =
            name.name_len == strlen(m->name) && memcmp(name.name, m->name, name.name_len) == 0;
        if (same)
            return set->ignored.items[i];
        if (name.version_len == strlen(m->id) && memcmp(name.version, m->id, name.version_len) == 0)
            best = set->ignored.items[i];
    }
    return best;
}

static void check_down(const struct run *run, const rb_migration *m)
{
    if (m->code) {
        rb_findings_add(run->out, "RB001", m->id, m->up.path, m->up.line,
                        "it is code that rbtool cannot run; its way back needs a person");
        return;
    }
    const char *stray = m->down.present ? NULL : stray_down(run, m);
    if (!m->down.present)
        rb_findings_add(run->out, "RB001", m->id, m->up.path, m->up.line, "it has no down; %s%s",
                        stray ? "is this its misspelt name: " : "write one, beside the up",
                        stray ? stray : "");
    else if (rb_script_is_blank(&m->down, run->engine) && !rb_script_is_blank(&m->up, run->engine))
        rb_findings_add(run->out, "RB001", m->id, m->down.path, m->down.line,
                        "its down is blank although its up is not; write what undoes the up");
}

struct destroying {
    const struct run *run;
    const rb_migration *migration;
};

static void add_destroyed(void *context, const rb_destroyed *what)
{
    const struct destroying *d = context;
    const rb_script *up = &d->migration->up;
    const char *next = strncmp(what->how, "DROP", 4) == 0
                           ? "rename it in this release, and drop it in the next"
                           : "copy the old rows into another table first, and take them from there "
                             "in the down";
    rb_findings_add(d->run->out, "RB003", d->migration->id, up->path, line_at(up, what->offset),
                    "%s %s%s%s destroys data that the down cannot bring back; %s", what->how,
                    what->table, what->column ? "." : "", what->column ? what->column : "", next);
}

/* Statements that the engine refuses inside a transaction: the first word, and a later word (NULL:
 * the first is enough). */
static const struct refused {
    bool pragmas; /* only in dialects with PRAGMAs */
    const char *first;
    const char *word;
    size_t at; /* position of the word in the statement; 0: anywhere */
    const char *what;
    bool alone; /* rbtool can run it outside of transactions */
} refused[] = {
    {true, "vacuum", NULL, 0, "vacuum", false},
    {true, "attach", NULL, 0, "attach", false},
    {true, "detach", NULL, 0, "detach", false},
    {false, "create", "concurrently", 0, "CREATE INDEX CONCURRENTLY", true},
    {false, "drop", "concurrently", 0, "DROP INDEX CONCURRENTLY", true},
    {false, "reindex", "concurrently", 0, "REINDEX CONCURRENTLY", true},
    {false, "reindex", "schema", 1, "REINDEX SCHEMA", true},
    {false, "reindex", "database", 1, "REINDEX DATABASE", true},
    {false, "vacuum", NULL, 0, "VACUUM", true},
    {false, "alter", "system", 1, "ALTER SYSTEM", false},
    {false, "create", "database", 1, "CREATE or DROP DATABASE", false},
    {false, "drop", "database", 1, "CREATE or DROP DATABASE", false},
    {false, "create", "tablespace", 1, "CREATE or DROP TABLESPACE", false},
    {false, "drop", "tablespace", 1, "CREATE or DROP TABLESPACE", false},
};

/* Returns the table's entry for a statement that the engine refuses inside a transaction, or
 * NULL. */
static const struct refused *not_transactional(const rb_sql_statement *s,
                                               const rb_sql_dialect *dialect)
{
    static const struct refused journal_mode = {.what = "PRAGMA journal_mode"};
    RB_AUTO(rb_free_str) char *pragma = rb_sql_pragma(s, dialect);
    bool sets = s->heads > 2 && !rb_token_is(&s->head[s->heads - 1], ".");
    if (pragma && sets && strcmp(pragma, "journal_mode") == 0)
        return &journal_mode;
    for (size_t r = 0; r < sizeof refused / sizeof *refused; r++) {
        const struct refused *of = &refused[r];
        bool found = !of->word;
        if (of->pragmas != dialect->pragmas || !rb_token_is(&s->head[0], of->first))
            continue;
        for (size_t i = 1; i < s->heads && !found; i++)
            found = (of->at == 0 || of->at == i) && rb_token_is(&s->head[i], of->word);
        if (found)
            return of;
    }
    return NULL;
}

/* True if a script with a statement that must run outside of a transaction also has others that
 * could run in one, besides SET, RESET and ANALYZE. */
static bool is_mixed(const struct run *run, const rb_script *s)
{
    static const char *const settings[] = {"set", "reset", "analyze", NULL};
    rb_sql sql;
    rb_sql_init(&sql, s->text, s->len, run->engine);
    rb_sql_statement statement;
    while (rb_sql_statement_next(&statement, &sql))
        if (!not_transactional(&statement, sql.dialect) &&
            !rb_sql_one_of(&statement.head[0], settings))
            return true;
    return false;
}

/* Adds the finding. It is only a warning if rbtool can run the script in segments. */
static void add_not_transactional(const struct run *run, const rb_migration *m, const rb_script *s,
                                  size_t line, const struct refused *what)
{
    const bool mixed = what->alone && is_mixed(run, s);
    const char *text =
        !what->alone ? "does not work inside a transaction, so the migration cannot be undone as a "
                       "whole"
        : mixed ? "runs outside of a transaction, and all of its script with it: a failure between "
                  "its statements leaves a transition half-way; give it a migration of its own"
                : "runs outside of a transaction: what comes before it is committed first, and is "
                  "undone by the inverse scripts if a later one fails";
    rb_findings_add(run->out, "RB006", m->id, s->path, line, "%s %s", what->what, text);
    run->out->items[run->out->n - 1].warning = what->alone && !mixed;
}

/*
 * RB006: reports scripts that do not run in a transaction. Their marker is only reported for
 * PostgreSQL: SQLite can run nearly everything inside a transaction, and scripts are usually marked
 * for a PRAGMA foreign_keys, which rbtool handles.
 */
static void check_transactional(const struct run *run, const rb_migration *m, const rb_script *s)
{
    if (!s->present)
        return;
    bool found = false;
    rb_sql sql;
    rb_sql_init(&sql, s->text, s->len, run->engine);
    rb_sql_statement statement;
    while (rb_sql_statement_next(&statement, &sql)) {
        const struct refused *what = not_transactional(&statement, sql.dialect);
        if (what)
            add_not_transactional(run, m, s, line_at(s, statement.start), what);
        found |= what != NULL;
    }
    if (found || s->transactional || !run->postgres)
        return;
    rb_findings_add(run->out, "RB006", m->id, s->path, s->line,
                    "it is marked to run outside of a transaction; it runs inside of one where "
                    "PostgreSQL permits that");
    run->out->items[run->out->n - 1].warning = true;
}

static void check_control(const struct run *run, const rb_migration *m, const rb_script *s)
{
    if (!s->present)
        return;
    rb_refused control = rb_sql_refused(s->text, s->len, run->engine);
    if (control.found)
        rb_findings_add(run->out, "RB009", m->id, s->path, line_at(s, control.offset),
                        "%s inside the script; only a BEGIN with its COMMIT can be left out",
                        control.what);
}

/* RB005: reports random values. The time of day is not reported, because columns with it are meant
 * to differ. */
static void check_random(const struct run *run, const rb_migration *m)
{
    static const char *const functions[] = {
        "random", "randomblob", "gen_random_uuid", "gen_random_bytes", "uuid_generate_v4", NULL};
    /* Statements that write rows when the script runs, unlike definitions (CREATE TRIGGER,
     * DEFAULT). */
    static const char *const verbs[] = {"insert", "replace", "update", "delete",
                                        "with",   "merge",   NULL};
    rb_sql sql;
    rb_sql_init(&sql, m->up.text, m->up.len, run->engine);
    rb_sql_statement s;
    while (rb_sql_statement_next(&s, &sql)) {
        bool writes = rb_sql_one_of(&s.head[0], verbs);
        rb_sql words = sql;
        words.at = s.start;
        rb_token name = {.kind = RB_TOKEN_END};
        for (rb_token token; writes && rb_sql_next(&token, &words) && words.at <= s.end;
             name = token)
            if (rb_token_is(&token, "(") && rb_sql_one_of(&name, functions)) {
                rb_findings_add(run->out, "RB005", m->id, m->up.path,
                                line_at(&m->up, (size_t)(name.text - m->up.text)),
                                "%.*s() gives other values in each environment and after each "
                                "deploy; write the values into the script, or let the application "
                                "set them",
                                (int)name.len, name.text);
                break;
            }
    }
}

struct outside {
    const struct run *run;
    const rb_migration *m;
    const rb_script *script;
};

static void add_outside(void *context, size_t offset, const char *message)
{
    const struct outside *o = context;
    rb_findings_add(o->run->out, "RB011", o->m->id, o->script->path, line_at(o->script, offset),
                    "%s", message);
}

/* RB011: reports functions that act outside the transaction or the database. */
static void check_outside(const struct run *run, const rb_migration *m, const rb_script *s)
{
    struct outside o = {run, m, s};
    if (s->present && run->outside)
        run->outside(run->engine, s->text, s->len, add_outside, &o);
}

static void check_new(const struct run *run, const rb_migration *m)
{
    check_down(run, m);
    if (m->code)
        return;
    struct destroying destroying = {run, m};
    rb_sql_destroys(m->up.text, m->up.len, run->engine, add_destroyed, &destroying);
    check_transactional(run, m, &m->up);
    check_transactional(run, m, &m->down);
    check_control(run, m, &m->up);
    check_control(run, m, &m->down);
    check_random(run, m);
    check_outside(run, m, &m->up);
    check_outside(run, m, &m->down);
}

/* RB008: sorts by id, because duplicates need not be adjacent (dbmate sorts by file name). */
static int compare_ids(const void *a, const void *b)
{
    const rb_migration *x = *(const rb_migration *const *)a, *y = *(const rb_migration *const *)b;
    int order = strcmp(x->id, y->id);
    return order ? order : strcmp(x->up.path, y->up.path);
}

static void check_duplicates(const struct run *run)
{
    const rb_migration **items = rb_calloc(run->set->n + 1, sizeof(const rb_migration *));
    for (size_t i = 0; i < run->set->n; i++)
        items[i] = &run->set->items[i];
    qsort(items, run->set->n, sizeof(const rb_migration *), compare_ids);
    for (size_t i = 1; i < run->set->n; i++)
        if (strcmp(items[i]->id, items[i - 1]->id) == 0)
            rb_findings_add(run->out, "RB008", items[i]->id, items[i]->up.path, items[i]->up.line,
                            "it has the same id as %s", items[i - 1]->up.path);
    free(items);
}

/* RB008: reports a released migration with a new id. rbtool records the new id and runs nothing;
 * other tools would run the script again. */
static void add_renumbered(const struct run *run, const rb_migration *m, const rb_released *was)
{
    rb_findings_add(run->out, "RB008", m->id, m->up.path, m->up.line,
                    "it is renumbered: its scripts were released as %s with %s; environments "
                    "record the new id and run nothing, but its own tool would run it again: give "
                    "it its old id back",
                    was->id, was->release);
}

static void check_added(const struct run *run, const rb_migration *m, const rb_released *later)
{
    if (later)
        rb_findings_add(run->out, "RB008", m->id, m->up.path, m->up.line,
                        "it is new but sorts before %s, released with %s; give it a later id",
                        later->id, later->release);
    check_new(run, m);
}

/* Matches migrations with released ones by id, and stores the next released one for messages. Then
 * checks each. */
static void check_items(struct run *run)
{
    size_t n = run->set->n;
    const rb_released **later = rb_calloc(n + 1, sizeof(const rb_released *));
    run->was = rb_calloc(n + 1, sizeof(const rb_released *));
    for (size_t i = n; i-- > 0;) {
        run->was[i] = find_released(run, run->set->items[i].id);
        later[i] = i + 1 < n && run->was[i + 1] ? run->was[i + 1] : later[i + 1];
    }
    const rb_released **renumbered = rb_calloc(n + 1, sizeof(const rb_released *));
    for (size_t i = 0; i < n; i++)
        renumbered[i] = run->was[i] ? NULL : find_renumbered(run, &run->set->items[i]);
    for (size_t i = 0; i < n; i++) {
        const rb_migration *m = &run->set->items[i];
        if (run->was[i])
            check_changed(run, m, run->was[i]);
        else if (renumbered[i])
            add_renumbered(run, m, renumbered[i]);
        else
            check_added(run, m, later[i]);
        if (renumbered[i])
            /* mark the released id as present: the migration has a new id */
            find_released(run, renumbered[i]->id);
    }
    free(renumbered);
    free(run->was);
    free(later);
}

/* Reports released migrations that are missing in the set: a deploy would run their downs. */
static void check_gone(const struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (!run->seen[i])
            rb_findings_add(run->out, "RB004", run->released[i]->id,
                            run->released[i]->file ? run->released[i]->file : "", 1,
                            "it was released with %s and is gone; a deploy would run its down",
                            run->released[i]->release);
}

void rb_lint(rb_findings *out, const rb_migrations *set, const char *engine,
             const rb_released *released, size_t count, rb_lint_outside *outside)
{
    struct run run = {.out = out,
                      .set = set,
                      .engine = engine,
                      .postgres = strcmp(engine, "postgresql") == 0,
                      .released = rb_calloc(count + 1, sizeof(const rb_released *)),
                      .seen = rb_calloc(count + 1, sizeof(bool)),
                      .count = count,
                      .outside = outside};
    for (size_t i = 0; i < count; i++)
        run.released[i] = &released[i];
    qsort(run.released, count, sizeof *run.released, compare_released);
    check_duplicates(&run);
    check_items(&run);
    check_gone(&run);
    free(run.released);
    free(run.seen);
}
