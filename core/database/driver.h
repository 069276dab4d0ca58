/*
 * What a database engine has to provide. database.h's functions check their order of calls and
 * hand over to the driver; everything in SQL that one engine only understands is behind this table.
 * A new engine is one more table and an entry in database.c.
 */
#ifndef RB_DATABASE_DRIVER_H
#define RB_DATABASE_DRIVER_H

#include "database/database.h"

/* SQL from outside, with what an error message needs. */
typedef struct rb_db_text {
    const char *text; /* NUL-terminated */
    size_t line;      /* of text's first byte in file, from 1 */
    const char *file; /* "db/7.down.sql"; shown */
    const char *what; /* "migration 7 (down)"; shown */
} rb_db_text;

/* Made-up rows differ in their values, so that what depends on a value can be
 * distinguished from what every row meets. */
enum rb_sample_kind {
    RB_SAMPLE_PLAIN, /* as an application fills such columns */
    RB_SAMPLE_NAMED, /* values that the scripts name, elsewhere as plain */
    RB_SAMPLE_OTHER, /* others; no value, or the default, where a column may go without */
    RB_SAMPLE_NONE,  /* no made-up rows */
    RB_SAMPLE_KINDS
};

typedef struct rb_samples {
    enum rb_sample_kind kind;
    const json_t *literals;
} rb_samples;

enum rb_backup_use { RB_BACKUP_CREATE, RB_BACKUP_FINISH, RB_BACKUP_RESTORE };

/* The first member of what a driver keeps for one. */
typedef struct rb_backup_file {
    rb_db *db; /* whose backup it is */
    char *path;
    char *prefix;  /* of its tables' names in SQL; NULL: not attached */
    int number;    /* of those that are attached to db */
    json_t *about; /* as backup_close() was given it */
    bool (*proceed)(void *context, const char *table, int64_t rows); /* false stops; or NULL */
    void *context;
} rb_backup_file;

typedef struct rb_db_driver {
    const char *engine;
    const char *(*version)(const rb_db *db);
    /* Functions for a shell script that uses the engine's own program, with the engine's name in
     * front: _save DATABASE FILE, _has DATABASE TABLE, _apply DATABASE SCRIPTS... in one
     * transaction, _each DATABASE SCRIPTS... without one. */
    const char *shell;
    const char *programs; /* that these call, for people */

    /* rest: the url without its scheme. beside: what the names of files next to a database's own
     * end with, while it is in use; NULL where it is not a file. */
    const char *const *beside;
    const char *backup_suffix; /* of the names of its backup files */
    enum rb_code (*inspect)(rb_db_target *out, const char *rest, rb_err *err);
    enum rb_code (*discard)(const char *rest, rb_err *err);
    enum rb_code (*open)(rb_db **out, const char *rest, enum rb_db_mode mode, rb_err *err);
    /* The server that scratch databases are in, of this process and of those forked later; NULL
     * where they need none. limits: of the scripts, or NULL. */
    enum rb_code (*scratch_start)(const rb_db_limits *limits, rb_err *err);
    /* Sets the url of that server, unless it is NULL; returns whether one is set. */
    bool (*scratch_server)(const char *url);
    void (*scratch_stop)(void);
    /* Sets a folder in which it is kept for later commands; NULL: none. */
    void (*scratch_cache)(const char *dir);
    enum rb_code (*scratch)(rb_db **out, int64_t clock, rb_err *err);
    /* Keeps what a scratch database holds, outside a transaction, for later ones; and opens one
     * that begins with the first of the keys that has something, or *out is NULL. NULL where
     * running the scripts again costs less. */
    enum rb_code (*scratch_keep)(rb_db *db, const char *key, rb_err *err);
    enum rb_code (*scratch_at)(rb_db **out, size_t *which, const rb_strs *keys, rb_err *err);
    /* Copies a scratch database, outside a transaction, to where other programs can open it when
     * this process has ended: into the folder dir, or in its server. */
    enum rb_code (*lend)(char **url, rb_db *db, const char *dir, rb_err *err);
    enum rb_code (*size)(int64_t *bytes, rb_db *db, rb_err *err);
    enum rb_code (*data_version)(int64_t *out, rb_db *db, rb_err *err);
    /* A copy to rehearse in, below dir where it is large: with rows, which keeps the state before
     * for compare and count; or of the schema alone, and of what is applied. */
    enum rb_code (*rehearse)(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
    /* As rb_db_copy(); db: NULL where dump is given, or the database does not exist. */
    enum rb_code (*copy)(char **url, rb_db *db, const char *dump, const char *into, rb_err *err);
    enum rb_code (*identity)(char **out, rb_db *db, rb_err *err);
    /* NULL where no other host can use the database: names the session for those who look at the
     * server; waits until no other session has that name (as rb_db_await()); takes
     * the lock of that key until the transaction ends, RB_BUSY if what (shown) holds it. */
    enum rb_code (*label)(rb_db *db, const char *label, rb_err *err);
    enum rb_code (*await)(rb_db *db, const char *label, int seconds, bool terminate, rb_err *err);
    enum rb_code (*lock)(rb_db *db, int64_t key, const char *what, rb_err *err);
    /* As rb_engine_outside(). */
    void (*outside)(const char *sql, size_t len, rb_outside_found *found, void *context);
    void (*close)(rb_db *db);
    void (*interrupt)(rb_db *db);
    enum rb_code (*limit)(rb_db *db, const rb_db_limits *limits, rb_err *err);
    bool (*limited)(const rb_db *db);

    /* rows may be NULL. limit: bytes of them. Parameters are written $1, $2, ... */
    enum rb_code (*query)(json_t **rows, rb_db *db, size_t limit, const char *sql,
                          const json_t *params, rb_err *err);
    enum rb_code (*check)(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);

    enum rb_code (*begin)(rb_db *db, rb_err *err);
    enum rb_code (*commit)(rb_db *db, rb_err *err);
    void (*rollback)(rb_db *db);
    bool (*in_transaction)(const rb_db *db);

    /* All statements of a text, inside the transaction. RB_ERROR says what failed and where. What
     * they may write is added to effects (loss.h), unless that is NULL. */
    enum rb_code (*script)(json_t *effects, rb_db *db, const rb_db_text *sql, rb_err *err);
    /* As rb_db_segments(), rb_db_hold() and rb_db_alone(); NULL where one transaction takes every
     * script, as in a database that only one process writes. */
    void (*segments)(rb_db_step *steps, size_t n);
    enum rb_code (*hold)(rb_db *db, rb_err *err);
    enum rb_code (*alone)(bool *happened, rb_db *db, const rb_db_text *sql, enum rb_alone act,
                          json_t *had, rb_err *err);
    /* Statements one by one, each undone alone when it fails; done[i] is set for those that ran,
     * and those set already are left out. *why: the last failure that is not a broken constraint.
     */
    enum rb_code (*seed)(rb_db *db, const rb_db_text *sql, json_t *done, char **why, rb_err *err);

    /* The locks of this transaction on the tables that there were before a script: [{"table",
     * "mode","rewrites","scans"}], the strongest on each, whether its file is another one now, and
     * whether all of it was read. before: what the function gave before the script, with NULL
     * then. NULL where an engine locks whole databases. */
    enum rb_code (*locks)(json_t **out, rb_db *db, const json_t *before, rb_err *err);

    /* As rb_db_lock_tables(); NULL with locks. */
    enum rb_code (*lock_tables)(rb_db *db, const json_t *locks, rb_err *err);

    enum rb_code (*catalog)(json_t **out, rb_db *db, rb_err *err);
    /* As rb_db_recovery_point(); NULL where a database is a file. */
    enum rb_code (*recovery_point)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* Numbers that scripts can give the database as a whole, by name. Not in the
     * catalog: an application may count on by itself. */
    enum rb_code (*settings)(json_t **out, rb_db *db, rb_err *err);
    /* As rb_db_facts(); NULL: the settings are all. */
    enum rb_code (*facts)(json_t **out, rb_db *db, rb_err *err);
    /* As rb_db_obstacles(); NULL where nothing else can use the database. */
    enum rb_code (*obstacles)(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
    /* Queries for tracking tables: (name) of the columns of table $1, in lower case and bytewise
     * order; (name, is it a table) of what the user has in the database. */
    const char *columns_sql;
    const char *objects_sql;
    const char *hex_of_checksum; /* of the column checksum, in hexadecimal */
    const char *bytes_prefix;    /* of a literal of bytes in hexadecimal, to its quote */
    /* Broken references, of those that scripts with these effects can break (NULL: all): {"TABLE ->
     * PARENT": {"count", "example", "rows"}}, rows as far as they are distinguishable: [hash of row
     * and constraint, hash of the reference's values, rowid or null].
     * NULL where the engine enforces references itself.
     */
    enum rb_code (*violations)(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
    /* Foreign keys that the last call of violations could not check, "TABLE -> PARENT", as keys.
     * NULL with violations. */
    json_t *(*mismatches)(const rb_db *db);

    /*
     * Of each table of [{"table","columns","recreated","rows"}], what of the state before is not
     * there now: [{"table","column" or null,"rows","values","exact"}], as loss.h says.
     * "columns": the only ones that can differ, or null. "recreated": the table was dropped or
     * renamed meanwhile. "rows": rows may have been deleted or replaced. Rows are matched by key,
     * or by their place where that stays, else as multisets. "nulls": where it is given, columns in
     * which a NULL that is now a value counts. With "added": true an item with
     * "added" counts rows that were not there. After a rehearsal's copy was compared, no script
     * runs in it.
     */
    enum rb_code (*compare)(json_t **out, rb_db *db, const json_t *tables, rb_err *err);
    /* The same items for places [{"table","column","fresh"}], of what they hold: of a column, the
     * values other than "fresh" (SQL), or all. Counts in the state before where there is one. */
    enum rb_code (*count)(json_t **out, rb_db *db, const json_t *places, rb_err *err);

    /* Puts a made-up row into each empty table where one can be made. filled: name -> has it rows;
     * tables that are true there already are not looked at. */
    enum rb_code (*fill)(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err);
    /* Adds what a script compares columns with: {"column in lower case": [SQL literals]}. */
    void (*literals)(json_t *literals, const char *sql, size_t len);
    /* In a scratch database: keeps the rows of each table that kept does not name as its state
     * before, for compare and count, and names it there; false where they cannot be read. */
    enum rb_code (*keep)(json_t *kept, rb_db *db, rb_err *err);

    /*
     * For backup.c and restore.c, which write the SQL. In it `n` is a row of the database, and `d`
     * the row of a backup that belongs to it.
     *
     * A table as it is now; NULL if there is none: {"sql": its name in SQL, "columns": those that
     * hold data, no generated ones, "key": the declared key, or a unique one of NOT NULL columns;
     * perhaps empty, "collations": {column of the key: what has to follow it in a comparison},
     * "defaults": {column: its default as SQL, where that is a literal}, "types": {column: its type
     * as SQL, where a backup keeps its values as text}, perhaps missing, "rowid": the hidden column
     * that keeps a row's place, or null, "instead": the tables that hold its rows where these
     * cannot be read, "definition": for a person}.
     */
    enum rb_code (*table)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* [{"columns","table","to"}] */
    enum rb_code (*foreign_keys)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* Where the numbers go on that a table gives its rows; NULL: it gives none. */
    enum rb_code (*counter)(json_t **out, rb_db *db, const char *name, rb_err *err);
    enum rb_code (*set_counter)(rb_db *db, const char *name, const json_t *counter, rb_err *err);
    void (*triggers)(rb_db *db, bool on);
    /* One statement that a constraint may refuse: then nothing of it is kept. */
    enum rb_code (*attempt)(bool *refused, rb_db *db, const char *sql, const json_t *params,
                            rb_err *err);
    const char *insert;     /* "INSERT" and "UPDATE" that fail where a constraint is violated, */
    const char *update;     /* whatever the table's definition says of that */
    const char *overriding; /* after the columns of an INSERT that gives generated keys; or NULL */
    /* A condition: two expressions have the same value and type. */
    void (*same)(rb_buf *out, const char *a, const char *b);
    /* The hash of columns of row, "n" or "d"; and a condition: d.rbtool_hash is that of row n, but
     * for the columns of ignored. */
    void (*hash)(rb_buf *out, const char *row, const json_t *columns);
    void (*matches)(rb_buf *out, const json_t *columns, const json_t *ignored);
    const char *length; /* of a value, with @ for its column */
    /* A column's default, as the catalog has it, as SQL. A new string. */
    char *(*default_value)(const char *text);

    /* The file, or folder, that a backup is. file->about is read, except of a new one. */
    enum rb_code (*backup_open)(struct rb_backup_file **out, rb_db *db, const char *path,
                                enum rb_backup_use use, rb_err *err);
    /* Makes its tables known to the SQL of the database, under file->prefix and their name. No
     * script can mean them. RB_FOUND if no room is left. */
    enum rb_code (*backup_attach)(struct rb_backup_file *file, rb_err *err);
    /* Writes the rows that select gives, behind a number from 1, rbtool_row, into a new table. */
    enum rb_code (*backup_copy)(struct rb_backup_file *file, const json_t *table,
                                const char *select, rb_err *err);
    /* select: rbtool_row, rbtool_state and rbtool_hash as they are from now on. */
    enum rb_code (*backup_note)(struct rb_backup_file *file, const json_t *table,
                                const char *select, rb_err *err);
    /* Writes about, if it is not NULL, and syncs all. Frees the file in any case. */
    enum rb_code (*backup_close)(struct rb_backup_file *file, const json_t *about, rb_err *err);
} rb_db_driver;

#define RB_DB_LABEL "rbtool:%s" /* of the session that carries out a transition */

struct rb_db {
    const rb_db_driver *driver;
};

const rb_db_driver *rb_engine_driver(const char *engine); /* NULL if it is unknown */
extern const rb_db_driver rb_sqlite_driver;
extern const rb_db_driver rb_postgres_driver;

#endif
