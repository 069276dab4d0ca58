#include "trust/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/anchor.h"

enum message {
    REQUEST_IDENTITIES = 11,
    IDENTITIES_ANSWER = 12,
    SIGN_REQUEST = 13,
    SIGN_RESPONSE = 14,
};

#define FLAG_RSA_SHA2_256 2
#define FLAG_RSA_SHA2_512 4
#define IDENTITIES_LIMIT 2048

/* Connects to the agent; -1 if none answers. */
static int connect_agent(void)
{
    const char *path = getenv("SSH_AUTH_SOCK"); /* lint: allowed: agents are found by it alone */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || !*path || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = RB_AGENT_TIMEOUT};
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool receive_all(int fd, char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, data, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Sends one request and reads the answer, whose first byte is its type. */
static bool ask(rb_buf *answer, int fd, const rb_buf *request)
{
    RB_AUTO(rb_buf_clear) rb_buf framed = {0};
    rb_wire_put_string(&framed, request->data, request->len);
    unsigned char head[4];
    if (!send_all(fd, framed.data, framed.len) || !receive_all(fd, (char *)head, sizeof head))
        return false;
    rb_wire w = rb_wire_of(head, sizeof head);
    uint32_t len;
    if (!rb_wire_u32(&w, &len) || len == 0 || len > RB_AGENT_MESSAGE_LIMIT)
        return false;
    rb_buf_clear(answer);
    rb_buf_reserve(answer, len);
    if (!receive_all(fd, answer->data, len))
        return false;
    answer->len = len;
    answer->data[len] = '\0';
    return true;
}

bool rb_agent_lists(const void *answer, size_t len, const rb_buf *blob)
{
    rb_wire w = rb_wire_of(answer, len);
    unsigned char type;
    uint32_t count;
    if (!rb_wire_u8(&w, &type) || type != IDENTITIES_ANSWER || !rb_wire_u32(&w, &count) ||
        count > IDENTITIES_LIMIT)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        rb_wire key;
        rb_wire comment;
        if (!rb_wire_string(&w, &key) || !rb_wire_string(&w, &comment))
            return false;
        if (key.left == blob->len && memcmp(key.p, blob->data, blob->len) == 0)
            return true;
    }
    return false;
}

/* Returns the blob with which the agent knows the key; NULL if it does not have the key. The agent
 * may list a certificate as its plain key. */
static const rb_buf *find_held(int fd, const rb_key *key)
{
    RB_AUTO(rb_buf_clear) rb_buf request = {0};
    RB_AUTO(rb_buf_clear) rb_buf answer = {0};
    rb_buf_addc(&request, REQUEST_IDENTITIES);
    if (!ask(&answer, fd, &request))
        return NULL;
    if (rb_agent_lists(answer.data, answer.len, rb_key_public(key)))
        return rb_key_public(key);
    return rb_agent_lists(answer.data, answer.len, &key->blob) ? &key->blob : NULL;
}

enum rb_code rb_agent_sign(rb_buf *out, bool *held, const rb_key *key, bool sha256,
                           const void *data, size_t len, rb_err *err)
{
    *held = false;
    RB_AUTO(rb_close) int fd = connect_agent();
    const rb_buf *blob = fd < 0 ? NULL : find_held(fd, key);
    if (!blob)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf request = {0};
    RB_AUTO(rb_buf_clear) rb_buf answer = {0};
    rb_buf_addc(&request, SIGN_REQUEST);
    rb_wire_put_string(&request, blob->data, blob->len);
    rb_wire_put_string(&request, data, len);
    uint32_t flag = sha256 ? FLAG_RSA_SHA2_256 : FLAG_RSA_SHA2_512;
    rb_wire_put_u32(&request, key->kind == RB_KEY_RSA ? flag : 0);
    char print[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(key, print);
    if (!ask(&answer, fd, &request))
        return rb_fail(err, RB_ERROR,
                       "ssh-agent holds the key %s, but gave no answer within %d seconds", print,
                       RB_AGENT_TIMEOUT);
    rb_wire w = rb_wire_of(answer.data, answer.len);
    unsigned char type;
    rb_wire signature;
    if (!rb_wire_u8(&w, &type) || type != SIGN_RESPONSE || !rb_wire_string(&w, &signature))
        return rb_fail(err, RB_ERROR,
                       "ssh-agent holds the key %s, but refused to sign with it (not confirmed, or "
                       "locked)",
                       print);
    rb_buf_add(out, signature.p, signature.left);
    *held = true;
    return RB_OK;
}
