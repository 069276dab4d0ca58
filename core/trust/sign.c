#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "trust/agent.h"
#include "trust/signers.h"
#include "trust/sshsig.h"
#include "trust/trust.h"

#define KEYGEN "ssh-keygen"
#define PROGRAM_TIMEOUT 300 /* seconds, because a person may have to type a passphrase */
#define ADVICE                                                                                     \
    "`rbtool init` prints the commands that set it up (gpg.format ssh, user.signingKey); or give " \
    "--key FILE"

typedef struct signing_key {
    char *path;    /* path of the key file; NULL for a literal key */
    char *literal; /* literal key "ssh-... AAAA", or NULL */
    rb_key *key;   /* parsed key; NULL if the file does not contain its public part */
    bool plain;    /* key contains the private part */
} signing_key;

static void signing_key_clear(signing_key *k)
{
    free(k->path);
    free(k->literal);
    rb_key_free(k->key);
}

static void set_key(signing_key *k, rb_key **key)
{
    rb_key_free(k->key);
    k->key = *key;
    *key = NULL;
}

static const char *literal_of(const char *value)
{
    if (strncmp(value, "key::", 5) == 0)
        return value + 5;
    return strncmp(value, "ssh-", 4) == 0 && strchr(value, ' ') ? value : NULL;
}

static char *expand_home(const char *path)
{
    if (strncmp(path, "~/", 2) != 0)
        return rb_strdup(path);
    const struct passwd *entry = getpwuid(geteuid());
    const char *home = getenv("HOME"); /* lint: allowed: expands ~ as git does */
    if (!home)
        home = entry ? entry->pw_dir : "~";
    return rb_format("%s%s", home, path + 1);
}

/* Runs gpg.ssh.defaultKeyCommand and returns the first line of its output. Splits the command at
 * white space. */
static enum rb_code run_key_command(char **out, const char *command, rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs words = {0};
    for (const char *p = command; *(p += strspn(p, " \t")); p += strcspn(p, " \t"))
        rb_strs_take(&words, rb_strndup(p, strcspn(p, " \t")));
    if (words.n == 0)
        return RB_OK;
    const char **argv = rb_calloc(words.n + 1, sizeof *argv);
    for (size_t i = 0; i < words.n; i++)
        argv[i] = words.items[i];
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    enum rb_code code = rb_process_run(
        &result, &(rb_process){.argv = argv, .timeout = PROGRAM_TIMEOUT, .terminal = true}, err);
    free(argv);
    if (code != RB_OK)
        return rb_err_prefix(err, "git config gpg.ssh.defaultKeyCommand");
    const char *text = rb_buf_str(&result.out);
    if (result.status == 0 && literal_of(text))
        *out = rb_strndup(text, strcspn(text, "\r\n"));
    return RB_OK;
}

/* Returns the key that git's settings name; *out stays NULL if there is none. */
static enum rb_code configured_key(char **out, rb_repo *repo, rb_err *err)
{
    const char *format = NULL;
    const char *value = NULL;
    const char *command = NULL;
    RB_TRY(rb_repo_setting(&format, repo, "gpg.format", err));
    RB_TRY(rb_repo_setting(&value, repo, "user.signingkey", err));
    RB_TRY(rb_repo_setting(&command, repo, "gpg.ssh.defaultkeycommand", err));
    if (format && strcmp(format, "ssh") != 0)
        return rb_fail(err, RB_ERROR,
                       "git config gpg.format is \"%s\", but releases are signed with SSH keys: %s",
                       format, ADVICE);
    if (value && *value && literal_of(value))
        *out = rb_strdup(value);
    else if (value && *value)
        RB_TRY(rb_repo_setting_path(out, repo, "user.signingkey", err));
    else if (command)
        RB_TRY(run_key_command(out, command, err));
    if (*out && !format && !literal_of(*out) && access(*out, F_OK) != 0)
        return rb_fail(err, RB_ERROR,
                       "git config user.signingKey is \"%s\", which is not an SSH key file: %s",
                       value, ADVICE);
    return RB_OK;
}

enum rb_code rb_trust_has_key(bool *out, rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *key = NULL;
    const char *format = NULL;
    RB_TRY(rb_repo_setting(&format, repo, "gpg.format", err));
    bool ssh = format && strcmp(format, "ssh") == 0;
    enum rb_code code = !format || ssh ? configured_key(&key, repo, err) : RB_OK;
    /* Without gpg.format, a user.signingKey that is not a file is the id of an OpenPGP key. */
    *out = code == RB_OK && key != NULL;
    return ssh ? code : RB_OK;
}

/* Returns the path of the private key file that belongs to a public one, as ssh-keygen determines
 * it. */
static char *private_path(const char *path)
{
    size_t len = strlen(path);
    if (rb_text_ends(path, "-cert.pub"))
        return rb_strndup(path, len - strlen("-cert.pub"));
    return rb_text_ends(path, ".pub") ? rb_strndup(path, len - strlen(".pub")) : NULL;
}

static enum rb_code read_public(rb_key **out, const rb_buf *text, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *line = rb_strndup(rb_buf_str(text), strcspn(rb_buf_str(text), "\r\n"));
    const char *p = line;
    if (rb_key_parse_line(out, &p, err) == RB_OK)
        return RB_OK;
    (void)rb_err_prefix(err, "%s is not an SSH key file", path);
    return err->code = RB_ERROR;
}

/* Loads the private part of a public key, if its file is readable and unencrypted. */
static enum rb_code complete(signing_key *k, rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = private_path(k->path);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_key_freep) rb_key *full = NULL;
    enum rb_private_state state;
    if (!path || rb_file_read(&text, path, RB_KEY_FILE_LIMIT, RB_IGNORED) != RB_OK)
        return RB_OK;
    RB_TRY(rb_key_private(&full, &state, rb_buf_str(&text), text.len, path, err));
    explicit_bzero(text.data, text.len);
    if (!full || state != RB_PRIVATE_PLAIN)
        return RB_OK;
    if (!rb_key_equal(full, k->key))
        return rb_fail(err, RB_ERROR, "the private key %s does not belong to %s", path, k->path);
    full->certificate = RB_TAKE(k->key->certificate);
    set_key(k, &full);
    k->plain = true;
    return RB_OK;
}

/* Reads the public part of an encrypted key from the .pub file beside it, if that exists. */
static void find_public(signing_key *k)
{
    RB_AUTO(rb_free_str) char *path = rb_format("%s.pub", k->path);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (rb_file_read(&text, path, RB_KEY_FILE_LIMIT, RB_IGNORED) == RB_OK &&
        read_public(&k->key, &text, path, RB_IGNORED) != RB_OK)
        k->key = NULL;
}

static enum rb_code load_file(signing_key *k, rb_err *err)
{
    enum rb_private_state state;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (rb_file_read(&text, k->path, RB_KEY_FILE_LIMIT, err) != RB_OK)
        return rb_err_prefix(err, "cannot sign");
    RB_TRY(rb_key_private(&k->key, &state, rb_buf_str(&text), text.len, k->path, err));
    if (state == RB_PRIVATE_NONE) {
        RB_TRY(read_public(&k->key, &text, k->path, err));
        return complete(k, err);
    }
    if (text.data)
        explicit_bzero(text.data, text.len);
    k->plain = state == RB_PRIVATE_PLAIN;
    if (!k->key)
        find_public(k);
    return RB_OK;
}

static enum rb_code load_key(signing_key *k, rb_repo *repo, const char *key, rb_err *err)
{
    RB_AUTO(rb_free_str) char *chosen = NULL;
    if (!key)
        RB_TRY(configured_key(&chosen, repo, err));
    const char *value = key ? key : chosen;
    if (!value)
        return rb_fail(err, RB_ERROR, "no key to sign with: %s", ADVICE);
    const char *literal = literal_of(value);
    if (!literal) {
        k->path = expand_home(value);
        return load_file(k, err);
    }
    k->literal = rb_strndup(literal, strcspn(literal, "\r\n"));
    const char *p = k->literal;
    if (rb_key_parse_line(&k->key, &p, err) == RB_OK)
        return RB_OK;
    (void)rb_err_prefix(err, "the signing key \"%.60s\"", value);
    return err->code = RB_ERROR;
}

static void remove_folder(char **dir)
{
    if (*dir && rb_dir_remove(*dir, RB_IGNORED) != RB_OK)
        errno = 0; /* ignore errors of removing the folder: the signature is valid */
    free(*dir);
}

/* Creates a temporary folder in git's folder, where the unsigned tag is as protected as in the
 * repository. */
static enum rb_code make_folder(char **out, const rb_repo *repo, rb_err *err)
{
    RB_AUTO(rb_free_str) char *parent = rb_path_join(rb_repo_common_dir(repo), "rbtool");
    RB_TRY(rb_dir_make(parent, err));
    char *dir = rb_format("%s/sign.XXXXXX", parent);
    if (!mkdtemp(dir)) {
        (void)rb_fail_errno(err, RB_ERROR, "cannot make a folder to sign in, %s", dir);
        free(dir);
        return RB_ERROR;
    }
    *out = dir;
    return RB_OK;
}

/* Signs files by PROGRAM -Y sign, as git does: programs such as 1Password's support nothing
 * else. */
static enum rb_code run_program(rb_buf *out, const rb_repo *repo, const char *program,
                                const signing_key *k, const char *namespace_, const void *data,
                                size_t len, rb_err *err)
{
    RB_AUTO(remove_folder) char *dir = NULL;
    RB_TRY(make_folder(&dir, repo, err));
    RB_AUTO(rb_free_str) char *payload = rb_path_join(dir, "payload");
    RB_AUTO(rb_free_str) char *result_path = rb_path_join(dir, "payload.sig");
    RB_AUTO(rb_free_str) char *key = k->path ? rb_strdup(k->path) : rb_path_join(dir, "key.pub");
    RB_TRY(rb_file_write(payload, data, len, 0600, err));
    if (k->literal)
        RB_TRY(rb_file_write(key, k->literal, strlen(k->literal), 0600, err));
    const char *argv[] = {program, "-Y", "sign", "-n", namespace_, "-f", key, payload, NULL};
    RB_AUTO(rb_process_result_clear) rb_process_result result = {0};
    RB_TRY(rb_process_run(
        &result, &(rb_process){.argv = argv, .timeout = PROGRAM_TIMEOUT, .terminal = true}, err));
    if (result.status != 0) {
        const char *said = rb_buf_str(&result.err);
        RB_AUTO(rb_buf_clear) rb_buf shown = {0};
        rb_buf_add_safe(&shown, said, strcspn(said, "\r\n"));
        return rb_fail(err, RB_ERROR,
                       "cannot sign with %s: `%s -Y sign` ended with status %d: %s (an encrypted "
                       "key can be given to ssh-agent with ssh-add)",
                       key, program, result.status, rb_buf_str(&shown));
    }
    return rb_file_read(out, result_path, RB_SSHSIG_LIMIT, err);
}

/* Verifies the new signature: it must be valid and made by this key. */
static enum rb_code check_made(const rb_buf *made, const signing_key *k, const char *namespace_,
                               const void *data, size_t len, rb_err *err)
{
    RB_AUTO(rb_sshsig_clear) rb_sshsig sig = {0};
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    enum rb_code code = rb_sshsig_parse(&sig, made->data, made->len, err);
    if (code == RB_OK)
        code = rb_key_parse(&key, sig.key.p, sig.key.left, err);
    if (code == RB_OK &&
        (!rb_wire_is(&sig.namespace_, namespace_) || (k->key && !rb_key_equal(key, k->key))))
        code = rb_fail(err, RB_FOUND, "it is by another key or for another namespace");
    if (code == RB_OK)
        code = rb_sshsig_verify(&sig, key, data, len, err);
    if (code == RB_OK)
        return RB_OK;
    (void)rb_err_prefix(err, "the signature made with %s is not valid",
                        k->path ? k->path : k->literal);
    return err->code = RB_ERROR;
}

/* Signs with the private part, or else with the agent; *done is false if neither has the key. */
static enum rb_code sign_here(rb_buf *out, bool *done, const signing_key *k, bool agent,
                              const char *namespace_, const void *data, size_t len, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    RB_AUTO(rb_buf_clear) rb_buf signature = {0};
    rb_wire ns = rb_wire_of(namespace_, strlen(namespace_));
    rb_sshsig_message(&message, &ns, "sha512", data, len);
    *done = k->plain;
    if (k->plain)
        RB_TRY(rb_key_sign(&signature, k->key, message.data, message.len, err));
    else if (agent && k->key)
        RB_TRY(rb_agent_sign(&signature, done, k->key, false, message.data, message.len, err));
    if (*done)
        rb_sshsig_armour(out, k->key, namespace_, &signature);
    return RB_OK;
}

enum rb_code rb_trust_sign(rb_buf *out, rb_repo *repo, const char *key, const char *namespace_,
                           const void *data, size_t len, rb_err *err)
{
    RB_AUTO(signing_key_clear) signing_key k = {0};
    RB_AUTO(rb_buf_clear) rb_buf made = {0};
    const char *program = NULL;
    bool done = false;
    RB_TRY(load_key(&k, repo, key, err));
    RB_TRY(rb_repo_setting(&program, repo, "gpg.ssh.program", err));
    if (program && strcmp(program, KEYGEN) == 0)
        program = NULL;
    RB_TRY(sign_here(&made, &done, &k, program == NULL, namespace_, data, len, err));
    if (!done && !program && k.literal)
        return rb_fail(err, RB_ERROR,
                       "the signing key \"%.60s\" is a public key and no ssh-agent holds it: "
                       "`ssh-add FILE` adds it",
                       k.literal);
    if (!done)
        RB_TRY(
            run_program(&made, repo, program ? program : KEYGEN, &k, namespace_, data, len, err));
    RB_TRY(check_made(&made, &k, namespace_, data, len, err));
    rb_buf_add(out, made.data, made.len);
    return RB_OK;
}

enum rb_code rb_trust_who(bool *known, char **principal, char **fingerprint,
                          const rb_signers *signers, rb_repo *repo, const char *key,
                          const char *namespace_, const char *email, rb_err *err)
{
    RB_AUTO(signing_key_clear) signing_key k = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    RB_TRY(load_key(&k, repo, key, err));
    *known = k.key != NULL;
    if (!*known)
        return RB_OK;
    RB_TRY(rb_signers_need(signers, err));
    enum rb_code code = rb_signers_check(principal, signers, k.key, namespace_,
                                         (uint64_t)time(NULL), email, &problems);
    if (code != RB_OK)
        return rb_fail(err, code, "%s", problems.items[0].message);
    *fingerprint = rb_calloc(1, RB_FINGERPRINT_SIZE);
    rb_key_fingerprint(k.key, *fingerprint);
    return RB_OK;
}

void rb_raw_clear(rb_raw *raw)
{
    rb_buf_clear(&raw->signature);
    free(raw->fingerprint);
    *raw = (rb_raw){0};
}

static enum rb_code no_raw(const signing_key *k, rb_err *err)
{
    const char *name = k->path ? k->path : k->literal;
    return rb_fail(err, RB_ERROR,
                   "cannot make a plain signature with %.200s: its private part is not in an "
                   "unencrypted file and no ssh-agent holds it (ssh-keygen makes SSH signatures "
                   "only)\n`ssh-add %.200s` adds it",
                   name, k->path ? k->path : "FILE");
}

/* Loads a key for raw signatures; its private part may be in the agent. */
static enum rb_code load_raw_key(signing_key *k, rb_repo *repo, const char *key, rb_err *err)
{
    RB_TRY(load_key(k, repo, key, err));
    if (!k->key)
        return no_raw(k, err);
    if (rb_key_types[k->key->kind].security_key)
        return rb_fail(err, RB_ERROR,
                       "the key %s is a security key (%s), which signs SSH signatures only\nname "
                       "one in a file or in ssh-agent with --key FILE",
                       k->path ? k->path : k->literal, rb_key_name(k->key));
    return rb_key_can_sign(k->key, err);
}

enum rb_code rb_trust_key(char **fingerprint, rb_buf *pem, rb_repo *repo, const char *key,
                          rb_err *err)
{
    RB_AUTO(signing_key_clear) signing_key k = {0};
    RB_TRY(load_raw_key(&k, repo, key, err));
    char print[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(k.key, print);
    if (fingerprint)
        *fingerprint = rb_strdup(print);
    if (pem)
        rb_key_pem(pem, k.key);
    return RB_OK;
}

enum rb_code rb_trust_sign_raw(rb_raw *out, rb_repo *repo, const char *key, const void *data,
                               size_t len, rb_err *err)
{
    RB_AUTO(signing_key_clear) signing_key k = {0};
    RB_AUTO(rb_raw_clear) rb_raw made = {0};
    RB_TRY(load_raw_key(&k, repo, key, err));
    if (k.plain) {
        RB_TRY(rb_key_sign_raw(&made.signature, k.key, data, len, err));
    } else {
        RB_AUTO(rb_buf_clear) rb_buf blob = {0};
        bool held;
        RB_TRY(rb_agent_sign(&blob, &held, k.key, true, data, len, err));
        if (!held)
            return no_raw(&k, err);
        RB_TRY(rb_key_raw_of(&made.signature, k.key, &blob, err));
    }
    if (rb_key_verify_raw(k.key, made.signature.data, made.signature.len, data, len, err) !=
        RB_OK) {
        (void)rb_err_prefix(err, "the signature made with %s is not valid",
                            k.path ? k.path : k.literal);
        return err->code = RB_ERROR;
    }
    char print[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(k.key, print);
    made.fingerprint = rb_strdup(print);
    *out = made;
    made.signature = (rb_buf){0}; /* the caller owns the signature now */
    made.fingerprint = NULL;
    return RB_OK;
}
