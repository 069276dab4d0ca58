/*
 * Runs a function in a process of its own, from which only bytes come back.
 *
 * For code that handles input of unknown origin, such as the SQL of a pull request. The child
 * starts as a copy of this process, so its inputs are in memory. It has no environment, no
 * descriptors but /dev/null and a pipe, no core dumps, no child processes and no new privileges. If
 * started by root, it runs as nobody (65534) without groups. Where the kernel supports it, it has
 * no network and no files but those of an empty folder of its own. It is killed when this process
 * ends, and at its deadline.
 *
 * In the child, prepare() is called first, without these restrictions, to open what is needed later
 * (shared libraries); then run(). Neither may exit, nor take a lock that another thread of the
 * parent may have held at the fork.
 *
 * SIGINT, SIGTERM and SIGHUP are delayed until the child is killed and its folder removed, which
 * takes no time.
 *
 * Errors: RB_FOUND if the child exceeded a limit or died; RB_ERROR if it could not be started.
 */
#ifndef RB_BASE_SANDBOX_H
#define RB_BASE_SANDBOX_H

#include "base/buf.h"

typedef struct rb_sandbox {
    const char *what; /* "the proof of database main", for messages */
    /* dir: absolute path of the empty folder, which is removed with its content afterwards. */
    void (*prepare)(void *context, const char *dir);
    void (*run)(void *context, rb_buf *result);
    void *context;
    size_t result_limit; /* largest result, in bytes */
    int seconds;         /* time limit; 0: none */
    int memory;          /* MiB of address space beyond what this process uses; 0: no limit */
    int file_size;       /* MiB of each file in dir; 0: no limit */
    /* receives the path of the folder, which the caller removes; NULL: it is removed here */
    char **kept;
    bool no_dir; /* no folder is created: dir is NULL */
    /* the input is handled by a server that the child connects to: the child keeps its
     * environment, user, network and files, and has no folder */
    bool open;
} rb_sandbox;

/* Limits the child's current task: unless this is called again or run() returns, the child ends
 * after this many seconds with `result` as its result. For code that cannot be interrupted
 * otherwise. Only for the child. */
void rb_sandbox_deadline(int seconds, const char *result);

/* Runs the sandbox. *missing receives what the kernel could not block ("the network"), to be
 * reported. */
enum rb_code rb_sandbox_run(rb_buf *result, rb_strs *missing, const rb_sandbox *sandbox,
                            rb_err *err);

#endif
