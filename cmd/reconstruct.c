#include <stddef.h>

#include "base/file.h"
#include "cli.h"
#include "commands.h"
#include "release/reconstruct.h"
#include "ui.h"

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    if (!o->output)
        return rb_fail(err, RB_ERROR, "reconstruct needs -o DIR, a folder that is new or empty");
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_AUTO(rb_reconstruct_freep) rb_reconstruct *work = NULL;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_TRY(rb_session_repo(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    RB_TRY(rb_session_release(&release, &cli->session, o->argv[0], NULL, err));
    RB_AUTO(rb_free_str) char *dir = rb_path_join(cli->session.dir, o->output);
    RB_TRY(rb_reconstruct_begin(&work, dir, err));
    rb_ui_progress(cli, "rebuilding %s", o->argv[0]);
    RB_TRY(rb_reconstruct_release(&document, work, release, repo, err));
    RB_TRY(rb_reconstruct_finish(work, err));
    if (cli->json) {
        rb_ui_json(cli, document);
        return RB_OK;
    }
    rb_json_each (artifact, json_object_get(document, "artifacts"))
        rb_ui_item("{path}  {files:count} files, {bytes:bytes}, sha256 {digest}", artifact);
    rb_ui_note(cli, "%s is rebuilt and verified in %s", rb_json_str(document, "tag"), dir);
    return RB_OK;
}

static const rb_opt opts[] = {
    RB_TEXT("output", 'o', "DIR", "where to write; must not exist, or be empty", output),
    RB_OPTION_JSON, RB_OPTIONS_END};

RB_COMMAND(reconstruct, "TAG -o DIR", "rebuild and verify a release's files", RB_GROUP_RELEASE, 1,
           1, 0);
