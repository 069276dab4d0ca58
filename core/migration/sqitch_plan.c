#include "migration/sqitch_plan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define TIME_LENGTH 20 /* of 2024-02-01T12:00:00Z */

/* A part of the plan's text. */
struct slice {
    const char *text;
    size_t len;
};

/* A line of the plan that is a change or a tag. */
struct line {
    size_t number;
    char sign; /* '+', '-', '@', or 0 */
    struct slice name, dependencies, time, planner, email;
    char *note; /* its escapes are read */
};

void rb_sqitch_plan_clear(rb_sqitch_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        free(plan->changes[i].name);
        rb_json_free(plan->changes[i].record);
    }
    for (size_t i = 0; i < plan->tag_count; i++) {
        free(plan->tags[i].name);
        rb_json_free(plan->tags[i].record);
    }
    free(plan->changes);
    free(plan->tags);
    free(plan->project);
    free(plan->uri);
    rb_json_free(plan->newest);
    *plan = (rb_sqitch_plan){0};
}

static char *copy(struct slice s)
{
    return rb_strndup(s.text, s.len);
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

static struct slice trimmed(const char *p, const char *end)
{
    p = skip_blanks(p, end);
    while (end > p && isspace((unsigned char)end[-1]))
        end--;
    return (struct slice){p, (size_t)(end - p)};
}

/* Returns a note, in which \n, \r and \\ are escapes. */
static char *note_of(const char *p, const char *end)
{
    struct slice s = trimmed(p, end);
    rb_buf out = {0};
    for (size_t i = 0; i < s.len; i++) {
        const char next = i + 1 < s.len && s.text[i] == '\\' ? s.text[i + 1] : '\0';
        const bool escape = next == 'n' || next == 'r' || next == '\\';
        rb_buf_addc(&out, !escape ? s.text[i] : next == 'n' ? '\n' : next == 'r' ? '\r' : '\\');
        i += escape;
    }
    return rb_buf_detach(&out);
}

/* Reads "NAME [DEPENDENCIES] TIME PLANNER <EMAIL> # NOTE". Returns what is wrong, or NULL. */
static const char *parse_line(struct line *out, const char *p, const char *end)
{
    const char *note = memchr(p, '#', (size_t)(end - p));
    out->note = note ? note_of(note + 1, end) : rb_strdup("");
    end = note ? note : end;
    p = skip_blanks(p, end);
    if (p < end && strchr("+-@", *p))
        out->sign = *p++;
    p = out->sign == '@' ? p : skip_blanks(p, end);
    out->name.text = p;
    while (p < end && *p != ' ' && *p != '\t')
        p++;
    out->name.len = (size_t)(p - out->name.text);
    if (out->name.len == 0)
        return "it has no name";
    p = skip_blanks(p, end);
    if (p < end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (!close)
            return "its dependencies do not end with ]";
        out->dependencies = (struct slice){p + 1, (size_t)(close - p) - 1};
        p = skip_blanks(close + 1, end);
    }
    if (end - p < TIME_LENGTH || p[10] != 'T' || p[TIME_LENGTH - 1] != 'Z')
        return "it has no time, such as 2024-02-01T12:00:00Z";
    out->time = (struct slice){p, TIME_LENGTH};
    p += TIME_LENGTH;
    const char *open = memchr(p, '<', (size_t)(end - p));
    const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
    if (!close)
        return "it has no planner, such as Ada <ada@example.com>";
    out->planner = trimmed(p, open);
    out->email = (struct slice){open + 1, (size_t)(close - open) - 1};
    return NULL;
}

/* Computes an id like git's: SHA-1 of "KIND LENGTH\0" and the text. */
static void id_of(char out[41], const char *kind, const rb_buf *info)
{
    RB_AUTO(rb_free_str) char *head = rb_format("%s %zu", kind, info->len);
    unsigned char digest[20];
    rb_sha1_of(head, strlen(head) + 1, info->data, info->len, digest);
    rb_hex_encode(digest, sizeof digest, out);
}

/* Begins the text that an id is computed of. */
static void info_begin(rb_buf *out, const rb_sqitch_plan *plan)
{
    rb_buf_printf(out, "project %s\n", plan->project);
    if (plan->uri)
        rb_buf_printf(out, "uri %s\n", plan->uri);
}

static void info_end(rb_buf *out, const struct line *line, const json_t *requires,
                     const json_t *conflicts)
{
    rb_buf_printf(out, "planner %.*s <%.*s>\ndate %.*s", (int)line->planner.len, line->planner.text,
                  (int)line->email.len, line->email.text, TIME_LENGTH, line->time.text);
    rb_json_each (item, requires)
        rb_buf_printf(out, "%s\n  + %s", item_at ? "" : "\nrequires", json_string_value(item));
    rb_json_each (item, conflicts)
        rb_buf_printf(out, "%s\n  - %s", item_at ? "" : "\nconflicts", json_string_value(item));
    if (*line->note)
        rb_buf_printf(out, "\n\n%s", line->note);
}

/* Sets what the rows of changes and tags have in common. */
static void set_planned(json_t *record, const struct line *line)
{
    RB_AUTO(rb_free_str) char *time = copy(line->time);
    RB_AUTO(rb_free_str) char *planner = copy(line->planner);
    RB_AUTO(rb_free_str) char *email = copy(line->email);
    rb_json_set(record, "note:s planned_at:s planner_name:s planner_email:s", line->note, time,
                planner, email);
}

static const rb_sqitch_tag *find_tag(const rb_sqitch_plan *plan, const char *name)
{
    for (size_t i = plan->tag_count; i > 0; i--)
        if (strcmp(plan->tags[i - 1].name, name) == 0)
            return &plan->tags[i - 1];
    return NULL;
}

/* Returns the newest change of that name at or before the tag (NULL: before the end), or NULL. */
static const rb_sqitch_change *find_change(const rb_sqitch_plan *plan, const char *name,
                                           const rb_sqitch_tag *tag)
{
    const json_t *newest = json_object_get(plan->newest, name);
    if (!tag || !newest)
        return newest ? &plan->changes[json_integer_value(newest)] : NULL;
    for (size_t i = tag->change + 1; i > 0; i--)
        if (strcmp(plan->changes[i - 1].name, name) == 0)
            return &plan->changes[i - 1];
    return NULL;
}

/* Returns the id of the change that a dependency NAME, NAME@TAG, @TAG or ID means, or NULL. */
static const char *resolve(const rb_sqitch_plan *plan, const char *key)
{
    const char *at = strchr(key, '@');
    const rb_sqitch_tag *tag = at ? find_tag(plan, at) : NULL;
    if (at && !tag)
        return NULL;
    if (at == key)
        return plan->changes[tag->change].id;
    RB_AUTO(rb_free_str) char *name = rb_strndup(key, at ? (size_t)(at - key) : strlen(key));
    const rb_sqitch_change *found = find_change(plan, name, tag);
    for (size_t i = 0; !found && strlen(name) == 40 && i < plan->n; i++)
        found = strcmp(plan->changes[i].id, name) == 0 ? &plan->changes[i] : NULL;
    return found ? found->id : NULL;
}

/* Adds one dependency to the change's record. Returns false if this plan lacks what it requires. */
static bool add_dependency(json_t *record, const rb_sqitch_plan *plan, const char *text)
{
    const bool conflict = *text == '!';
    const char *key = text + conflict, *colon = strchr(key, ':');
    RB_AUTO(rb_free_str) char *project = colon ? rb_strndup(key, (size_t)(colon - key)) : NULL;
    const bool own = !project || strcmp(project, plan->project) == 0;
    const char *id = own && !conflict ? resolve(plan, colon ? colon + 1 : key) : NULL;
    key = own && colon ? colon + 1 : key;
    json_array_append_new(json_object_get(record, conflict ? "conflicts" : "requires"),
                          rb_json_text(key));
    json_t *row = rb_json_make("type:s dependency:s dependency_id:s project:s change:s",
                               conflict ? "conflict" : "require", key, id, own ? NULL : project,
                               own ? NULL : colon + 1);
    json_array_append_new(json_object_get(record, "dependencies"), row);
    return conflict || !own || id;
}

static enum rb_code add_dependencies(json_t *record, const rb_sqitch_plan *plan,
                                     const struct line *line, const char *path, rb_err *err)
{
    RB_AUTO(rb_free_str) char *list = copy(line->dependencies);
    rb_json_set(record, "requires:j conflicts:j dependencies:j", json_array(), json_array(),
                json_array());
    char *rest = list;
    for (char *word; (word = strsep(&rest, " \t"));)
        if (*word && !add_dependency(record, plan, word))
            return rb_fail(err, RB_ERROR,
                           "reading %s, line %zu: %.*s requires %s, which the plan does not have "
                           "before it\nmove the line down, or correct the name",
                           path, line->number, (int)line->name.len, line->name.text, word);
    return RB_OK;
}

static enum rb_code add_change(rb_sqitch_plan *plan, const struct line *line, const char *path,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *name = copy(line->name);
    RB_AUTO(rb_json_freep) json_t *record = json_object();
    RB_AUTO(rb_buf_clear) rb_buf info = {0};
    const rb_sqitch_change *parent = plan->n ? &plan->changes[plan->n - 1] : NULL;
    const rb_sqitch_change *same = find_change(plan, name, NULL);
    const size_t old = same ? (size_t)(same - plan->changes) : 0;
    if (same && (plan->tag_count == 0 || plan->tags[plan->tag_count - 1].change < old))
        return rb_fail(err, RB_ERROR,
                       "reading %s, line %zu: %s is in the plan already, and no tag is between "
                       "them\ngive it another name",
                       path, line->number, name);
    RB_TRY(add_dependencies(record, plan, line, path, err));
    set_planned(record, line);
    info_begin(&info, plan);
    rb_buf_printf(&info, "change %s\n", name);
    if (parent)
        rb_buf_printf(&info, "parent %s\n", parent->id);
    info_end(&info, line, json_object_get(record, "requires"),
             json_object_get(record, "conflicts"));
    plan->changes = rb_grow(plan->changes, plan->n, sizeof *plan->changes);
    rb_sqitch_change *change = &plan->changes[plan->n];
    *change = (rb_sqitch_change){.version = 1, .line = line->number};
    if (same) {
        change->version = plan->changes[old].version + 1;
        plan->changes[old].reworked = plan->n;
    }
    id_of(change->id, "change", &info);
    rb_json_set(record, "project:s uri:s change:s change_id:s position:n tag_names:j",
                plan->project, plan->uri, name, change->id, plan->n, json_array());
    json_object_set_new(plan->newest, name, json_integer((json_int_t)plan->n));
    change->name = RB_TAKE(name);
    change->record = RB_TAKE(record);
    plan->n++;
    return RB_OK;
}

static enum rb_code add_tag(rb_sqitch_plan *plan, const struct line *line, const char *path,
                            rb_err *err)
{
    RB_AUTO(rb_free_str)
    char *name = rb_format("@%.*s", (int)line->name.len, line->name.text);
    RB_AUTO(rb_buf_clear) rb_buf info = {0};
    char id[41];
    if (plan->n == 0 || find_tag(plan, name))
        return rb_fail(err, RB_ERROR, "reading %s, line %zu: the tag %s %s\ncorrect the plan", path,
                       line->number, name,
                       plan->n ? "is in the plan already" : "has no change before it");
    const rb_sqitch_change *change = &plan->changes[plan->n - 1];
    info_begin(&info, plan);
    rb_buf_printf(&info, "tag %s\nchange %s\n", name, change->id);
    info_end(&info, line, NULL, NULL);
    id_of(id, "tag", &info);
    json_t *record = rb_json_make("tag_id:s tag:s change_id:s", id, name, change->id);
    set_planned(record, line);
    json_array_append_new(json_object_get(change->record, "tag_names"), rb_json_text(name));
    plan->tags = rb_grow(plan->tags, plan->tag_count, sizeof *plan->tags);
    plan->tags[plan->tag_count++] = (rb_sqitch_tag){RB_TAKE(name), plan->n - 1, record};
    return RB_OK;
}

/* Reads a line "%project=shop" of the beginning. */
static void read_header(rb_sqitch_plan *plan, const char *p, const char *end)
{
    const char *note = memchr(p, '#', (size_t)(end - p));
    const char *equals = memchr(p, '=', (size_t)(end - p));
    if (!equals)
        return;
    struct slice key = trimmed(p, equals), value = trimmed(equals + 1, note ? note : end);
    char **to = key.len == 7 && memcmp(key.text, "project", 7) == 0 ? &plan->project
                : key.len == 3 && memcmp(key.text, "uri", 3) == 0   ? &plan->uri
                                                                    : NULL;
    if (!to)
        return;
    free(*to);
    *to = copy(value);
}

static enum rb_code read_line(rb_sqitch_plan *plan, const char *p, const char *end, size_t number,
                              const char *path, rb_err *err)
{
    struct line line = {.number = number};
    const char *wrong =
        !plan->project ? "no line %project=NAME is before it" : parse_line(&line, p, end);
    if (!wrong && line.sign == '-')
        wrong = "it undoes a change, which rbtool does not support";
    enum rb_code code;
    if (wrong)
        code = rb_fail(err, RB_ERROR, "reading %s, line %zu: %s\ncorrect the plan", path, number,
                       wrong);
    else
        code =
            line.sign == '@' ? add_tag(plan, &line, path, err) : add_change(plan, &line, path, err);
    free(line.note);
    return code;
}

enum rb_code rb_sqitch_plan_read(rb_sqitch_plan *out, const char *text, const char *path,
                                 rb_err *err)
{
    RB_AUTO(rb_sqitch_plan_clear) rb_sqitch_plan plan = {.newest = json_object()};
    size_t number = 0;
    for (const char *p = text, *next; *p; p = next) {
        const char *end = p + strcspn(p, "\n");
        next = end + (*end == '\n');
        number++;
        struct slice line = trimmed(p, end);
        if (line.len == 0 || *line.text == '#')
            continue;
        if (*line.text == '%' && plan.n == 0)
            read_header(&plan, line.text + 1, line.text + line.len);
        else
            RB_TRY(read_line(&plan, line.text, line.text + line.len, number, path, err));
    }
    *out = plan;
    plan = (rb_sqitch_plan){0};
    return RB_OK;
}
