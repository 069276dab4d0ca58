/* A tag object's bytes, and what git says about an OpenPGP signature. */
#include <stdlib.h>
#include <string.h>

#include "trust/openpgp.h"
#include "trust/tag_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rb_form form = {0};
    RB_AUTO(rb_problems_clear) rb_problems problems = {0};
    bool good = rb_form_parse(&form, (const char *)data, size, "v1.0.0", &problems) == RB_OK;
    if (good == (problems.n > 0) || form.signature_at > size || form.message_at > form.signature_at)
        abort();
    if (good && (form.signature == RB_SIGNATURE_NONE || strcmp(form.name, "v1.0.0") != 0 ||
                 !form.tagger.who || !form.tagger.email || form.signature_at == size))
        abort();
    rb_form_clear(&form);
    RB_AUTO(rb_free_str) char *text = rb_strndup((const char *)data, size);
    RB_AUTO(rb_free_str) char *principal = NULL;
    RB_AUTO(rb_free_str) char *fingerprint = NULL;
    if (rb_openpgp_result(&principal, &fingerprint, text, true, &problems) == RB_OK &&
        (!*principal || !*fingerprint))
        abort();
    return 0;
}
