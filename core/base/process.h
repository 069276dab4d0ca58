/*
 * Runs programs, as argument vectors, never through a shell.
 *
 * The program gets its own process group; at the time limit the whole group is killed. Output above
 * the limit is read and discarded. File descriptors above 2 are not inherited. Several threads may
 * run programs at once.
 *
 * A signal that rbtool catches also ends the program that it waits for: rb_process_watch() sets the
 * counter that the signal handler raises. The program's group gets SIGTERM, and SIGKILL two seconds
 * later.
 */
#ifndef RB_BASE_PROCESS_H
#define RB_BASE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

typedef struct rb_process {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *dir;         /* working folder; NULL: the current one */
    /* "NAME=VALUE" added to this process's environment, NULL-terminated; NULL: none. "NAME"
     * without '=' removes the variable. */
    const char *const *env;
    bool bare;         /* env is the whole environment; "NAME" copies the value of this process */
    const void *input; /* standard input; NULL: empty */
    size_t input_len;
    int timeout;         /* seconds; 0: none */
    size_t output_limit; /* bytes to store of each of out and err; 0: 1 MiB */
    size_t tail; /* unless 0: out receives both streams, but only this many bytes of their end */
    /* The program may ask on the terminal: it stays in this process group, and only the program
     * itself is killed at the time limit. */
    bool terminal;
} rb_process;

typedef struct rb_process_result {
    int status; /* exit status; 128 + N when killed by signal N */
    bool timed_out;
    bool cancelled; /* ended because rbtool received a signal */
    rb_buf out;
    rb_buf err;
} rb_process_result;

/* Runs a program. RB_OK if it ran, with any exit status; RB_ERROR if it could not be started. */
enum rb_code rb_process_run(rb_process_result *out, const rb_process *process, rb_err *err);
/* Returns the path of the program that rb_process_run() would run, a new string; NULL if there is
 * no executable file of that name. */
char *rb_process_find(const char *program);
/* True if rb_process_run() would find an executable program. If it is false for a program given as
 * a path, errno holds the reason. */
bool rb_process_can_run(const char *program);

/* Fails with RB_FOUND if the program was ended by a signal to rbtool, exceeded its limit of
 * `seconds`, or exited with a status other than 0. `who` is the start of the message, `said` its
 * end. */
enum rb_code rb_process_judge(const rb_process_result *result, const char *who, int seconds,
                              const char *said, rb_err *err);

/* Returns an array for `argv`: the words of command, and `last` unless it is NULL. It borrows the
 * texts; the caller calls free() on the array. */
const char **rb_process_argv(const rb_strs *command, const char *last);

void rb_process_result_clear(rb_process_result *result);

/* From now on, a change of *signals terminates the program that rb_process_run() runs, and later
 * calls start none; NULL ends that. Must not be called while another thread runs a program. */
void rb_process_watch(const volatile sig_atomic_t *signals);
/* Marks the signals received so far as handled: programs that run from now on, such as the inverses
 * of a transition, are only terminated by later signals. */
void rb_process_go_on(void);
bool rb_process_cancelled(void); /* true if a signal was received and not handled */

#endif
