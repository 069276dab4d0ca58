#include "attest/envelope.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/shape.h"

static const rb_shape any_text = {.kind = RB_SHAPE_STRING};
static const rb_shape signature_text = {
    .kind = RB_SHAPE_STRING, .min = 1, .max = RB_ENVELOPE_SIGNATURE_LIMIT};

void rb_envelope_clear(rb_envelope *envelope)
{
    rb_json_free(envelope->json);
    rb_buf_clear(&envelope->payload);
    *envelope = (rb_envelope){0};
}

static json_t *base64(const void *data, size_t len)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_base64_encode(&text, data, len);
    return rb_json_text(rb_buf_str(&text));
}

void rb_envelope_make(rb_envelope *out, const void *payload, size_t len)
{
    *out =
        (rb_envelope){.json = rb_json_make("payload:j payloadType:s signatures:j",
                                           base64(payload, len), RB_ENVELOPE_TYPE, json_array())};
    rb_buf_add(&out->payload, payload, len);
}

/* Decodes base64 of RFC 4648, in either alphabet. */
static bool decode(rb_buf *out, const char *text)
{
    RB_AUTO(rb_free_str) char *standard = rb_strdup(text);
    for (char *p = standard; *p; p++)
        *p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
    return rb_base64_decode(out, standard, strlen(standard));
}

static enum rb_code member(const char **out, const json_t *object, const char *key,
                           const rb_shape *shape, const char *what, const char *where, rb_err *err)
{
    const json_t *value = json_object_get(object, key);
    RB_AUTO(rb_free_str) char *name = rb_format("%s%s%s", where, *where ? "." : "", key);
    if (!value)
        return rb_fail(err, RB_ERROR, "%s is not a DSSE envelope: it has no %s", what, name);
    RB_AUTO(rb_free_str) char *label = rb_format("%s: %s", what, name);
    RB_TRY(rb_shape_check(shape, value, label, err));
    const char *found = json_string_value(value);
    *out = found ? found : "";
    return RB_OK;
}

static enum rb_code check_signatures(const json_t *array, const char *what, rb_err *err)
{
    if (!json_is_array(array) || json_array_size(array) > RB_ENVELOPE_SIGNATURES)
        return rb_fail(err, RB_ERROR,
                       "%s is not a DSSE envelope: signatures should be a list of at most %d", what,
                       RB_ENVELOPE_SIGNATURES);
    rb_json_each (item, array) {
        RB_AUTO(rb_free_str) char *where = rb_format("signatures[%zu]", item_at);
        RB_AUTO(rb_buf_clear) rb_buf bytes = {0};
        const char *text = "";
        if (!json_is_object(item))
            return rb_fail(err, RB_ERROR, "%s: %s: expected an object", what, where);
        RB_TRY(member(&text, item, "sig", &signature_text, what, where, err));
        if (!decode(&bytes, text))
            return rb_fail(err, RB_ERROR, "%s: %s.sig: expected base64", what, where);
        if (json_object_get(item, "keyid"))
            RB_TRY(member(&text, item, "keyid", &any_text, what, where, err));
    }
    return RB_OK;
}

enum rb_code rb_envelope_read(rb_envelope *out, const char *text, size_t len, const char *what,
                              rb_err *err)
{
    RB_AUTO(rb_envelope_clear) rb_envelope made = {0};
    const char *payload = "";
    const char *type = "";
    if (len > RB_ENVELOPE_LIMIT)
        return rb_fail(err, RB_ERROR, "%s has %zu bytes, more than the limit of %u", what, len,
                       RB_ENVELOPE_LIMIT);
    RB_TRY(rb_json_read(&made.json, text, len, what, err));
    if (!json_is_object(made.json))
        return rb_fail(err, RB_ERROR, "%s is not a DSSE envelope: it is not a JSON object", what);
    RB_TRY(member(&payload, made.json, "payload", &any_text, what, "", err));
    RB_TRY(member(&type, made.json, "payloadType", &any_text, what, "", err));
    if (strcmp(type, RB_ENVELOPE_TYPE) != 0) {
        RB_AUTO(rb_free_str) char *found = rb_safe(type);
        return rb_fail(err, RB_ERROR,
                       "%s: payloadType: expected " RB_ENVELOPE_TYPE ", found \"%.100s\"", what,
                       found);
    }
    if (!decode(&made.payload, payload))
        return rb_fail(err, RB_ERROR, "%s: payload: expected base64", what);
    RB_TRY(check_signatures(json_object_get(made.json, "signatures"), what, err));
    *out = made;
    made.json = NULL; /* the caller owns them now */
    made.payload = (rb_buf){0};
    return RB_OK;
}

void rb_envelope_write(rb_buf *out, const rb_envelope *envelope)
{
    rb_json_canonical(out, envelope->json);
    rb_buf_addc(out, '\n');
}

void rb_envelope_message(rb_buf *out, const rb_envelope *envelope)
{
    const char *type = rb_json_str(envelope->json, "payloadType");
    rb_buf_printf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, envelope->payload.len);
    rb_buf_add(out, rb_buf_str(&envelope->payload), envelope->payload.len);
}

size_t rb_envelope_count(const rb_envelope *envelope)
{
    return json_array_size(json_object_get(envelope->json, "signatures"));
}

bool rb_envelope_signed_by(const rb_envelope *envelope, const char *keyid)
{
    rb_json_each (item, json_object_get(envelope->json, "signatures")) {
        const char *found = rb_json_str(item, "keyid");
        if (found && strcmp(found, keyid) == 0)
            return true;
    }
    return false;
}

enum rb_code rb_envelope_sign(rb_envelope *envelope, bool *added, rb_repo *repo, const char *key,
                              rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    RB_AUTO(rb_raw_clear) rb_raw raw = {0};
    rb_envelope_message(&message, envelope);
    RB_TRY(rb_trust_sign_raw(&raw, repo, key, message.data, message.len, err));
    *added = !rb_envelope_signed_by(envelope, raw.fingerprint);
    if (!*added)
        return RB_OK;
    if (rb_envelope_count(envelope) >= RB_ENVELOPE_SIGNATURES)
        return rb_fail(err, RB_ERROR, "the envelope has %d signatures, which is the limit",
                       RB_ENVELOPE_SIGNATURES);
    json_array_append_new(json_object_get(envelope->json, "signatures"),
                          rb_json_make("keyid:s sig:j", raw.fingerprint,
                                       base64(raw.signature.data, raw.signature.len)));
    return RB_OK;
}

enum rb_code rb_envelope_check(rb_strs *people, size_t *unknown, const rb_envelope *envelope,
                               const rb_signers *signers, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf message = {0};
    *unknown = 0;
    rb_envelope_message(&message, envelope);
    rb_json_each (item, json_object_get(envelope->json, "signatures")) {
        RB_AUTO(rb_buf_clear) rb_buf sig = {0};
        RB_AUTO(rb_free_str) char *principal = NULL;
        const char *keyid = rb_json_str(item, "keyid");
        if (!decode(&sig, rb_json_str(item, "sig")))
            abort(); /* cannot happen: rb_envelope_read() has checked it */
        if (keyid && rb_trust_check_raw(&principal, signers, keyid, sig.data, sig.len, message.data,
                                        message.len, err) != RB_OK)
            return rb_err_prefix(err, "signatures[%zu] by %.80s", item_at, keyid);
        if (principal)
            rb_strs_add(people, principal);
        else
            ++*unknown;
    }
    return RB_OK;
}
