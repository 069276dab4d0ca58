#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <git2.h>
#include <git2/sys/alloc.h>

#include "git/alloc.h"

static _Thread_local rb_git_before *asked;
static _Thread_local void *asked_context;

static bool may_take(size_t size)
{
    return size < RB_GIT_MUCH || !asked || asked(asked_context);
}

/* Sets libgit2's error if the block is NULL, like libgit2's own allocator. */
static void *said(void *block)
{
    if (!block)
        git_error_set_str(GIT_ERROR_NOMEMORY, "out of memory");
    return block;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return said(may_take(size) ? malloc(size) : NULL);
}

static void *resize(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return said(old || may_take(size) ? realloc(old, size ? size : 1) : NULL);
}

/* libgit2 before 1.7 needs all functions of an allocator, and does not export its own. Newer
 * versions derive them from malloc and realloc. */
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7
static void *take_zeroed(size_t n, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    bool fits = size == 0 || n <= SIZE_MAX / size;
    size_t all = fits ? n * size : 0;
    return said(fits && may_take(all) ? calloc(1, all > 0 ? all : 1) : NULL);
}

static void *resize_array(void *old, size_t n, size_t size, const char *file, int line)
{
    bool fits = size == 0 || n <= SIZE_MAX / size;
    return fits ? resize(old, n * size, file, line) : said(NULL);
}

static void *take_array(size_t n, size_t size, const char *file, int line)
{
    return resize_array(NULL, n, size, file, line);
}

static char *copy_of(const char *text, size_t n)
{
    char *copy = said(malloc(n + 1));
    if (copy) {
        memcpy(copy, text, n);
        copy[n] = '\0';
    }
    return copy;
}

static char *copy_bytes(const char *text, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return copy_of(text, n);
}

static char *copy_start(const char *text, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return copy_of(text, strnlen(text, n));
}

static char *copy(const char *text, const char *file, int line)
{
    (void)file;
    (void)line;
    return copy_of(text, strlen(text));
}
#endif

void rb_git_alloc_install(void)
{
    git_allocator ours = {
        .gmalloc = take,
        .grealloc = resize,
        .gfree = free,
#if LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR < 7
        .gcalloc = take_zeroed,
        .greallocarray = resize_array,
        .gmallocarray = take_array,
        .gstrdup = copy,
        .gstrndup = copy_start,
        .gsubstrdup = copy_bytes,
#endif
    };
    git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &ours);
}

void rb_git_alloc_ask(rb_git_before *before, void *context)
{
    asked = before;
    asked_context = context;
}
