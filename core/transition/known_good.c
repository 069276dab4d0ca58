#include "transition/known_good.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CHAIN 10000 /* releases followed back; a longer chain ends the search */

void rb_known_good_clear(rb_known_good *good)
{
    rb_release_free(good->release);
    free(good->rule);
    rb_strs_clear(&good->candidates);
    *good = (rb_known_good){0};
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

bool rb_known_reached(const rb_transition_row *row)
{
    return same(row->outcome, "done") || same(row->outcome, "unhealthy");
}

/* Newest first: the first word on a tag counts. A partial revert is a word on the release too. */
static bool is_bad(rb_transition_row *const *rows, size_t count, const char *tag)
{
    for (size_t i = 0; i < count; i++) {
        if (!rb_known_reached(rows[i]))
            continue;
        if (same(rows[i]->kind, "revert") && same(rows[i]->from, tag))
            return true;
        if (same(rows[i]->kind, "deploy") && same(rows[i]->to, tag))
            return false;
    }
    return false;
}

/* NULL when it does not verify; that is no error here. */
static rb_release *verified(rb_repo *repo, const rb_signers *signers, const char *tag)
{
    rb_release *release = NULL;
    rb_problems problems = {0};
    rb_err ignored;
    if (rb_release_open(&release, repo, signers, tag, &problems, &ignored) != RB_OK)
        release = NULL;
    rb_problems_clear(&problems);
    return release;
}

const char *rb_known_good_recorded(rb_transition_row *const *rows, size_t count, const char *from)
{
    for (size_t i = 0; i < count; i++)
        if (same(rows[i]->outcome, "done") && !same(rows[i]->to, from) &&
            !is_bad(rows, count, rows[i]->to))
            return rows[i]->to;
    return NULL;
}

/* Whether that row moved this part: it, or a later row of an interrupted one, left it at its TO. */
static bool moved(const rb_transition_row *row, int part)
{
    const json_t *only = json_object_get(row->plan, "only");
    size_t i;
    json_t *item;
    bool left_there = rb_known_reached(row) || same(row->outcome, "interrupted");
    json_array_foreach ((json_t *)only, i, item) {
        if (left_there && same(json_string_value(item), rb_part_name((enum rb_part)part)))
            return true;
    }
    return false;
}

/* Whether all of parts were at rows[at]'s TO when it had ended. Partial transitions leave the rest
 * at other releases: two halves that never ran together are no release. */
static bool live_together(rb_transition_row *const *rows, size_t count, size_t at,
                          const bool parts[RB_PARTS])
{
    for (int part = 0; part < RB_PARTS; part++) {
        size_t i = at;
        while (parts[part] && i < count && !moved(rows[i], part))
            i++;
        if (parts[part] && (i == count || !same(rows[i]->to, rows[at]->to)))
            return false;
    }
    return true;
}

static void among_live(rb_known_good *out, rb_transition_row *const *rows, size_t count,
                       rb_repo *repo, const rb_signers *signers, const rb_release *from,
                       const bool parts[RB_PARTS])
{
    for (size_t i = 0; i < count && !out->release; i++) {
        const char *tag = rows[i]->to;
        if (!same(rows[i]->outcome, "done") || same(tag, from->tag) || is_bad(rows, count, tag) ||
            !live_together(rows, count, i, parts))
            continue;
        rb_release *release = verified(repo, signers, tag);
        if (release && !same(release->object, rows[i]->to_object)) {
            rb_release_free(release); /* the tag has moved since it was live here */
            continue;
        }
        out->release = release;
        if (release)
            out->rule = rb_strdup("the newest release that was live here with every check passed");
    }
}

static void along_chain(rb_known_good *out, rb_transition_row *const *rows, size_t count,
                        rb_repo *repo, const rb_signers *signers, const rb_release *from, bool take)
{
    const rb_link *link = from->manifest->previous;
    rb_release *held = NULL;
    for (int n = 0; link && n < MAX_CHAIN; n++) {
        rb_release *release = verified(repo, signers, link->tag);
        if (!release || !same(release->object, link->object)) {
            rb_release_free(release);
            break;
        }
        rb_release_free(held);
        held = release;
        link = release->manifest->previous;
        if (is_bad(rows, count, release->tag))
            continue;
        rb_strs_add(&out->candidates, release->tag);
        if (take && !out->release) {
            out->release = release;
            out->rule = rb_strdup("the nearest release along the chain that verifies and is not "
                                  "marked bad (knownGood: verified)");
            return;
        }
    }
    rb_release_free(held);
}

enum rb_code rb_known_good_find(rb_known_good *out, rb_state *state, rb_repo *repo,
                                const rb_signers *signers, const rb_release *from,
                                const bool parts[RB_PARTS], const char *setting, rb_err *err)
{
    rb_transition_row **rows = NULL;
    size_t count = 0;
    *out = (rb_known_good){0};
    if (state)
        RB_TRY(rb_state_history(&rows, &count, state, true, err));
    among_live(out, rows, count, repo, signers, from, parts);
    if (!out->release)
        along_chain(out, rows, count, repo, signers, from, strcmp(setting, "verified") == 0);
    rb_transition_rows_free(rows, count);
    if (out->release)
        return RB_OK;
    RB_AUTO(rb_buf_clear) rb_buf list = {0};
    for (size_t i = 0; i < out->candidates.n && i < 5; i++)
        rb_buf_printf(&list, "%s%s", i ? ", " : "", out->candidates.items[i]);
    return rb_fail(err, RB_DECIDE,
                   "no release before %s is known good here: none was live with every check "
                   "passed; choose one with --to TAG%s%s",
                   from->tag, list.len ? "; these verify: " : "", rb_buf_str(&list));
}

enum rb_code rb_known_bad(bool *out, rb_state *state, const char *tag, rb_err *err)
{
    rb_transition_row **rows;
    size_t count;
    RB_TRY(rb_state_history(&rows, &count, state, false, err));
    *out = is_bad(rows, count, tag);
    rb_transition_rows_free(rows, count);
    return RB_OK;
}
