#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define NOBODY 65534
#define OPEN_FILES 64
#define MISSING_NETWORK 1
#define MISSING_FILES 2

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define KEPT_DESCRIPTOR 2
#else
#define KEPT_DESCRIPTOR 3
#endif

extern char **environ;

/* The functions from here on run in the child. It exits if a mandatory restriction cannot be
 * set. */

/* Sets a resource limit. A lower limit that this process already has stays in force. */
static void limit(int resource, rlim_t value)
{
    struct rlimit both;
    if (getrlimit(resource, &both) != 0)
        _exit(126);
    both.rlim_max = value < both.rlim_max ? value : both.rlim_max;
    both.rlim_cur = both.rlim_max;
    if (setrlimit(resource, &both) != 0)
        _exit(126);
}

#ifndef SANITIZED
/* Returns the bytes of address space that this process uses; 0 if unknown. */
static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file || fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(int more)
{
    size_t now = more ? address_space() : 0;
    if (now)
        limit(RLIMIT_AS, (rlim_t)now + ((rlim_t)more << 20));
}
#else
static void limit_memory(int more) /* no limit: a sanitizer reserves terabytes */
{
    (void)more;
}
#endif

static void set_limits(const rb_sandbox *sandbox)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_NOFILE, OPEN_FILES);
    if (sandbox->seconds)
        limit(RLIMIT_CPU, (rlim_t)sandbox->seconds);
    if (sandbox->file_size)
        limit(RLIMIT_FSIZE, (rlim_t)sandbox->file_size << 20);
    limit_memory(sandbox->memory);
}

/* Opens /dev/null as descriptors 0, 1 and 2 (with a sanitizer, stderr stays open), and moves *out
 * to 3. */
static void close_descriptors(int *out)
{
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < KEPT_DESCRIPTOR; fd++)
        if (null < 0 || dup2(null, fd) < 0)
            _exit(126);
    if (*out != 3 && dup2(*out, 3) < 0)
        _exit(126);
    *out = 3;
    if (syscall(SYS_close_range, 4u, ~0u, 0u) == 0)
        return;
    for (int fd = 4; fd < (int)sysconf(_SC_OPEN_MAX); fd++)
        close(fd);
}

static bool leave_network(void)
{
    if (geteuid() == 0)
        return unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0;
    return unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0;
}

static void drop_root(void)
{
    if (geteuid() != 0)
        return;
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0 || setuid(0) == 0)
        _exit(126);
}

/* Landlock's structures, as in linux/landlock.h since ABI 6. Older kernels read only the first
 * members. */

#define FS_ALL 0xffffu
#define FS_READ_FILE (1u << 2)
#define NET_ALL 3u
#define SCOPE_ALL 3u
#define RULE_PATH_BENEATH 1

struct ruleset {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

static bool allow(int rules, const char *path, uint64_t access)
{
    struct path_beneath rule = {.allowed = access, .parent = open(path, O_PATH | O_CLOEXEC)};
    bool added =
        rule.parent >= 0 && syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0) == 0;
    if (rule.parent >= 0)
        close(rule.parent);
    return added;
}

/* Confines the process to `dir` with Landlock. *net is set to true if TCP is blocked as well. */
static bool leave_files(bool *net, const char *dir)
{
    static const uint64_t by_abi[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff};
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    if (abi < 1)
        return false;
    struct ruleset set = {abi < 5 ? by_abi[abi] : FS_ALL, NET_ALL, SCOPE_ALL};
    size_t size = abi < 4   ? offsetof(struct ruleset, net)
                  : abi < 6 ? offsetof(struct ruleset, scoped)
                            : sizeof set;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
    if (rules < 0)
        return false;
    (void)allow(rules, "/dev/urandom", FS_READ_FILE);
    bool done =
        (!dir || allow(rules, dir, set.fs)) && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    close(rules);
    *net = *net || (done && abi >= 4);
    return done;
}

static void send_all(int out, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(out, data, len);
        if (n < 0 && errno != EINTR)
            _exit(126);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
}

/* The deadline of the child's current task. */
static struct {
    int out; /* 0: in the parent, or before run() */
    char *result;
    size_t len;
} deadline;

static void on_deadline(int number)
{
    (void)number;
    /* One write is enough: a short result fits into the empty pipe. */
    _exit(write(deadline.out, deadline.result, deadline.len) == (ssize_t)deadline.len ? 0 : 126);
}

void rb_sandbox_deadline(int seconds, const char *result)
{
    if (deadline.out == 0)
        return;
    alarm(0);
    free(deadline.result);
    deadline.result = rb_strdup(result);
    deadline.len = strlen(result);
    signal(SIGALRM, on_deadline);
    alarm((unsigned)seconds);
}

_Noreturn static void child(const rb_sandbox *sandbox, const char *dir, int out, pid_t parent)
{
    static char *nothing[] = {NULL};
    rb_buf result = {0};
    signal(SIGXFSZ, SIG_IGN); /* write() fails with EFBIG instead */
    if (!sandbox->open)
        environ = nothing;
    if (chdir("/") != 0)
        _exit(126);
    tzset();
    sandbox->prepare(sandbox->context, dir);
    close_descriptors(&out);
    set_limits(sandbox);
    bool net = sandbox->open || leave_network();
    if (!sandbox->open)
        drop_root();
    /* Set this after the change of user, which resets the parent-death signal. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        getppid() != parent)
        _exit(126);
    bool files = sandbox->open || leave_files(&net, dir);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const char missing = (char)((net ? 0 : MISSING_NETWORK) | (files ? 0 : MISSING_FILES));
    send_all(out, &missing, 1);
    deadline.out = out;
    sandbox->run(sandbox->context, &result);
    alarm(0);
    send_all(out, rb_buf_str(&result), result.len);
    _exit(0);
}

/* The functions from here on run in the parent. */

enum ending { ENDED, TOO_LATE, TOO_LONG, SIGNALLED };

static enum ending receive(rb_buf *result, const rb_sandbox *sandbox, int in, int signals)
{
    int64_t end = sandbox->seconds ? rb_clock_ms() + (int64_t)sandbox->seconds * 1000 : INT64_MAX;
    char chunk[65536];
    while (rb_clock_ms() < end) {
        struct pollfd fds[] = {{.fd = in, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(fds, 2, 1000) <= 0)
            continue;
        if (fds[1].revents)
            return SIGNALLED;
        ssize_t n = read(in, chunk, sizeof chunk);
        if (n == 0)
            return ENDED;
        if (n < 0)
            continue;
        if (result->len + (size_t)n > sandbox->result_limit)
            return TOO_LONG;
        rb_buf_add(result, chunk, (size_t)n);
    }
    return TOO_LATE;
}

static enum rb_code judge(rb_buf *result, rb_strs *missing, const rb_sandbox *sandbox,
                          enum ending ending, int status, rb_err *err)
{
    if (ending == SIGNALLED)
        return rb_fail(err, RB_ERROR, "%s was stopped on request", sandbox->what);
    if (ending == TOO_LATE)
        return rb_fail(err, RB_FOUND, "%s did not end in %d s, the limit of all its scripts",
                       sandbox->what, sandbox->seconds);
    if (ending == TOO_LONG)
        return rb_fail(err, RB_FOUND, "%s has a result of more than %zu MiB", sandbox->what,
                       sandbox->result_limit >> 20);
    if (WIFSIGNALED(status))
        return rb_fail(err, RB_FOUND,
                       "the process of %s was killed by signal %d (%s); a script may have needed "
                       "more memory or time than it has",
                       sandbox->what, WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0 || result->len == 0)
        return rb_fail(err, RB_ERROR, "the process of %s could not be set up", sandbox->what);
    unsigned flags = (unsigned char)result->data[0];
    if (flags & MISSING_NETWORK)
        rb_strs_add(missing, "the network");
    if (flags & MISSING_FILES)
        rb_strs_add(missing, "other files");
    result->len--;
    memmove(result->data, result->data + 1, result->len);
    result->data[result->len] = '\0';
    return RB_OK;
}

static enum rb_code start(pid_t *pid, int *in, const rb_sandbox *sandbox, const char *dir,
                          rb_err *err)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rb_fail_errno(err, RB_ERROR, "%s cannot be started", sandbox->what);
    *pid = fork();
    if (*pid == 0)
        child(sandbox, dir, ends[1], parent);
    close(ends[1]);
    *in = ends[0];
    if (*pid > 0)
        return RB_OK;
    close(ends[0]);
    return rb_fail_errno(err, RB_ERROR, "%s cannot be started", sandbox->what);
}

static enum rb_code run_in(rb_buf *result, rb_strs *missing, const rb_sandbox *sandbox,
                           const char *dir, const sigset_t *held, rb_err *err)
{
    pid_t pid = -1;
    int in = -1;
    int status = 0;
    RB_TRY(start(&pid, &in, sandbox, dir, err));
    int signals = signalfd(-1, held, SFD_CLOEXEC);
    enum ending ending = receive(result, sandbox, in, signals);
    close(in);
    if (signals >= 0)
        close(signals);
    if (ending != ENDED)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return judge(result, missing, sandbox, ending, status, err);
}

/* Creates the working folder. Not in /tmp, which is often a memory file system: databases can be
 * large. */
static enum rb_code make_dir(char **out, rb_err *err)
{
    static const char *const places[] = {"/var/tmp", "/tmp"};
    for (size_t i = 0; i < 2; i++) {
        RB_AUTO(rb_free_str) char *dir = rb_format("%s/rbtool-XXXXXX", places[i]);
        if (!mkdtemp(dir))
            continue;
        if (geteuid() == 0 && chown(dir, NOBODY, NOBODY) != 0) {
            rmdir(dir);
            continue;
        }
        *out = RB_TAKE(dir);
        return RB_OK;
    }
    return rb_fail_errno(err, RB_ERROR, "a temporary folder cannot be created in %s", places[1]);
}

enum rb_code rb_sandbox_run(rb_buf *result, rb_strs *missing, const rb_sandbox *sandbox,
                            rb_err *err)
{
    static const int waiting[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t held;
    sigset_t old;
    RB_AUTO(rb_free_str) char *dir = NULL;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        struct sigaction now;
        if (sigaction(waiting[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(&held, waiting[i]);
    }
    sigprocmask(SIG_BLOCK, &held, &old);
    enum rb_code code = sandbox->no_dir || sandbox->open ? RB_OK : make_dir(&dir, err);
    if (code == RB_OK)
        code = run_in(result, missing, sandbox, dir, &held, err);
    if (dir && sandbox->kept && code == RB_OK) {
        *sandbox->kept = RB_TAKE(dir);
    }
    if (dir)
        (void)!rb_dir_remove(dir, RB_IGNORED);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return code;
}
