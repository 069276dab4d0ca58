/* The guardian of a private cluster: the process that starts and stops the server and removes its
 * folder. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <locale.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "database/postgres/cluster.h"
#include "database/postgres/cluster_cache.h"

#define NOBODY 65534
#define ALIVE 3 /* descriptor numbers after close_descriptors() */
#define READY 4
#define TICK_MS 10
#define WATCH_MS 250
#define WATCH_LOADED_MS 1000 /* between looks that take more than one of WATCH_SHARE parts */
#define WATCH_SHARE 20       /* of WATCH_MS */
#define STOP_TICKS 800       /* ticks until a server that does not stop is killed */
#define REMOVE_TRIES                                                                               \
    100                 /* attempts, since files may appear while the server's last processes end */
#define BASE_MEMORY 640 /* MiB of address space that a server process uses at its start */
#define LOG_LIMIT 1048576 /* bytes */
#define LINE_SHOWN 500

typedef struct guardian {
    const rb_pg_guard *with;
    char *dir;
    char *home; /* folder of the data: `dir`, or a folder of the cache */
    char *data;
    char *log;
    pid_t child;   /* initdb, then the server; 0: none, or it ended normally; -1: it failed */
    bool server;   /* `child` is the server */
    bool deserted; /* the process that uses the cluster has ended */
    bool orderly;  /* it ended normally: the next command may use the cluster */
} guardian;

/* Detaches from the parent's terminal, files and signals. */
static void leave_parent(const rb_pg_guard *with)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t none;
    sigemptyset(&none);
    setsid();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigaddset(&none, RB_PG_CLUSTER_ORDERLY); /* stays pending until wait_for() */
    sigprocmask(SIG_SETMASK, &none, NULL);
    int alive = fcntl(with->alive, F_DUPFD_CLOEXEC, READY + 1);
    int ready = fcntl(with->ready, F_DUPFD_CLOEXEC, READY + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < ALIVE; fd++)
        if (dup2(null, fd) < 0)
            _exit(1);
    if (dup3(alive, ALIVE, O_CLOEXEC) < 0 || dup3(ready, READY, O_CLOEXEC) < 0 || chdir("/") != 0)
        _exit(1);
    if (syscall(SYS_close_range, READY + 1u, ~0u, 0u) == 0)
        return;
    for (int fd = READY + 1; fd < (int)sysconf(_SC_OPEN_MAX); fd++)
        close(fd);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, text, strlen(text)) >= 0)
        close(fd);
}

/* Leaves the network and drops root's rights. The kernel may not permit the first. */
static void drop_rights(void)
{
    const unsigned uid = geteuid();
    const unsigned gid = getegid();
    (void)!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (uid == 0) {
        (void)!unshare(CLONE_NEWNET | CLONE_NEWIPC);
        if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
            setresuid(NOBODY, NOBODY, NOBODY) != 0 || setuid(0) == 0)
            _exit(1);
    } else if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0) {
        RB_AUTO(rb_free_str) char *uids = rb_format("%u %u 1", uid, uid);
        RB_AUTO(rb_free_str) char *gids = rb_format("%u %u 1", gid, gid);
        write_text("/proc/self/setgroups", "deny");
        write_text("/proc/self/uid_map", uids);
        write_text("/proc/self/gid_map", gids);
    }
}

static bool make_dir(guardian *g)
{
    static const char *const places[] = {"/var/tmp", "/tmp"};
    for (size_t i = 0; i < 2; i++) {
        RB_AUTO(rb_free_str) char *dir = rb_format("%s/rbtool-pg-XXXXXX", places[i]);
        if (!mkdtemp(dir))
            continue;
        g->dir = rb_strdup(dir);
        g->home = g->with->cache ? rb_pg_cache_home(g->with->cache) : NULL;
        g->data = rb_path_join(g->home ? g->home : dir, "data");
        g->log = rb_path_join(dir, "log");
        return true;
    }
    return false;
}

/* Starts a program. death: the signal that it gets when the guardian dies. */
static void spawn(guardian *g, int death, const char **argv)
{
    static char *env[] = {"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin", NULL};
    const pid_t guardian_pid = getpid();
    RB_AUTO(rb_free_str) char *program = rb_path_join(g->with->programs, argv[0]);
    argv[0] = program; /* initdb looks for the server in the same folder */
    g->child = fork();
    if (g->child != 0)
        return;
    const struct rlimit no_core = {0, 0};
    const rlim_t bytes = (rlim_t)(BASE_MEMORY + g->with->memory) << 20;
    const struct rlimit memory = {bytes, bytes};
    int log = open(g->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    if (log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || setpgid(0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &no_core) != 0 ||
        (g->with->memory && setrlimit(RLIMIT_AS, &memory) != 0) ||
        prctl(PR_SET_PDEATHSIG, death) != 0 || getppid() != guardian_pid)
        _exit(1);
    close(log);
    execve(program, (char *const *)argv, env);
    _exit(127);
}

/* Waits at most `ms` for an event. */
static void wait_for(guardian *g, int ms)
{
    struct pollfd alive = {.fd = g->deserted ? -1 : ALIVE, .events = POLLIN};
    int status;
    sigset_t pending;
    if (poll(&alive, 1, ms) > 0) {
        g->orderly = sigpending(&pending) == 0 && sigismember(&pending, RB_PG_CLUSTER_ORDERLY);
        g->deserted = true;
    }
    if (g->child > 0 && waitpid(g->child, &status, WNOHANG) == g->child)
        g->child = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static bool make_cluster(guardian *g)
{
    locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    RB_AUTO(rb_free_str) char *data = rb_format("--pgdata=%s", g->data);
    const char *argv[] = {"initdb",
                          data,
                          ("--username=" RB_PG_CLUSTER_ADMIN),
                          "--auth=trust",
                          "--encoding=UTF8",
                          utf8 ? "--locale=C.UTF-8" : "--locale=C",
                          "--no-sync",
                          "--no-instructions",
                          NULL};
    if (utf8)
        freelocale(utf8);
    spawn(g, SIGKILL, argv);
    while (g->child > 0 && !g->deserted)
        wait_for(g, TICK_MS);
    if (g->child == 0 && g->home)
        rb_pg_cache_stamp(g->data, g->with->programs);
    return g->child == 0;
}

static bool is_ready(const guardian *g)
{
    RB_AUTO(rb_free_str) char *path = rb_path_join(g->data, "postmaster.pid");
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_err ignored;
    return rb_file_read(&text, path, 4096, &ignored) == RB_OK &&
           strstr(rb_buf_str(&text), "\nready") != NULL;
}

/* Starts the server with durability off, since nothing has to survive a crash. A proof is one
 * transaction over all migrations, and takes about eleven locks for each table. */
static bool start_server(guardian *g)
{
    RB_AUTO(rb_free_str) char *sockets = rb_format("--unix_socket_directories=%s", g->dir);
    const char *argv[] = {"postgres",
                          "-D",
                          g->data,
                          sockets,
                          "--listen_addresses=",
                          "--unix_socket_permissions=0700",
                          "--max_connections=24",
                          "--max_locks_per_transaction=4096",
                          "--shared_buffers=48MB",
                          "--dynamic_shared_memory_type=mmap",
                          "--fsync=off",
                          "--synchronous_commit=off",
                          "--full_page_writes=off",
                          "--wal_level=minimal",
                          "--max_wal_senders=0",
                          "--max_wal_size=128MB",
                          "--min_wal_size=32MB",
                          "--autovacuum=off",
                          "--jit=off",
                          "--max_parallel_workers=0",
                          "--client_connection_check_interval=1s",
                          "--timezone=UTC",
                          "--log_min_messages=fatal",
                          "--log_min_error_statement=panic",
                          NULL};
    g->server = true;
    spawn(g, SIGQUIT, argv);
    while (g->child > 0 && !g->deserted && !is_ready(g))
        wait_for(g, TICK_MS);
    return g->child > 0 && !g->deserted;
}

/* Starts the cached cluster. If that fails or does not exist, creates a new one. */
static bool start_cluster(guardian *g)
{
    rb_err ignored;
    if (g->home && rb_pg_cache_take(g->with->cache, g->data, g->with->programs)) {
        if (start_server(g) || g->deserted || g->child > 0)
            return g->child > 0 && !g->deserted;
        g->server = false;
        (void)!rb_dir_remove(g->data, &ignored);
    }
    return make_cluster(g) && start_server(g);
}

static uint64_t bytes_found;

static int add_size(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)path;
    (void)kind;
    (void)at;
    bytes_found += (uint64_t)st->st_blocks * 512;
    return 0;
}

static uint64_t size_of(const char *dir)
{
    bytes_found = 0;
    (void)!nftw(dir, add_size, 16, FTW_PHYS);
    return bytes_found;
}

/* Returns when the process that uses the cluster or the server has ended, or when the files are too
 * large. */
static void watch(guardian *g)
{
    const uint64_t most = size_of(g->data) + ((uint64_t)g->with->size << 20);
    int64_t took = 0;
    while (g->child > 0 && !g->deserted) {
        wait_for(g, took < WATCH_MS / WATCH_SHARE ? WATCH_MS : WATCH_LOADED_MS);
        const int64_t began = rb_clock_ms();
        if (g->with->size && size_of(g->data) > most)
            return;
        took = rb_clock_ms() - began;
    }
}

/* Stops the server. After SIGINT it ends its sessions with an error of their own (57P01). */
static void stop(guardian *g)
{
    rb_err ignored;
    if (g->child > 0)
        kill(g->server ? g->child : -g->child, !g->server                   ? SIGKILL
                                               : g->deserted && !g->orderly ? SIGQUIT
                                                                            : SIGINT);
    for (int ticks = 0; g->child > 0 && ticks < STOP_TICKS; ticks++)
        wait_for(g, TICK_MS);
    if (g->child > 0)
        kill(-g->child, SIGKILL);
    if (g->home && g->server && g->orderly && g->child == 0)
        rb_pg_cache_give(g->with->cache, g->data, size_of(g->data));
    if (g->home)
        (void)!rb_dir_remove(g->home, &ignored);
    for (int tries = 0; rb_dir_remove(g->dir, &ignored) != RB_OK && tries < REMOVE_TRIES; tries++)
        wait_for(g, TICK_MS);
}

/* Returns the last line of the log that is not empty. */
static char *last_words(const guardian *g)
{
    RB_AUTO(rb_buf_clear) rb_buf log = {0};
    rb_buf words = {0};
    rb_err ignored;
    (void)!rb_file_read(&log, g->log, LOG_LIMIT, &ignored);
    while (log.len > 0 && log.data[log.len - 1] == '\n')
        log.data[--log.len] = '\0';
    const char *text = rb_buf_str(&log);
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    rb_buf_add_safe(&words, line, strnlen(line, LINE_SHOWN));
    return rb_buf_detach(&words);
}

static void answer(char sign, const char *text)
{
    RB_AUTO(rb_free_str) char *line = rb_format("%c%s\n", sign, text);
    if (write(READY, line, strlen(line)) >=
        0) /* if the write fails, no process waits for the line */
        close(READY);
}

void rb_pg_cluster_guard(const rb_pg_guard *with)
{
    guardian g = {.with = with};
    leave_parent(with);
    if (with->cache)
        rb_pg_cache_prepare(with->cache, NOBODY);
    drop_rights();
    if (!make_dir(&g)) {
        RB_AUTO(rb_free_str)
        char *why = rb_format("a temporary folder cannot be created in /var/tmp or /tmp: %s",
                              strerror(errno));
        answer('-', why);
    } else if (start_cluster(&g)) {
        answer('+', g.dir);
        watch(&g);
    } else if (!g.deserted) {
        RB_AUTO(rb_free_str) char *why = last_words(&g);
        answer('-', why);
    }
    if (g.dir)
        stop(&g);
    _exit(0);
}

void rb_pg_guard_wait(const rb_pg_guard *with)
{
    char ignored;
    leave_parent(with);
    close(READY);
    while (read(ALIVE, &ignored, 1) > 0)
        continue;
}
