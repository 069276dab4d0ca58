#include "base/file.h"
#include "release/flags.h"
#include "transition/parts.h"
#include "transition/plan_make.h"
#include "transition/service.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#define JOURNAL_ROOM (1u << 20) /* bytes for the journal and for copies of flags and config */

/* Adds a note if something needs more than half of the free space. Refuses the plan if it does not
 * fit. */
static void check_room(rb_plan *plan, const char *path, const char *what, uint64_t need)
{
    struct statvfs fs;
    if (need == 0 || statvfs(path, &fs) != 0)
        return;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    RB_AUTO(rb_free_str)
    char *note = rb_format("%" PRIu64 " MiB are free below %s; %s take up to %" PRIu64 " MiB",
                           room >> 20, path, what, (need >> 20) + 1);
    if (room / 2 < need)
        rb_plan_note(plan, "%s", note);
    if (room < need)
        rb_plan_decide(plan, "space", RB_ERROR, "not enough room: %s", note);
}

/* ROOT/.rbtool may be on a file system of its own. */
static void space_notes(rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_free_str) char *own = rb_path_join(rq->env->root, ".rbtool");
    uint64_t artifacts = 0;
    uint64_t copy = JOURNAL_ROOM;
    struct stat st;
    rb_json_each (backup, json_object_get(plan->json, "backups"))
        copy += (uint64_t)rb_json_int(backup, "bytes", 0);
    for (size_t i = 0; plan->parts[RB_PART_APP] && i < rq->to->manifest->artifact_count; i++)
        artifacts += rq->to->manifest->artifacts[i].bytes;
    struct stat root;
    if (stat(own, &st) == 0 && stat(rq->env->root, &root) == 0 && st.st_dev != root.st_dev) {
        check_room(plan, own, "the journal and the backups", copy);
        check_room(plan, rq->env->root, "artifacts", artifacts);
    } else {
        check_room(plan, rq->env->root, "artifacts, the journal and the backups", artifacts + copy);
    }
}

/* Notes flags with rules that depend on time: they do not return to their state when TO was live.
 */
static void rollout_notes(rb_plan *plan, const rb_plan_request *rq)
{
    const rb_manifest *m = rq->to->manifest;
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_json_freep) json_t *flags = NULL;
    rb_err ignored; /* an unreadable file is refused elsewhere */
    if (!plan->parts[RB_PART_FLAGS] || !m->flags_path || !rq->env->flags ||
        rb_release_file(&text, rq->to, rq->session->repo, m->flags_path, m->flags_sha256,
                        &ignored) != RB_OK ||
        rb_flags_read(&flags, rb_buf_str(&text), text.len, m->flags_path, &ignored) != RB_OK)
        return;
    RB_AUTO(rb_json_freep) json_t *times = rb_flags_times(flags, (int64_t)time(NULL));
    rb_json_each (item, times) {
        const time_t at = (time_t)rb_json_int(item, "at", 0);
        char when[32] = "an unknown time";
        struct tm tm;
        if (gmtime_r(&at, &tm))
            strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &tm);
        rb_plan_note(plan, "flag %s of %s depends on the time: its rule \"time %s %s\" is %s now",
                     rb_json_str(item, "flag"), rq->to->tag, rb_json_str(item, "op"), when,
                     json_is_true(json_object_get(item, "holds")) ? "true" : "false");
    }
}

void rb_plan_notes(rb_plan *plan, const rb_plan_request *rq)
{
    if (rb_service_cannot_run_yet(rq))
        rb_plan_note(
            plan,
            "the service is not stopped: nothing is live here, and its program %s does not "
            "exist yet",
            rq->env->stop.items[0]);
    for (int part = 0; part < RB_PARTS; part++)
        if (rq->parts[part])
            json_array_append_new(json_object_get(plan->json, "only"),
                                  json_string(rb_part_name((enum rb_part)part)));
    rb_parts_note(plan, rq);
    rollout_notes(plan, rq);
    rb_plan_requires(plan, rq);
    space_notes(plan, rq);
}
