#include "base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* A library that lacks a function has none.
 * ISO C has no conversion to function pointers. POSIX guarantees that they have the size of a
 * pointer to data, so the bytes are copied. */
static enum rb_code find_functions(const rb_library *library, void *handle, rb_err *err)
{
    char *member = library->functions;
    for (const char *const *name = library->names; *name; name++) {
        void *found = dlsym(handle, *name);
        if (!found) {
            memset(library->functions, 0, sizeof found);
            return rb_fail(err, RB_ERROR, "%s lacks %s\ninstall a newer one: `apt-get install %s`",
                           library->soname, *name, library->package);
        }
        memcpy(member, &found, sizeof found);
        member += sizeof found;
    }
    return RB_OK;
}

enum rb_code rb_library_load(const rb_library *library, rb_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    void *first;
    enum rb_code code = RB_OK;
    pthread_mutex_lock(&lock);
    memcpy(&first, library->functions, sizeof first);
    void *handle = first ? NULL : dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
    if (handle)
        code = find_functions(library, handle, err);
    else if (!first)
        code = rb_fail(err, RB_ERROR, "cannot load %s %s: %s\ninstall it: `apt-get install %s`",
                       library->soname, library->purpose, dlerror(), library->package);
    pthread_mutex_unlock(&lock);
    return code;
}
