/* Shapes from JSON schemas. What is read stays in memory as long as the process. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/shape.h"
#include "base/text.h"

static const rb_shape_named common[] = {{"name", rb_shape_is_name},
                                        {"folder", rb_shape_is_folder},
                                        {"path", rb_shape_is_path},
                                        {"plain", rb_shape_is_plain},
                                        {"sha1", rb_shape_is_sha1},
                                        {"sha256", rb_shape_is_sha256},
                                        {NULL, NULL}};

typedef struct reading {
    const json_t *definitions;
    const rb_shape_named *own;
} reading;

static rb_shape *read_shape(const reading *r, const json_t *schema);

static rb_shape *new_shape(enum rb_shape_kind kind)
{
    rb_shape *shape = rb_calloc(1, sizeof *shape);
    shape->kind = kind;
    return shape;
}

static bool has(const json_t *words, const char *word)
{
    rb_json_each (item, words)
        if (strcmp(json_string_value(item), word) == 0)
            return true;
    return false;
}

static void read_object(rb_shape *shape, const reading *r, const json_t *schema)
{
    const json_t *members = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const json_t *names = json_object_get(schema, "propertyNames");
    const json_t *required = json_object_get(schema, "required");
    if (json_is_object(others)) {
        shape->kind = RB_SHAPE_MAP;
        shape->item = read_shape(r, others);
        shape->key = names ? read_shape(r, names) : NULL;
        return;
    }
    rb_shape_field *fields = rb_calloc(json_object_size(members) + 1, sizeof *fields);
    size_t n = 0;
    rb_json_each_member (key, member, members)
        fields[n++] = (rb_shape_field){key, read_shape(r, member), !has(required, key)};
    shape->fields = fields;
    shape->open = !others;
}

/* Something or null; a string or an object; or one of several objects. */
static rb_shape *read_choice(const reading *r, const json_t *list)
{
    rb_shape *first = read_shape(r, json_array_get(list, 0));
    const json_t *second = json_array_get(list, 1);
    if (rb_text_same(rb_json_str(second, "type"), "null")) {
        first->nullable = true;
        return first;
    }
    if (first->kind == RB_SHAPE_STRING) {
        rb_shape *object = read_shape(r, second);
        object->text = first;
        return object;
    }
    const rb_shape **either = rb_calloc(json_array_size(list) + 1, sizeof *either);
    either[0] = first;
    for (size_t i = 1; i < json_array_size(list); i++)
        either[i] = read_shape(r, json_array_get(list, i));
    rb_shape *shape = new_shape(RB_SHAPE_OBJECT);
    shape->either = either;
    return shape;
}

static rb_shape *read_words(const json_t *list, const char *only)
{
    const char **words = rb_calloc(json_array_size(list) + 2, sizeof *words);
    words[0] = only;
    rb_json_each (word, list)
        words[word_at] = json_string_value(word);
    rb_shape *shape = new_shape(RB_SHAPE_STRING);
    shape->one_of = words;
    return shape;
}

/* name: of the definition that this is. Its pattern is for other tools. */
static void read_string(rb_shape *shape, const reading *r, const json_t *schema, const char *name)
{
    const rb_shape_named *const lists[] = {r->own, common};
    for (size_t i = 0; name && i < sizeof lists / sizeof *lists; i++)
        for (const rb_shape_named *n = lists[i]; n && n->name && !shape->check; n++)
            if (strcmp(n->name, name) == 0)
                shape->check = n->check;
    if (!shape->check && json_object_get(schema, "pattern"))
        abort(); /* the schema has a definition that the program does not know */
}

static enum rb_shape_kind kind_of(const char *type)
{
    static const char *const types[] = {
        [RB_SHAPE_STRING] = "string", [RB_SHAPE_INTEGER] = "integer",
        [RB_SHAPE_NUMBER] = "number", [RB_SHAPE_BOOLEAN] = "boolean",
        [RB_SHAPE_ARRAY] = "array",   [RB_SHAPE_OBJECT] = "object"};
    for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], type) == 0)
            return (enum rb_shape_kind)i;
    return RB_SHAPE_DATA;
}

static void read_limits(rb_shape *shape, const json_t *schema)
{
    static const char *const least[] = {"minimum", "minLength", "minItems", "minProperties"};
    static const char *const most[] = {"maximum", "maxLength", "maxItems", "maxProperties"};
    for (size_t i = 0; i < sizeof least / sizeof *least; i++) {
        shape->min = rb_json_int(schema, least[i], shape->min);
        shape->max = rb_json_int(schema, most[i], shape->max);
    }
    shape->unique = json_is_true(json_object_get(schema, "uniqueItems"));
}

static rb_shape *read_value(const reading *r, const json_t *schema, const char *name)
{
    const json_t *type = json_object_get(schema, "type");
    const bool nullable = json_is_array(type); /* ["string", "null"] */
    rb_shape *shape =
        new_shape(kind_of(json_string_value(nullable ? json_array_get(type, 0) : type)));
    shape->nullable = nullable;
    read_limits(shape, schema);
    if (shape->kind == RB_SHAPE_STRING)
        read_string(shape, r, schema, name);
    if (shape->kind == RB_SHAPE_ARRAY)
        shape->item = read_shape(r, json_object_get(schema, "items"));
    if (shape->kind == RB_SHAPE_OBJECT)
        read_object(shape, r, schema);
    return shape;
}

static rb_shape *read_shape(const reading *r, const json_t *schema)
{
    const char *reference = rb_json_str(schema, "$ref");
    const char *name = reference ? strrchr(reference, '/') + 1 : NULL;
    const json_t *meant = name ? json_object_get(r->definitions, name) : schema;
    const json_t *one = json_object_get(meant, "oneOf");
    const json_t *any = json_object_get(meant, "anyOf");
    const json_t *words = json_object_get(meant, "enum");
    const char *word = rb_json_str(meant, "const");
    rb_shape *shape = one || any      ? read_choice(r, one ? one : any)
                      : words || word ? read_words(words, word)
                                      : read_value(r, meant, name);
    const char *title = rb_json_str(schema, "title");
    title = title ? title : rb_json_str(meant, "title");
    shape->expected = title ? title : shape->expected;
    shape->secret = json_is_true(json_object_get(schema, "writeOnly")) ||
                    json_is_true(json_object_get(meant, "writeOnly"));
    return shape;
}

const rb_shape *rb_schema_shape(rb_schema *schema)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    if (!schema->shape) {
        if (rb_json_read(&schema->json, schema->text, strlen(schema->text), "a schema",
                         RB_IGNORED) != RB_OK)
            abort();
        const reading r = {json_object_get(schema->json, "$defs"), schema->checks};
        json_object_del(schema->json, "title"); /* of the file, not what is expected there */
        schema->shape = read_shape(&r, schema->json);
    }
    pthread_mutex_unlock(&lock);
    return schema->shape;
}
