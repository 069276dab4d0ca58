#include "hook/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "hook/check_internal.h"

void rb_refusals_clear(rb_refusals *refusals)
{
    for (size_t i = 0; i < refusals->n; i++) {
        free(refusals->items[i].what);
        free(refusals->items[i].message);
        free(refusals->items[i].hint);
    }
    free(refusals->items);
    *refusals = (rb_refusals){0};
}

const char *rb_hook_shell_word(const char *name)
{
    return rb_path_is_tag(name) ? name : "TAG";
}

/* Makes text safe: hooks print to the terminal of the user who pushes. */
void rb_refusals_add(rb_refusals *refusals, char *what, const char *fmt, ...)
{
    rb_err text;
    va_list args;
    va_start(args, fmt);
    (void)rb_vfail(&text, RB_FOUND, fmt, args);
    va_end(args);
    refusals->items = rb_grow(refusals->items, refusals->n, sizeof *refusals->items);
    refusals->items[refusals->n++] =
        (rb_refusal){rb_safe(what), rb_safe(text.message), rb_safe(text.hint), false};
    free(what);
}

enum rb_code rb_refusals_result(const rb_refusals *refusals, size_t from, rb_err *err)
{
    for (size_t i = from; i < refusals->n; i++)
        if (!refusals->items[i].warning)
            return rb_fail(err, RB_FOUND, "%s %s", refusals->items[i].what,
                           refusals->items[i].message);
    return RB_OK;
}

void rb_guard_free(rb_guard *guard)
{
    if (!guard)
        return;
    rb_verifier_free(guard->verifier);
    rb_chain_free(guard->chain);
    rb_config_free(guard->settings);
    free(guard->settings_fault);
    free(guard);
}

/* Reads the settings of HEAD. A repository without commits has none. Fails if they cannot be
 * read. */
static enum rb_code settings_of_head(rb_guard *guard, rb_err *err)
{
    rb_oid head;
    if (rb_repo_commit(&head, guard->repo, "HEAD", err) != RB_OK)
        return RB_OK;
    enum rb_code code = rb_config_at(&guard->settings, guard->repo, &head, err);
    if (code == RB_OK || code == RB_FOUND)
        return RB_OK;
    if (!guard->received)
        return code;
    /* On a server, this is not an error: any user who may push a branch can break the settings, and
     * a later push must be able to repair them. */
    guard->settings_fault = rb_strdup(rb_err_line(err));
    return RB_OK;
}

enum rb_code rb_guard_settings(const rb_config **out, rb_guard *guard, rb_err *err)
{
    if (!guard->settings_read) {
        const char *top = rb_repo_workdir(guard->repo);
        RB_AUTO(rb_free_str) char *found = top ? rb_path_join(top, RB_CONFIG_FILE) : NULL;
        if (guard->session->config)
            RB_TRY(rb_config_read(&guard->settings, guard->session->config, err));
        else if (found && rb_file_exists(found))
            RB_TRY(rb_config_read(&guard->settings, found, err));
        else
            RB_TRY(settings_of_head(guard, err));
        guard->settings_read = true;
    }
    *out = guard->settings;
    return RB_OK;
}

enum rb_code rb_guard_chain(const rb_chain **out, rb_guard *guard, rb_err *err)
{
    if (!guard->chain) {
        RB_TRY(rb_session_ledger(guard->session, err));
        const rb_chain_more how = {.pushed = guard->received};
        RB_TRY(rb_history_load(&guard->chain, guard->session->policy, &how, err));
    }
    *out = guard->chain;
    return RB_OK;
}

rb_guard *rb_guard_new(rb_session *session)
{
    rb_guard *guard = rb_calloc(1, sizeof *guard);
    guard->session = session;
    guard->repo = session->repo;
    return guard;
}

enum rb_code rb_guard_carries(bool *out, rb_tag **tag, rb_guard *guard, const rb_oid *object,
                              const char *name, rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *read = NULL;
    *out = false;
    RB_TRY(rb_tag_read_object(&read, guard->repo, object, name, err));
    *out = read->annotated && rb_manifest_is_in(read);
    if (*out && tag) {
        *tag = RB_TAKE(read);
    }
    return RB_OK;
}

enum rb_code rb_guard_verify(rb_problems *problems, rb_guard *guard, const rb_tag *tag, rb_err *err)
{
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    RB_TRY(rb_session_signers(guard->session, err));
    RB_TRY(rb_release_open_tag(&release, guard->repo, guard->session->signers, tag, problems, err));
    if (!guard->verifier)
        guard->verifier = rb_verifier_new(guard->repo, 0);
    return rb_verifier_check(problems, guard->verifier, release, err);
}
