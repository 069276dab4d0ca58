#include "transition/parts.h"
#include "transition/service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define MAX_CHAIN 1000 /* links followed back from TO */

void rb_plan_note(rb_plan *plan, const char *text)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(text);
    json_array_append_new(json_object_get(plan->json, "notes"), json_string(safe));
}

static void part_notes(rb_plan *plan, const rb_plan_request *rq)
{
    json_t *only = json_object_get(plan->json, "only");
    for (int part = 0; part < RB_PARTS; part++)
        if (rq->parts[part])
            json_array_append_new(only, json_string(rb_part_name((enum rb_part)part)));
    rb_parts_note(plan, rq);
}

/* Is there room for what will be written? Said where it is more than half of what is free. */
static void space_notes(rb_plan *plan, const rb_plan_request *rq)
{
    uint64_t need = 0;
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        struct stat st;
        if (strncmp(d->url, "sqlite:", 7) == 0 && stat(d->url + 7, &st) == 0 &&
            (uint64_t)st.st_size > need)
            need = (uint64_t)st.st_size;
    }
    struct statvfs fs;
    if (statvfs(rq->env->root, &fs) != 0)
        return;
    for (size_t i = 0; plan->parts[RB_PART_APP] && i < rq->to->manifest->artifact_count; i++)
        need += rq->to->manifest->artifacts[i].bytes;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    RB_AUTO(rb_free_str)
    char *note = rb_format("%" PRIu64 " MiB are free below %s; artifacts and a copy of the largest "
                           "database take up to %" PRIu64 " MiB",
                           room >> 20, rq->env->root, (need >> 20) + 1);
    if (room / 2 < need)
        rb_plan_note(plan, note);
    if (room < need)
        rb_plan_decide(plan, "space", RB_ERROR, "not enough room: %s", note);
}

/*
 * A revert is gated by TO's own integrity; a fault further back warns. Each release names its
 * predecessor's object: the first link that leads elsewhere, or nowhere, is told.
 */
static void chain_note(rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_release_freep) rb_release *held = NULL;
    const rb_release *at = rq->to;
    for (int n = 0; at && at->manifest->previous && n < MAX_CHAIN; n++) {
        const rb_link *link = at->manifest->previous;
        rb_release *next = NULL;
        RB_AUTO(rb_problems_clear) rb_problems problems = {0};
        rb_err err;
        bool good =
            rb_release_open(&next, rq->repo, rq->signers, link->tag, &problems, &err) == RB_OK &&
            strcmp(next->object, link->object) == 0;
        if (!good) {
            RB_AUTO(rb_free_str)
            char *note = rb_format("the history behind %s is in doubt: %s names %s (%.10s) as its "
                                   "predecessor, %s; see `rbtool verify --all`",
                                   rq->to->tag, at->tag, link->tag, link->object,
                                   next             ? "which has moved since"
                                   : problems.n > 0 ? problems.items[0].message
                                                    : err.message);
            rb_plan_note(plan, note);
        }
        rb_release_free(held);
        held = next;
        at = good ? next : NULL;
    }
}

static void service_note(rb_plan *plan, const rb_plan_request *rq)
{
    if (!rb_service_cannot_run_yet(rq))
        return;
    RB_AUTO(rb_free_str)
    char *note = rb_format("the service is not stopped: nothing is live here, and its program %s "
                           "does not exist yet",
                           rq->env->stop.items[0]);
    rb_plan_note(plan, note);
}

void rb_plan_notes(rb_plan *plan, const rb_plan_request *rq)
{
    service_note(plan, rq);
    part_notes(plan, rq);
    space_notes(plan, rq);
    chain_note(plan, rq);
}
