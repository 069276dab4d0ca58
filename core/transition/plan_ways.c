/* Lists the ways back that a person can choose from, with cost and command. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/template.h"
#include "base/text.h"
#include "config/config.h"
#include "ledger/release_entry.h"
#include "transition/parts.h"
#include "transition/plan_make.h"

#define NEXT_TAGS 1000 /* names that are tried for a release with a fix */

static const bool flags_only[RB_PARTS] = {[RB_PART_FLAGS] = true};
static const bool application[RB_PARTS] = {
    [RB_PART_APP] = true, [RB_PART_FLAGS] = true, [RB_PART_CONFIG] = true};

static bool has_scripts(const rb_plan *plan)
{
    for (size_t i = 0; i < plan->database_count; i++)
        if (plan->databases[i].step_count > 0 || plan->databases[i].unreadable)
            return true;
    return false;
}

/* True if the content of the flag file changes. */
static bool writes_flags(const rb_plan *plan)
{
    for (size_t i = 0; i < plan->file_count; i++)
        if (plan->files[i].part == RB_PART_FLAGS &&
            !rb_text_same(plan->files[i].had, plan->files[i].brings))
            return true;
    return false;
}

/* Returns the names of those of the parts that this plan moves. */
static json_t *list_parts(const rb_plan *plan, const bool parts[RB_PARTS])
{
    json_t *list = json_array();
    for (int part = 0; part < RB_PARTS; part++)
        if (parts[part] && plan->parts[part])
            json_array_append_new(list, json_string(rb_part_name((enum rb_part)part)));
    return list;
}

/* Returns the command of a way. It names the target: without --to, a partial revert could choose
 * another one. */
static char *command_of(const rb_plan_request *rq, const json_t *parts)
{
    rb_buf out = {0};
    rb_buf_puts(&out, rq->command);
    if (!strstr(rq->command, " --to "))
        rb_buf_printf(&out, " --to %s", rq->to->tag);
    rb_json_each (part, parts)
        rb_buf_printf(&out, "%s%s", part_at == 0 ? " --only " : ",", json_string_value(part));
    return rb_buf_detach(&out);
}

/* Returns a way that moves only files, so that no data is lost. */
static json_t *file_way(const rb_plan *plan, const rb_plan_request *rq, const char *name,
                        const bool parts[RB_PARTS])
{
    json_t *only = list_parts(plan, parts);
    RB_AUTO(rb_free_str) char *command = command_of(rq, only);
    json_t *way = rb_json_make("way:s only:j compatible:0 values:i rows:i command:s text:0", name,
                               only, (int64_t)0, (int64_t)0, command);
    rb_plan_time_of(way, plan, rq, parts);
    return way;
}

static const rb_manifest_flag *find_flag(const rb_manifest *manifest, const char *name)
{
    for (size_t i = 0; i < manifest->flag_count; i++)
        if (strcmp(manifest->flags[i].name, name) == 0)
            return &manifest->flags[i];
    return NULL;
}

static char *flag_value(const rb_manifest_flag *flag)
{
    if (!flag)
        return rb_strdup("absent");
    return rb_format("%s %s", flag->state, flag->default_ ? flag->default_ : "without a default");
}

/* Adds a feature flag's data about one migration, if the plan undoes that migration. */
static void add_feature(json_t *out, const rb_plan *plan, const rb_plan_request *rq,
                        const char *name, const char *migration)
{
    RB_AUTO(rb_free_str) char *from = flag_value(find_flag(rq->from->manifest, name));
    RB_AUTO(rb_free_str) char *to = flag_value(find_flag(rq->to->manifest, name));
    for (size_t i = 0; i < plan->database_count; i++) {
        const rb_plan_database *d = &plan->databases[i];
        for (size_t j = 0; j < d->step_count; j++) {
            const rb_db_step *step = &d->steps[j];
            if (step->up || step->was || strcmp(step->migration->id, migration) != 0)
                continue;
            json_array_append_new(
                out, rb_json_make("flag:s database:s migration:s name:s from:s to:s changes:b",
                                  name, d->name, migration, step->migration->name, from, to,
                                  strcmp(from, to) != 0));
        }
    }
}

/* Returns the flags that switch what the undone migrations brought, from FROM's settings. None if
 * the settings are not in its commit. */
static json_t *features_of(const rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_config_freep) rb_config *config = NULL;
    json_t *out = json_array();
    if (rb_config_at(&config, rq->session->repo, &rq->from->commit, RB_IGNORED) != RB_OK)
        return out;
    rb_json_each_member (name, feature, config->features)
        rb_json_each (migration, json_object_get(feature, "migrations"))
            add_feature(out, plan, rq, name, json_string_value(migration));
    return out;
}

static json_t *flags_way(const rb_plan *plan, const rb_plan_request *rq)
{
    json_t *way = file_way(plan, rq, "flags", flags_only);
    json_object_set_new(way, "features", features_of(plan, rq));
    RB_AUTO(rb_free_str)
    char *text =
        rb_format("only the flags go back; application and schema stay at %s", rq->from->tag);
    rb_json_set_str(way, "text", text);
    return way;
}

/* Returns the ledger's record of a test of TO's application on FROM's schema; NULL: not tested. */
static const json_t *tried(const rb_plan_request *rq)
{
    const rb_release *from = rb_parts_from(rq, RB_PART_DB);
    const json_t *found = from ? rb_ledger_compatibility(rq->session->policy, from->object) : NULL;
    return rb_text_same(rb_json_str(found, "previousObject"), rq->to->object) ? found : NULL;
}

static json_t *application_way(const rb_plan *plan, const rb_plan_request *rq)
{
    json_t *way = file_way(plan, rq, "application", application);
    const json_t *found = tried(rq);
    const char *schema = rb_parts_from(rq, RB_PART_DB)->tag;
    const char *result = found ? rb_json_str(found, "result") : "untested";
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    rb_buf_printf(&text, "the databases stay at the schema of %s; compatibility %s", schema,
                  result);
    if (strcmp(result, "tested") == 0)
        rb_template_add(
            &text,
            ": {checks} SQL check{checks:s}[ and `{commandLine}`] passed over {rows:count} "
            "row{rows:s}",
            found);
    else
        rb_template_add(&text, "[: {why}]", found);
    rb_buf_printf(&text, "; rows that %s writes miss what the up scripts of %s did", rq->to->tag,
                  schema);
    rb_json_set(way, "compatible:s text:s", result, rb_buf_str(&text));
    return way;
}

/* Adds the values and rows at risk; null if a database could not be counted. */
static void add_stake(json_t *way, const rb_plan *plan)
{
    int64_t n[2] = {0};
    bool counted = true;
    for (size_t i = 0; i < plan->database_count; i++)
        counted = counted && (plan->databases[i].at_risk || plan->databases[i].committed);
    rb_json_each (item, json_object_get(plan->json, "dataAtRisk")) {
        bool column = rb_json_str(item, "column") != NULL;
        n[column] += rb_json_int(item, column ? "values" : "rows", 0);
    }
    json_object_set_new(way, "rows", counted ? json_integer(n[0]) : json_null());
    json_object_set_new(way, "values", counted ? json_integer(n[1]) : json_null());
}

static json_t *whole_way(const rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_free_str) char *command = rb_plan_command(plan, json_array_size(plan->drift) > 0);
    RB_AUTO(rb_free_str)
    char *text =
        rb_format("application, databases, flags and config go back to %s together", rq->to->tag);
    json_t *way = rb_json_make("way:s only:j compatible:0 command:s text:s", "everything",
                               json_array(), command, text);
    add_stake(way, plan);
    rb_plan_time_of(way, plan, rq, plan->parts);
    if (plan->worst != RB_OK)
        rb_json_set_str(way, "problem", plan->refusal.message);
    return way;
}

/* Returns the tag with its last number incremented until it is unused: "v1.4.1" after "v1.4.0". */
static char *next_tag(const rb_plan_request *rq)
{
    const char *tag = rq->from->tag;
    size_t end = strlen(tag);
    while (end > 0 && !isdigit((unsigned char)tag[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && isdigit((unsigned char)tag[start - 1]))
        start--;
    if (start == end || end - start > 9)
        return NULL;
    const long number = strtol(tag + start, NULL, 10);
    for (long n = 1; n <= NEXT_TAGS; n++) {
        RB_AUTO(rb_tag_freep) rb_tag *found = NULL;
        char *name = rb_format("%.*s%ld%s", (int)start, tag, number + n, tag + end);
        rb_err err;
        if (rb_tag_read(&found, rq->session->repo, name, &err) != RB_OK)
            return name;
        free(name);
    }
    return NULL;
}

static json_t *forward_way(const rb_plan *plan, const rb_plan_request *rq)
{
    RB_AUTO(rb_free_str) char *found = next_tag(rq);
    const char *tag = found ? found : "TAG";
    const char *verb = strstr(rq->command, " revert ");
    RB_AUTO(rb_free_str)
    char *program = rb_strndup(rq->command, verb ? (size_t)(verb - rq->command) : 0);
    const char *name = verb ? program : "rbtool";
    RB_AUTO(rb_free_str)
    char *command = rb_format("%s release %s && %s deploy %s --env %s%s", name, tag, name, tag,
                              rq->env->name, strstr(rq->command, " --yes") ? " --yes" : "");
    json_t *way =
        rb_json_make("way:s only:j compatible:0 values:i rows:i command:s text:s", "forward",
                     json_array(), (int64_t)0, (int64_t)0, command,
                     "commit a fix, release it and deploy it; the fault stays until then");
    rb_plan_request deploy = *rq;
    deploy.kind = "deploy";
    rb_plan_time_of(way, plan, &deploy, plan->parts);
    return way;
}

void rb_plan_ways(rb_plan *plan, const rb_plan_request *rq)
{
    json_t *ways = json_array();
    json_object_set_new(plan->json, "waysBack", ways);
    if (strcmp(rq->kind, "revert") != 0 || !rq->command || !rq->from)
        return;
    if (writes_flags(plan))
        json_array_append_new(ways, flags_way(plan, rq));
    if (has_scripts(plan) && plan->parts[RB_PART_APP] && rb_parts_from(rq, RB_PART_DB))
        json_array_append_new(ways, application_way(plan, rq));
    json_array_append_new(ways, whole_way(plan, rq));
    json_array_append_new(ways, forward_way(plan, rq));
}
