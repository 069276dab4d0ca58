/* Sends long results on a terminal through git's pager, as git does. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ui.h"

static pid_t pager; /* process id; 0: no pager runs */

/* Closes the pager's input, and waits until the user leaves it. Also runs on a signal. */
static void wait_for_pager(void)
{
    if (pager == 0)
        return;
    close(STDOUT_FILENO);
    (void)!waitpid(pager, NULL, 0);
    pager = 0;
}

static void on_signal(int number)
{
    wait_for_pager();
    signal(number, SIG_DFL);
    raise(number);
}

/* Returns what `git var GIT_PAGER` prints: from GIT_PAGER, core.pager, PAGER, or git's default. ""
 * if no pager is to be used. */
static char *find_pager(rb_cli *cli)
{
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    const char *const args[] = {"var", "GIT_PAGER", NULL};
    if (rb_session_repo(&cli->session, RB_IGNORED) != RB_OK ||
        rb_repo_git(&out, cli->session.repo, args, RB_IGNORED) != RB_OK)
        return rb_strdup("");
    char *name = rb_strndup(rb_buf_str(&out), strcspn(rb_buf_str(&out), "\n"));
    if (strcmp(name, "cat") == 0)
        *name = '\0';
    return name;
}

static void become(const char *program, const int ends[2])
{
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
    setenv("LESS", "FRX",
           0); /* git's default: exit if the text fits, show colours, do not clear the screen */
    setenv("LV", "-c", 0);
    execl("/bin/sh", "sh", "-c", program, (char *)NULL);
    _exit(127);
}

void rb_ui_page(rb_cli *cli)
{
    int ends[2];
    if (!isatty(STDOUT_FILENO) || cli->json)
        return;
    RB_AUTO(rb_free_str) char *program = find_pager(cli);
    if (!*program || pipe(ends) != 0)
        return;
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0)
        become(program, ends);
    close(ends[0]);
    if (pid > 0) {
        pager = pid;
        dup2(ends[1], STDOUT_FILENO);
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
            signal(signals[i], on_signal);
    }
    close(ends[1]);
}

void rb_ui_page_end(void)
{
    fflush(stdout);
    wait_for_pager();
}
