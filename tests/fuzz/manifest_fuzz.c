/* Whatever is taken for a manifest is written back as the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "release/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_manifest_freep) rb_manifest *manifest = NULL;
    rb_err err = {0};
    if (rb_manifest_parse(&manifest, (const char *)data, size, &err) != RB_OK) {
        if (!err.message[0] || manifest)
            abort();
        return 0;
    }
    RB_AUTO(rb_json_freep) json_t *json = rb_manifest_encode(manifest);
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_json_pretty(&text, json);
    if (text.len != size || memcmp(text.data, data, size) != 0)
        abort();
    return 0;
}
