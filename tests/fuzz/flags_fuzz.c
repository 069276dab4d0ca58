/* Flag files: sorted, each name once, a known state; or refused in words. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "release/flags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rb_manifest_flag *flags = NULL;
    size_t n = 0;
    rb_err err = {0};
    if (rb_flags_parse(&flags, &n, (const char *)data, size, "flags.json", &err) != RB_OK) {
        if (!err.message[0] || flags)
            abort();
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        bool enabled = strcmp(flags[i].state, "ENABLED") == 0;
        if ((!enabled && strcmp(flags[i].state, "DISABLED") != 0) || !flags[i].name[0] ||
            (i > 0 && strcmp(flags[i - 1].name, flags[i].name) >= 0))
            abort();
    }
    rb_flags_free(flags, n);
    return 0;
}
