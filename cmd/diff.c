#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "catalog/name.h"
#include "cli.h"
#include "git/snapshot.h"
#include "release/flags.h"
#include "release/unreleased.h"
#include "report/diff.h"
#include "ui.h"

#define COMMITS_SHOWN 20
#define PATHS_SHOWN                                                                                \
    20 /* paths of an artifact that the text lists for each kind of change; --json has all */

struct between {
    const rb_release *from;
    rb_release **items;
    size_t n;
};

struct sides {
    rb_release *from;
    rb_release *to;
};

static void sides_clear(struct sides *sides)
{
    rb_release_free(sides->from);
    rb_release_free(sides->to);
}

static void between_clear(struct between *between)
{
    for (size_t i = 0; i < between->n; i++)
        rb_release_free(between->items[i]);
    free(between->items);
}

/* Adds the releases on the walk from the later release back to `from`. */
static bool add_between(void *context, const rb_release *release)
{
    struct between *between = context;
    if (strcmp(release->tag, between->from->tag) == 0)
        return false;
    between->items = rb_realloc(between->items, between->n + 1, sizeof *between->items);
    between->items[between->n++] = rb_release_hold((rb_release *)release);
    return true;
}

/* Opens B. If B is not a release, describes the revision like one; without B, the work tree. */
static enum rb_code open_b(rb_release **out, rb_cli *cli, const rb_release *from, const char *name,
                           rb_err *err)
{
    rb_repo *repo = cli->session.repo;
    RB_AUTO(rb_tag_freep) rb_tag *tag = NULL;
    rb_oid commit;
    if (!name) {
        RB_TRY(rb_repo_snapshot(&commit, repo, err));
        return rb_unreleased(out, repo, &commit, "the work tree", from, err);
    }
    if (rb_tag_read(&tag, repo, name, RB_IGNORED) != RB_OK &&
        rb_repo_commit(&commit, repo, name, RB_IGNORED) == RB_OK)
        return rb_unreleased(out, repo, &commit, name, from, err);
    return rb_session_release(out, &cli->session, name, NULL, err);
}

static enum rb_code make(json_t **out, struct sides *sides, rb_cli *cli, const rb_options *o,
                         rb_err *err)
{
    RB_TRY(rb_session_signers(&cli->session, err));
    rb_session_extensions(&cli->session);
    RB_TRY(rb_session_release(&sides->from, &cli->session, o->argv[0], NULL, err));
    rb_ui_progress(cli, "comparing");
    RB_TRY(open_b(&sides->to, cli, sides->from, o->argc > 1 ? o->argv[1] : NULL, err));
    RB_AUTO(between_clear) struct between between = {.from = sides->from};
    /* The walk ends at a release that does not verify. rb_diff() reports that its proofs are
     * unknown. */
    rb_session_walk(&cli->session, sides->to, add_between, &between);
    RB_TRY(rb_diff(out, cli->session.repo, sides->from, sides->to,
                   (const rb_release *const *)between.items, between.n, err));
    json_t *files = NULL;
    if (o->json || o->stat || o->name_only)
        RB_TRY(rb_diff_lines(&files, cli->session.repo, sides->from, sides->to, err));
    rb_json_set(*out, "files:j", files);
    return RB_OK;
}

static const char *text(const json_t *object, const char *key)
{
    const char *s = rb_json_str(object, key);
    return s ? s : "";
}

/* Prints one changed item: a sign (such as + or -) and the name, in the sign's colour. */
static void print_change(const char *indent, const char *change, const char *name)
{
    bool added = strcmp(change, "added") == 0, removed = strcmp(change, "removed") == 0;
    enum rb_color color = added ? RB_GREEN : removed ? RB_RED : RB_YELLOW;
    rb_ui_line("%s%s%s %s</>", indent, rb_ui_color(color), added ? "+" : removed ? "-" : "~", name);
}

static const char *const kinds[] = {"added", "removed", "changed"};

/* Returns "1 file added, 3 files changed", or "" if all lists are empty. */
static char *summary(const json_t *lists, const char *noun)
{
    rb_buf out = {0};
    for (size_t i = 0; i < 3; i++) {
        size_t n = json_array_size(json_object_get(lists, kinds[i]));
        RB_AUTO(rb_free_str) char *count = rb_text_count(n);
        if (n > 0)
            rb_buf_printf(&out, "%s%s %s%s %s", out.len ? ", " : "", count, noun, n == 1 ? "" : "s",
                          kinds[i]);
    }
    return rb_buf_detach(&out);
}

/* Returns the label of a migration, "2 discount", from the side that has it. */
static char *migration_label(const struct sides *sides, const char *database, const char *id)
{
    const rb_release *const releases[] = {sides->to, sides->from};
    for (size_t i = 0; i < 2; i++) {
        const rb_manifest_database *d = rb_manifest_database_find(releases[i]->manifest, database);
        for (size_t k = 0; d && k < d->migration_count; k++)
            if (strcmp(d->migrations[k].id, id) == 0)
                return rb_format("%s%s%s", id, *d->migrations[k].name ? " " : "",
                                 d->migrations[k].name);
    }
    return rb_strdup(id);
}

/* Prints the lists of added, removed and changed names. database: of the migrations that are
 * listed, or NULL for files. */
static void print_lists(const json_t *lists, const struct sides *sides, const char *database)
{
    for (size_t i = 0; i < 3; i++) {
        const json_t *list = json_object_get(lists, kinds[i]);
        size_t n = json_array_size(list);
        for (size_t k = 0; k < n && k < PATHS_SHOWN; k++) {
            const char *name = json_string_value(json_array_get(list, k));
            RB_AUTO(rb_free_str)
            char *label = database ? migration_label(sides, database, name) : rb_strdup(name);
            print_change("  ", kinds[i], label);
        }
        if (n > PATHS_SHOWN)
            rb_ui_line("    and %zu more %s (--json lists all)", n - PATHS_SHOWN, kinds[i]);
    }
}

static void print_head(const char *part, const char *name, const char *rest)
{
    rb_ui_line("<bold>%s%s%s</>%s%s", part, *name ? " " : "", name, *rest ? ": " : "", rest);
}

/* True if a column that is listed as added or removed is one side of a rename. */
static bool is_renamed(const json_t *renamed, const json_t *change)
{
    const char *side = strcmp(text(change, "change"), "added") == 0     ? "to"
                       : strcmp(text(change, "change"), "removed") == 0 ? "from"
                                                                        : NULL;
    rb_json_each (item, renamed) {
        RB_AUTO(rb_free_str)
        char *key = side ? rb_catalog_place_key(text(item, "table"), text(item, side)) : NULL;
        if (key && strcmp(key, text(change, "object")) == 0)
            return true;
    }
    return false;
}

static void print_databases(const json_t *databases, const struct sides *sides)
{
    rb_json_each (database, databases) {
        const json_t *migrations = json_object_get(database, "migrations");
        const json_t *schema = json_object_get(database, "schema");
        RB_AUTO(rb_free_str) char *counts = summary(migrations, "migration");
        if (!*counts && json_array_size(schema) == 0)
            continue;
        const char *name = text(database, "name");
        print_head("database", name, *counts ? counts : "the same migrations");
        print_lists(migrations, sides, name);
        if (json_array_size(schema) > 0)
            rb_ui_line("  schema");
        rb_json_each (change, schema) {
            if (change_at == 2 * PATHS_SHOWN) {
                rb_ui_line("      and %zu more objects (--json lists all)",
                           json_array_size(schema) - change_at);
                break;
            }
            if (!is_renamed(json_object_get(database, "renamed"), change))
                print_change("    ", text(change, "change"), text(change, "object"));
        }
        rb_json_each (item, json_object_get(database, "renamed")) {
            RB_AUTO(rb_free_str) char *line = rb_template("column {table}.{from} -> {to}", item);
            print_change("    ", "changed", line);
        }
    }
}

static void print_lines(const json_t *lines, bool stat)
{
    rb_json_each (line, lines) {
        const char *text = json_string_value(line);
        enum rb_color color = *text == '+' ? RB_GREEN : *text == '-' ? RB_RED : RB_PLAIN;
        if (!stat)
            rb_ui_line("      %s%s</>", rb_ui_color(color), text);
    }
}

/* Prints the changed keys of a config file, or its changed lines if it has no keys. */
static void print_config(const json_t *item, bool stat)
{
    const json_t *keys = json_object_get(item, "keys");
    if (!keys || stat) {
        print_lines(json_object_get(item, "lines"), stat);
        return;
    }
    rb_json_each (key, keys) {
        const char *from = rb_json_str(key, "from");
        const char *to = rb_json_str(key, "to");
        RB_AUTO(rb_free_str)
        char *line = rb_template(!from ? "{key} = {to}"
                                 : !to ? "{key} = {from}"
                                       : "{key}  {from} -> {to}",
                                 key);
        print_change("      ", !from ? "added" : !to ? "removed" : "changed", line);
    }
}

/* Prints the changes of flags and config. stat: only the counts, without lines. */
static void print_settings(const json_t *document, bool stat)
{
    const json_t *flags = json_object_get(document, "flags");
    const json_t *config = json_object_get(document, "config");
    if (json_array_size(flags) > 0)
        print_head("flags", "", "");
    rb_json_each (item, flags) {
        char sign = rb_flag_sign(item);
        RB_AUTO(rb_free_str) char *words = rb_flag_words(item);
        print_change("  ", sign == '+' ? "added" : sign == '-' ? "removed" : "changed", words);
        print_lines(json_object_get(item, "lines"), stat);
    }
    if (json_array_size(config) > 0)
        print_head("config", "", "");
    rb_json_each (item, config) {
        print_change("  ", text(item, "change"), text(item, "path"));
        print_config(item, stat);
    }
    const json_t *secrets = json_object_get(document, "secrets");
    if (json_array_size(secrets) > 0)
        print_head("secrets", "", "");
    rb_json_each (item, secrets) {
        RB_AUTO(rb_free_str) char *line = rb_template("{name}  {from|none} -> {to|none}", item);
        print_change("  ",
                     !rb_json_str(item, "from") ? "added"
                     : !rb_json_str(item, "to") ? "removed"
                                                : "changed",
                     line);
    }
}

#define BAR 40 /* length of the longest bar of --stat, in signs */

static char *bar_of(char sign, int64_t n, int64_t most)
{
    rb_buf out = {0};
    for (int64_t length = most <= BAR ? n : (n * BAR + most - 1) / most; length > 0; length--)
        rb_buf_addc(&out, sign);
    return rb_buf_detach(&out);
}

static void print_count(const json_t *file, int64_t most)
{
    const int64_t added = rb_json_int(file, "added", 0);
    const int64_t removed = rb_json_int(file, "removed", 0);
    RB_AUTO(rb_free_str) char *plus = bar_of('+', added, most);
    RB_AUTO(rb_free_str) char *minus = bar_of('-', removed, most);
    RB_AUTO(rb_free_str) char *name = rb_template("[{from} => ]{path}", file);
    if (json_is_null(json_object_get(file, "added")))
        rb_ui_line("  %s | binary", name);
    else
        rb_ui_line("  %s | %" PRId64 " <green>%s</><red>%s</>", name, added + removed, plus, minus);
}

static void print_stat(const json_t *files)
{
    int64_t most = 1;
    int64_t n[2] = {0};
    rb_json_each (file, files) {
        const int64_t added = rb_json_int(file, "added", 0);
        const int64_t removed = rb_json_int(file, "removed", 0);
        most = added + removed > most ? added + removed : most;
        n[0] += added;
        n[1] += removed;
    }
    if (json_array_size(files) > 0)
        print_head("lines", "", "");
    rb_json_each (file, files)
        print_count(file, most);
    if (json_array_size(files) > 0)
        rb_ui_line("  %zu file%s, %" PRId64 " added, %" PRId64 " removed", json_array_size(files),
                   rb_text_s(json_array_size(files)), n[0], n[1]);
}

static void print_names(const json_t *document)
{
    rb_json_each (file, json_object_get(document, "files"))
        rb_ui_item("{path}", file);
}

static void print_commits(const json_t *commits)
{
    if (json_array_size(commits) > 0)
        print_head("commits", "", "");
    rb_json_each (commit, commits) {
        if (commit_at == COMMITS_SHOWN) {
            rb_ui_line("  and %zu more (--json lists them)",
                       json_array_size(commits) - COMMITS_SHOWN);
            break;
        }
        rb_ui_item("  {id:id} {subject} ({author})", commit);
        rb_json_each (note, json_object_get(commit, "rollback"))
            rb_ui_item("      Rollback: {.}", note);
    }
}

static void print_risk(const json_t *document)
{
    const json_t *risk = json_object_get(document, "risk");
    const char *class_ = text(risk, "class");
    rb_ui_item(
        strcmp(class_, "reversible") == 0 ? "<bold>going back to {from}</>: <green>{risk.class}</>"
        : strcmp(class_, "lossy") == 0    ? "<bold>going back to {from}</>: <yellow>{risk.class}</>"
                                          : "<bold>going back to {from}</>: <red>{risk.class}</>",
        document);
    rb_json_each (reason, json_object_get(risk, "reasons"))
        rb_ui_item("  {.}", reason);
}

static void print(const json_t *document, const struct sides *sides, bool stat)
{
    rb_ui_item("<bold>{from} -> {to}</>  (version {app.from} -> {app.to})", document);
    if (!rb_diff_any(document)) {
        rb_ui_line("no differences");
        return;
    }
    print_commits(json_object_get(document, "commits"));
    if (stat)
        print_stat(json_object_get(document, "files"));
    rb_json_each (artifact, json_object_get(document, "artifacts")) {
        const json_t *ignore = json_object_get(artifact, "ignore");
        RB_AUTO(rb_free_str) char *counts = summary(artifact, "file");
        RB_AUTO(rb_free_str) char *globs = summary(ignore, "ignored glob");
        if (*counts || *globs)
            print_head("artifact", text(artifact, "name"), *counts ? counts : "the same files");
        print_lists(artifact, sides, NULL);
        if (*globs)
            rb_ui_line("  ignore");
        print_lists(ignore, sides, NULL);
    }
    print_databases(json_object_get(document, "databases"), sides);
    print_settings(document, stat);
    print_risk(document);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_AUTO(sides_clear) struct sides sides = {0};
    RB_TRY(make(&document, &sides, cli, o, err));
    if (cli->json)
        rb_ui_json(cli, document);
    else if (o->name_only)
        print_names(document);
    else
        print(document, &sides, o->stat);
    return o->exit_code && rb_diff_any(document) ? RB_FOUND : RB_OK;
}

static const rb_opt opts[] = {
    RB_FLAG("exit-code", 0, "exit 1 when anything differs", exit_code),
    RB_FLAG("stat", 0,
            "count the changed lines of each file; do not show those of config and flags", stat),
    RB_FLAG("name-only", 0, "only the paths of changed files", name_only), RB_OPTION_JSON,
    RB_OPTIONS_END};

RB_COMMAND(diff, "A [B]", "show what changed between two releases", RB_GROUP_RELEASE, 1, 2,
           RB_PAGES);
