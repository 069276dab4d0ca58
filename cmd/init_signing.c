/* Prints the commands that set up what signing and verifying a release still lacks here. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "init.h"
#include "ledger/policy.h"
#include "ui.h"

#define SIGNERS_PLACE "~/.config/git/allowed_signers"

struct steps {
    rb_repo *repo;
    const char *scope; /* "--global ", or "" on a server, whose settings are the repository's own */
    rb_strs *commands;
};

/* Adds a command to the list. */
#define add(steps, ...) rb_strs_take((steps)->commands, rb_format(__VA_ARGS__))

/* Returns the path of an existing public key that ssh-keygen names by default, with "~", or NULL.
 */
static const char *existing_key(void)
{
    static const char *const keys[] = {"~/.ssh/id_ed25519.pub", "~/.ssh/id_ecdsa.pub",
                                       "~/.ssh/id_rsa.pub"};
    const char *home = getenv("HOME");
    for (size_t i = 0; home && i < sizeof keys / sizeof *keys; i++) {
        RB_AUTO(rb_free_str) char *path = rb_format("%s%s", home, keys[i] + 1);
        if (rb_file_exists(path))
            return keys[i];
    }
    return NULL;
}

/* Returns "ssh-ed25519 AAAA" if the setting contains the key itself; NULL if it names a file. */
static char *literal_key(const char *setting)
{
    const char *key = strncmp(setting, "key::", 5) == 0  ? setting + 5
                      : strncmp(setting, "ssh-", 4) == 0 ? setting
                                                         : NULL;
    if (!key)
        return NULL;
    const size_t type = strcspn(key, " ");
    return rb_format("%.*s", (int)(type + 1 + strcspn(key + type + (key[type] != '\0'), " ")), key);
}

static void make_key(struct steps *steps, const char *email, const char *private_file)
{
    RB_AUTO(rb_free_str) char *folder = rb_path_dir(private_file);
    add(steps, "mkdir -pm 700 %s", folder);
    add(steps, "ssh-keygen -t ed25519 -C %s -f %s", email, private_file);
}

/* Adds the commands that make and set a key. *out: the public key as a shell expression. */
static enum rb_code key_steps(char **out, struct steps *steps, const char *email, rb_err *err)
{
    const char *format;
    const char *key;
    RB_AUTO(rb_free_str) char *file = NULL;
    RB_TRY(rb_repo_setting(&format, steps->repo, "gpg.format", err));
    RB_TRY(rb_repo_setting(&key, steps->repo, "user.signingkey", err));
    RB_TRY(rb_repo_setting_path(&file, steps->repo, "user.signingkey", err));
    const bool ssh = format && strcmp(format, "ssh") == 0;
    const char *set = key && (ssh || !format) ? key : existing_key();
    *out = set ? literal_key(set) : NULL;
    if (!set) {
        set = "~/.ssh/id_ed25519.pub";
        make_key(steps, email, "~/.ssh/id_ed25519");
    }
    const size_t len = strlen(set);
    const bool public = len > 4 && strcmp(set + len - 4, ".pub") == 0;
    if (set == key && !*out && !rb_file_exists(file)) {
        RB_AUTO(rb_free_str) char *private_file = rb_strndup(set, public ? len - 4 : len);
        make_key(steps, email, private_file);
    }
    if (set != key)
        add(steps, "git config %suser.signingKey %s", steps->scope, set);
    if (!ssh)
        add(steps, "git config %sgpg.format ssh", steps->scope);
    if (!*out)
        *out = rb_format("$(cut -d' ' -f1,2 %s%s)", set, public ? "" : ".pub");
    return RB_OK;
}

static enum rb_code signer_steps(struct steps *steps, const char *email, const char *key,
                                 rb_err *err)
{
    const char *set;
    RB_TRY(rb_repo_setting(&set, steps->repo, "gpg.ssh.allowedsignersfile", err));
    const char *file = set ? set : SIGNERS_PLACE;
    RB_AUTO(rb_free_str) char *folder = rb_path_dir(file);
    if (!set)
        add(steps, "git config %sgpg.ssh.allowedSignersFile %s", steps->scope, file);
    add(steps, "mkdir -p %s", folder);
    add(steps, "echo \"%s %s\" >>%s", email, key, file);
    return RB_OK;
}

enum rb_code rb_init_signing(rb_cli *cli, rb_repo *repo, rb_err *err)
{
    const char *email;
    rb_err unusable = {0};
    RB_AUTO(rb_caller_clear) rb_caller caller = {0};
    RB_AUTO(rb_free_str) char *key = NULL;
    RB_AUTO(rb_strs_clear) rb_strs commands = {0};
    struct steps steps = {repo, rb_repo_workdir(repo) ? "--global " : "", &commands};
    RB_AUTO(rb_free_str) char *file = NULL;
    RB_TRY(rb_repo_setting_path(&file, repo, "gpg.ssh.allowedsignersfile", err));
    const bool loaded = rb_session_signers(&cli->session, &unusable) == RB_OK;
    if (!loaded && file && rb_file_exists(file)) {
        rb_ui_note(cli, "releases cannot be verified here: %s", rb_err_line(&unusable));
        return RB_OK;
    }
    if (loaded)
        RB_TRY(rb_caller_find(&caller, repo, cli->session.signers, NULL, false, err));
    if (caller.principal) {
        rb_ui_note(cli, "releases are signed here as %s, with the key %s", caller.principal,
                   caller.fingerprint);
        return RB_OK;
    }
    RB_TRY(rb_repo_setting(&email, repo, "user.email", err));
    if (!email)
        add(&steps, "git config %suser.email you@example.com", steps.scope);
    RB_TRY(key_steps(&key, &steps, email ? email : "you@example.com", err));
    RB_TRY(signer_steps(&steps, email ? email : "you@example.com", key, err));
    rb_ui_note(cli, "releases cannot be signed and verified here yet (%s); run:",
               loaded ? caller.why : rb_err_line(&unusable));
    for (size_t i = 0; i < commands.n; i++)
        rb_ui_note(cli, "    %s", commands.items[i]);
    return RB_OK;
}
