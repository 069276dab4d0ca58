#include "books.h"

#include <stdlib.h>

enum rb_code rb_cli_books(const rb_books **out, rb_cli *cli, rb_err *err)
{
    if (!cli->books) {
        rb_repo *repo;
        const rb_signers *signers;
        RB_TRY(rb_cli_repo(&repo, cli, err));
        RB_TRY(rb_cli_signers(&signers, cli, err));
        cli->books = rb_calloc(1, sizeof *cli->books);
        enum rb_code code = rb_ledger_load(&cli->books->ledger, repo, signers, NULL, 0, err);
        if (code == RB_OK)
            code = rb_policy_load(&cli->books->policy, &cli->books->problems, repo,
                                  cli->books->ledger, signers, err);
        if (code != RB_OK) {
            rb_cli_books_drop(cli);
            return code;
        }
    }
    *out = cli->books;
    return RB_OK;
}

void rb_cli_books_drop(rb_cli *cli)
{
    if (!cli->books)
        return;
    rb_policy_free(cli->books->policy);
    rb_ledger_free(cli->books->ledger);
    rb_problems_clear(&cli->books->problems);
    rb_strs_clear(&cli->books->own);
    free(cli->books);
    cli->books = NULL;
}
