#include "artifact/libarchive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* soname of the version whose headers this file includes (libarchive 3) */
#define SONAME "libarchive.so.13"

static struct {
    pthread_once_t once;
    void *library;
    rb_libarchive functions;
    rb_err err;
    enum rb_code code;
} loaded = {.once = PTHREAD_ONCE_INIT};

static void load(void)
{
    loaded.library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!loaded.library) {
        loaded.code = rb_fail(&loaded.err, RB_ERROR,
                              "cannot load libarchive to write an archive: %s\ninstall libarchive",
                              dlerror());
        return;
    }
    /* Copy the bytes: ISO C has no conversion to function pointers, but POSIX guarantees equal
     * size. */
#define FIND(name)                                                                                 \
    {                                                                                              \
        void *found = dlsym(loaded.library, #name);                                                \
        if (!found)                                                                                \
            loaded.code = rb_fail(&loaded.err, RB_ERROR,                                           \
                                  "%s lacks %s\ninstall libarchive 3.2 or later", SONAME, #name);  \
        memcpy(&loaded.functions.name, &found, sizeof found);                                      \
    }
    RB_LIBARCHIVE(FIND)
}

enum rb_code rb_libarchive_load(const rb_libarchive **out, rb_err *err)
{
    pthread_once(&loaded.once, load);
    if (loaded.code != RB_OK) {
        *err = loaded.err;
        return loaded.code;
    }
    *out = &loaded.functions;
    return RB_OK;
}
