/* An LFS pointer that is taken says exactly what it would be written as. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "artifact/lfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rb_lfs_pointer pointer;
    if (!rb_lfs_parse(&pointer, data, size))
        return 0;
    RB_AUTO(rb_free_str)
    char *again =
        rb_format("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %llu\n",
                  pointer.oid, (unsigned long long)pointer.size);
    if (strlen(again) != size || memcmp(again, data, size) != 0)
        abort();
    return 0;
}
