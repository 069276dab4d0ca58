#include "backup_text.h"

#include <stdlib.h>

void rb_backup_text_plan(rb_buf *out, const json_t *plan)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(plan, "backups"), i, item) {
        RB_AUTO(rb_free_str) char *size = rb_ui_bytes((uint64_t)rb_json_int(item, "bytes", 0));
        rb_ui_add(out, "backup of %s: about %s, in %s", rb_json_str(item, "database"), size,
                  rb_json_str(item, "path"));
    }
    json_array_foreach (json_object_get(plan, "restores"), i, item) {
        const char *column = rb_json_str(item, "column");
        RB_AUTO(rb_free_str) char *count = rb_ui_count((uint64_t)rb_json_int(item, "upTo", 0));
        rb_ui_add(
            out, "restores from backup %s: %s: %s%s%s, up to %s %s, where nobody changed them",
            rb_json_str(item, "backup"), rb_json_str(item, "database"), rb_json_str(item, "table"),
            column ? "." : "", column ? column : "", count, column ? "values" : "rows");
    }
}

void rb_backup_text_outcome(const rb_cli *cli, const json_t *document)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(document, "putBack"), i, item) {
        const char *column = rb_json_str(item, "column");
        const char *reason = rb_json_str(item, "reason");
        const char *copy = rb_json_str(item, "copy");
        json_int_t missing = (json_int_t)rb_json_int(item, "missingCount", 0);
        rb_ui_note(cli,
                   "  from backup %s: %s%s%s: %" JSON_INTEGER_FORMAT
                   " restored, %" JSON_INTEGER_FORMAT " could not be%s%s%s%s",
                   rb_json_str(item, "from"), rb_json_str(item, "table"), column ? "." : "",
                   column ? column : "", (json_int_t)rb_json_int(item, "restored", 0), missing,
                   reason ? ": " : "", reason ? reason : "",
                   missing && copy ? "; they are in " : "", missing && copy ? copy : "");
    }
    json_array_foreach (json_object_get(document, "backups"), i, item)
        rb_ui_note(cli, "  backup: what database %s lost is in %s", rb_json_str(item, "database"),
                   rb_json_str(item, "path"));
}
