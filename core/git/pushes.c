#include "git/pushes.h"

#include <stdlib.h>
#include <string.h>

#include "git/refs.h"

void rb_pushes_clear(rb_pushes *pushes)
{
    for (size_t i = 0; i < pushes->n; i++) {
        free(pushes->items[i].local_ref);
        free(pushes->items[i].remote_ref);
    }
    free(pushes->items);
    *pushes = (rb_pushes){0};
}

bool rb_oid_is_zero(const rb_oid *oid)
{
    static const rb_oid zero;
    return rb_oid_equal(oid, &zero);
}

static void add(rb_pushes *out, rb_pushed pushed, const char *local_ref, const char *ref)
{
    pushed.local_ref = rb_strdup(local_ref);
    pushed.remote_ref = rb_strdup(ref);
    if (strncmp(ref, RB_TAGS, strlen(RB_TAGS)) == 0)
        pushed.tag = pushed.remote_ref + strlen(RB_TAGS);
    out->items = rb_grow(out->items, out->n, sizeof *out->items);
    out->items[out->n++] = pushed;
}

/* Cuts the last field off the line and returns it; NULL if the line has only one field. */
static char *cut(char *line)
{
    char *space = strrchr(line, ' ');
    if (space)
        *space = '\0';
    return space ? space + 1 : NULL;
}

/* Parses the line from its end, because its first field is what the user typed and may contain
 * spaces: "HEAD@{1 day ago}". */
static enum rb_code read_sent(rb_pushes *out, char *line, rb_err *err)
{
    RB_AUTO(rb_free_str) char *whole = rb_safe(line);
    rb_pushed pushed = {0};
    const char *remote = cut(line);
    const char *ref = remote ? cut(line) : NULL;
    const char *local = ref ? cut(line) : NULL;
    if (!local || !rb_oid_parse(&pushed.local, local) || !rb_oid_parse(&pushed.remote, remote))
        return rb_fail(err, RB_ERROR,
                       "a line of the push is not LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID as "
                       "githooks(5) says: %.200s",
                       whole);
    add(out, pushed, line, ref);
    return RB_OK;
}

static enum rb_code read_received(rb_pushes *out, char *line, rb_err *err)
{
    RB_AUTO(rb_free_str) char *whole = rb_safe(line);
    rb_pushed pushed = {0};
    const char *ref = cut(line);
    const char *new = ref ? cut(line) : NULL;
    if (!new || !rb_oid_parse(&pushed.local, new) || !rb_oid_parse(&pushed.remote, line))
        return rb_fail(err, RB_ERROR,
                       "a line of what was received is not OLD NEW REF as githooks(5) says: "
                       "%.200s",
                       whole);
    add(out, pushed, NULL, ref);
    return RB_OK;
}

enum rb_code rb_pushes_read(rb_pushes *out, rb_repo *repo, bool sent, const char *lines, size_t len,
                            rb_err *err)
{
    RB_AUTO(rb_strs_clear) rb_strs split = {0};
    rb_strs_add_lines(&split, lines, len);
    for (size_t i = 0; i < split.n; i++) {
        char *line = split.items[i];
        RB_TRY(sent ? read_sent(out, line, err) : read_received(out, line, err));
        rb_pushed *pushed = &out->items[out->n - 1];
        if (!rb_oid_is_zero(&pushed->local))
            pushed->has_commit = rb_object_commit(&pushed->commit, repo, &pushed->local);
    }
    return RB_OK;
}

const rb_pushed *rb_pushes_find(const rb_pushes *pushes, const char *ref)
{
    for (size_t i = 0; i < pushes->n; i++)
        if (strcmp(pushes->items[i].remote_ref, ref) == 0)
            return &pushes->items[i];
    return NULL;
}
