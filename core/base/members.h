/*
 * Members: a table that maps members of a JSON object to members of a struct. One table writes a
 * struct, reads it back, and frees what it owns. Nothing here fails: the caller checks the document
 * against its shape (base/shape.h) first.
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
    RB_MEMBER_NONEMPTY, /* like RB_MEMBER_TEXTS, but the member is absent if the list is empty */
    RB_MEMBER_OBJECT,   /* members of the same struct, in a nested object */
    RB_MEMBER_OR_NULL,  /* like RB_MEMBER_OBJECT; null if its first member, a text, is NULL */
    RB_MEMBER_POINTER,  /* T *, a nested object; NULL is null */
    RB_MEMBER_ARRAY,    /* T * and a size_t, the number of items: an array of objects */
};

typedef struct rb_member {
    const char *key; /* NULL ends a table */
    enum rb_member_kind kind;
    size_t at;                  /* offset in the struct */
    size_t size;                /* CHARS: N; POINTER, ARRAY: size of T */
    size_t count_at;            /* ARRAY: offset of the number of items */
    const struct rb_member *of; /* OBJECT, OR_NULL, POINTER, ARRAY: their members */
} rb_member;

/* A row of a table: T is the struct, M its member. */
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

/* Writes the struct as a new object. */
json_t *rb_members_write(const rb_member *members, const void *from);
/* Fills a struct, which must be zeroed. */
void rb_members_read(const rb_member *members, void *out, const json_t *object);
/* Frees the members of a struct, but not the struct itself. */
void rb_members_clear(const rb_member *members, void *of);

#endif
