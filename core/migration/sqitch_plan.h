/*
 * Reads a sqitch.plan (sqitchchanges(5), App::Sqitch::Plan): the changes in their order, with tags,
 * dependencies, and the ids that Sqitch computes of what a line says and of the change before it.
 *
 * A name that occurs again after a tag is a reworked change. Then the earlier change has the
 * scripts NAME@TAG. Texts are slices of the plan; the plan must outlive the result.
 */
#ifndef RB_MIGRATION_SQITCH_PLAN_H
#define RB_MIGRATION_SQITCH_PLAN_H

#include "base/json.h"

typedef struct rb_sqitch_tag {
    char *name; /* with "@" */
    size_t change;
    json_t *record; /* tag_id, tag, note, planned_at, planner_name, planner_email, change_id */
} rb_sqitch_tag;

typedef struct rb_sqitch_change {
    char *name;
    size_t version;  /* 1, or one more for each rework */
    size_t reworked; /* index of the change that reworks this one; 0: none */
    size_t line;
    char id[41];
    json_t *record; /* as the registry has it, without scripts: see database/tracking_tools.c */
} rb_sqitch_change;

typedef struct rb_sqitch_plan {
    char *project, *uri; /* uri may be NULL */
    rb_sqitch_change *changes;
    size_t n;
    json_t *newest; /* {name: index of its newest change} */
    rb_sqitch_tag *tags;
    size_t tag_count;
} rb_sqitch_plan;

/* Parses a plan. path: for messages. RB_ERROR names the line. */
enum rb_code rb_sqitch_plan_read(rb_sqitch_plan *out, const char *text, const char *path,
                                 rb_err *err);
void rb_sqitch_plan_clear(rb_sqitch_plan *plan);

#endif
