#include "ledger/sync.h"

#include <string.h>

#include "base/template.h"
#include "commands.h"
#include "env_session.h"
#include "git/remote.h"
#include "release_status.h"
#include "ui.h"

#define NAMED 5 /* tags that one note lists */

static const rb_opt opts[] = {
    RB_FLAG("fetch", 0, "only fetch and join: push nothing", fetch),
    RB_FLAG("join", 0, "join a ledger that began apart; needs a signer with the role policy", join),
    RB_OPTION_JSON, RB_OPTIONS_END};

/* Releases that the ledger records and whose tags are not here. */
struct missing {
    rb_known_releases known;
    json_t *there; /* the remote's tags: {TAG: object}; NULL: not asked, or no answer */
};

static void missing_clear(struct missing *missing)
{
    rb_known_releases_clear(&missing->known);
    rb_json_free(missing->there);
}

/* Finds missing tags. Asks the remote for its tags only if any are missing. */
static enum rb_code find_missing(struct missing *out, rb_cli *cli, rb_repo *repo,
                                 const rb_sync *sync, rb_err *err)
{
    if (!sync->exists)
        return RB_OK;
    rb_session_ledger_changed(&cli->session);
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_history_absent(&out->known, cli->session.policy, err));
    if (out->known.n > 0 && rb_remote_tags(&out->there, repo, sync->remote, RB_IGNORED) != RB_OK)
        out->there = NULL;
    return RB_OK;
}

static json_t *missing_json(const struct missing *missing)
{
    json_t *array = json_array();
    for (size_t i = 0; i < missing->known.n; i++) {
        const rb_link *link = &missing->known.items[i];
        json_t *object = rb_json_make("tag:t object:s", link->tag, link->object);
        if (missing->there)
            rb_json_set_str(object, "there", rb_json_str(missing->there, link->tag));
        json_array_append_new(array, object);
    }
    return array;
}

enum place { SAME, OTHER, NOWHERE, UNHEARD };

/* Returns the tags whose object at the remote is `place`: "v3, v2 and 7 more", or NULL. */
static char *names_in(size_t *count, const struct missing *missing, enum place place)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    *count = 0;
    for (size_t i = 0; i < missing->known.n; i++) {
        const rb_link *link = &missing->known.items[i];
        const char *there = missing->there ? rb_json_str(missing->there, link->tag) : NULL;
        const enum place at = !missing->there                    ? UNHEARD
                              : !there                           ? NOWHERE
                              : strcmp(there, link->object) == 0 ? SAME
                                                                 : OTHER;
        if (at == place && (*count)++ < NAMED)
            rb_buf_printf(&names, "%s%s", *count > 1 ? ", " : "", link->tag);
    }
    if (*count > NAMED)
        rb_buf_printf(&names, " and %zu more", *count - NAMED);
    return *count > 0 ? rb_strdup(rb_buf_str(&names)) : NULL;
}

static void note_missing(const rb_cli *cli, const struct missing *missing, const char *remote)
{
    static const struct {
        const char *one;
        const char *many;
    } words[] = {
        [SAME] = {"{names} is not here, but {remote} has it: git fetch {remote} tag {names}",
                  "{n} releases that the ledger knows are not here, but {remote} has them "
                  "({names}): git fetch {remote} --tags"},
        [NOWHERE] = {"1 release that the ledger knows is neither here nor at {remote} ({names}): "
                     "not pushed yet, or deleted; ask who made it",
                     "{n} releases that the ledger knows are neither here nor at {remote} "
                     "({names}): not pushed yet, or deleted; ask who made them"},
        [OTHER] =
            {"1 release that the ledger knows is not here, and at {remote} the tag is another "
             "object ({names}): it was moved or recreated; ask who did that before you "
             "fetch it",
             "{n} releases that the ledger knows are not here, and at {remote} the tag is "
             "another object ({names}): it was moved or recreated; ask who did that before "
             "you fetch it"},
        [UNHEARD] = {"1 release that the ledger knows is not here ({names}): git fetch {remote} "
                     "--tags",
                     "{n} releases that the ledger knows are not here ({names}): git fetch "
                     "{remote} --tags"},
    };
    static const enum place order[] = {SAME, NOWHERE, OTHER, UNHEARD};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        size_t n;
        RB_AUTO(rb_free_str) char *names = names_in(&n, missing, order[i]);
        RB_AUTO(rb_json_freep)
        json_t *found = rb_json_make("n:n names:s remote:s", n, names, remote);
        RB_AUTO(rb_free_str)
        char *text = rb_template(n == 1 ? words[order[i]].one : words[order[i]].many, found);
        if (names)
            rb_ui_note(cli, "%s", text);
    }
}

static void note_ignored(const rb_cli *cli, const char *how, size_t count, const char *first)
{
    if (count > 0)
        rb_ui_note(cli,
                   "%zu of the entries %s count%s for nothing, since a server with rbtool's hooks "
                   "refuses them; the first is %s",
                   count, how, count == 1 ? "s" : "", first);
}

static void print(rb_cli *cli, const rb_sync *sync, const struct missing *missing)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&sync->tip, hex);
    RB_AUTO(rb_json_freep)
    json_t *document = rb_json_make(
        "remote:s received:n sent:n merged:b ignored:n sentIgnored:n unsent:b tip:s "
        "missing:j",
        sync->remote, sync->received, sync->sent, sync->merged, sync->ignored, sync->sent_ignored,
        sync->unsent, sync->exists ? hex : NULL, missing_json(missing));
    if (cli->json)
        rb_ui_json(cli, document);
    else
        rb_ui_item(sync->exists ? "{remote}: {received:count} received, {sent:count} sent"
                                  "{merged?, joined:}; {unsent?ours is:both are} at {tip:id}"
                                : "{remote}: no ledger there and none here",
                   document);
    if (cli->json)
        return;
    note_ignored(cli, "received", sync->ignored, sync->ignored_one);
    note_ignored(cli, "sent", sync->sent_ignored, sync->sent_ignored_one);
    note_missing(cli, missing, sync->remote);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const unsigned how = (o->fetch ? RB_SYNC_FETCH : 0) | (o->join ? RB_SYNC_JOIN : 0);
    RB_AUTO(rb_sync_clear) rb_sync sync = {0};
    RB_TRY(rb_session_signers(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    const rb_signers *signers = cli->session.signers;
    rb_env_session_catch_up(cli);
    RB_TRY(rb_ledger_sync(&sync, repo, signers, o->argc > 0 ? o->argv[0] : NULL, how, err));
    /* The ledgers are exchanged already: a failure below changes nothing of that. */
    RB_AUTO(missing_clear) struct missing missing = {0};
    rb_err why;
    if (find_missing(&missing, cli, repo, &sync, &why) != RB_OK)
        rb_ui_note(cli, "cannot find out whether releases are missing here: %s", rb_err_line(&why));
    print(cli, &sync, &missing);
    return RB_OK;
}

RB_COMMAND(sync, "[REMOTE]", "exchange the ledger with a remote", RB_GROUP_AUDIT, 0, 1, RB_CHANGES);
