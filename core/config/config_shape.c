#include "config/config_shape.h"
#include "config/environment.h"
#include "database/url.h"

#include <string.h>

#define NAME_WORDS "a name (letters, digits, '.', '_', '-'; at most 100)"
#define IGNORE_WORDS                                                                               \
    "a glob inside the artifact (relative, without '.', '..', .git or a '/' at its end; "          \
    "\"cache/**\" is all below cache)"
#define PATH_WORDS "a path inside the repository (relative, without '.', '..' or .git)"

static const rb_shape name = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_name, .expected = NAME_WORDS};
static const rb_shape path = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_path, .expected = PATH_WORDS};
static const rb_shape paths = {
    .kind = RB_SHAPE_ARRAY, .item = &path, .min = 1, .unique = true, .expected = NULL};
static const rb_shape globs = {.kind = RB_SHAPE_ARRAY, .item = &path, .unique = true};
static const rb_shape text = {.kind = RB_SHAPE_STRING, .min = 1};
static const rb_shape any_text = {.kind = RB_SHAPE_STRING};
static const rb_shape argument_list = {.kind = RB_SHAPE_ARRAY,
                                       .item = &any_text,
                                       .min = 1,
                                       .expected = "a command: a list of program and arguments"};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};
static const rb_shape people = {.kind = RB_SHAPE_ARRAY, .item = &text, .unique = true};
static const rb_shape seconds = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 86400};
static const rb_shape timeout = {.kind = RB_SHAPE_INTEGER, .min = 1, .max = 86400};
static const rb_shape keep = {.kind = RB_SHAPE_INTEGER, .min = 2, .max = 10000};
static const rb_shape backup_limit = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 1 << 30};
static const rb_shape keep_backups = {.kind = RB_SHAPE_INTEGER, .min = 0, .max = 36500};

static const rb_shape version_file = RB_SHAPE_OBJECT_OF({"file", &path, false});
static const rb_shape version_json =
    RB_SHAPE_OBJECT_OF({"json", &path, false}, {"key", &text, true});
static const rb_shape version = {.kind = RB_SHAPE_OBJECT, .either = {&version_file, &version_json}};
static const rb_shape app = RB_SHAPE_OBJECT_OF({"name", &name, false}, {"version", &version, true});

static const char *const formats[] = {"dir", "tar", "tar.gz", "tar.zst", "zip", NULL};
static const rb_shape format = {.kind = RB_SHAPE_STRING, .one_of = formats};
static const rb_shape ignored = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_path, .expected = IGNORE_WORDS};
static const rb_shape ignore = {
    .kind = RB_SHAPE_ARRAY, .item = &ignored, .min = 1, .max = RB_IGNORE_LIMIT, .unique = true};
static const rb_shape artifact =
    RB_SHAPE_OBJECT_OF({"name", &name, false}, {"paths", &paths, true}, {"format", &format, true},
                       {"ignore", &ignore, true});
static const rb_shape artifacts = {.kind = RB_SHAPE_ARRAY, .item = &artifact, .min = 1};

static const rb_shape engine = {.kind = RB_SHAPE_STRING, .one_of = rb_engines};
static const char *const tools[] = {"auto",  "golang-migrate", "diesel",          "dbmate", "sqlx",
                                    "goose", "sql-migrate",    "node-pg-migrate", NULL};
static const rb_shape tool = {.kind = RB_SHAPE_STRING, .one_of = tools};
static const rb_shape mebibytes = {.kind = RB_SHAPE_INTEGER, .min = 16, .max = 1 << 20};
static const rb_shape limits = RB_SHAPE_OBJECT_OF(
    {"seconds", &timeout, true}, {"memory", &mebibytes, true}, {"size", &mebibytes, true});
static const rb_shape database = RB_SHAPE_OBJECT_OF(
    {"engine", &engine, false}, {"migrations", &path, false}, {"layout", &tool, true},
    {"tracking", &tool, true}, {"seed", &path, true}, {"limits", &limits, true});
static const rb_shape databases = {
    .kind = RB_SHAPE_MAP, .item = &database, .check = rb_shape_is_name, .expected = NAME_WORDS};

static const char *const flag_formats[] = {"flagd", NULL};
static const rb_shape flag_format = {.kind = RB_SHAPE_STRING, .one_of = flag_formats};
static const rb_shape ids = {.kind = RB_SHAPE_ARRAY, .item = &text, .min = 1, .unique = true};
static const rb_shape feature = RB_SHAPE_OBJECT_OF({"migrations", &ids, false});
static const rb_shape features = {.kind = RB_SHAPE_MAP, .item = &feature};
static const rb_shape flags = RB_SHAPE_OBJECT_OF(
    {"file", &path, false}, {"format", &flag_format, true}, {"features", &features, true});
static const rb_shape checks = RB_SHAPE_OBJECT_OF({"sql", &globs, true});
static const rb_shape compatibility =
    RB_SHAPE_OBJECT_OF({"command", &argument_list, false}, {"timeout", &timeout, true});
/* ">=2.3, <3": conditions that must all hold. */
static bool is_range(const char *range)
{
    bool any = false;
    while (*range) {
        range += strspn(range, "<>=");
        const size_t len = strspn(range, "0123456789.");
        if (len == 0)
            return false;
        any = true;
        range += len;
        if (*range && *range != ',' && *range != ' ')
            return false;
        range += strspn(range, ", ");
    }
    return any;
}

static const rb_shape range = {.kind = RB_SHAPE_STRING,
                               .check = is_range,
                               .expected = "conditions of a version like \">=2.3, <3\""};
static const rb_shape require = RB_SHAPE_OBJECT_OF(
    {"app", &name, false}, {"repository", &text, false}, {"range", &range, false});
static const rb_shape requires = {.kind = RB_SHAPE_ARRAY, .item = &require};
static const rb_shape secret_version = {
    .kind = RB_SHAPE_STRING,
    .check = rb_shape_is_name,
    .expected = "a version (letters, digits, '.', '_', '-'; at most 100), not a value"};
static const rb_shape secrets = {.kind = RB_SHAPE_MAP,
                                 .item = &secret_version,
                                 .check = rb_shape_is_name,
                                 .expected = NAME_WORDS};
static const char *const known_goods[] = {"verdict", "verified", NULL};
static const rb_shape known_good = {.kind = RB_SHAPE_STRING, .one_of = known_goods};

/* $NAME takes it from the environment, so that a password need not stand in a file. */
static bool is_url(const char *url)
{
    return url[0] == '$' ? url[1] != '\0' : rb_url_engine(url, NULL) != NULL;
}

static const rb_shape url = {
    .kind = RB_SHAPE_STRING, .check = is_url, .expected = RB_URL_LIST " or $NAME"};
static const rb_shape urls = {
    .kind = RB_SHAPE_MAP, .item = &url, .check = rb_shape_is_name, .expected = NAME_WORDS};

/* As chmod(1) has it, without set-id bits. */
static bool is_mode(const char *mode)
{
    return strlen(mode) == 4 && mode[0] == '0' && strspn(mode, "01234567") == 4 &&
           strcmp(mode, "0000") != 0;
}

static const rb_shape mode = {
    .kind = RB_SHAPE_STRING, .check = is_mode, .expected = "permissions like \"0640\""};
static const rb_shape file = {.kind = RB_SHAPE_OBJECT,
                              .fields =
                                  RB_SHAPE_FIELDS({"path", &text, false}, {"mode", &mode, true}),
                              .text = &text,
                              .expected = "a path on the host, or an object with path and mode"};
static const rb_shape files = {
    .kind = RB_SHAPE_MAP, .item = &file, .check = rb_shape_is_path, .expected = PATH_WORDS};
static const rb_shape service =
    RB_SHAPE_OBJECT_OF({"stop", &argument_list, true}, {"start", &argument_list, true});
static const char *const kinds_after[] = {"deploy", "revert", NULL};
static const rb_shape after = {.kind = RB_SHAPE_STRING, .one_of = kinds_after};
static const rb_shape threshold = {.kind = RB_SHAPE_NUMBER};
static const rb_shape part_of_value = {.kind = RB_SHAPE_NUMBER, .min = 0, .max = 1000};
static const rb_shape command_check = RB_SHAPE_OBJECT_OF(
    {"after", &after, true}, {"name", &name, false}, {"command", &argument_list, false},
    {"timeout", &timeout, true}, {"stableFor", &seconds, true}, {"attempt", &timeout, true},
    {"retry", &boolean, true}, {"max", &threshold, true}, {"min", &threshold, true},
    {"maxChange", &part_of_value, true});
static const rb_shape side =
    RB_SHAPE_OBJECT_OF({"database", &name, false}, {"query", &text, false});
static const rb_shape sides = {.kind = RB_SHAPE_ARRAY, .item = &side, .min = 2, .max = 2};
static const rb_shape tolerance = {.kind = RB_SHAPE_NUMBER, .min = 0, .max = RB_INTEGER_MAX};
static const rb_shape comparison = RB_SHAPE_OBJECT_OF(
    {"compare", &sides, false}, {"tolerance", &tolerance, true}, {"after", &after, true},
    {"name", &name, false}, {"timeout", &timeout, true}, {"stableFor", &seconds, true},
    {"attempt", &timeout, true}, {"retry", &boolean, true});
static const rb_shape check = {.kind = RB_SHAPE_OBJECT, .either = {&comparison, &command_check}};
static const rb_shape environment_checks = {.kind = RB_SHAPE_ARRAY, .item = &check};
static const rb_shape rounds = {.kind = RB_SHAPE_INTEGER, .min = 1, .max = 1000};
static const rb_shape any_seconds = {.kind = RB_SHAPE_NUMBER, .min = 0, .max = 86400};
static const char *const actions[] = {"hold", "revert", NULL};
static const rb_shape action = {.kind = RB_SHAPE_STRING, .one_of = actions};
static const rb_shape watch = RB_SHAPE_OBJECT_OF(
    {"failures", &rounds, true}, {"of", &rounds, true}, {"interval", &any_seconds, true},
    {"onFailure", &action, true}, {"escalateAfter", &any_seconds, true});
static const rb_shape notify = {
    .kind = RB_SHAPE_ARRAY, .item = &argument_list, .max = RB_NOTIFY_LIMIT};
static const rb_shape secret =
    RB_SHAPE_OBJECT_OF({"version", &argument_list, false}, {"restore", &argument_list, true});
static const rb_shape environment_secrets = {
    .kind = RB_SHAPE_MAP, .item = &secret, .check = rb_shape_is_name, .expected = NAME_WORDS};
static const rb_shape objectives =
    RB_SHAPE_OBJECT_OF({"rto", &seconds, true}, {"rpo", &seconds, true});
const rb_shape rb_environment_shape = RB_SHAPE_OBJECT_OF(
    {"root", &text, false}, {"databases", &urls, true}, {"flags", &text, true},
    {"config", &files, true}, {"service", &service, true}, {"checks", &environment_checks, true},
    {"watch", &watch, true}, {"notify", &notify, true}, {"secrets", &environment_secrets, true},
    {"objectives", &objectives, true}, {"owners", &people, true}, {"escalation", &people, true},
    {"keep", &keep, true}, {"statementTimeout", &timeout, true}, {"lockTimeout", &timeout, true},
    {"backupLimit", &backup_limit, true}, {"keepBackups", &keep_backups, true});
const rb_shape rb_environments_shape = {.kind = RB_SHAPE_MAP,
                                        .item = &rb_environment_shape,
                                        .check = rb_shape_is_name,
                                        .expected = NAME_WORDS};

const rb_shape rb_config_shape = RB_SHAPE_OBJECT_OF(
    {"$schema", &any_text, true}, {"app", &app, false}, {"tags", &text, true},
    {"artifacts", &artifacts, true}, {"databases", &databases, true}, {"flags", &flags, true},
    {"config", &globs, true}, {"checks", &checks, true}, {"compatibility", &compatibility, true},
    {"requires", &requires, true}, {"secrets", &secrets, true}, {"knownGood", &known_good, true},
    {"schemaCompatible", &boolean, true}, {"environments", &rb_environments_shape, true});
