#include "database/postgres/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "database/postgres/cluster_cache.h"

#define START_SECONDS 120
#define ANSWER_LIMIT 2000 /* bytes */
#define INSTALLED "/usr/lib/postgresql"

/* The cluster of this process, or of the process that it was forked from. */
static struct {
    pid_t owner;
    pid_t guardian;
    int alive;
    int memory;
    int size;
    char *dir;
    char *cache;
    int open; /* databases in it that are open */
} cluster;

/* Returns the folder of PostgreSQL's programs: of initdb in PATH, else of Debian's newest version;
 * NULL if none is installed. */
static char *find_programs(void)
{
    RB_AUTO(rb_free_str) char *program = rb_process_find("initdb");
    RB_AUTO(rb_strs_clear) rb_strs versions = {0};
    rb_err ignored;
    char *best = NULL;
    long newest = 0;
    if (program)
        return rb_path_dir(program);
    if (rb_dir_list(&versions, INSTALLED, &ignored) != RB_OK)
        return NULL;
    for (size_t i = 0; i < versions.n; i++) {
        RB_AUTO(rb_free_str) char *dir = rb_format(INSTALLED "/%s/bin", versions.items[i]);
        RB_AUTO(rb_free_str) char *initdb = rb_path_join(dir, "initdb");
        long version = strtol(versions.items[i], NULL, 10);
        if (version <= newest || access(initdb, X_OK) != 0)
            continue;
        newest = version;
        free(best);
        best = rb_strdup(dir);
    }
    return best;
}

/* Reads the guardian's answer. *out is empty if the guardian died. */
static enum rb_code read_answer(rb_buf *out, int ready, rb_err *err)
{
    char chunk[256];
    struct pollfd fd = {.fd = ready, .events = POLLIN};
    for (int ms = 0; ms < START_SECONDS * 1000 && out->len < ANSWER_LIMIT; ms += 100) {
        if (poll(&fd, 1, 100) <= 0)
            continue;
        ssize_t n = read(ready, chunk, sizeof chunk);
        if (n > 0)
            rb_buf_add(out, chunk, (size_t)n);
        if (n == 0 || (n > 0 && out->data[out->len - 1] == '\n'))
            return RB_OK;
    }
    return rb_fail(err, RB_ERROR,
                   "the PostgreSQL server for scratch databases did not start in %d s",
                   START_SECONDS);
}

static enum rb_code take_answer(int ready, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf answer = {0};
    RB_TRY(read_answer(&answer, ready, err));
    const char *text = rb_buf_str(&answer);
    size_t len = strcspn(text, "\n");
    if (*text == '+') {
        cluster.dir = rb_strndup(text + 1, len - 1);
        return RB_OK;
    }
    RB_AUTO(rb_free_str) char *why = len > 0 ? rb_strndup(text + 1, len - 1) : rb_strdup("");
    return rb_fail(err, RB_ERROR, "a PostgreSQL server for scratch databases does not start: %s",
                   *why ? why : "its guardian ended");
}

static enum rb_code start(const char *programs, rb_err *err)
{
    int alive[2];
    int ready[2];
    if (pipe2(alive, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0)
        return rb_fail_errno(err, RB_ERROR, "a pipe cannot be created");
    const rb_pg_guard guard = {.programs = programs,
                               .cache = cluster.cache,
                               .memory = cluster.memory,
                               .size = cluster.size,
                               .alive = alive[0],
                               .ready = ready[1]};
    cluster.owner = getpid();
    cluster.guardian = fork();
    if (cluster.guardian == 0)
        rb_pg_cluster_guard(&guard);
    close(alive[0]);
    close(ready[1]);
    cluster.alive = alive[1];
    enum rb_code code = cluster.guardian > 0
                            ? take_answer(ready[0], err)
                            : rb_fail_errno(err, RB_ERROR, "a process cannot be created");
    close(ready[0]);
    if (code != RB_OK)
        rb_pg_cluster_stop(false);
    return code;
}

/* True while the guardian runs. It also ends if the cluster's files become too large. */
static bool is_running(void)
{
    return cluster.dir && rb_file_exists(cluster.dir);
}

enum rb_code rb_pg_cluster_start(bool *started, const rb_db_limits *limits, rb_err *err)
{
    const int memory = limits ? limits->memory : 0;
    const int size = limits ? limits->size : 0;
    *started = false;
    if (cluster.dir && getpid() != cluster.owner)
        return RB_OK;
    const bool fits = !limits || (cluster.memory == memory && cluster.size == size);
    if (is_running() && (fits || cluster.open > 0))
        return RB_OK;
    rb_pg_cluster_stop(true);
    RB_AUTO(rb_free_str) char *programs = find_programs();
    if (!programs)
        return rb_fail(err, RB_ERROR,
                       "scratch databases need a PostgreSQL server, and none is installed here\n"
                       "install one (Debian: apt-get install postgresql), or set "
                       "RBTOOL_SCRATCH_URL to an empty database");
    cluster.memory = memory;
    cluster.size = size;
    RB_TRY(start(programs, err));
    *started = true;
    return RB_OK;
}

void rb_pg_cluster_cache(const char *dir)
{
    free(cluster.cache);
    cluster.cache = rb_strdup(dir);
}

char *rb_pg_cluster_maker(void)
{
    RB_AUTO(rb_free_str) char *programs = find_programs();
    RB_AUTO(rb_free_str) char *server = programs ? rb_path_join(programs, "postgres") : NULL;
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    if (server)
        rb_pg_cache_add_program(&out, server);
    return server ? rb_strdup(rb_buf_str(&out)) : NULL;
}

void rb_pg_cluster_use(int databases)
{
    cluster.open += databases;
}

bool rb_pg_cluster_is_kept(void)
{
    return cluster.cache && cluster.dir && getpid() == cluster.owner;
}

void rb_pg_cluster_stop(bool keep)
{
    if (cluster.guardian <= 0 || getpid() != cluster.owner)
        return;
    if (keep && cluster.cache)
        kill(cluster.guardian, RB_PG_CLUSTER_ORDERLY);
    close(cluster.alive);
    while (waitpid(cluster.guardian, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(cluster.dir);
    cluster.dir = NULL;
    cluster.guardian = 0;
}

const char *rb_pg_cluster_dir(void)
{
    return cluster.dir;
}
