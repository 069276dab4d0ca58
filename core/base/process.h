/*
 * Other programs, run as argument vectors, never through a shell.
 *
 * The child gets its own process group; at the time limit the whole group is killed. Output past
 * the limit is read and thrown away. File descriptors above 2 are not handed on. Several threads
 * may run programs at once.
 *
 * A signal that rbtool catches ends the program that it waits for: rb_process_watch() names the
 * counter that the signal handler raises. The group gets SIGTERM, and SIGKILL two seconds later.
 */
#ifndef RB_BASE_PROCESS_H
#define RB_BASE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef struct rb_process {
    const char *const *argv; /* NULL at its end; argv[0] is looked up in PATH */
    const char *dir;         /* NULL: here */
    const char *const *env;  /* "NAME=VALUE" added to ours, NULL at its end; NULL: none.
                                "NAME" without '=' is removed */
    bool bare;               /* env is the whole environment; "NAME" is taken over from ours */
    const void *input;       /* standard input; NULL: empty */
    size_t input_len;
    int timeout;         /* seconds; 0: none */
    size_t output_limit; /* bytes kept of each of out and err; 0: 1 MiB */
    size_t tail;         /* not 0: both streams go to out, of which the last bytes are kept */
    bool terminal;       /* it may ask on the terminal: it stays in our process group, and only it
                            is killed at the time limit */
} rb_process;

typedef struct rb_process_result {
    int status; /* exit status; 128 + N when killed by signal N */
    bool timed_out;
    bool cancelled; /* ended because of a signal to rbtool */
    rb_buf out;
    rb_buf err;
} rb_process_result;

/* Runs a program. RB_OK whenever it ran, whatever its exit status; RB_ERROR if it could not be
 * started. */
enum rb_code rb_process_run(rb_process_result *out, const rb_process *process, rb_err *err);
/* Returns the path of the program that rb_process_run() would run, a new string; NULL if there is
 * none. */
char *rb_process_find(const char *program);
/* True if rb_process_run() would find an executable program. For a program named by a path, errno
 * holds the reason why not. */
bool rb_process_can_run(const char *program);

/* Returns an array for `argv` that borrows the words of command, and `last` after them unless it is
 * NULL; free() it. */
/* Fails with RB_FOUND where the program was ended by a signal to rbtool, did not end within so many
 * seconds, or ended with another status than 0. who begins the message, said ends it. */
enum rb_code rb_process_judge(const rb_process_result *result, const char *who, int seconds,
                              const char *said, rb_err *err);
const char **rb_process_argv(const rb_strs *command, const char *last);

void rb_process_result_clear(rb_process_result *result);

/* From now on, a change of *signals terminates the program that rb_process_run() runs or would
 * start; NULL ends that. Must not be called while another thread runs a program. */
void rb_process_watch(const volatile sig_atomic_t *signals);
/* Marks the signals received so far as handled: programs that run from now on, such as the inverses
 * of a transition, are terminated by later signals only. */
void rb_process_go_on(void);
bool rb_process_cancelled(void); /* a signal was received and not handled */

#endif
