/*
 * Members: where the members of JSON objects are in structs, as data. One table writes a struct,
 * reads it back, and frees what it owns. Whether a document has the right form is checked before,
 * by its shape (base/shape.h): nothing here fails.
 */
#ifndef RB_BASE_MEMBERS_H
#define RB_BASE_MEMBERS_H

#include "base/json.h"

enum rb_member_kind {
    RB_MEMBER_TEXT,     /* char *; NULL is null */
    RB_MEMBER_CHARS,    /* char [N]; "" is null */
    RB_MEMBER_BOOL,     /* bool */
    RB_MEMBER_UINT64,   /* uint64_t */
    RB_MEMBER_TEXTS,    /* rb_strs */
    RB_MEMBER_NONEMPTY, /* the same; left out if there are none */
    RB_MEMBER_OBJECT,   /* members of the same struct, in an object of their own */
    RB_MEMBER_OR_NULL,  /* the same; null if the first of them, a text, is NULL */
    RB_MEMBER_POINTER,  /* T *; NULL is null */
    RB_MEMBER_ARRAY,    /* T * and a size_t, the number of items */
};

typedef struct rb_member {
    const char *key; /* NULL ends a table */
    enum rb_member_kind kind;
    size_t at;                  /* its place in the struct */
    size_t size;                /* CHARS: N; POINTER, ARRAY: of T */
    size_t count_at;            /* ARRAY: the place of the number */
    const struct rb_member *of; /* OBJECT, OR_NULL, POINTER, ARRAY */
} rb_member;

/* Rows of a table: T is the struct, M its member. */
#define RB_MEMBER(KIND, T, M, KEY)                                                                 \
    {                                                                                              \
        .key = (KEY), .kind = RB_MEMBER_##KIND, .at = offsetof(T, M), .size = sizeof((T *)NULL)->M \
    }
#define RB_MEMBER_IN(KIND, KEY, OF)                                                                \
    {                                                                                              \
        .key = (KEY), .kind = RB_MEMBER_##KIND, .of = (OF)                                         \
    }
#define RB_MEMBER_TO(T, M, KEY, OF)                                                                \
    {                                                                                              \
        .key = (KEY), .kind = RB_MEMBER_POINTER, .at = offsetof(T, M),                             \
        .size = sizeof *((T *)NULL)->M, .of = (OF)                                                 \
    }
#define RB_MEMBER_LIST(T, M, COUNT, KEY, OF)                                                       \
    {                                                                                              \
        .key = (KEY), .kind = RB_MEMBER_ARRAY, .at = offsetof(T, M),                               \
        .size = sizeof *((T *)NULL)->M, .count_at = offsetof(T, COUNT), .of = (OF)                 \
    }
#define RB_MEMBER_END                                                                              \
    {                                                                                              \
        .key = NULL                                                                                \
    }

/* Returns a new object. */
json_t *rb_members_write(const rb_member *members, const void *from);
/* Fills a struct that is zero. */
void rb_members_read(const rb_member *members, void *out, const json_t *object);
/* Frees what the struct owns, and not the struct. */
void rb_members_clear(const rb_member *members, void *of);

#endif
