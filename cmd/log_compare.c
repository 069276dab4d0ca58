#include "log_compare.h"

#include <string.h>

#include "base/text.h"
#include "env_session.h"
#include "environment/journals.h"
#include "git/refs.h"
#include "ledger_write.h"
#include "ui.h"

#define REMOTES "refs/rbtool/remotes/"
#define SHOWN 10 /* digits of an entry's id */

static void report(const rb_cli *cli, const char *format, ...) RB_PRINTF(2, 3);

static void report(const rb_cli *cli, const char *format, ...)
{
    RB_AUTO(rb_buf_clear) rb_buf line = {0};
    va_list args;
    va_start(args, format);
    rb_buf_vprintf(&line, format, args);
    va_end(args);
    if (!cli->json)
        rb_ui_line("%s%s</>", rb_ui_color(RB_RED), line.data);
}

/* Compares with the tips that remotes had at the last sync. Adds their names to `with`. */
static size_t compare_remotes(rb_strs *with, rb_cli *cli, const rb_ledger *ledger)
{
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    size_t lacking = 0;
    if (rb_ref_names(&names, ledger->repo, REMOTES "*/ledger", RB_IGNORED) != RB_OK)
        return 0;
    for (size_t i = 0; i < names.n; i++) {
        rb_ref ref;
        if (rb_ref_read(&ref, ledger->repo, names.items[i], RB_IGNORED) != RB_OK || !ref.exists ||
            ref.symbolic)
            continue;
        rb_strs_take(with, rb_format("what %.*s had at the last sync",
                                     (int)(strlen(names.items[i]) - strlen(REMOTES "/ledger")),
                                     names.items[i] + strlen(REMOTES)));
        if (rb_ledger_find(ledger, &ref.object))
            continue;
        lacking++;
        report(cli, "the ledger lacks entry %.*s, and others before it: %s", SHOWN,
               rb_ledger_write_id(&ref.object).hex, with->items[with->n - 1]);
    }
    return lacking;
}

/* Compares with the entries that the environments of this host recorded. */
static size_t compare_journals(rb_strs *with, rb_cli *cli, const rb_ledger *ledger)
{
    RB_AUTO(rb_journals_clear) rb_journals journals = {0};
    RB_AUTO(rb_strs_clear) rb_strs lacking = {0};
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    if (rb_env_session_names(&names, &roots, cli, RB_IGNORED) == RB_OK)
        rb_journals_read(&journals, ledger, &roots);
    for (size_t i = 0; i < journals.own.n; i++) {
        rb_oid id;
        if (rb_oid_parse(&id, journals.own.items[i]) && !rb_ledger_find(ledger, &id))
            rb_strs_add(&lacking, journals.own.items[i]);
    }
    if (journals.own.n > 0)
        rb_strs_take(with, rb_format("%zu entr%s of this host's environments", journals.own.n,
                                     journals.own.n == 1 ? "y" : "ies"));
    if (lacking.n > 0)
        report(cli, "the ledger lacks %zu entr%s that environments of this host recorded: %.*s%s",
               lacking.n, lacking.n == 1 ? "y" : "ies", SHOWN, lacking.items[0],
               lacking.n > 1 ? " and more" : "");
    if (journals.pending.n > 0 && lacking.n == 0)
        rb_ui_note(cli,
                   "%zu transition%s of this host %s not in the ledger yet; `rbtool sync` writes "
                   "what is missing",
                   journals.pending.n, rb_text_s(journals.pending.n),
                   journals.pending.n == 1 ? "is" : "are");
    return lacking.n;
}

size_t rb_log_compare(rb_cli *cli, const rb_ledger *ledger)
{
    RB_AUTO(rb_strs_clear) rb_strs with = {0};
    const size_t lacking =
        compare_remotes(&with, cli, ledger) + compare_journals(&with, cli, ledger);
    RB_AUTO(rb_free_str) char *list = rb_strs_join(&with, 0);
    RB_AUTO(rb_free_str)
    char *known = with.n > 0 ? rb_format("with %s. What only others know was not checked", list)
                             : rb_strdup("with nothing: no remote's ledger and no environment is "
                                         "known here");
    if (ledger->n > 0)
        rb_ui_note(cli,
                   "whether entries were cut off from the end was compared %s: `git merge-base "
                   "--is-ancestor TIP " RB_LEDGER_REF "` compares with a tip that was published",
                   known);
    return lacking;
}
