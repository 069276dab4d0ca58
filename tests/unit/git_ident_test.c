/* Who writes: as git says it, whatever is set. */
#include "git_lab.h"

#include <time.h>

#include "git/repository.h"

typedef struct person {
    const char *config; /* arguments of git config, a line each */
    const char *env;    /* NAME=VALUE, or NULL */
    const char *zone;
} person;

static const person people[] = {
    {"user.name Ann\nuser.email ann@example.com", NULL, "UTC"},
    {"user.name Ann\nuser.email ann@example.com", NULL, "Asia/Kolkata"},
    {"user.name Ann\nuser.email ann@example.com", NULL, "America/St_Johns"},
    {"user.name Ann\nuser.email ann@example.com", NULL, "Asia/Tokyo"},
    {"user.name Ann\nuser.email ann@example.com\ncommitter.name Bot", NULL, "UTC"},
    {"user.name Ann\nuser.email ann@example.com\ncommitter.email bot@example.com", NULL, "UTC"},
    {"user.name 'Ann B. Cee'\nuser.email ann@example.com", NULL, "UTC"},
    {"user.name 'Ann B.'\nuser.email ann@example.com", NULL, "UTC"},
    {"user.name ' Ann <x> B '\nuser.email '<ann@example.com>'", NULL, "UTC"},
    {"user.name 'Zo\xc3\xab Z'\nuser.email zoe@example.com", NULL, "UTC"},
    {"user.name 'Jos\xc3\xa9'\nuser.email jose@example.com", NULL, "UTC"},
    {"user.name '\"Q\"'\nuser.email 'a b@example.com'", NULL, "UTC"},
    {"user.name Ann\nuser.email ann@example.com", "GIT_COMMITTER_NAME=Other", "UTC"},
    {"user.name Ann\nuser.email ann@example.com", "GIT_COMMITTER_EMAIL=o@example.com", "UTC"},
    {"user.name Ann\nuser.email ann@example.com", "GIT_COMMITTER_DATE=1700000000 +0130", "UTC"},
};

/* Takes the seconds out of "NAME <EMAIL> SECONDS ZONE". */
static long long cut_time(char *ident)
{
    char *at = strrchr(ident, '>');
    assert_non_null(at);
    char *rest = NULL;
    long long seconds = strtoll(at + 1, &rest, 10);
    assert_int_equal(*rest, ' ');
    memmove(at + 1, rest, strlen(rest) + 1);
    return seconds;
}

static void test_people(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
        const person *p = &people[i];
        sh_do(
            "rm -rf who; git init -q who; git -C who config --unset-all user.name || :; cat <<'X' "
            "| while read -r line; do eval git -C who config $line; done\n%s\nX\n",
            p->config);
        RB_AUTO(rb_free_str) char *name = p->env ? rb_strndup(p->env, strcspn(p->env, "=")) : NULL;
        setenv("TZ", p->zone, 1);
        tzset();
        if (name)
            setenv(name, p->env + strlen(name) + 1, 1);
        RB_AUTO(rb_free_str) char *said = sh("git -C who var GIT_COMMITTER_IDENT");
        RB_AUTO(rb_free_str) char *ours = NULL;
        RB_AUTO(rb_repo_closep) rb_repo *repo = NULL;
        rb_err err = {0};
        assert_int_equal(rb_repo_open(&repo, "who", &err), RB_OK);
        assert_int_equal(rb_repo_committer(&ours, repo, &err), RB_OK);
        long long apart = cut_time(ours) - cut_time(said);
        assert_string_equal(ours, said);
        assert_true(apart >= 0 && apart <= 60);
        if (name)
            unsetenv(name);
    }
    setenv("TZ", "UTC", 1);
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_people)};
    return cmocka_run_group_tests_name("git ident", tests, lab_open, lab_close);
}
