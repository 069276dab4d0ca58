#include "ledger/entry.h"

#include <string.h>

static const char *const kinds[RB_ENTRY_KINDS] = {
    [RB_ENTRY_RELEASE] = "release",   [RB_ENTRY_VERDICT] = "verdict",
    [RB_ENTRY_APPROVAL] = "approval", [RB_ENTRY_POLICY] = "policy",
    [RB_ENTRY_GAP] = "gap",           [RB_ENTRY_TRANSITION] = "transition",
    [RB_ENTRY_DRILL] = "drill",       [RB_ENTRY_OVERRIDE] = "override",
    [RB_ENTRY_RESTORE] = "restore",   [RB_ENTRY_WATCH] = "watch",
    [RB_ENTRY_NOTE] = "note",         [RB_ENTRY_REVIEW] = "review",
    [RB_ENTRY_MERGE] = "merge",
};

const char *rb_entry_kind_name(enum rb_entry_kind kind)
{
    return kind < RB_ENTRY_KINDS ? kinds[kind] : "none";
}

bool rb_entry_kind_of(enum rb_entry_kind *out, const char *name)
{
    for (int i = 0; name && i < RB_ENTRY_KINDS; i++)
        if (strcmp(kinds[i], name) == 0) {
            *out = (enum rb_entry_kind)i;
            return true;
        }
    return false;
}

const char *rb_entry_trust_name(enum rb_entry_trust trust)
{
    static const char *const names[] = {[RB_ENTRY_GOOD] = "good",
                                        [RB_ENTRY_UNSIGNED] = "unsigned",
                                        [RB_ENTRY_UNKNOWN] = "unknown",
                                        [RB_ENTRY_BROKEN] = "broken",
                                        [RB_ENTRY_FOREIGN] = "foreign"};
    return names[trust];
}

const json_t *rb_entry_json(const rb_entry *entry)
{
    if (!entry->text || entry->parsed)
        return entry->parsed;
    rb_err ignored; /* cannot fail: the text was parsed before */
    json_t *parsed = NULL;
    if (rb_json_read(&parsed, entry->text, entry->text_len, "entry of the ledger", &ignored) ==
        RB_OK)
        ((rb_entry *)entry)->parsed = parsed; /* logically const: only a cache of the parsed JSON */
    return parsed;
}

const json_t *rb_entry_detail(const rb_entry *entry)
{
    return json_object_get(rb_entry_json(entry), rb_entry_kind_name(entry->kind));
}

char *rb_entry_part(const rb_entry *entry)
{
    static const char end[] = " only)";
    const char *at = entry->title ? strrchr(entry->title, '(') : NULL;
    const size_t len = at ? strlen(at) : 0;
    if (len <= sizeof end || strcmp(at + len - strlen(end), end) != 0)
        return NULL;
    RB_AUTO(rb_free_str) char *part = rb_strndup(at + 1, len - 2);
    return rb_safe(part);
}

void rb_entry_forget(const rb_entry *entry)
{
    rb_json_free(entry->parsed);
    ((rb_entry *)entry)->parsed = NULL; /* logically const, as in rb_entry_json() */
}
