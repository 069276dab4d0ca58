/* rbtool.json: read or refused in words, and what is read keeps its promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shape.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    rb_err err = {0};
    if (rb_config_parse(&config, (const char *)data, size, "rbtool.json", &err) != RB_OK) {
        if (!err.message[0] || config || strchr(err.message, '\n'))
            abort();
        return 0;
    }
    if (!rb_shape_is_name(config->app_name) || config->artifact_count == 0 ||
        !json_is_object(config->environments))
        abort();
    for (size_t i = 0; i < config->artifact_count; i++)
        for (size_t j = 0; j < config->artifacts[i].paths.n; j++)
            if (!rb_shape_is_path(config->artifacts[i].paths.items[j]))
                abort();
    for (size_t i = 1; i < config->database_count; i++)
        if (strcmp(config->databases[i - 1].name, config->databases[i].name) >= 0)
            abort();
    return 0;
}
