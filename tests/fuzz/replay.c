/* A main for fuzz targets without libFuzzer: every file given is one input, one TAP line each. */
#include <stdint.h>
#include <stdio.h>

#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    printf("1..%d\n", argc - 1);
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        RB_AUTO(rb_buf_clear) rb_buf input = {0};
        rb_err err = {0};
        bool read = rb_file_read(&input, argv[i], 64u << 20, &err) == RB_OK;
        if (read)
            (void)LLVMFuzzerTestOneInput((const uint8_t *)rb_buf_str(&input), input.len);
        printf("%s %d - %s\n", read ? "ok" : "not ok", i, argv[i]);
        fflush(stdout);
        failed += !read;
    }
    return failed != 0;
}
