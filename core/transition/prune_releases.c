#include "transition/prune_releases.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "environment/delivered.h"
#include "transition/known_good.h"

static void keep(rb_strs *kept, const char *tag)
{
    if (tag && !rb_strs_has(kept, tag))
        rb_strs_add(kept, tag);
}

/* Removes empty parent folders: releases/a after releases/a/b. */
static void remove_parents(const char *releases, const char *folder)
{
    RB_AUTO(rb_free_str) char *parent = rb_path_dir(folder);
    while (strlen(parent) > strlen(releases) && rb_dir_remove_empty(parent)) {
        char *up = rb_path_dir(parent);
        free(parent);
        parent = up;
    }
}

static void remove_release(const char *root, const char *tag)
{
    RB_AUTO(rb_free_str) char *releases = rb_format("%s/releases", root);
    RB_AUTO(rb_free_str) char *folder = rb_format("%s/%s", releases, tag);
    RB_AUTO(rb_free_str) char *notes = rb_format("%s/.rbtool/delivered", root);
    RB_AUTO(rb_free_str) char *note = rb_delivered_path(root, tag);
    if (rb_file_exists(folder) && rb_dir_remove(folder, RB_IGNORED) == RB_OK)
        remove_parents(releases, folder);
    if (rb_file_exists(note) && rb_dir_remove(note, RB_IGNORED) == RB_OK)
        remove_parents(notes, note);
}

static void prune(const rb_env *env, const rb_live *live, const rb_transition_rows *rows)
{
    RB_AUTO(rb_strs_clear) rb_strs kept = {0};
    for (int part = 0; part < RB_PARTS; part++) {
        keep(&kept, live->tag[part]);
        if (live->tag[part])
            keep(&kept, rb_known_good_recorded(rows, live->tag[part]));
    }
    for (size_t i = 0; i < rows->n && kept.n < (size_t)env->keep; i++)
        if (rb_known_reached(&rows->items[i]))
            keep(&kept, rows->items[i].to);
    for (size_t i = 0; i < rows->n; i++)
        if (!rb_strs_has(&kept, rows->items[i].to))
            remove_release(env->root, rows->items[i].to);
}

void rb_prune(const rb_env *env, rb_state *state)
{
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows rows = {0};
    RB_AUTO(rb_live_clear) rb_live live = {0};
    if (rb_state_live(&live, state, RB_IGNORED) == RB_OK &&
        rb_state_history(&rows, state, false, RB_IGNORED) == RB_OK)
        prune(env, &live, &rows);
}
