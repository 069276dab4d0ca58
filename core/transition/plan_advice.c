/* Explains what makes scripts fail in a database, and what to do about it. */
#include <string.h>

#include "catalog/name.h"
#include "database/tracking.h"
#include "database/url.h"
#include "transition/plan_make.h"

char *rb_plan_list_differences(const json_t *differences)
{
    rb_buf out = {0};
    rb_json_each (item, differences) {
        if (item_at == 8) {
            rb_buf_printf(&out, " and %zu more", json_array_size(differences) - item_at);
            break;
        }
        rb_buf_printf(&out, "%s%s %s", item_at ? ", " : "", rb_json_str(item, "object"),
                      rb_json_str(item, "change"));
    }
    return rb_buf_detach(&out);
}

/*
 * Returns how to record what another tool or a person applied, so that it is not applied again.
 * Such objects may hold data that no release made, so the advice is never to remove them.
 */
static char *take_over_advice(const rb_plan_database *d)
{
    const char *layout = d->to_set->layout ? d->to_set->layout : "";
    const char *id = d->step_count > 0 && d->steps[0].up ? d->steps[0].migration->id : NULL;
    RB_AUTO(rb_free_str)
    char *sql = id ? rb_tracking_record_sql(rb_url_engine(d->url, NULL), layout, id) : NULL;
    if (!sql)
        return rb_strdup("record the migrations that are applied with the tool that reads them");
    return rb_format("record the migrations that are applied in %s's table (%s), for example the "
                     "first with this SQL in the database: %s",
                     layout,
                     rb_tracking_last_only(layout) ? "it has one row, the last one's"
                                                   : "it has a row for each",
                     sql);
}

static bool is_added_data(const json_t *difference)
{
    const char *object = rb_json_str(difference, "object");
    return strcmp(rb_json_str(difference, "change"), "added") == 0 &&
           (rb_catalog_is(object, "table") || rb_catalog_is(object, "column"));
}

bool rb_plan_meets_existing(const rb_plan_database *d, const rb_plan_request *rq, const char *text)
{
    if (rq->from || (!strstr(text, "already exists") && !strstr(text, "duplicate column")))
        return false;
    rb_json_each (item, d->drifted)
        if (is_added_data(item))
            return true;
    return false;
}

char *rb_plan_drift_advice(const rb_plan_database *d, const rb_plan_request *rq, const char *text,
                           bool guess)
{
    RB_AUTO(rb_json_freep) json_t *named = json_array();
    rb_json_each (item, d->drifted)
        if (strstr(text, rb_json_str(item, "object")))
            json_array_append(named, item);
    bool any = json_array_size(named) > 0;
    if (!any && (!guess || json_array_size(d->drifted) == 0))
        return rb_strdup("");
    RB_AUTO(rb_free_str) char *list = rb_plan_list_differences(any ? named : d->drifted);
    bool data = false;
    rb_json_each (item, any ? named : d->drifted)
        data = data || is_added_data(item);
    if (data && !rq->from) {
        RB_AUTO(rb_free_str) char *record = take_over_advice(d);
        return rb_format("; it exists already, and no release made it (%s): if another tool or a "
                         "person applied this migration, %s; then deploy again",
                         list, record);
    }
    if (data)
        return rb_format("; drift %s in the way (%s): rename it in the database, so that its data "
                         "is not lost, and try again",
                         any ? "stands" : "may stand", list);
    return rb_format("; drift %s in the way (%s): undo it in the database, keep what made it for "
                     "afterwards, and try again",
                     any ? "stands" : "may stand", list);
}

enum rb_code rb_plan_refuse_foreign(bool *refused, rb_plan *plan, const rb_plan_database *d,
                                    const rb_plan_request *rq, rb_db *db, rb_err *err)
{
    RB_AUTO(rb_free_str) char *table = NULL;
    const char *tool = NULL;
    RB_TRY(rb_tracking_foreign(&table, &tool, db, err));
    *refused = table != NULL && d->step_count > 0;
    if (!*refused)
        return RB_OK;
    RB_AUTO(rb_free_str) char *record = take_over_advice(d);
    rb_plan_decide(plan, "tracking", RB_DECIDE,
                   "database %s: table %s is that of %s, which rbtool does not read, so it is not "
                   "known which migrations of %s are applied\n%s; then deploy again. If the table "
                   "belongs to other migrations, set databases.%s.tracking in rbtool.json",
                   d->name, table, tool, rq->to->tag, record, d->name);
    return RB_OK;
}
