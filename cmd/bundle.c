#include "transition/bundle.h"

#include "books.h"
#include "revert.h"
#include "transition/policy_check.h"
#include "ui.h"

enum rb_code rb_revert_bundle(rb_cli *cli, const rb_site_options *options, const char *tag,
                              rb_err *err)
{
    static const bool whole[RB_PARTS] = {true, true, true, true};
    RB_AUTO(rb_release_freep) rb_release *from = NULL;
    RB_AUTO(rb_release_freep) rb_release *overrides = NULL;
    RB_AUTO(rb_known_good_clear) rb_known_good good = {0};
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_TRY(rb_cli_release(&from, cli, tag, err));
    if (options->scripts_from)
        RB_TRY(rb_cli_release(&overrides, cli, options->scripts_from, err));
    RB_TRY(rb_revert_target(&good, cli, NULL, from, whole, options->to, err));
    const rb_books *books;
    RB_TRY(rb_cli_books(&books, cli, err));
    rb_books_note_policy(cli, books);
    RB_TRY(rb_policy_check_releases(
        books->policy, &(rb_plan_request){.to = good.release, .overrides = overrides}, err));
    rb_ui_note(cli, "FROM %s TO %s (%s)", from->tag, good.release->tag, good.rule);
    RB_TRY(rb_bundle_write(&document, from, good.release, overrides, good.rule, cli->repo,
                           options->output, err));
    if (cli->json)
        rb_ui_json(cli, document);
    else
        rb_ui_line("wrote a verified bundle of %s to %s", good.release->tag, options->output);
    return RB_OK;
}
