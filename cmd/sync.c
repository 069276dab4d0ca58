#include "ledger/sync.h"

#include <string.h>

#include "commands.h"
#include "env_session.h"
#include "git/remote.h"
#include "release_status.h"
#include "ui.h"

#define NAMED 5 /* tags in one note */

static const rb_opt opts[] = {
    RB_FLAG("fetch", 0, "only fetch and join: push nothing", fetch),
    RB_FLAG("join", 0, "join a ledger that began apart; needs a signer with the role policy", join),
    RB_OPTION_JSON, RB_OPTIONS_END};

/* Releases that the ledger knows and that are not here. */
struct missing {
    rb_known_releases known;
    json_t *there; /* the remote's tags; NULL: it was not asked, or did not answer */
};

static void missing_clear(struct missing *missing)
{
    rb_known_releases_clear(&missing->known);
    rb_json_free(missing->there);
}

/* The remote is asked only where its answer is of use. */
static enum rb_code find_missing(struct missing *out, rb_cli *cli, rb_repo *repo,
                                 const rb_sync *sync, rb_err *err)
{
    rb_err unheard;
    if (!sync->exists)
        return RB_OK;
    rb_session_ledger_changed(&cli->session);
    RB_TRY(rb_session_ledger(&cli->session, err));
    RB_TRY(rb_history_absent(&out->known, cli->session.policy, err));
    if (out->known.n > 0 && rb_remote_tags(&out->there, repo, sync->remote, &unheard) != RB_OK)
        out->there = NULL;
    return RB_OK;
}

static json_t *missing_json(const struct missing *missing)
{
    json_t *array = json_array();
    for (size_t i = 0; i < missing->known.n; i++) {
        const rb_link *link = &missing->known.items[i];
        json_t *object = json_object();
        RB_AUTO(rb_free_str) char *tag = rb_safe(link->tag);
        rb_json_set_str(object, "tag", tag);
        rb_json_set_str(object, "object", link->object);
        if (missing->there)
            rb_json_set_str(object, "there", rb_json_str(missing->there, link->tag));
        json_array_append_new(array, object);
    }
    return array;
}

enum place { SAME, OTHER, NOWHERE, UNHEARD };

static enum place place_of(const struct missing *missing, const rb_link *link)
{
    const char *there = missing->there ? rb_json_str(missing->there, link->tag) : NULL;
    if (!missing->there)
        return UNHEARD;
    return !there ? NOWHERE : strcmp(there, link->object) == 0 ? SAME : OTHER;
}

/* "v3, v2 and 7 more"; NULL: none is in that place. */
static char *names_in(size_t *count, const struct missing *missing, enum place place)
{
    RB_AUTO(rb_buf_clear) rb_buf names = {0};
    *count = 0;
    for (size_t i = 0; i < missing->known.n; i++) {
        const rb_link *link = &missing->known.items[i];
        if (place_of(missing, link) == place && (*count)++ < NAMED)
            rb_buf_printf(&names, "%s%s", *count > 1 ? ", " : "", link->tag);
    }
    if (*count > NAMED)
        rb_buf_printf(&names, " and %zu more", *count - NAMED);
    return *count > 0 ? rb_strdup(rb_buf_str(&names)) : NULL;
}

static void note_missing(const rb_cli *cli, const struct missing *missing, const char *remote)
{
    size_t n;
    RB_AUTO(rb_free_str) char *same = names_in(&n, missing, SAME);
    if (n == 1)
        rb_ui_note(cli, "%s is not here, but %s has it: git fetch %s tag %s", same, remote, remote,
                   same);
    else if (same)
        rb_ui_note(cli,
                   "%zu releases that the ledger knows are not here, but %s has them (%s): git "
                   "fetch %s --tags",
                   n, remote, same, remote);
    RB_AUTO(rb_free_str) char *nowhere = names_in(&n, missing, NOWHERE);
    if (nowhere)
        rb_ui_note(cli,
                   "%zu release%s that the ledger knows %s neither here nor at %s (%s): not pushed "
                   "yet, or deleted; ask who made %s",
                   n, n == 1 ? "" : "s", n == 1 ? "is" : "are", remote, nowhere,
                   n == 1 ? "it" : "them");
    RB_AUTO(rb_free_str) char *other = names_in(&n, missing, OTHER);
    if (other)
        rb_ui_note(cli,
                   "%zu release%s that the ledger knows %s not here, and at %s the tag is another "
                   "object (%s): it was moved or recreated; ask who did that before you fetch it",
                   n, n == 1 ? "" : "s", n == 1 ? "is" : "are", remote, other);
    RB_AUTO(rb_free_str) char *unheard = names_in(&n, missing, UNHEARD);
    if (unheard)
        rb_ui_note(cli, "%zu release%s that the ledger knows %s not here (%s): git fetch %s --tags",
                   n, n == 1 ? "" : "s", n == 1 ? "is" : "are", unheard, remote);
}

static void print(rb_cli *cli, const rb_sync *sync, const struct missing *missing)
{
    char hex[RB_OID_HEX];
    rb_oid_hex(&sync->tip, hex);
    if (cli->json) {
        RB_AUTO(rb_json_freep) json_t *document = json_object();
        rb_json_set_str(document, "remote", sync->remote);
        json_object_set_new(document, "received", json_integer((json_int_t)sync->received));
        json_object_set_new(document, "sent", json_integer((json_int_t)sync->sent));
        json_object_set_new(document, "merged", json_boolean(sync->merged));
        json_object_set_new(document, "ignored", json_integer((json_int_t)sync->ignored));
        json_object_set_new(document, "unsent", json_boolean(sync->unsent));
        rb_json_set_str(document, "tip", sync->exists ? hex : NULL);
        json_object_set_new(document, "missing", missing_json(missing));
        rb_ui_json(cli, document);
        return;
    }
    RB_AUTO(rb_free_str) char *name = rb_safe(sync->remote);
    RB_AUTO(rb_free_str) char *received = rb_ui_count(sync->received);
    RB_AUTO(rb_free_str) char *sent = rb_ui_count(sync->sent);
    if (!sync->exists)
        rb_ui_line("%s: no ledger there and none here", name);
    else
        rb_ui_line("%s: %s received, %s sent%s; %s at %.10s", name, received, sent,
                   sync->merged ? ", joined" : "", sync->unsent ? "ours is" : "both are", hex);
    if (sync->ignored > 0) {
        RB_AUTO(rb_free_str) char *one = rb_safe(sync->ignored_one);
        rb_ui_note(cli,
                   "%zu of the entries received count%s for nothing, since a server with rbtool's "
                   "hooks refuses them; the first is %s",
                   sync->ignored, sync->ignored == 1 ? "s" : "", one);
    }
    note_missing(cli, missing, name);
}

static enum rb_code run(rb_cli *cli, rb_options *o, rb_err *err)
{
    const unsigned how = (o->fetch ? RB_SYNC_FETCH : 0) | (o->join ? RB_SYNC_JOIN : 0);
    RB_AUTO(rb_sync_clear) rb_sync sync = {0};
    RB_TRY(rb_session_signers(&cli->session, err));
    rb_repo *repo = cli->session.repo;
    const rb_signers *signers = cli->session.signers;
    rb_site_catch_up(cli);
    RB_TRY(rb_ledger_sync(&sync, repo, signers, o->argc > 0 ? o->argv[0] : NULL, how, err));
    /* The exchange is done, whatever can be said of the tags. */
    RB_AUTO(missing_clear) struct missing missing = {0};
    rb_err why;
    if (find_missing(&missing, cli, repo, &sync, &why) != RB_OK)
        rb_ui_note(cli, "whether releases are missing here cannot be said: %s", rb_err_line(&why));
    print(cli, &sync, &missing);
    return RB_OK;
}

RB_COMMAND(sync, "[REMOTE]", "exchange the ledger with a remote", RB_GROUP_AUDIT, 0, 1, RB_CHANGES);
