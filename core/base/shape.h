/*
 * Shapes: what a JSON document must look like, as data. One checker for every strict reader
 * (settings, manifests, ledger entries): unknown keys, missing keys, types, ranges and words are
 * refused, and the fault says where, what was expected and what was found.
 *
 * The shape of a document that schemas/ describes is read from its schema, which the program
 * contains. Of JSON Schema (draft 2020-12) it reads what those files need:
 *  - "title" is what a fault says was expected. "description" is for people;
 *  - a string that only certain texts fit is a definition ($defs) whose name has a function, and
 *    whose "pattern" is for other tools;
 *  - what is "writeOnly" may hold a password, so a fault does not show it;
 *  - "anyOf" and "oneOf" are: something or null, a string or an object, or one of several objects.
 */
#ifndef RB_BASE_SHAPE_H
#define RB_BASE_SHAPE_H

#include "base/json.h"

#define RB_INTEGER_MAX ((int64_t)1 << 53) /* what every JSON reader keeps exactly (RFC 8785) */

enum rb_shape_kind {
    RB_SHAPE_STRING,
    RB_SHAPE_INTEGER,
    RB_SHAPE_NUMBER, /* with or without a fraction; max 0: any */
    RB_SHAPE_BOOLEAN,
    RB_SHAPE_ARRAY,
    RB_SHAPE_OBJECT, /* exactly the given fields; open: others, too */
    RB_SHAPE_MAP,    /* an object with keys of the user's choice, which fit `key` */
    RB_SHAPE_DATA,   /* anything without fractions */
};

typedef struct rb_shape rb_shape;

typedef struct rb_shape_field {
    const char *key;
    const rb_shape *shape;
    bool optional;
} rb_shape_field;

struct rb_shape {
    enum rb_shape_kind kind;
    bool nullable;
    const char *expected;         /* "a relative path"; NULL: from the kind */
    const rb_shape_field *fields; /* OBJECT: ends with a NULL key */
    const rb_shape *item;         /* ARRAY, MAP */
    const rb_shape *key;          /* MAP: a string; NULL: any */
    const char *const *one_of;    /* STRING: ends with NULL */
    bool (*check)(const char *);  /* STRING: its text */
    int64_t min;                  /* INTEGER, NUMBER: value; STRING: bytes; ARRAY, MAP: items */
    int64_t max;                  /* 0: no limit of its own (INTEGER: RB_INTEGER_MAX) */
    bool unique;                  /* ARRAY of strings: none twice */
    bool open;                    /* OBJECT: other keys are fine */
    bool secret;                  /* may hold a password: a fault does not show what was found */
    /* OBJECT: the first of these whose first required member the value has, else the last; ends
     * with NULL */
    const rb_shape *const *either;
    const rb_shape *text; /* OBJECT: a string of this shape is accepted as well */
};

/* For tables of shapes: the fields of an object, and an object of just these. */
#define RB_SHAPE_FIELDS(...)                                                                       \
    (const rb_shape_field[])                                                                       \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL, false                                                                      \
        }                                                                                          \
    }
#define RB_SHAPE_OBJECT_OF(...)                                                                    \
    {                                                                                              \
        .kind = RB_SHAPE_OBJECT, .fields = RB_SHAPE_FIELDS(__VA_ARGS__)                            \
    }

/* What the strings of a definition have to fit. */
typedef struct rb_shape_named {
    const char *name;
    bool (*check)(const char *text);
} rb_shape_named;

typedef struct rb_schema {
    const char *text;             /* a JSON schema: base/embed.h */
    const rb_shape_named *checks; /* ends with a NULL name; for names of definitions that are not
                                     functions below */
    json_t *json;                 /* NULL until the first call */
    const rb_shape *shape;
} rb_schema;

/* Returns the shape that a schema describes. Reads it once, also when threads ask for it. */
const rb_shape *rb_schema_shape(rb_schema *schema);

/* Returns the shape of a member of an object, or NULL. */
const rb_shape *rb_shape_member(const rb_shape *shape, const char *key);

typedef struct rb_shape_fault {
    char *path; /* "artifacts[0].paths[1]"; "" is the document itself */
    char *key;  /* the key at fault in the object at path, or NULL: the value at path */
    char *expected;
    char *found;
} rb_shape_fault;

/* Checks json against the shape. Returns false and fills *fault (clear it) at the first fault. */
bool rb_shape_fits(const rb_shape *shape, const json_t *json, rb_shape_fault *fault);
void rb_shape_fault_clear(rb_shape_fault *fault);

/* Same as rb_shape_fits(), with an error "WHAT: PATH: expected ..., found ...". */
enum rb_code rb_shape_check(const rb_shape *shape, const json_t *json, const char *what,
                            rb_err *err);

/* Returns the one of `keys` (NULL at its end) that `key` abbreviates ("cmd": "command"), else the
 * one with the smallest edit distance. */
const char *rb_shape_nearest(const char *key, const char *const *keys);

/* Checks for strings. */
bool rb_shape_is_name(const char *text);   /* [A-Za-z0-9][A-Za-z0-9._-]*, 100 bytes at most */
bool rb_shape_is_path(const char *text);   /* rb_path_is_safe */
bool rb_shape_is_folder(const char *text); /* a path, or "." */
bool rb_shape_is_plain(const char *text);  /* not empty, no control characters */
bool rb_shape_is_sha1(const char *text);
bool rb_shape_is_sha256(const char *text);

#endif
