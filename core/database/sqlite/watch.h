/*
 * What scripts do to the data that was there. Follows tables and columns through renames and
 * rebuilds, counts what is about to be dropped just before it is, and keeps the keys of rows that
 * were deleted or changed, so that a row is counted once and rows that the run itself made are not.
 */
#ifndef RB_DATABASE_SQLITE_WATCH_H
#define RB_DATABASE_SQLITE_WATCH_H

#include "database/sqlite/row_hashes.h"
#include "database/sqlite/sqlite.h"
#include "database/sqlite/u64_set.h"
#include "sql/alter_parser.h"
#include "sql/token.h"

typedef struct rb_watch_column {
    char *was;      /* name at the beginning */
    char *now;      /* NULL once it is dropped */
    char *fallback; /* its default, as SQL */
    bool generated;
    int64_t values;   /* other than the default, at the beginning */
    int64_t replaced; /* of those, what a rebuild of the table made into others */
    rb_keyset changed;
} rb_watch_column;

typedef struct rb_watch_heir { /* a table of the run that may take over a dropped one's name */
    char *name;
    int64_t missing;   /* rows without a partner in it */
    int64_t *replaced; /* of each column */
} rb_watch_heir;

typedef struct rb_watch_table {
    char *was;
    char *now; /* NULL once it is dropped */
    bool is_virtual;
    bool loaded;  /* the rest is filled */
    bool ignored; /* the inside of a virtual table */
    bool keyless;
    bool counted; /* rows and values hold */
    bool uncertain;
    bool stale; /* stored[] is */
    int64_t rows;
    rb_watch_column *columns;
    size_t n;
    rb_strs stored; /* names of now's columns in the order of a stored row */
    rb_keyset inserted;
    rb_keyset deleted;
    uint64_t over; /* changes that there was no room to remember */
    rb_watch_heir *heirs;
    size_t heir_count;
    bool since;      /* the one that may have taken over its name was written to since */
    bool compared;   /* with the one that took over its name: */
    int64_t missing; /* rows that have no partner there */
    rb_held held;    /* its rows at the beginning, where is_held */
    bool is_held;
    bool asked; /* whether a virtual table keeps data of its own: */
    bool is_store;
} rb_watch_table;

typedef struct rb_watch_source { /* a statement wrote to a table what it read of another */
    char *to;
    char *from;
    char *column; /* "": how many rows there are */
} rb_watch_source;

struct rb_watch {
    bool active;
    bool made; /* a table that was not there at the beginning was written to */
    rb_watch_table *tables;
    size_t n;
    rb_watch_table *last; /* the one that rb_watch_wants() found */
    rb_strs noted;        /* tables that the statement being prepared writes to */
    char *drops;          /* table that it drops; or NULL */
    bool alters;          /* a table */
    bool elsewhere;       /* and that is a temporary one */
    rb_ddl ddl;           /* of the statement being run */
    rb_strs expected;     /* tables to count at the beginning */
    bool selects;         /* the statement being prepared has a SELECT in it */
    rb_strs reads;        /* what the statement being prepared reads: table, column, table, ... */
    rb_watch_source *sources;
    size_t source_count;
    rb_keyset known_sources;
    rb_strs again; /* tables to hold at the beginning: they are dropped and made again */
};

enum rb_code rb_watch_begin(rb_db *db, rb_err *err) RB_MUST_USE;
void rb_watch_expect(rb_db *db, const char *table);
enum rb_code rb_watch_end(rb_losses *out, rb_db *db, rb_err *err) RB_MUST_USE;
json_t *rb_watch_touched(rb_db *db);
void rb_watch_free(rb_watch *watch);

/* While a statement is prepared: it writes to this table. */
void rb_watch_note(rb_watch *watch, const char *table);
/* It drops or alters this table: a name alone may be main's or a temporary table's. */
void rb_watch_note_ddl(rb_watch *watch, const char *table, bool drops, bool in_main);
/* What the table of that name at the beginning is called now; NULL when it was dropped. */
const char *rb_watch_name_now(const rb_watch *watch, const char *was);

/* Around each statement of a script; len bytes of sql. */
enum rb_code rb_watch_before(rb_sqlite *db, const char *sql, size_t len, rb_err *err) RB_MUST_USE;
void rb_watch_after(rb_sqlite *db);

/* Is a change in this table of interest? *keyless: it has no rowid. */
bool rb_watch_wants(rb_watch *watch, const char *table, bool *keyless);
/* A change in the table that rb_watch_wants() was asked for last. */
void rb_watch_change(rb_watch *watch, const rb_sqlite_change *change);

/* value_provenance.c */
/* While a statement is prepared: it reads this column. */
void rb_watch_read(rb_watch *watch, const char *table, const char *column);
/* The statement is prepared: what it reads may be in every table of noted[]. */
void rb_watch_keep_sources(rb_watch *watch, const char *sql, size_t len);
void rb_watch_rename_sources(rb_watch *watch, const char *from, const char *to);
void rb_watch_forget_sources(rb_watch *watch);
/*
 * Of a table (column NULL) or column that scripts made: which columns of its own table, unquoted,
 * that were there before its values may come from. False when they may come from elsewhere, or when
 * the scripts did not make it but gave it its name. Of a value that is made of many rows only the
 * own one's columns are told.
 */
bool rb_watch_sources(rb_strs *out, const rb_watch *watch, const char *table, const char *column);

/* rebuilt.c */
enum rb_code rb_watch_before_drop(rb_sqlite *db, rb_watch_table *table, rb_err *err) RB_MUST_USE;
void rb_watch_renamed(rb_watch *watch, const char *from, const char *to); /* not one of watch's */
void rb_watch_heirs_clear(rb_watch_table *table);

/* virtual.c: no hook sees rows of a virtual table change. */
/* Has it data of its own, rather than an index of other tables' data, or a view of it? */
enum rb_code rb_watch_find_store(bool *out, rb_sqlite *db, const char *table,
                                 rb_err *err) RB_MUST_USE;
enum rb_code rb_watch_virtual_rows(int64_t *rows, rb_sqlite *db, rb_watch_table *table,
                                   const char *name, rb_err *err) RB_MUST_USE;
/* A virtual table, before the first statement that writes to it. */
enum rb_code rb_watch_before_write(rb_sqlite *db, rb_watch_table *table, rb_err *err) RB_MUST_USE;
/* Holds all rows of a table, which is as it was at the beginning. */
enum rb_code rb_watch_hold(rb_sqlite *db, rb_watch_table *table, rb_err *err) RB_MUST_USE;
/* Held rows that the table of that name has not got now; and its columns that are gone. */
enum rb_code rb_watch_held_lost(int64_t *lost, rb_strs *gone, rb_sqlite *db, rb_watch_table *table,
                                const char *name, rb_err *err) RB_MUST_USE;

/* A default as SQL that stands for its value wherever it is written; a new string. */
char *rb_watch_fallback(const char *fallback);

/* risk.c: rows of a table, and of each column the values other than its default. names: as
 * the table has them now; values[i] is -1 where names[i] is NULL. */
enum rb_code rb_watch_count(int64_t *rows, int64_t *values, rb_sqlite *db, const char *table,
                            const char *const *names, const char *const *fallbacks, size_t n,
                            rb_err *err) RB_MUST_USE;
enum rb_code rb_watch_losses(rb_losses *out, rb_sqlite *db, rb_err *err) RB_MUST_USE;

#endif
