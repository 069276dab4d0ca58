#include "ledger/entry_shape.h"

#include <ctype.h>
#include <string.h>

#include "base/file.h"

#define DIGITS "0123456789"
#define SHA1_WORDS "an object id (40 lower-case hexadecimal digits)"
#define SHA256_WORDS "a SHA-256 (64 lower-case hexadecimal digits)"
#define TIME_LIMIT 253402300799 /* 9999-12-31T23:59:59Z */

/* -12.5e-3, as JSON has it, in at most 30 bytes. */
static bool is_decimal(const char *text)
{
    const size_t len = strlen(text);
    text += *text == '-';
    if (len > 30 || !isdigit((unsigned char)*text))
        return false;
    text += strspn(text, DIGITS);
    if (*text == '.' && isdigit((unsigned char)text[1]))
        text += 1 + strspn(text + 1, DIGITS);
    if (*text == 'e') {
        text += 1 + (text[1] == '-' || text[1] == '+');
        if (!isdigit((unsigned char)*text))
            return false;
        text += strspn(text, DIGITS);
    }
    return *text == '\0';
}

static const rb_shape sha1 = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_sha1, .expected = SHA1_WORDS};
static const rb_shape sha1_or_null = {
    .kind = RB_SHAPE_STRING, .nullable = true, .check = rb_shape_is_sha1, .expected = SHA1_WORDS};
static const rb_shape sha256 = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_sha256, .expected = SHA256_WORDS};
static const rb_shape sha256_or_null = {.kind = RB_SHAPE_STRING,
                                        .nullable = true,
                                        .check = rb_shape_is_sha256,
                                        .expected = SHA256_WORDS};
static const rb_shape name = {.kind = RB_SHAPE_STRING,
                              .check = rb_shape_is_name,
                              .expected = "a name (letters, digits, '.', '_', '-')"};
static const rb_shape plain = {.kind = RB_SHAPE_STRING,
                               .check = rb_shape_is_plain,
                               .expected = "text without control characters"};
static const rb_shape plain_or_null = {.kind = RB_SHAPE_STRING,
                                       .nullable = true,
                                       .check = rb_shape_is_plain,
                                       .expected = "text without control characters"};
static const rb_shape tag_name = {
    .kind = RB_SHAPE_STRING, .check = rb_path_is_tag, .expected = RB_TAG_NAME_WORDS};
static const rb_shape tag_or_null = {.kind = RB_SHAPE_STRING,
                                     .nullable = true,
                                     .check = rb_path_is_tag,
                                     .expected = RB_TAG_NAME_WORDS};
static const rb_shape text = {.kind = RB_SHAPE_STRING};
static const rb_shape text_or_null = {.kind = RB_SHAPE_STRING, .nullable = true};
static const rb_shape number_or_null = {.kind = RB_SHAPE_INTEGER, .nullable = true};
static const rb_shape version = {.kind = RB_SHAPE_INTEGER, .min = 1};
static const rb_shape when = {.kind = RB_SHAPE_INTEGER, .max = TIME_LIMIT};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};
static const char *const types[] = {RB_ENTRY_TYPE, NULL};
static const rb_shape type = {.kind = RB_SHAPE_STRING, .one_of = types};

static const rb_shape attachment =
    RB_SHAPE_OBJECT_OF({"name", &name, false}, {"sha256", &sha256, false});
static const rb_shape attachments = {
    .kind = RB_SHAPE_ARRAY, .item = &attachment, .max = RB_ATTACHMENTS};

static const char *const compatibilities[] = {"tested", "fails", "untested", NULL};
static const rb_shape compatibility_result = {.kind = RB_SHAPE_STRING, .one_of = compatibilities};
static const rb_shape number = {.kind = RB_SHAPE_INTEGER};
static const rb_shape words_or_null = {.kind = RB_SHAPE_ARRAY, .item = &text, .nullable = true};
static const rb_shape tested_database = RB_SHAPE_OBJECT_OF(
    {"name", &name, false}, {"engine", &plain, false}, {"version", &plain, false},
    {"fingerprint", &sha256, false}, {"seed", &sha256_or_null, false});
static const rb_shape tested_databases = {.kind = RB_SHAPE_ARRAY, .item = &tested_database};
static const rb_shape compatibility = RB_SHAPE_OBJECT_OF(
    {"result", &compatibility_result, false}, {"why", &text_or_null, false},
    {"previous", &tag_name, false}, {"previousObject", &sha1, false}, {"checks", &number, false},
    {"rows", &number, false}, {"command", &words_or_null, false},
    {"commandLine", &text_or_null, false}, {"exit", &number_or_null, false},
    {"offline", &boolean, false}, {"databases", &tested_databases, false});
static const rb_shape release =
    RB_SHAPE_OBJECT_OF({"commit", &sha1, false}, {"sha256", &sha256, false},
                       {"witness", &boolean, false}, {"compatibility", &compatibility, true});
static const char *const verdicts[] = {"good", "bad", NULL};
static const rb_shape verdict_word = {.kind = RB_SHAPE_STRING, .one_of = verdicts};
static const rb_shape verdict =
    RB_SHAPE_OBJECT_OF({"verdict", &verdict_word, false}, {"why", &text, false},
                       {"transition", &plain_or_null, false});
static const rb_shape reason = RB_SHAPE_OBJECT_OF({"why", &text, false});
static const rb_shape rules = {.kind = RB_SHAPE_DATA,
                               .expected =
                                   "a policy"}; /* its users parse it strictly (policy_read.c) */
static const rb_shape policy = RB_SHAPE_OBJECT_OF(
    {"version", &version, false}, {"previous", &sha1_or_null, false}, {"policy", &rules, false});
static const rb_shape step = RB_SHAPE_OBJECT_OF({"id", &plain, false}, {"outcome", &plain, false},
                                                {"milliseconds", &number_or_null, false});
static const rb_shape steps = {.kind = RB_SHAPE_ARRAY, .item = &step};
static const rb_shape loss = RB_SHAPE_OBJECT_OF(
    {"database", &text, false}, {"table", &text, false}, {"column", &text_or_null, false},
    {"rows", &number, false}, {"values", &number, false});
static const rb_shape losses = {.kind = RB_SHAPE_ARRAY, .item = &loss};
static const rb_shape tables = {.kind = RB_SHAPE_ARRAY, .item = &text};
static const rb_shape backup =
    RB_SHAPE_OBJECT_OF({"database", &text, false}, {"path", &plain, false},
                       {"tables", &tables, false}, {"rows", &number, false});
static const rb_shape backups = {.kind = RB_SHAPE_ARRAY, .item = &backup};
static const rb_shape restored_table =
    RB_SHAPE_OBJECT_OF({"table", &text, false}, {"column", &text_or_null, false},
                       {"restored", &number, false}, {"missing", &number, false});
static const rb_shape restored_tables = {.kind = RB_SHAPE_ARRAY, .item = &restored_table};
static const rb_shape policies = {
    .kind = RB_SHAPE_ARRAY, .item = &sha1, .max = RB_ENTRY_POLICIES, .unique = true};
static const rb_shape recovery_point = RB_SHAPE_OBJECT_OF(
    {"database", &text, false}, {"restorePoint", &plain_or_null, false}, {"lsn", &plain, false},
    {"timeline", &number, false}, {"system", &plain, false});
static const rb_shape recovery_points = {.kind = RB_SHAPE_ARRAY, .item = &recovery_point};
/* Numbers of checks, which may have fractions. */
static const rb_shape decimal = {
    .kind = RB_SHAPE_STRING, .check = is_decimal, .expected = "a number as text"};
static const rb_shape decimal_or_null = {
    .kind = RB_SHAPE_STRING, .nullable = true, .check = is_decimal, .expected = "a number as text"};
static const rb_shape value =
    RB_SHAPE_OBJECT_OF({"name", &name, false}, {"before", &decimal_or_null, false},
                       {"after", &decimal_or_null, false});
static const rb_shape values = {.kind = RB_SHAPE_ARRAY, .item = &value};
static const rb_shape sample =
    RB_SHAPE_OBJECT_OF({"milliseconds", &number, false}, {"value", &decimal, false});
static const rb_shape samples = {.kind = RB_SHAPE_ARRAY, .item = &sample};
static const rb_shape watched_value = RB_SHAPE_OBJECT_OF(
    {"name", &name, false}, {"first", &decimal, false}, {"last", &decimal, false},
    {"min", &decimal, false}, {"max", &decimal, false}, {"count", &number, false},
    {"points", &samples, false});
static const rb_shape watched_values = {.kind = RB_SHAPE_ARRAY, .item = &watched_value};
static const rb_shape when_or_null = {
    .kind = RB_SHAPE_INTEGER, .max = TIME_LIMIT, .nullable = true};
static const rb_shape pause =
    RB_SHAPE_OBJECT_OF({"step", &plain, false}, {"why", &text, false}, {"by", &text_or_null, false},
                       {"at", &when, false}, {"resumed", &when_or_null, false});
#define TRANSITION                                                                                 \
    {"id", &plain, false}, {"kind", &plain, false}, {"from", &tag_or_null, false},                 \
        {"fromObject", &sha1_or_null, false}, {"to", &tag_or_null, false},                         \
        {"toObject", &sha1_or_null, false}, {"digest", &sha256_or_null, false},                    \
        {"outcome", &plain, false}, {"started", &when, false}, {"finished", &when, false},         \
        {"steps", &steps, false}, {"error", &text_or_null, false},                                 \
        {"acceptedLoss", &text_or_null, false}, {"acceptedDrift", &boolean, false},                \
        {"acceptedReverted", &boolean, false}, {"accepted", &losses, true},                        \
        {"backups", &backups, true}, {"recovery", &recovery_points, true},                         \
        {"host", &text_or_null, true}, {"user", &text_or_null, true},                              \
        {"version", &text_or_null, true}, {"marksBad", &boolean, true},                            \
        {"policy", &policies, true}, {"scriptsFrom", &tag_or_null, true},                          \
        {"scriptsFromObject", &sha1_or_null, true}, {"values", &values, true},                     \
        {"paused", &pause, true},                                                                  \
    {                                                                                              \
        "whole", &boolean, false                                                                   \
    }
static const rb_shape transition = RB_SHAPE_OBJECT_OF(TRANSITION);
static const rb_shape answer = RB_SHAPE_OBJECT_OF(
    {"section", &text, false}, {"answer", &text, false}, {"milliseconds", &number, false});
static const rb_shape answers = {.kind = RB_SHAPE_ARRAY, .item = &answer};
static const rb_shape drill = RB_SHAPE_OBJECT_OF(
    TRANSITION, {"rto", &number_or_null, false}, {"mode", &plain, true}, {"ok", &boolean, true},
    {"milliseconds", &number, true}, {"fault", &plain, true}, {"faultStep", &plain, true},
    {"backup", &plain, true}, {"answers", &answers, true});
static const rb_shape restore = RB_SHAPE_OBJECT_OF(
    {"id", &plain, false}, {"transition", &plain, false}, {"database", &text, false},
    {"path", &plain, false}, {"table", &text_or_null, false}, {"ignored", &tables, false},
    {"deleted", &boolean, false}, {"overwrite", &boolean, false}, {"restored", &number, false},
    {"missing", &number, false}, {"tables", &restored_tables, false}, {"finished", &when, false},
    {"host", &text_or_null, false}, {"user", &text_or_null, false},
    {"version", &text_or_null, false});
static const rb_shape watch = RB_SHAPE_OBJECT_OF(
    {"transition", &plain, false}, {"outcome", &plain, false}, {"began", &when, false},
    {"deadline", &when, false}, {"rounds", &number, false}, {"failed", &number, false},
    {"millisecondsToDetect", &number_or_null, false},
    {"millisecondsToRestore", &number_or_null, false}, {"message", &text_or_null, false},
    {"held", &text_or_null, false}, {"values", &watched_values, true});
static const rb_shape override =
    RB_SHAPE_OBJECT_OF({"rule", &plain, false}, {"why", &text, false},
                       {"transition", &plain_or_null, false}, {"environment", &plain, true});
static const rb_shape note = RB_SHAPE_OBJECT_OF(
    {"about", &sha1_or_null, false}, {"transition", &plain_or_null, false}, {"text", &text, false});
static const char *const subjects[] = {"plan", "backup", "history", NULL};
static const rb_shape subject = {.kind = RB_SHAPE_STRING, .one_of = subjects};
static const rb_shape review =
    RB_SHAPE_OBJECT_OF({"subject", &subject, false}, {"text", &text, false}, {"due", &when, false});
static const rb_shape joined = {
    .kind = RB_SHAPE_ARRAY, .item = &sha1, .min = 1, .max = RB_ENTRY_PARENTS, .unique = true};
static const rb_shape merge = RB_SHAPE_OBJECT_OF({"joins", &joined, true});

/* The members of every entry; tag and object depend on the kind. */
#define ENTRY(kind_name, detail, tag_shape, object_shape)                                          \
    {                                                                                              \
        .kind = RB_SHAPE_OBJECT,                                                                   \
        .fields =                                                                                  \
            RB_SHAPE_FIELDS({"type", &type, false}, {"app", &name, false}, {"at", &when, false},   \
                            {"attachments", &attachments, false},                                  \
                            {"environment", &plain_or_null, false}, {"kind", &plain, false},       \
                            {"ledger", &sha1_or_null, false}, {"object", &(object_shape), false},  \
                            {"tag", &(tag_shape), false}, {kind_name, &(detail), false})           \
    }

const rb_shape rb_entry_shapes[RB_ENTRY_KINDS] = {
    [RB_ENTRY_RELEASE] = ENTRY("release", release, tag_name, sha1),
    [RB_ENTRY_VERDICT] = ENTRY("verdict", verdict, tag_name, sha1),
    [RB_ENTRY_APPROVAL] = ENTRY("approval", reason, tag_name, sha1),
    [RB_ENTRY_POLICY] = ENTRY("policy", policy, tag_or_null, sha1_or_null),
    [RB_ENTRY_GAP] = ENTRY("gap", reason, tag_name, sha1_or_null),
    [RB_ENTRY_TRANSITION] = ENTRY("transition", transition, tag_or_null, sha1_or_null),
    [RB_ENTRY_DRILL] = ENTRY("drill", drill, tag_or_null, sha1_or_null),
    [RB_ENTRY_OVERRIDE] = ENTRY("override", override, tag_or_null, sha1_or_null),
    [RB_ENTRY_RESTORE] = ENTRY("restore", restore, tag_or_null, sha1_or_null),
    [RB_ENTRY_WATCH] = ENTRY("watch", watch, tag_or_null, sha1_or_null),
    [RB_ENTRY_NOTE] = ENTRY("note", note, tag_or_null, sha1_or_null),
    [RB_ENTRY_REVIEW] = ENTRY("review", review, tag_or_null, sha1_or_null),
    [RB_ENTRY_MERGE] = ENTRY("merge", merge, tag_or_null, sha1_or_null),
};
