/* DSSE envelopes of others: read or refused in words; what is read is written and read again with
 * the same payload, and no signature of a stranger counts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attest/envelope.h"
#include "trust/signers.h"

static const char allowed[] =
    "alice@example.com ssh-ed25519 "
    "AAAAC3NzaC1lZDI1NTE5AAAAIBwqtzlY4BmyNLAZhUvoSO8C1pwFQXuaTHJiupX3shZh\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rb_signers *signers;
    rb_err err = {0};
    if (!signers &&
        (rb_signers_parse(&signers, "allowed", allowed, strlen(allowed), &err) != RB_OK ||
         signers->n != 1))
        abort();
    RB_AUTO(rb_envelope_clear) rb_envelope envelope = {0};
    if (rb_envelope_read(&envelope, (const char *)data, size, "it", &err) != RB_OK) {
        if (!err.message[0] || envelope.json || strchr(err.message, '\n'))
            abort();
        return 0;
    }
    RB_AUTO(rb_buf_clear) rb_buf written = {0};
    RB_AUTO(rb_envelope_clear) rb_envelope again = {0};
    rb_envelope_write(&written, &envelope);
    if (rb_envelope_read(&again, written.data, written.len, "it", &err) != RB_OK ||
        again.payload.len != envelope.payload.len ||
        memcmp(rb_buf_str(&again.payload), rb_buf_str(&envelope.payload), again.payload.len) != 0 ||
        rb_envelope_count(&again) != rb_envelope_count(&envelope))
        abort();
    RB_AUTO(rb_strs_clear) rb_strs people = {0};
    size_t unknown;
    if (rb_envelope_check(&people, &unknown, &envelope, signers, &err) == RB_OK &&
        (people.n > 0 || unknown != rb_envelope_count(&envelope)))
        abort(); /* nobody has that key */
    return 0;
}
