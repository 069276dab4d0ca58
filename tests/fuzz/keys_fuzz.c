/* Public keys, private key files and an agent's list, by the first byte. */
#include <stdlib.h>
#include <string.h>

#include "trust/agent.h"
#include "trust/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A key's own encoding is a key, the same one. */
static void check_key(const rb_key *key)
{
    rb_err err;
    RB_AUTO(rb_key_freep) rb_key *again = NULL;
    if (rb_key_parse(&again, key->blob.data, key->blob.len, &err) != RB_OK ||
        !rb_key_equal(key, again))
        abort();
    char print[RB_FINGERPRINT_SIZE];
    rb_key_fingerprint(key, print);
    if (strlen(print) != RB_FINGERPRINT_SIZE - 1)
        abort();
}

static void check_private(const char *text, size_t len)
{
    rb_err err;
    enum rb_private_state state;
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    RB_AUTO(rb_buf_clear) rb_buf sig = {0};
    if (rb_key_private(&key, &state, text, len, "input", &err) != RB_OK || !key)
        return;
    check_key(key);
    if (state == RB_PRIVATE_PLAIN && rb_key_sign(&sig, key, "x", 1, &err) == RB_OK &&
        rb_key_verify(key, sig.data, sig.len, "y", 1, &err) == RB_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    rb_err err;
    RB_AUTO(rb_key_freep) rb_key *key = NULL;
    const uint8_t *rest = data + 1;
    size--;
    if (*data == 'b') {
        if (rb_key_parse(&key, rest, size, &err) == RB_OK)
            check_key(key);
    } else if (*data == 'l') {
        RB_AUTO(rb_free_str) char *line = rb_strndup((const char *)rest, size);
        const char *p = line;
        if (rb_key_parse_line(&key, &p, &err) == RB_OK)
            check_key(key);
        if (p < line || p > line + strlen(line))
            abort();
    } else if (*data == 'p') {
        check_private((const char *)rest, size);
    } else if (*data == 'a') {
        RB_AUTO(rb_buf_clear) rb_buf blob = {0};
        rb_buf_puts(&blob, "blob");
        (void)rb_agent_lists(rest, size, &blob);
    }
    return 0;
}
