/*
 * Finds files that only the environment or only the releases name. One side alone is normal: an
 * environment serves older and later releases, and a host need not have every file. Both together
 * suggest a misspelt path.
 */
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"
#include "git/tree.h"
#include "transition/parts.h"
#include "transition/plan_make.h"

#define NAMED 3 /* files that a note lists */

static bool has_config(const rb_release *release, const char *path)
{
    return release && rb_manifest_config_find(release->manifest, path);
}

/* True if HEAD has the path, so that a later release will have it. */
static bool is_committed(rb_repo *repo, const char *path)
{
    rb_oid commit;
    rb_oid tree;
    rb_tree_entry entry = {0};
    bool found = rb_repo_commit(&commit, repo, "HEAD", RB_IGNORED) == RB_OK &&
                 rb_commit_tree(&tree, repo, &commit, RB_IGNORED) == RB_OK &&
                 rb_tree_find(&entry, repo, &tree, path, RB_IGNORED) == RB_OK;
    rb_tree_entry_clear(&entry);
    return found;
}

/* Returns TO's config files that have no path here, as an array that ends with NULL. Borrows the
 * names. */
static const char **find_left_out(size_t *n, const rb_plan_request *rq)
{
    const rb_manifest *to = rq->to->manifest;
    const char **paths = rb_calloc(to->config_count + 1, sizeof *paths);
    *n = 0;
    for (size_t i = 0; i < to->config_count; i++) {
        bool placed = false;
        for (size_t j = 0; j < rq->env->config_count; j++)
            placed = placed || strcmp(rq->env->config[j].name, to->config[i].path) == 0;
        if (!placed)
            paths[(*n)++] = to->config[i].path;
    }
    return paths;
}

static void note_left_out(rb_plan *plan, const rb_plan_request *rq, const char *const *paths,
                          size_t n)
{
    RB_AUTO(rb_buf_clear) rb_buf note = {0};
    rb_buf_printf(&note,
                  "%zu config file%s of %s not delivered, since environment %s gives no path for "
                  "it:",
                  n, rb_text_s(n), rq->to->tag, rq->env->name);
    for (size_t i = 0; i < n && i < NAMED; i++)
        rb_buf_printf(&note, "%s %s", i ? "," : "", paths[i]);
    if (n > NAMED)
        rb_buf_puts(&note, ", ...");
    rb_plan_note(plan, "%s", rb_buf_str(&note));
}

static void note_unknown(rb_plan *plan, const rb_plan_request *rq, const rb_release *from,
                         const char *what, const rb_env_pair *pair)
{
    RB_AUTO(rb_free_str)
    char *note = from ? rb_format("environments.%s.%s names %s, which neither %s nor %s has",
                                  rq->env->name, what, pair->name, from->tag, rq->to->tag)
                      : rb_format("environments.%s.%s names %s, which %s does not have",
                                  rq->env->name, what, pair->name, rq->to->tag);
    rb_plan_note(plan, "%s", note);
}

static enum rb_code look_at_config(rb_plan *plan, const rb_plan_request *rq,
                                   const char *const *left_out, rb_err *err)
{
    /* If a release is live, a path may belong to an earlier one, so that only a first deploy is
     * refused. */
    const rb_release *from = rb_parts_from(rq, RB_PART_CONFIG);
    bool first = strcmp(rq->kind, "deploy") == 0 && !from;
    for (size_t i = 0; i < rq->env->config_count; i++) {
        const rb_env_pair *pair = &rq->env->config[i];
        if (has_config(from, pair->name) || has_config(rq->to, pair->name))
            continue;
        const char *nearest = rb_shape_nearest(pair->name, left_out);
        if (first && nearest && !is_committed(rq->session->repo, pair->name))
            return rb_fail(err, RB_ERROR,
                           "environments.%s.config names %s, which neither %s nor the repository "
                           "has, and %s of %s has no place; nothing was changed\nis that the one? "
                           "Correct the path, or leave it out until a release has it",
                           rq->env->name, pair->name, rq->to->tag, nearest, rq->to->tag);
        note_unknown(plan, rq, from, "config", pair);
    }
    return RB_OK;
}

enum rb_code rb_plan_unmapped_files(rb_plan *plan, const rb_plan_request *rq, rb_err *err)
{
    if (rq->parts[RB_PART_FLAGS] && rq->to->manifest->flags_path && !rq->env->flags) {
        rb_plan_note(plan, "the flags of %s are not delivered, environment %s has no \"flags\"",
                     rq->to->tag, rq->env->name);
    }
    const rb_release *from = rb_parts_from(rq, RB_PART_DB);
    RB_AUTO(rb_strs_clear) rb_strs names = {0};
    rb_plan_database_names(&names, from, rq->to);
    for (size_t i = 0; rq->parts[RB_PART_DB] && i < rq->env->database_count; i++)
        if (!rb_strs_has(&names, rq->env->databases[i].name))
            note_unknown(plan, rq, from, "databases", &rq->env->databases[i]);
    if (!rq->parts[RB_PART_CONFIG])
        return RB_OK;
    size_t n;
    const char **left_out = find_left_out(&n, rq);
    enum rb_code code = look_at_config(plan, rq, left_out, err);
    if (code == RB_OK && n > 0)
        note_left_out(plan, rq, left_out, n);
    free(left_out);
    return code;
}
