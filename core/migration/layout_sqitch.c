/*
 * The layout of Sqitch: a folder with sqitch.plan, and with the scripts deploy/NAME.sql and
 * revert/NAME.sql of each change. The order is that of the plan. The id is the change's name, with
 * "#2" behind it for its first rework: a name that occurs once more. Until then NAME.sql is the
 * script of the change that was reworked; afterwards that is NAME@TAG.sql.
 *
 * sqitch.conf, in the folder or in one above it, can give the scripts another extension. Other
 * folders, plan files and registries are refused. Verify scripts are not run.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "migration/layout.h"
#include "migration/sqitch_plan.h"

#define PLAN_LIMIT (16u << 20)
#define CONF_LIMIT (1u << 20)

struct sqitch {
    const rb_layout_source *source;
    rb_sqitch_plan plan;
    char *extension;
};

static void sqitch_clear(struct sqitch *s)
{
    rb_sqitch_plan_clear(&s->plan);
    free(s->extension);
}

/* Returns the index of the file at this path below the folder; SIZE_MAX if it does not exist. The
 * entries are sorted by path. */
static size_t find_entry(const rb_layout_source *source, const char *rest)
{
    size_t low = 0, high = source->entries->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(rb_layout_rest(source, middle), rest);
        if (order == 0)
            return rb_layout_is_regular(source, middle) ? middle : SIZE_MAX;
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return SIZE_MAX;
}

static enum rb_code detect(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err)
{
    (void)layout;
    (void)err;
    *out = find_entry(source, "sqitch.plan") != SIZE_MAX;
    return RB_OK;
}

/* Reads one setting of sqitch.conf. base: its folder, with a slash, or "". */
static enum rb_code read_setting(struct sqitch *s, const char *key, const char *value,
                                 const char *base, rb_err *err)
{
    static const char *const folders[] = {"deploy_dir",          "revert_dir",
                                          "reworked_dir",        "reworked_deploy_dir",
                                          "reworked_revert_dir", "plan_file"};
    static const char *const usual[] = {"deploy", "revert", "", "deploy", "revert", "sqitch.plan"};
    const rb_layout_source *source = s->source;
    const char *slash = *source->dir ? "/" : "";
    if (strcasecmp(key, "extension") == 0) {
        free(s->extension);
        s->extension = rb_strdup(value);
    }
    if (strcasecmp(key, "registry") == 0 && strcmp(value, "sqitch") != 0)
        return rb_fail(err, RB_ERROR,
                       "reading %ssqitch.conf: the registry is %s, and only sqitch is supported",
                       base, value);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (strcasecmp(key, folders[i]) != 0)
            continue;
        value += 2 * (strncmp(value, "./", 2) == 0);
        RB_AUTO(rb_free_str) char *found = rb_format("%s%s", base, value);
        RB_AUTO(rb_free_str) char *expected = rb_format("%s%s%s", source->dir, slash, usual[i]);
        size_t len = strlen(found), n = strlen(expected);
        len -= len > 0 && found[len - 1] == '/';
        n -= n > 0 && expected[n - 1] == '/';
        if (len != n || strncmp(found, expected, n) != 0)
            return rb_fail(err, RB_ERROR,
                           "reading %ssqitch.conf: %s is %s, and only %s is supported\nname the "
                           "folder of sqitch.plan as \"migrations\", with its scripts below it",
                           base, key, value, *expected ? expected : "the folder itself");
    }
    return RB_OK;
}

/* Reads the sections core, engine.* and target.* of a sqitch.conf, which has the form of git's. */
static enum rb_code read_conf(struct sqitch *s, char *text, const char *base, rb_err *err)
{
    bool inside = false;
    for (char *line, *rest = text; (line = strsep(&rest, "\n"));) {
        line += strspn(line, " \t");
        line[strcspn(line, "#;\r")] = '\0';
        size_t end = strlen(line);
        while (end > 0 && isspace((unsigned char)line[end - 1]))
            line[--end] = '\0';
        if (*line == '[') {
            inside = strcasecmp(line, "[core]") == 0 || strncasecmp(line, "[engine ", 8) == 0 ||
                     strncasecmp(line, "[target ", 8) == 0;
            inside = inside && !strcasestr(line, "variables\"");
            continue;
        }
        char *value = inside ? strchr(line, '=') : NULL;
        if (!value)
            continue;
        *value++ = '\0';
        line[strcspn(line, " \t")] = '\0';
        value += strspn(value, " \t\"");
        value[strcspn(value, "\"")] = '\0';
        RB_TRY(read_setting(s, line, value, base, err));
    }
    return RB_OK;
}

/* Reads the sqitch.conf of the folder, or of the nearest folder above it. */
static enum rb_code find_conf(struct sqitch *s, rb_err *err)
{
    RB_AUTO(rb_free_str) char *at = rb_strdup(s->source->dir);
    for (bool last = false; !last;) {
        last = *at == '\0';
        RB_AUTO(rb_free_str) char *base = rb_format("%s%s", at, *at ? "/" : "");
        RB_AUTO(rb_free_str) char *path = rb_format("%ssqitch.conf", base);
        RB_AUTO(rb_buf_clear) rb_buf text = {0};
        if (rb_tree_read(&text, s->source->repo, s->source->tree, path, CONF_LIMIT, RB_IGNORED) ==
            RB_OK) {
            rb_buf_addc(&text, '\n');
            return read_conf(s, text.data, base, err);
        }
        char *slash = strrchr(at, '/');
        *(slash ? slash : at) = '\0';
    }
    return RB_OK;
}

/* Returns the path of a change's script below the folder deploy or revert. A reworked change has
 * the first of the tags after it, newest first, for which a deploy script exists. */
static char *script_of(const struct sqitch *s, const rb_sqitch_change *change)
{
    const rb_sqitch_plan *plan = &s->plan;
    const size_t at = (size_t)(change - plan->changes);
    char *first = NULL;
    if (!change->reworked)
        return rb_format("%s.%s", change->name, s->extension);
    for (size_t c = change->reworked; c-- > at;)
        for (size_t i = 0; i < plan->tag_count; i++) {
            if (plan->tags[i].change != c)
                continue;
            char *path = rb_format("%s%s.%s", change->name, plan->tags[i].name, s->extension);
            RB_AUTO(rb_free_str) char *deploy = rb_format("deploy/%s", path);
            if (find_entry(s->source, deploy) != SIZE_MAX) {
                free(first);
                return path;
            }
            if (first)
                free(path);
            else
                first = path;
        }
    return first ? first : rb_format("%s.%s", change->name, s->extension);
}

/* Completes the record: the hash of the script, and the tags of this change and of the one before
 * it, which may have been tagged after it was deployed. */
static void add_record(rb_migration *item, const struct sqitch *s, rb_sqitch_change *change)
{
    const size_t at = (size_t)(change - s->plan.changes);
    unsigned char digest[20];
    char hex[41];
    json_t *tags = json_array();
    rb_sha1_of("", 0, item->up.text, item->up.len, digest);
    rb_hex_encode(digest, sizeof digest, hex);
    for (size_t i = 0; i < s->plan.tag_count; i++)
        if (s->plan.tags[i].change == at || s->plan.tags[i].change + 1 == at)
            json_array_append(tags, s->plan.tags[i].record);
    rb_json_set(change->record, "script_hash:s tags:j", hex, tags);
    item->record = json_incref(change->record);
}

static enum rb_code add_change(rb_migrations *set, const struct sqitch *s, rb_sqitch_change *change,
                               rb_err *err)
{
    RB_AUTO(rb_free_str) char *path = script_of(s, change);
    RB_AUTO(rb_free_str) char *deploy = rb_format("deploy/%s", path);
    RB_AUTO(rb_free_str) char *revert = rb_format("revert/%s", path);
    RB_AUTO(rb_free_str)
    char *id = change->version > 1 ? rb_format("%s#%zu", change->name, change->version)
                                   : rb_strdup(change->name);
    size_t up = find_entry(s->source, deploy), down = find_entry(s->source, revert);
    if (up == SIZE_MAX)
        return rb_fail(err, RB_ERROR,
                       "reading sqitch.plan, line %zu: the script %s of change %s does not exist",
                       change->line, deploy, change->name);
    rb_migration *item = rb_layout_add(set, id, strlen(id), "", 0);
    RB_TRY(rb_layout_load(&item->up, s->source, up, err));
    if (down != SIZE_MAX)
        RB_TRY(rb_layout_load(&item->down, s->source, down, err));
    add_record(item, s, change);
    return RB_OK;
}

/* Marks what is not a script of a change: all other files of the repository may be below the
 * folder. */
static void pass_over(const rb_layout_source *source)
{
    for (size_t i = 0; i < source->entries->n; i++) {
        const char *rest = rb_layout_rest(source, i);
        if (strncmp(rest, "deploy/", 7) != 0 && strncmp(rest, "revert/", 7) != 0)
            source->used[i] = RB_LAYOUT_FOREIGN;
    }
}

static enum rb_code read(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err)
{
    (void)layout;
    RB_AUTO(sqitch_clear) struct sqitch s = {.source = source, .extension = rb_strdup("sql")};
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    size_t at = find_entry(source, "sqitch.plan");
    if (at == SIZE_MAX)
        return rb_fail(err, RB_ERROR, "reading migrations in %s: sqitch.plan does not exist",
                       source->dir);
    const rb_tree_entry *entry = &source->entries->items[at];
    RB_TRY(rb_blob_read(&text, source->repo, &entry->oid, entry->path, PLAN_LIMIT, err));
    RB_TRY(find_conf(&s, err));
    RB_TRY(rb_sqitch_plan_read(&s.plan, rb_buf_str(&text), entry->path, err));
    for (size_t i = 0; i < s.plan.n; i++)
        RB_TRY(add_change(set, &s, &s.plan.changes[i], err));
    pass_over(source);
    return RB_OK;
}

static int compare(const rb_migration *a, const rb_migration *b)
{
    int64_t x = rb_json_int(a->record, "position", 0), y = rb_json_int(b->record, "position", 0);
    return (x > y) - (x < y);
}

static const char *why_unread(const char *rest)
{
    return strncmp(rest, "deploy/", 7) == 0 || strncmp(rest, "revert/", 7) == 0
               ? "no change of sqitch.plan has this script"
               : NULL;
}

const rb_layout rb_layout_sqitch = {"sqitch", detect, read, compare, NULL, why_unread};
