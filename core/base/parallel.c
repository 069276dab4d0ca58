#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>

#define THREADS_MAX 8
#define SHARE 16 /* items per thread that make starting a thread worth its cost */

int rb_parallel_threads(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : cores;
}

struct sharing {
    size_t n;
    size_t next;
    rb_parallel_work *work;
    void *context;
};

static void *run(void *argument)
{
    struct sharing *sharing = argument;
    size_t i;
    while ((i = __atomic_fetch_add(&sharing->next, 1, __ATOMIC_RELAXED)) < sharing->n)
        sharing->work(sharing->context, i);
    return NULL;
}

void rb_parallel(size_t n, int threads, rb_parallel_work *work, void *context)
{
    struct sharing sharing = {.n = n, .work = work, .context = context};
    pthread_t started[THREADS_MAX];
    int count = 0;
    while (count + 1 < threads && count < THREADS_MAX && (size_t)(count + 1) * SHARE < n &&
           pthread_create(&started[count], NULL, run, &sharing) == 0)
        count++;
    run(&sharing);
    for (int i = 0; i < count; i++)
        pthread_join(started[i], NULL);
}
