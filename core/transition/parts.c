#include "transition/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const rb_release *rb_parts_from(const rb_plan_request *rq, enum rb_part part)
{
    return rq->part_from[part] ? rq->part_from[part] : rq->from;
}

static const char *live_tag(const rb_plan_request *rq, enum rb_part part)
{
    return rq->live ? rq->live->tag[part] : NULL;
}

json_t *rb_parts_list(const rb_plan_request *rq)
{
    json_t *list = json_array();
    for (int i = 0; i < RB_PARTS; i++) {
        enum rb_part part = (enum rb_part)i;
        const char *from = live_tag(rq, part);
        json_array_append_new(list, rb_json_make("part:s from:s to:s", rb_part_name(part), from,
                                                 rq->parts[part] ? rq->to->tag : from));
    }
    return list;
}

void rb_parts_note(rb_plan *plan, const rb_plan_request *rq)
{
    const char *to = rq->to->tag;
    for (int i = 0; i < RB_PARTS; i++) {
        const char *name = rb_part_name((enum rb_part)i);
        const char *at = live_tag(rq, (enum rb_part)i);
        if (rq->parts[i] && rq->part_from[i])
            rb_plan_note(plan, "%s is at %s, and goes to %s from there", name, at ? at : "another",
                         to);
        else if (!rq->parts[i] && rb_text_same(at, to) &&
                 rb_text_same(rq->live->object[i], rq->to->object))
            rb_plan_note(plan, "%s is at %s already", name, to);
        else if (!rq->parts[i] && at)
            rb_plan_note(plan, "%s stays at %s and will be out of step with %s", name, at, to);
        else if (!rq->parts[i])
            rb_plan_note(plan, "%s stays as it is, no release was ever put there", name);
    }
}

/* Without --only, a deploy also moves parts where nothing is live; a revert has nothing to move
 * there. */
static bool is_left_out(const json_t *plan, const json_t *item)
{
    const char *to = rb_json_str(item, "to");
    return to ? !rb_text_same(to, rb_json_str(plan, "to"))
              : rb_text_same(rb_json_str(plan, "kind"), "deploy");
}

static bool moves(const json_t *item)
{
    const char *to = rb_json_str(item, "to");
    return to && !rb_text_same(rb_json_str(item, "from"), to);
}

static bool is_partial(const json_t *plan)
{
    rb_json_each (item, json_object_get(plan, "parts"))
        if (is_left_out(plan, item))
            return true;
    return false;
}

static char *moving(const json_t *plan, const char *between, size_t *n)
{
    rb_buf out = {0};
    *n = 0;
    rb_json_each (item, json_object_get(plan, "parts"))
        if (moves(item))
            rb_buf_printf(&out, "%s%s", (*n)++ ? between : "", rb_json_str(item, "part"));
    return rb_buf_detach(&out);
}

char *rb_parts_subject(const json_t *plan)
{
    size_t n;
    const char *environment = rb_json_str(plan, "environment");
    RB_AUTO(rb_free_str) char *parts = moving(plan, ", ", &n);
    return is_partial(plan) ? rb_format("%s of %s", parts, environment) : rb_strdup(environment);
}

char *rb_parts_now(const json_t *plan)
{
    size_t n;
    RB_AUTO(rb_free_str) char *what = rb_parts_subject(plan);
    free(moving(plan, ", ", &n));
    return rb_format("%s %s at %s", what, n > 1 && is_partial(plan) ? "are" : "is",
                     rb_json_str(plan, "to"));
}

char *rb_parts_live(const json_t *plan)
{
    return is_partial(plan) ? rb_parts_now(plan)
                            : rb_format("%s is live in %s", rb_json_str(plan, "to"),
                                        rb_json_str(plan, "environment"));
}

/* Groups parts by tag, as text. tags: of each part; NULL: leave it out. Returns the number of
 * groups. */
static size_t group(rb_buf *out, const char *const tags[RB_PARTS], const char *const verbs[2])
{
    bool told[RB_PARTS] = {false};
    size_t groups = 0;
    for (int i = 0; i < RB_PARTS; i++) {
        size_t n = 0;
        if (!tags[i] || told[i])
            continue;
        for (int j = i; j < RB_PARTS; j++) {
            if (!rb_text_same(tags[j], tags[i]))
                continue;
            told[j] = true;
            rb_buf_printf(out, "%s%s", groups || n ? ", " : "", rb_part_name((enum rb_part)j));
            n++;
        }
        rb_buf_printf(out, " %s%s", verbs[n > 1], tags[i]);
        groups++;
    }
    return groups;
}

char *rb_parts_was(const json_t *plan)
{
    const char *from = rb_json_str(plan, "from");
    const char *tags[RB_PARTS] = {NULL};
    rb_json_each (item, json_object_get(plan, "parts")) {
        const char *at = rb_json_str(item, "from");
        if (item_at < RB_PARTS && moves(item) && from && at && !rb_text_same(at, from))
            tags[item_at] = at;
    }
    RB_AUTO(rb_buf_clear) rb_buf others = {0};
    bool any = group(&others, tags, (const char *const[]){"at ", "at "}) > 0;
    return rb_format("%s%s%s", from ? from : "nothing", any ? "; " : "", rb_buf_str(&others));
}

char *rb_parts_before(const json_t *plan)
{
    const char *tags[RB_PARTS] = {NULL};
    bool already = false, differs = false;
    rb_json_each (item, json_object_get(plan, "parts")) {
        const char *from = rb_json_str(item, "from");
        bool there =
            from && rb_text_same(from, rb_json_str(item, "to")) && !is_left_out(plan, item);
        already = already || there;
        differs = differs || (moves(item) && !there);
        if (item_at < RB_PARTS && (moves(item) || there))
            tags[item_at] = from ? from : "nothing";
    }
    if (!already || !differs) {
        RB_AUTO(rb_free_str) char *was = rb_parts_was(plan);
        return rb_format("was %s", was);
    }
    rb_buf out = {0};
    group(&out, tags, (const char *const[]){"was at ", "were at "});
    return rb_buf_detach(&out);
}

char *rb_parts_after(const json_t *plan, bool *apart)
{
    const char *tags[RB_PARTS] = {NULL};
    const char *main = NULL;
    rb_json_each (item, json_object_get(plan, "parts")) {
        const char *to = rb_json_str(item, "to");
        main = main ? main : to;
        if (item_at < RB_PARTS && to && !rb_text_same(to, main))
            tags[item_at] = to;
    }
    RB_AUTO(rb_buf_clear) rb_buf others = {0};
    *apart = group(&others, tags, (const char *const[]){"at ", "at "}) > 0;
    return rb_format("%s%s%s%s", main ? main : "nothing", *apart ? " (" : "", rb_buf_str(&others),
                     *apart ? ")" : "");
}

char *rb_parts_rest(const json_t *plan)
{
    const char *tags[RB_PARTS] = {NULL};
    rb_json_each (item, json_object_get(plan, "parts")) {
        const char *to = rb_json_str(item, "to");
        if (item_at < RB_PARTS && is_left_out(plan, item))
            tags[item_at] = to ? to : "nothing";
    }
    RB_AUTO(rb_buf_clear) rb_buf out = {0};
    if (group(&out, tags, (const char *const[]){"stays at ", "stay at "}) == 0)
        return rb_strdup("");
    return rb_format("; %s", rb_buf_str(&out));
}

char *rb_parts_option(const json_t *plan)
{
    size_t n;
    RB_AUTO(rb_free_str) char *parts = moving(plan, ",", &n);
    return is_partial(plan) ? rb_format(" --only %s", parts) : rb_strdup("");
}

char *rb_parts_where(const rb_live *live, const bool parts[RB_PARTS])
{
    const char *tags[RB_PARTS] = {NULL};
    for (int part = 0; part < RB_PARTS; part++)
        tags[part] = parts[part] ? live->tag[part] : NULL;
    rb_buf out = {0};
    if (group(&out, tags, (const char *const[]){"at ", "at "}) == 0)
        rb_buf_puts(&out, "nothing");
    return rb_buf_detach(&out);
}
