#include "base/process.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_OUTPUT_LIMIT (1u << 20)
#define LAST_WORDS_MS 500
#define TERM_MS 2000 /* milliseconds from SIGTERM to SIGKILL */
#define KILL_MS 5000 /* milliseconds to wait for a killed program, which can hang in the kernel */

extern char **environ;

/* The counter that the signal handler raises. Signal handlers belong to the process, so all threads
 * share it. */
static const volatile sig_atomic_t *watched;
static sig_atomic_t acted_on;

void rb_process_watch(const volatile sig_atomic_t *signals)
{
    watched = signals;
    acted_on = 0;
}

void rb_process_go_on(void)
{
    if (watched)
        acted_on = *watched;
}

bool rb_process_cancelled(void)
{
    return watched && *watched != acted_on;
}

struct running {
    pid_t pid;
    int in;
    int out;
    int err;
    int end; /* a pidfd, readable when the program has ended; -1: the kernel has no pidfds */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_pair(int pair[2])
{
    close_fd(&pair[0]);
    close_fd(&pair[1]);
}

static bool named(const char *entry, const char *name, size_t len)
{
    return strncmp(entry, name, len) == 0 && (entry[len] == '=' || entry[len] == '\0');
}

/* Returns exactly the given entries. An entry without a value gets the value that it has in this
 * process. */
static char **build_bare_environment(const char *const *wanted)
{
    size_t n = 0;
    size_t used = 0;
    while (wanted && wanted[n])
        n++;
    char **env = rb_calloc(n + 1, sizeof *env);
    for (size_t i = 0; i < n; i++) {
        const char *entry = wanted[i];
        for (size_t j = 0; !strchr(wanted[i], '=') && environ[j]; j++)
            if (named(environ[j], entry, strlen(entry)))
                entry = environ[j];
        if (strchr(entry, '='))
            env[used++] = (char *)entry;
    }
    return env;
}

/* Returns a copy of this process's environment with the entries of `extra` added, replaced or
 * removed. */
static char **build_environment(const char *const *extra)
{
    size_t ours = 0;
    size_t added = 0;
    while (environ[ours])
        ours++;
    while (extra && extra[added])
        added++;
    char **env = rb_calloc(ours + added + 1, sizeof *env);
    size_t n = 0;
    for (size_t i = 0; i < ours; i++) {
        size_t len = strcspn(environ[i], "=");
        bool replaced = false;
        for (size_t j = 0; j < added && !replaced; j++)
            replaced = named(extra[j], environ[i], len);
        if (!replaced)
            env[n++] = environ[i];
    }
    for (size_t j = 0; j < added; j++)
        if (strchr(extra[j], '='))
            env[n++] = (char *)extra[j];
    return env;
}

/* Starts the program with its standard files, folder, process group and signals. */
static int spawn(pid_t *pid, const rb_process *process, char **env, int in, int out, int err)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t pipe_only;
    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int why = posix_spawn_file_actions_init(&files);
    if (why != 0)
        return why;
    why = posix_spawnattr_init(&attributes);
    if (why != 0) {
        posix_spawn_file_actions_destroy(&files);
        return why;
    }
    if (!process->terminal)
        flags |= POSIX_SPAWN_SETPGROUP; /* the group's id, 0 by default, means a new group */
    posix_spawnattr_setflags(&attributes, flags);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &pipe_only);
    const int from[] = {in, out, err};
    for (int i = 0; i < 3 && why == 0; i++)
        why = posix_spawn_file_actions_adddup2(&files, from[i], i);
    if (why == 0 && process->dir)
        why = posix_spawn_file_actions_addchdir_np(&files, process->dir);
    if (why == 0)
        why = posix_spawnp(pid, process->argv[0], &files, &attributes, (char *const *)process->argv,
                           env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return why;
}

static enum rb_code start(struct running *run, const rb_process *process, rb_err *err)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    int errors[2] = {-1, -1};
    pid_t pid = -1;
    char **env =
        process->bare ? build_bare_environment(process->env) : build_environment(process->env);
    int why = pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
                      (process->tail || pipe2(errors, O_CLOEXEC) == 0)
                  ? spawn(&pid, process, env, in[0], out[1], process->tail ? out[1] : errors[1])
                  : errno;
    free(env);
    close_fd(&in[0]);
    close_fd(&out[1]);
    close_fd(&errors[1]);
    if (why != 0) {
        close_pair(in);
        close_pair(out);
        close_pair(errors);
        errno = why;
        return rb_fail_errno(err, RB_ERROR, "cannot run %s", process->argv[0]);
    }
    *run = (struct running){.pid = pid,
                            .in = in[1],
                            .out = out[0],
                            .err = errors[0],
                            .end = (int)syscall(SYS_pidfd_open, pid, 0)};
    return RB_OK;
}

static void keep(rb_buf *buf, const char *chunk, size_t n, const rb_process *process)
{
    size_t limit = process->output_limit ? process->output_limit : DEFAULT_OUTPUT_LIMIT;
    if (process->tail == 0) {
        size_t room = buf->len < limit ? limit - buf->len : 0;
        rb_buf_add(buf, chunk, n < room ? n : room);
        return;
    }
    rb_buf_add(buf, chunk, n);
    if (buf->len > process->tail) {
        memmove(buf->data, buf->data + buf->len - process->tail, process->tail);
        rb_buf_truncate(buf, process->tail);
    }
}

static void drain(int *fd, rb_buf *buf, const rb_process *process)
{
    char chunk[16384];
    ssize_t n = read(*fd, chunk, sizeof chunk);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0)
        close_fd(fd);
    else
        keep(buf, chunk, (size_t)n, process);
}

static void feed(struct running *run, const rb_process *process, size_t *sent)
{
    ssize_t n = write(run->in, (const char *)process->input + *sent, process->input_len - *sent);
    if (n > 0)
        *sent += (size_t)n;
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || *sent == process->input_len)
        close_fd(&run->in);
}

/* The progress of ending a program. */
struct ending {
    bool ended;
    int64_t last; /* time until which remaining output is read */
    int64_t term; /* time of SIGTERM to its group; 0: not sent */
    int64_t kill; /* time of SIGKILL to its group; 0: not sent */
};

static void send_signal(const struct running *run, const rb_process *process, int signal_number)
{
    kill(process->terminal ? run->pid : -run->pid, signal_number);
}

/* Returns whether the program has ended. With kill_rest, first kills the rest of its process group:
 * until waitpid() the group's id cannot be reused. */
static bool reap(const struct running *run, const rb_process *process, bool kill_rest, int *status)
{
    siginfo_t info = {0};
    int found = waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    if (found == 0 && info.si_pid == 0)
        return false;
    if (found == 0 && kill_rest)
        send_signal(run, process, SIGKILL);
    /* waitpid() fails if SIGCHLD is ignored. The exit status is then unknown. */
    if (waitpid(run->pid, status, 0) < 0)
        *status = W_EXITCODE(127, 0);
    return true;
}

/* Terminates the program at its time limit, or because rbtool received a signal. */
static void press(struct ending *at, const struct running *run, const rb_process *process,
                  rb_process_result *result, int64_t limit)
{
    int64_t now = rb_clock_ms();
    if (rb_process_cancelled() && !at->term && !at->kill) {
        result->cancelled = true;
        at->term = now;
        send_signal(run, process, SIGTERM);
    }
    if (!at->kill && ((limit && now >= limit) || (at->term && now >= at->term + TERM_MS))) {
        result->timed_out = !at->term;
        at->kill = now;
        send_signal(run, process, SIGKILL);
    }
    if (at->kill && now >= at->kill + KILL_MS)
        at->ended = true;
}

/* Writes the program's input and reads its output until it has ended. A background child may hold
 * the pipes open, so the remaining output is read for a short time only. */
static void converse(struct running *run, const rb_process *process, rb_process_result *result,
                     int *wait_status)
{
    int64_t limit = process->timeout ? rb_clock_ms() + (int64_t)process->timeout * 1000 : 0;
    struct ending at = {0};
    size_t sent = 0;
    *wait_status = W_EXITCODE(0, SIGKILL);
    if (process->input_len == 0)
        close_fd(&run->in);
    else
        fcntl(run->in, F_SETFL, O_NONBLOCK);
    while (!at.ended || run->out >= 0 || run->err >= 0) {
        struct pollfd fds[4] = {
            {.fd = run->out, .events = POLLIN},
            {.fd = run->err, .events = POLLIN},
            {.fd = run->in, .events = POLLOUT},
            {.fd = at.ended ? -1 : run->end, .events = POLLIN},
        };
        int ready = poll(fds, 4, at.ended ? 50 : run->out < 0 && run->err < 0 ? 5 : 100);
        if (fds[0].revents)
            drain(&run->out, &result->out, process);
        if (fds[1].revents)
            drain(&run->err, &result->err, process);
        if (fds[2].revents)
            feed(run, process, &sent);
        if (at.ended && (ready == 0 || rb_clock_ms() >= at.last))
            break;
        if (at.ended)
            continue;
        at.ended = reap(run, process, at.term || at.kill, wait_status);
        if (!at.ended)
            press(&at, run, process, result, limit);
        at.last = rb_clock_ms() + LAST_WORDS_MS;
    }
}

char *rb_process_find(const char *program)
{
    static const char key[] = "PATH=";
    const char *path = "/bin:/usr/bin";
    if (strchr(program, '/'))
        return access(program, X_OK) == 0 ? rb_strdup(program) : NULL;
    for (char **e = environ; *e; e++)
        if (strncmp(*e, key, sizeof key - 1) == 0)
            path = *e + sizeof key - 1;
    RB_AUTO(rb_free_str) char *folders = rb_strdup(path);
    char *rest = folders;
    for (char *folder = strsep(&rest, ":"); folder; folder = strsep(&rest, ":")) {
        char *file = rb_format("%s/%s", *folder ? folder : ".", program);
        if (access(file, X_OK) == 0)
            return file;
        free(file);
    }
    return NULL;
}

bool rb_process_can_run(const char *program)
{
    RB_AUTO(rb_free_str) char *file = rb_process_find(program);
    return file != NULL;
}

enum rb_code rb_process_run(rb_process_result *out, const rb_process *process, rb_err *err)
{
    struct running run = {.pid = -1, .in = -1, .out = -1, .err = -1, .end = -1};
    if (rb_process_cancelled()) {
        *out = (rb_process_result){.status = 128 + SIGTERM, .cancelled = true};
        return RB_OK;
    }
    RB_TRY(start(&run, process, err));
    /* Block SIGPIPE, because the program may not read its input. Only in this thread: other threads
     * may run programs, too. */
    sigset_t pipe_only;
    sigset_t old;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
    *out = (rb_process_result){0};
    int status = 0;
    converse(&run, process, out, &status);
    if (!sigismember(&old, SIGPIPE))
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) == SIGPIPE)
            continue;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    close_fd(&run.in);
    close_fd(&run.out);
    close_fd(&run.err);
    close_fd(&run.end);
    out->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return RB_OK;
}

enum rb_code rb_process_judge(const rb_process_result *result, const char *who, int seconds,
                              const char *said, rb_err *err)
{
    if (result->cancelled)
        return rb_fail(err, RB_FOUND, "%s was ended by a signal to rbtool%s", who, said);
    if (result->timed_out)
        return rb_fail(err, RB_FOUND, "%s did not end within %d s and was killed%s", who, seconds,
                       said);
    if (result->status != 0)
        return rb_fail(err, RB_FOUND, "%s ended with status %d%s", who, result->status, said);
    return RB_OK;
}

const char **rb_process_argv(const rb_strs *command, const char *last)
{
    const char **argv = rb_calloc(command->n + 2, sizeof *argv);
    for (size_t i = 0; i < command->n; i++)
        argv[i] = command->items[i];
    argv[command->n] = last;
    return argv;
}

void rb_process_result_clear(rb_process_result *result)
{
    rb_buf_clear(&result->out);
    rb_buf_clear(&result->err);
}
