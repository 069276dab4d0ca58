#include "release/manifest_shape.h"

#define LIST(shape)                                                                                \
    {                                                                                              \
        .kind = RB_SHAPE_ARRAY, .item = &(shape)                                                   \
    }

#define SHA256_WORDS "a SHA-256 (64 lower-case hexadecimal digits)"

static const rb_shape sha1 = {.kind = RB_SHAPE_STRING,
                              .check = rb_shape_is_sha1,
                              .expected = "an object id (40 lower-case hexadecimal digits)"};
static const rb_shape sha256 = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_sha256, .expected = SHA256_WORDS};
static const rb_shape sha256_or_null = {.kind = RB_SHAPE_STRING,
                                        .nullable = true,
                                        .check = rb_shape_is_sha256,
                                        .expected = SHA256_WORDS};
static const rb_shape name = {.kind = RB_SHAPE_STRING,
                              .check = rb_shape_is_name,
                              .expected = "a name (letters, digits, '.', '_', '-')"};
static const rb_shape path = {
    .kind = RB_SHAPE_STRING,
    .check = rb_shape_is_path,
    .expected = "a path inside the repository (relative, without '.', '..' or .git)"};
static const rb_shape paths = {.kind = RB_SHAPE_ARRAY, .item = &path, .unique = true};
static const rb_shape plain = {.kind = RB_SHAPE_STRING,
                               .check = rb_shape_is_plain,
                               .expected = "text without control characters"};
static const rb_shape text = {.kind = RB_SHAPE_STRING};
static const rb_shape text_or_null = {.kind = RB_SHAPE_STRING, .nullable = true};
static const rb_shape texts = LIST(text);
static const rb_shape number = {.kind = RB_SHAPE_INTEGER};
static const rb_shape boolean = {.kind = RB_SHAPE_BOOLEAN};

static const rb_shape link_ = RB_SHAPE_OBJECT_OF({"tag", &plain, false}, {"object", &sha1, false},
                                                 {"sha256", &sha256, false});
static const rb_shape previous = {.kind = RB_SHAPE_OBJECT,
                                  .nullable = true,
                                  .fields = RB_SHAPE_FIELDS({"tag", &plain, false},
                                                            {"object", &sha1, false},
                                                            {"sha256", &sha256, false})};
static const rb_shape heads = LIST(link_);

static const rb_shape app = RB_SHAPE_OBJECT_OF({"name", &name, false}, {"version", &plain, false});
static const rb_shape source = RB_SHAPE_OBJECT_OF({"commit", &sha1, false}, {"tree", &sha1, false});

static const char *const formats[] = {"dir", "tar", "tar.gz", "tar.zst", "zip", NULL};
static const rb_shape format = {.kind = RB_SHAPE_STRING, .one_of = formats};
static const rb_shape ignore = {
    .kind = RB_SHAPE_ARRAY, .item = &path, .min = 1, .max = RB_IGNORE_LIMIT, .unique = true};
static const rb_shape artifact = RB_SHAPE_OBJECT_OF(
    {"name", &name, false}, {"paths", &paths, false}, {"format", &format, false},
    {"files", &number, false}, {"bytes", &number, false}, {"tree", &sha256, false},
    {"submodules", &texts, false}, {"ignore", &ignore, true});
static const rb_shape artifacts = {.kind = RB_SHAPE_ARRAY, .item = &artifact, .min = 1};

static const rb_shape transaction =
    RB_SHAPE_OBJECT_OF({"up", &boolean, false}, {"down", &boolean, false});
static const rb_shape migration =
    RB_SHAPE_OBJECT_OF({"id", &plain, false}, {"name", &text, false}, {"up", &sha256, false},
                       {"down", &sha256_or_null, false}, {"transaction", &transaction, false},
                       {"code", &boolean, false});
static const rb_shape migrations = LIST(migration);
static const rb_shape difference = RB_SHAPE_OBJECT_OF(
    {"kind", &plain, false}, {"schema", &text_or_null, false}, {"table", &text_or_null, false},
    {"name", &text, false}, {"change", &text, false});
static const rb_shape differences = LIST(difference);
static const rb_shape place =
    RB_SHAPE_OBJECT_OF({"table", &text, false}, {"column", &text_or_null, false});
static const rb_shape places = LIST(place);
static const char *const ends[] = {"identical", "order",    "differs", "fails",
                                   "missing",   "untested", "code",    NULL};
static const char *const directions[] = {"up", "down", NULL};
static const rb_shape direction = {.kind = RB_SHAPE_STRING, .one_of = directions};
static const rb_shape restores = {.kind = RB_SHAPE_STRING, .one_of = ends};
static const rb_shape lock = RB_SHAPE_OBJECT_OF(
    {"direction", &direction, false}, {"table", &text, false}, {"mode", &plain, false},
    {"rewrites", &boolean, false}, {"blocks", &boolean, false});
static const rb_shape locks = LIST(lock);
static const char *const writings[] = {"update", "drop", "rename", NULL};
static const rb_shape writing = {.kind = RB_SHAPE_STRING, .one_of = writings};
static const rb_shape written = {.kind = RB_SHAPE_MAP, .item = &writing};
static const rb_shape effect = RB_SHAPE_OBJECT_OF(
    {"rows", &boolean, true}, {"dropped", &boolean, true}, {"inserts", &boolean, true},
    {"columns", &written, true}, {"generated", &written, true}, {"renamed", &text, true},
    {"arrived", &boolean, true});
static const rb_shape by_table = {.kind = RB_SHAPE_MAP, .item = &effect};
static const rb_shape effects =
    RB_SHAPE_OBJECT_OF({"up", &by_table, true}, {"down", &by_table, true});
static const rb_shape proven = RB_SHAPE_OBJECT_OF(
    {"id", &plain, false}, {"restores", &restores, false}, {"differences", &differences, false},
    {"reapplies", &boolean, false}, {"destroys", &places, false}, {"discards", &places, false},
    {"unfilled", &texts, false}, {"locks", &locks, true}, {"effects", &effects, true},
    {"error", &text, true});
static const rb_shape proven_list = LIST(proven);
static const rb_shape proof = RB_SHAPE_OBJECT_OF(
    {"engine", &name, false}, {"version", &plain, false}, {"migrations", &proven_list, false});
static const rb_shape database = RB_SHAPE_OBJECT_OF(
    {"name", &name, false}, {"engine", &name, false}, {"directory", &path, false},
    {"layout", &text, false}, {"tracking", &text, false}, {"migrations", &migrations, false},
    {"fingerprint", &sha256, false}, {"proof", &proof, false});
static const rb_shape databases = LIST(database);

static const char *const states[] = {"ENABLED", "DISABLED", NULL};
static const rb_shape state = {.kind = RB_SHAPE_STRING, .one_of = states};
static const rb_shape flag = RB_SHAPE_OBJECT_OF({"name", &plain, false}, {"state", &state, false},
                                                {"default", &text_or_null, false});
static const rb_shape flag_list = LIST(flag);
static const char *const flag_formats[] = {"flagd", NULL};
static const rb_shape flag_format = {.kind = RB_SHAPE_STRING, .one_of = flag_formats};
static const rb_shape flags = {
    .kind = RB_SHAPE_OBJECT,
    .nullable = true,
    .fields = RB_SHAPE_FIELDS({"path", &path, false}, {"format", &flag_format, false},
                              {"sha256", &sha256, false}, {"values", &flag_list, false})};

static const char *const modes[] = {"100644", "100755", NULL};
static const rb_shape mode = {.kind = RB_SHAPE_STRING, .one_of = modes};
static const rb_shape file =
    RB_SHAPE_OBJECT_OF({"path", &path, false}, {"sha256", &sha256, false}, {"mode", &mode, false});
static const rb_shape files = LIST(file);

static const char *const classes[] = {"reversible", "lossy", "irreversible", NULL};
static const rb_shape class_ = {.kind = RB_SHAPE_STRING, .one_of = classes};
static const rb_shape rollback = RB_SHAPE_OBJECT_OF(
    {"class", &class_, false}, {"schemaCompatible", &boolean, false}, {"notes", &texts, false});
static const char *const known_goods[] = {"verdict", "verified", NULL};
static const rb_shape known_good = {.kind = RB_SHAPE_STRING, .one_of = known_goods};

static const rb_shape secret = {
    .kind = RB_SHAPE_STRING, .check = rb_shape_is_name, .expected = "a version"};
static const rb_shape secrets = {.kind = RB_SHAPE_MAP,
                                 .item = &secret,
                                 .min = 1,
                                 .check = rb_shape_is_name,
                                 .expected = "names of secrets"};

static const rb_shape predicate = RB_SHAPE_OBJECT_OF(
    {"app", &app, false}, {"source", &source, false}, {"previous", &previous, false},
    {"heads", &heads, false}, {"artifacts", &artifacts, false}, {"databases", &databases, false},
    {"flags", &flags, false}, {"config", &files, false}, {"checks", &files, false},
    {"secrets", &secrets, true}, {"rollback", &rollback, false}, {"knownGood", &known_good, false});

static const rb_shape digest = RB_SHAPE_OBJECT_OF({"sha256", &sha256, false});
static const rb_shape subject =
    RB_SHAPE_OBJECT_OF({"name", &plain, false}, {"digest", &digest, false});
static const rb_shape subjects = {.kind = RB_SHAPE_ARRAY, .item = &subject, .min = 1};
static const char *const types[] = {RB_STATEMENT_TYPE, NULL};
static const rb_shape type = {.kind = RB_SHAPE_STRING, .one_of = types};
static const char *const predicate_types[] = {RB_PREDICATE_TYPE, NULL};
static const rb_shape predicate_type = {.kind = RB_SHAPE_STRING, .one_of = predicate_types};

const rb_shape rb_manifest_shape =
    RB_SHAPE_OBJECT_OF({"_type", &type, false}, {"subject", &subjects, false},
                       {"predicateType", &predicate_type, false}, {"predicate", &predicate, false});
