/* `rbtool restore`: restores rows from a backup. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/version.h"
#include "env_session.h"
#include "environment/checks.h"
#include "transition/backups.h"
#include "ui.h"

static const rb_opt opts[] = {
    RB_OPTION_ENV,
    RB_TEXT("database", 0, "NAME", "the database, where the transition backed up several",
            database),
    RB_TEXT("table", 0, "TABLE", "only this table", table),
    RB_LIST("ignore-columns", 0, "COLUMNS",
            "restore rows although these columns have changed since", ignore),
    RB_FLAG("deleted", 0, "also restore rows that others deleted since", deleted),
    RB_FLAG("overwrite", 0,
            "also restore over rows that were changed since, or have the key by now", overwrite),
    RB_FLAG("dry-run", 'n', "show what would be restored and change nothing", dry_run),
    RB_OPTION_YES,
    RB_OPTION_JSON,
    RB_OPTIONS_END};

static void show(const rb_cli *cli, const json_t *report)
{
    const bool would = json_is_true(json_object_get(report, "dryRun"));
    rb_json_each (entry, json_object_get(report, "tables")) {
        RB_AUTO(rb_buf_clear) rb_buf keys = {0};
        json_t *missing = json_object_get(entry, "missing");
        if (json_array_size(missing) > 0)
            rb_json_canonical(&keys, missing);
        rb_json_set(entry, "examples:s", rb_buf_str(&keys));
        RB_AUTO(rb_free_str)
        char *line =
            rb_format("{table}[.{column}]: {restored:count} %srestored%s", would ? "would be " : "",
                      rb_json_int(entry, "missingCount", 0) > 0
                          ? ", {missingCount:count} not[: {reason}][; for example "
                            "{examples}]"
                          : "");
        rb_ui_item(line, entry);
    }
    if (json_array_size(json_object_get(report, "tables")) == 0)
        rb_ui_note(cli, "this backup has nothing to restore");
}

/* Shows what would be restored and asks, unless --yes is given. */
static enum rb_code ask(rb_cli *cli, rb_env_session *site, rb_backup_restore *request,
                        const rb_options *o, rb_err *err)
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
    return rb_env_session_confirm(cli, o, what, err);
}

/* Returns the command that may restore more. An option is proposed only if it helps with what is
 * missing. */
static char *next_command(const json_t *tables, const rb_options *o, const char *id,
                          const rb_env_session *site)
{
    bool overwrite = o->overwrite;
    bool deleted = o->deleted;
    rb_json_each (entry, tables)
        rb_json_each (option, json_object_get(entry, "options")) {
            overwrite = overwrite || strcmp(json_string_value(option), "--overwrite") == 0;
            deleted = deleted || strcmp(json_string_value(option), "--deleted") == 0;
        }
    if (overwrite == o->overwrite && deleted == o->deleted)
        return rb_strdup("copy them by hand from the backup");
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    rb_strs_add(&words, "rbtool");
    rb_strs_add(&words, "restore");
    rb_strs_add(&words, id);
    const char *const named[][2] = {{"--database", o->database}, {"--table", o->table}};
    for (size_t i = 0; i < 2; i++) {
        if (!named[i][1])
            continue;
        rb_strs_add(&words, named[i][0]);
        rb_strs_add(&words, named[i][1]);
    }
    if (overwrite)
        rb_strs_add(&words, "--overwrite");
    if (deleted)
        rb_strs_add(&words, "--deleted");
    RB_AUTO(rb_free_str) char *command = rb_command_line(&words);
    return rb_format("%s with `%s --env %s`",
                     overwrite == o->overwrite ? "restore deleted rows, too,"
                                               : "restore over what is there now",
                     command, site->env->name);
}

static enum rb_code restore(rb_cli *cli, rb_env_session *site, const rb_options *o, const char *id,
                            rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *report = NULL;
    RB_AUTO(rb_free_str) char *host = NULL;
    RB_AUTO(rb_free_str) char *user = NULL;
    rb_env_session_who(&host, &user);
    rb_backup_restore request = {.env = site->env,
                                 .state = site->state,
                                 .id = id,
                                 .database = o->database,
                                 .options = {.manual = true,
                                             .table = o->table,
                                             .ignore = &o->ignore,
                                             .deleted = o->deleted,
                                             .overwrite = o->overwrite},
                                 .dry_run = o->dry_run,
                                 .host = host,
                                 .user = user,
                                 .version = RB_VERSION};
    RB_TRY(ask(cli, site, &request, o, err));
    RB_TRY(rb_backups_restore(&report, &request, err));
    if (!o->dry_run)
        rb_env_session_record(cli, site);
    rb_json_set_str(report, "environment", site->env->name);
    if (cli->json)
        rb_ui_json(cli, report);
    else
        show(cli, report);
    int64_t missing = rb_json_int(report, "missing", 0);
    if (missing == 0)
        return RB_OK;
    cli->answered = cli->json;
    RB_AUTO(rb_free_str) char *next = next_command(json_object_get(report, "tables"), o, id, site);
    return rb_fail(err, RB_FOUND,
                   "%lld value%s or row%s of backup %s %s not restored\nthey are in %s; %s",
                   (long long)missing, rb_text_s((uint64_t)missing), rb_text_s((uint64_t)missing),
                   id, missing == 1 ? "was" : "were", rb_json_str(report, "path"), next);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    RB_AUTO(rb_env_session_close) rb_env_session site = {0};
    RB_TRY(rb_env_session_open(&site, cli, o->env, true, err));
    RB_TRY(rb_env_session_settled(&site, err));
    RB_TRY(rb_env_session_trusted(cli, &site, err));
    return restore(cli, &site, o, o->argv[0], err);
}

RB_COMMAND(restore, "ID", "restore rows from a backup", RB_GROUP_BREAKS, 1, 1, RB_CHANGES);
