#include "environment/host.h"

#include <pwd.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"

#define ID_LIMIT 4096 /* bytes of a file that holds an id */

static bool read_id(rb_buf *out, const char *path)
{
    if (rb_file_read(out, path, ID_LIMIT, RB_IGNORED) != RB_OK)
        return false;
    rb_buf_truncate(out, strcspn(rb_buf_str(out), "\n"));
    return out->len >= 16 && strcmp(rb_buf_str(out), "uninitialized") != 0;
}

static enum rb_code create_id(rb_buf *out, rb_err *err)
{
    const struct passwd *user = getpwuid(geteuid());
    unsigned char random[RB_SHA256_SIZE];
    char hex[RB_SHA256_HEX];
    if (!user)
        return rb_fail(err, RB_ERROR,
                       "this host has no /etc/machine-id, and user %ld has no home folder for an "
                       "id\ncreate the former with `systemd-machine-id-setup`",
                       (long)geteuid());
    RB_AUTO(rb_free_str) char *dir = rb_path_join(user->pw_dir, ".local/state/rbtool");
    RB_AUTO(rb_free_str) char *path = rb_path_join(dir, "host");
    if (read_id(out, path))
        return RB_OK;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return rb_fail_errno(err, RB_ERROR, "cannot create an id for this host");
    rb_hex_encode(random, sizeof random, hex);
    rb_buf_clear(out);
    rb_buf_puts(out, hex);
    RB_TRY(rb_dir_make_as(dir, 0700, err));
    return rb_file_write(path, hex, strlen(hex), 0600, err);
}

enum rb_code rb_host_id(char out[RB_SHA256_HEX], rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf id = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    if (!read_id(&id, "/etc/machine-id"))
        RB_TRY(create_id(&id, err));
    rb_buf_printf(&text, "rbtool host %s", rb_buf_str(&id));
    rb_sha256_hex_of(text.data, text.len, out);
    return RB_OK;
}
