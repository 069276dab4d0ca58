/* Determines to which host and folder a journal belongs. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/file.h"
#include "environment/host.h"
#include "environment/state_internal.h"

#define PIN "host" /* HOST FOLDER PATH */

struct home {
    char host[RB_SHA256_HEX];
    char *folder;             /* inode and birth of ROOT/.rbtool */
    char path[RB_SHA256_HEX]; /* of the path of ROOT, which can hold any bytes */
};

static void home_clear(struct home *home)
{
    free(home->folder);
}

/* Without the device number, which can change for LVM, btrfs and NFS when the host boots. */
static char *folder_id(const char *root)
{
    RB_AUTO(rb_free_str) char *dir = rb_path_join(root, ".rbtool");
    struct statx st = {0};
    int fd = rb_at_open(dir, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0)
        st = (struct statx){0};
    if (fd >= 0)
        close(fd);
    return rb_format("%llu:%lld.%u", (unsigned long long)st.stx_ino, (long long)st.stx_btime.tv_sec,
                     st.stx_btime.tv_nsec);
}

static enum rb_code find_home(struct home *home, const char *root, rb_err *err)
{
    RB_TRY(rb_host_id(home->host, err));
    home->folder = folder_id(root);
    RB_AUTO(rb_free_str) char *path = rb_path_resolve(root, NULL, NULL);
    rb_sha256_hex_of(path, strlen(path), home->path);
    return RB_OK;
}

static enum rb_code set_pin(rb_state *state, const struct home *home, rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *value = rb_format("%s %s %s", home->host, home->folder, home->path);
    memcpy(state->host, home->host, sizeof state->host);
    return rb_state_pin_set(state, PIN, value, err);
}

/* Updates the pin of a host that got another id, or of a folder that was restored in place. */
static enum rb_code renew(rb_state *state, const struct home *home, const char *was, rb_err *err)
{
    if (strcmp(was, home->host) != 0)
        RB_TRY(rb_state_change(state, "UPDATE transition_log SET host = ? WHERE host = ?",
                               json_pack("[s,s]", home->host, was), err));
    return set_pin(state, home, err);
}

static enum rb_code has_rows(bool *out, rb_state *state, rb_err *err)
{
    RB_AUTO(rb_json_freep) json_t *rows = NULL;
    RB_TRY(rb_state_has_tables(out, state, err));
    if (!*out)
        return RB_OK;
    RB_TRY(rb_sqlite_query(&rows, state->db, "SELECT 1 FROM transition_log LIMIT 1", NULL, err));
    *out = json_array_size(rows) > 0;
    return RB_OK;
}

enum rb_code rb_state_bind(rb_state *state, const char *root, bool write, rb_err *err)
{
    RB_AUTO(home_clear) struct home home = {0};
    RB_AUTO(rb_free_str) char *pin = NULL;
    RB_TRY(find_home(&home, root, err));
    RB_TRY(rb_state_pin(&pin, state, PIN, err));
    memcpy(state->host, home.host, sizeof state->host);
    if (!pin) {
        RB_TRY(has_rows(&state->copy, state, err));
        return write && !state->copy ? set_pin(state, &home, err) : RB_OK;
    }
    char *folder = pin + strcspn(pin, " ");
    *folder++ = '\0';
    char *path = folder + strcspn(folder, " ");
    *path++ = '\0';
    bool same_host = strcmp(pin, home.host) == 0;
    bool same_folder = strcmp(folder, home.folder) == 0;
    bool same_path = strcmp(path, home.path) == 0;
    state->copy = !same_folder && !(same_host && same_path);
    if (state->copy)
        return RB_OK;
    if (write && !(same_host && same_folder && same_path))
        return renew(state, &home, pin, err);
    memcpy(state->host, pin, strlen(pin) < sizeof state->host ? strlen(pin) + 1 : 0);
    return RB_OK;
}

bool rb_state_is_copy(const rb_state *state)
{
    return state->copy;
}

enum rb_code rb_state_take_over(rb_state *state, const char *root, rb_err *err)
{
    RB_AUTO(home_clear) struct home home = {0};
    RB_TRY(find_home(&home, root, err));
    /* A plan of another host is not carried out on this one. */
    RB_TRY(rb_state_change(state, "DELETE FROM plan_data", json_array(), err));
    RB_TRY(set_pin(state, &home, err));
    state->copy = false;
    return RB_OK;
}
