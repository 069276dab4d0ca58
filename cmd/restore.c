/* `rbtool restore`: rows from a backup, by hand. */
#include <stdlib.h>

#include "base/text.h"
#include "env_session.h"
#include "transition/backups.h"
#include "ui.h"

typedef struct options {
    rb_site_options site; /* first: rb_site_confirm() takes them */
    const char *database;
    const char *table;
    rb_strs ignore;
    bool deleted;
    bool overwrite;
} options;

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    {RB_OPT_TEXT, "database", 0, "NAME", "the database, where the transition backed up several",
     offsetof(options, database)},
    {RB_OPT_TEXT, "table", 0, "TABLE", "only this table", offsetof(options, table)},
    {RB_OPT_LIST, "ignore-columns", 0, "COLUMNS",
     "restore rows although these columns have changed since", offsetof(options, ignore)},
    {RB_OPT_FLAG, "deleted", 0, NULL, "also restore rows that others deleted since",
     offsetof(options, deleted)},
    {RB_OPT_FLAG, "overwrite", 0, NULL,
     "also restore over rows that were changed since, or have the key by now",
     offsetof(options, overwrite)},
    {RB_OPT_FLAG, "dry-run", 'n', NULL, "show what would be restored and change nothing",
     RB_SITE_AT(dry_run)},
    RB_OPTION_YES,
    RB_OPTION_JSON,
    {.kind = RB_OPT_END}};

static void show(const rb_cli *cli, const json_t *report)
{
    size_t i;
    json_t *entry;
    const char *verb = json_is_true(json_object_get(report, "dryRun")) ? "would be " : "";
    json_array_foreach (json_object_get(report, "tables"), i, entry) {
        const char *column = rb_json_str(entry, "column");
        const char *reason = rb_json_str(entry, "reason");
        RB_AUTO(rb_buf_clear) rb_buf keys = {0};
        json_t *missing = json_object_get(entry, "missing");
        if (json_array_size(missing) > 0)
            rb_json_canonical(&keys, missing);
        RB_AUTO(rb_free_str)
        char *restored = rb_ui_count((uint64_t)rb_json_int(entry, "restored", 0));
        RB_AUTO(rb_free_str)
        char *left = rb_ui_count((uint64_t)rb_json_int(entry, "missingCount", 0));
        rb_ui_line("%s%s%s: %s %srestored, %s not%s%s%s%s", rb_json_str(entry, "table"),
                   column ? "." : "", column ? column : "", restored, verb, left,
                   reason ? ": " : "", reason ? reason : "", keys.len ? "; for example " : "",
                   rb_buf_str(&keys));
    }
    if (json_array_size(json_object_get(report, "tables")) == 0)
        rb_ui_note(cli, "the tables and columns of this backup do not exist in the database now, "
                        "or --table names another table");
}

/* Without --yes it is shown what would be restored, and asked. */
static enum rb_code ask(rb_cli *cli, rb_site *site, rb_backup_restore *request,
                        const rb_site_options *o, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    if (o->yes || o->dry_run)
        return RB_OK;
    request->dry_run = true;
    RB_TRY(rb_backups_restore(&report, request, err));
    request->dry_run = false;
    if (!cli->json)
        show(cli, report);
    RB_AUTO(rb_free_str)
    char *what = rb_format("restore from backup %s into %s", request->id, site->env->name);
    return rb_site_confirm(cli, o, what, err);
}

static enum rb_code restore(rb_cli *cli, rb_site *site, const options *o, const char *id,
                            rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    rb_backup_restore request = {.env = site->env,
                                 .state = site->state,
                                 .id = id,
                                 .database = o->database,
                                 .options = {.manual = true,
                                             .table = o->table,
                                             .ignore = &o->ignore,
                                             .deleted = o->deleted,
                                             .overwrite = o->overwrite},
                                 .dry_run = o->site.dry_run};
    RB_TRY(ask(cli, site, &request, &o->site, err));
    RB_TRY(rb_backups_restore(&report, &request, err));
    rb_json_set_str(report, "environment", site->env->name);
    if (cli->json)
        rb_ui_json(cli, report);
    else
        show(cli, report);
    int64_t missing = rb_json_int(report, "missing", 0);
    if (missing == 0)
        return RB_OK;
    cli->answered = cli->json;
    RB_AUTO(rb_free_str)
    char *table = o->table ? rb_format(" --table %s", o->table) : rb_strdup("");
    RB_AUTO(rb_free_str)
    char *next =
        o->overwrite && o->deleted
            ? rb_strdup("copy them by hand from the backup")
            : rb_format("%s with `rbtool restore %s%s --overwrite%s --env %s`",
                        o->overwrite ? "restore deleted rows, too,"
                                     : "restore over what is there now",
                        id, table, o->overwrite || o->deleted ? " --deleted" : "", site->env->name);
    return rb_fail(err, RB_FOUND,
                   "%lld value%s or row%s of backup %s %s not restored\nthey are in %s; %s",
                   (long long)missing, rb_text_s((uint64_t)missing), rb_text_s((uint64_t)missing),
                   id, missing == 1 ? "was" : "were", rb_json_str(report, "path"), next);
}

static enum rb_code run(rb_cli *cli, void *values, int argc, char **argv, rb_err *err)
{
    (void)argc;
    const options *o = values;
    RB_AUTO(rb_site_close) rb_site site = {0};
    RB_TRY(rb_site_open(&site, cli, o->site.env, true, err));
    RB_TRY(rb_site_settled(&site, err));
    RB_TRY(rb_site_trusted(cli, &site, err));
    return restore(cli, &site, o, argv[0], err);
}

static void clear(void *values)
{
    options *o = values;
    rb_site_options_clear(&o->site);
    rb_strs_clear(&o->ignore);
}

const rb_command rb_cmd_restore = {
    .name = "restore",
    .args = "ID",
    .summary = "restore rows from a backup",
    .group = RB_GROUP_BREAKS,
    .opts = opts,
    .options_size = sizeof(options),
    .min_args = 1,
    .max_args = 1,
    .changes = true,
    .run = run,
    .clear = clear,
};
