/*
 * A function that runs in a process of its own and can give back nothing but bytes.
 *
 * For code that handles input of unknown origin, such as the SQL of a pull request. The child
 * starts as a copy of this process, so its inputs are in memory. It has no environment, no
 * descriptors but /dev/null and a pipe, no core dumps, no further processes and no new privileges;
 * started by root, it runs as nobody (65534) without groups. Where the kernel permits, it has no
 * network and no files but those of an empty folder of its own. It dies with this process, and at
 * its deadline.
 *
 * Order of calls in the child: prepare() before all of that, for what has to be opened beforehand
 * (shared libraries); then run(). Neither may exit, nor use what other threads of this process held
 * at the fork: no lock of theirs is ever released in the child.
 *
 * SIGINT, SIGTERM and SIGHUP wait until the child is killed and its folder removed, which takes no
 * time; then they do what they do otherwise.
 *
 * Errors: RB_FOUND where the child broke a limit or died; RB_ERROR where it could not be started.
 */
#ifndef RB_BASE_SANDBOX_H
#define RB_BASE_SANDBOX_H

#include "base/buf.h"

typedef struct rb_sandbox {
    const char *what; /* "the proof of database main", for messages */
    /* dir: the empty folder, absolute; it is removed with all that is left in it. */
    void (*prepare)(void *context, const char *dir);
    void (*run)(void *context, rb_buf *result);
    void *context;
    size_t result_limit; /* bytes */
    int seconds;         /* until it is killed; 0: any */
    int memory;          /* MiB of address space beyond what this process has; 0: any */
    int file_size;       /* MiB of each file in dir; 0: any */
    char **kept;         /* receives the folder, which the caller removes; NULL: it is removed */
    bool no_dir;         /* it needs no folder: dir is NULL */
    bool open;           /* the input is for a server that the child talks to: it keeps environment,
                            user, network and files, and has no folder */
} rb_sandbox;

/* To be called in the child: it ends after this many seconds, with `result` in place of what run()
 * returns, unless this is called again or run() returns first. For code that cannot be interrupted
 * otherwise. */
void rb_sandbox_deadline(int seconds, const char *result);

/* Runs the sandbox. *missing: what the kernel could not block ("the network"), for a note. */
enum rb_code rb_sandbox_run(rb_buf *result, rb_strs *missing, const rb_sandbox *sandbox,
                            rb_err *err);

#endif
