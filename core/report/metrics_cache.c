#include "report/metrics_internal.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/version.h"
#include "git/refs.h"

#define LIMIT (8u << 20) /* bytes of the file */
#define LIFE 3600        /* seconds; keys end, and policies with them */

/* What the samples depend on besides the time: the ledger, whom it trusts, and this program. */
static enum rb_code key_of(char out[RB_SHA256_HEX], rb_session *session, rb_err *err)
{
    rb_ref tip;
    RB_AUTO(rb_strs_clear) rb_strs roots = {0};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    char hex[RB_OID_HEX] = "";
    RB_TRY(rb_session_signers(session, err));
    RB_TRY(rb_ref_read(&tip, session->repo, RB_LEDGER_REF, err));
    RB_TRY(rb_repo_settings(&roots, session->repo, "rbtool.root", err));
    if (tip.exists)
        rb_oid_hex(&tip.object, hex);
    rb_buf_printf(&text, "%s\n%s\n%s\n", RB_VERSION, rb_signers_digest(session->signers), hex);
    for (size_t i = 0; i < roots.n; i++)
        rb_buf_printf(&text, "%s\n", roots.items[i]);
    rb_sha256_hex_of(rb_buf_str(&text), text.len, out);
    return RB_OK;
}

/* Reads the samples of an earlier run; NULL if there are none that still hold. */
static json_t *recall(const char *path, const char *key, size_t families, int64_t now)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *kept = NULL;
    if (rb_file_read(&text, path, LIMIT, RB_IGNORED) != RB_OK ||
        rb_json_read(&kept, rb_buf_str(&text), text.len, path, RB_IGNORED) != RB_OK ||
        !rb_text_same(rb_json_str(kept, "key"), key) ||
        now < rb_json_int(kept, "made", INT64_MAX) || now >= rb_json_int(kept, "until", 0))
        return NULL;
    json_t *samples = json_object_get(kept, "samples");
    return json_array_size(samples) == families ? json_incref(samples) : NULL;
}

enum rb_code rb_metrics_ledger(json_t *metrics, rb_session *session, const char *environment,
                               int64_t now, rb_err *err)
{
    char key[RB_SHA256_HEX];
    int64_t until = now + LIFE;
    RB_TRY(key_of(key, session, err));
    RB_AUTO(rb_free_str)
    char *path = rb_format("%s/rbtool/metrics%s%s", rb_repo_common_dir(session->repo),
                           environment ? "." : "", environment ? environment : "");
    RB_AUTO(rb_json_freep) json_t *samples = recall(path, key, json_array_size(metrics), now);
    if (!samples) {
        samples = rb_metrics_new();
        RB_TRY(rb_metrics__count(samples, &until, session, environment, now, err));
        RB_AUTO(rb_json_freep)
        json_t *kept = rb_json_make("key:s made:i until:i samples:J", key, now, until, samples);
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        rb_json_canonical(&text, kept);
        (void)rb_file_replace(path, rb_buf_str(&text), text.len, RB_IGNORED);
    }
    for (size_t i = 0; i < json_array_size(metrics); i++)
        json_array_extend(json_array_get(metrics, i), json_array_get(samples, i));
    return RB_OK;
}
