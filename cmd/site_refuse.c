/* Environments whose folder or journal is not this host's. */
#include "site.h"

/* What arrives in a commit is not this host's state: neither a journal, nor its releases. */
enum rb_code rb_site_check_root(rb_cli *cli, const char *name, const char *root, rb_err *err)
{
    RB_AUTO(rb_free_str) char *top = NULL;
    rb_repo_work_tree_of(&top, NULL, cli->repo, root);
    if (!top)
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "environment %s is refused: its root %s lies in the work tree %s, where a commit "
        "can bring a journal that never happened here; move it to a folder outside and "
        "set environments.%s.root to that",
        name, root, top, name);
}

enum rb_code rb_site_check_journal(const char *name, const char *root, const rb_state *state,
                                   rb_err *err)
{
    if (!rb_state_is_copy(state))
        return RB_OK;
    return rb_fail(
        err, RB_ERROR,
        "the journal of environment %s, %s/.rbtool/state.db, was made on another host or "
        "in another folder: what it says may never have happened here; nothing was "
        "changed; if you restored or moved it, take it over with `rbtool env trust --env "
        "%s --yes -m WHY`, else move %s/.rbtool away",
        name, root, name, root);
}
