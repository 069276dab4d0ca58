/* The committer's identity, as `git var GIT_COMMITTER_IDENT` prints it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "git/internal.h"

/* True if git uses the text unchanged: it removes other characters at both ends and inside. */
static bool is_plain(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    return len > 0 && isalnum((unsigned char)text[0]) && isalnum((unsigned char)text[len - 1]) &&
           rb_text_is_plain(text, len) && !strpbrk(text, "<>");
}

static enum rb_code configured(const char **out, rb_repo *repo, const char *what, rb_err *err)
{
    RB_AUTO(rb_free_str) char *own = rb_format("committer.%s", what);
    RB_AUTO(rb_free_str) char *common = rb_format("user.%s", what);
    RB_TRY(rb_repo_setting(out, repo, own, err));
    return *out ? RB_OK : rb_repo_setting(out, repo, common, err);
}

static char *written_now(const char *name, const char *email)
{
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    long minutes = labs(tm.tm_gmtoff) / 60;
    return rb_format("%s <%s> %lld %c%02ld%02ld", name, email, (long long)now,
                     tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/* Reads the two settings itself if git would use them unchanged, because running git takes
 * longer. */
enum rb_code rb_repo_committer(char **out, rb_repo *repo, rb_err *err)
{
    const char *name = NULL;
    const char *email = NULL;
    bool is_set = getenv("GIT_COMMITTER_NAME") || getenv("GIT_COMMITTER_EMAIL") ||
                  getenv("GIT_COMMITTER_DATE");
    RB_TRY(configured(&name, repo, "name", err));
    RB_TRY(configured(&email, repo, "email", err));
    if (!is_set && is_plain(name) && is_plain(email)) {
        *out = written_now(name, email);
        return RB_OK;
    }
    RB_AUTO(rb_buf_clear) rb_buf who = {0};
    const char *const args[] = {"var", "GIT_COMMITTER_IDENT", NULL};
    RB_TRY(rb_repo_git(&who, repo, args, err));
    *out = rb_strndup(rb_buf_str(&who), strcspn(rb_buf_str(&who), "\n"));
    return RB_OK;
}
