/*
 * The functions that a database engine has to provide. The functions of database.h check the order
 * of calls and then call the driver's. SQL that only one engine understands is in its driver. A new
 * engine needs one rb_db_driver and an entry in engines.c. The functions of database.h name the
 * driver in each database that it opens.
 */
#ifndef RB_DATABASE_DRIVER_H
#define RB_DATABASE_DRIVER_H

#include "database/database.h"

/* An SQL text, with its origin for error messages. */
typedef struct rb_db_text {
    const char *text; /* NUL-terminated */
    size_t line;      /* line of the first byte in file, from 1 */
    const char *file; /* for messages: "db/7.down.sql" */
    const char *what; /* for messages: "migration 7 (down)" */
    bool commits;     /* as in rb_db_step */
} rb_db_text;

/* Values of made-up rows. A failure with only some kinds depends on the values; a failure with all
 * of them happens to every row. */
enum rb_sample_kind {
    RB_SAMPLE_PLAIN, /* values that applications usually write */
    RB_SAMPLE_NAMED, /* values that the scripts compare with; elsewhere plain ones */
    RB_SAMPLE_OTHER, /* other values; NULL or the default if a column has one */
    RB_SAMPLE_NONE,  /* no made-up rows */
    RB_SAMPLE_KINDS
};

typedef struct rb_samples {
    enum rb_sample_kind kind;
    const json_t *literals;
} rb_samples;

enum rb_backup_use { RB_BACKUP_CREATE, RB_BACKUP_FINISH, RB_BACKUP_RESTORE };

/* A backup that is open. The driver's own structure begins with it. */
typedef struct rb_backup_file {
    rb_db *db; /* the database that the backup belongs to */
    char *path;
    char *prefix;  /* in SQL, comes before the names of its tables; NULL: not attached */
    int number;    /* number of this file among those that are attached to db */
    json_t *about; /* the document (backup.h), as it was given to backup_close() */
    bool (*proceed)(void *context, const char *table, int64_t rows); /* false stops; or NULL */
    void *context;
} rb_backup_file;

typedef struct rb_db_driver {
    const char *engine;
    const char *(*version)(const rb_db *db);
    /* Shell functions that call the engine's own client. Their names begin with the engine's: _save
     * DATABASE FILE, _restore DATABASE FILE (nothing if it was not saved), _has DATABASE TABLE,
     * _apply DATABASE SCRIPTS... in one transaction, and, if there are `segments`, _each DATABASE
     * SCRIPTS..., which have their own BEGIN and COMMIT. */
    const char *shell;
    const char *between;  /* SQL for that client: undoes what a script set, before the next one */
    const char *programs; /* names of the programs that `shell` calls, for people */

    /* Suffixes of the files beside a database's file while it is in use; NULL if it is not a file.
     * In the functions, rest: the url without its scheme. */
    const char *const *beside;
    const char *backup_suffix; /* suffix of the names of backups */
    enum rb_code (*inspect)(rb_db_target *out, const char *rest, rb_err *err);
    enum rb_code (*discard)(const char *rest, rb_err *err);
    enum rb_code (*open)(rb_db **out, const char *rest, enum rb_db_mode mode, rb_err *err);
    enum rb_code (*make_writable)(rb_db *db, rb_err *err); /* NULL: needs another connection */
    /* Starts the server for scratch databases, for this process and those forked later. NULL if the
     * engine needs none. limits: of the scripts, or NULL. */
    enum rb_code (*scratch_start)(const rb_db_limits *limits, rb_err *err);
    /* Sets the url of that server, unless url is NULL. Returns whether one is set. */
    bool (*scratch_server)(const char *url);
    void (*scratch_stop)(void);
    /* Sets a folder in which the server's data is kept for later commands; NULL: not kept. */
    void (*scratch_cache)(const char *dir);
    void (*scratch_allow)(const rb_strs *extensions, bool code); /* rb_db_scratch_allow() */
    enum rb_code (*scratch)(rb_db **out, int64_t clock, rb_err *err);
    /* Returns a text that identifies the program which runs scratch databases, since another one
     * may give another catalog for the same scripts. A new string; NULL: unknown. */
    char *(*scratch_maker)(void);
    /* Both outside a transaction: save() appends the bytes of a scratch database, and load() fills
     * an empty one with them. NULL if scratch databases are on a server. */
    enum rb_code (*save)(rb_buf *out, rb_db *db, rb_err *err);
    enum rb_code (*load)(rb_db *db, const rb_buf *bytes, rb_err *err);
    /* On a server: scratch_keep() stores the state of a scratch database for later ones, outside a
     * transaction. scratch_at() opens one in the state of the first of the keys that has one; *out
     * is NULL if none has. */
    enum rb_code (*scratch_keep)(rb_db *db, const char *key, rb_err *err);
    enum rb_code (*scratch_at)(rb_db **out, size_t *which, const rb_strs *keys, rb_err *err);
    /* Copies a scratch database, outside a transaction, so that other programs can open it after
     * this process has ended: into the folder dir, or in its server. */
    enum rb_code (*lend)(char **url, rb_db *db, const char *dir, rb_err *err);
    enum rb_code (*size)(int64_t *bytes, rb_db *db, rb_err *err);
    enum rb_code (*data_version)(int64_t *out, rb_db *db, rb_err *err);
    /* Opens a copy for a rehearsal, in dir if it is large. rows: copies the rows, and keeps the
     * state before for compare and count; otherwise copies only the schema and what is applied. */
    enum rb_code (*rehearse)(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
    /* As rb_db_copy(). db is NULL if dump is given, or if the database does not exist. */
    enum rb_code (*copy)(char **url, rb_db *db, const char *dump, const char *into, rb_err *err);
    enum rb_code (*identity)(char **out, rb_db *db, rb_err *err);
    /* label, await and lock are NULL if no other host can use the database. label: names the
     * session, so that administrators can see it. await: waits until no other session has that
     * name, as rb_db_await(). lock: takes the lock `key` until the transaction ends; RB_BUSY if
     * another session holds it, named `what` in the message. */
    enum rb_code (*label)(rb_db *db, const char *label, rb_err *err);
    enum rb_code (*await)(rb_db *db, const char *label, int seconds, bool terminate, rb_err *err);
    enum rb_code (*lock)(rb_db *db, int64_t key, const char *what, rb_err *err);
    /* As rb_engine_outside(). */
    void (*outside)(const char *sql, size_t len, rb_outside_found *found, void *context);
    void (*close)(rb_db *db);
    void (*interrupt)(rb_db *db);
    enum rb_code (*limit)(rb_db *db, const rb_db_limits *limits, rb_err *err);
    bool (*limited)(const rb_db *db);

    /* Runs rbtool's own statements. rows may be NULL; limit: their bytes. Parameters are $1, $2,
     * ... */
    enum rb_code (*query)(json_t **rows, rb_db *db, size_t limit, const char *sql,
                          const json_t *params, rb_err *err);
    enum rb_code (*check)(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);

    enum rb_code (*begin)(rb_db *db, rb_err *err);
    enum rb_code (*commit)(rb_db *db, rb_err *err);
    void (*rollback)(rb_db *db);
    bool (*in_transaction)(const rb_db *db);

    /* Runs all statements of a text inside the transaction. RB_ERROR names the statement and its
     * line. Adds what they may write to effects (loss.h), unless that is NULL. */
    enum rb_code (*script)(json_t *effects, rb_db *db, const rb_db_text *sql, rb_err *err);
    /* As rb_db_segments(), rb_db_hold() and rb_db_alone(). NULL if every script can run in a
     * transaction. */
    void (*segments)(rb_db_step *steps, size_t n);
    enum rb_code (*hold)(rb_db *db, rb_err *err);
    enum rb_code (*alone)(bool *happened, rb_db *db, const rb_db_text *sql, enum rb_alone act,
                          json_t *had, rb_err *err);
    /* Runs statements one by one, and undoes each one that fails. Skips those whose done[i] is
     * true, and sets done[i] for those that succeeded. *why: the last error that is not a
     * constraint violation. */
    enum rb_code (*seed)(rb_db *db, const rb_db_text *sql, json_t *done, char **why, rb_err *err);

    /* As rb_db_locks(): the strongest lock on each table, "rewrites" if its file was replaced, and
     * "scans" if all of it was read. NULL for engines that lock whole databases. */
    enum rb_code (*locks)(json_t **out, rb_db *db, const json_t *before, rb_err *err);

    /* As rb_db_lock_tables(). NULL if locks is NULL. */
    enum rb_code (*lock_tables)(rb_db *db, const json_t *locks, rb_err *err);

    enum rb_code (*catalog)(json_t **out, rb_db *db, rb_err *err);
    /* As rb_db_recovery_point(). NULL if a database is a file. */
    enum rb_code (*recovery_point)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* Reads numbers that scripts can set for the whole database, by name. They are not in the
     * catalog, since an application may change them. */
    enum rb_code (*settings)(json_t **out, rb_db *db, rb_err *err);
    /* As rb_db_facts(). NULL if the settings are all. */
    enum rb_code (*facts)(json_t **out, rb_db *db, rb_err *err);
    /* As rb_db_obstacles(). NULL if nothing else can use the database. */
    enum rb_code (*obstacles)(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
    /* Queries for tracking tables. columns_sql: the column names of table $1, in lower case and
     * bytewise order. objects_sql: (name, is it a table) of the user's objects. */
    const char *columns_sql;
    const char *objects_sql;
    const char *hex_of_checksum; /* SQL: the column `checksum` in hexadecimal */
    const char *bytes_prefix;    /* how a literal of bytes in hexadecimal begins, with its quote */
    /* Finds broken references that scripts with these effects can cause (NULL: all references):
     * {"TABLE -> PARENT": {"count", "example", "rows"}}. "rows" identifies them where possible:
     * [hash of row and constraint, hash of the reference's values, rowid or null]. NULL if the
     * engine enforces references itself. */
    enum rb_code (*violations)(json_t **out, rb_db *db, const json_t *effects, rb_err *err);
    /* Returns the foreign keys that the last call of violations could not check, as keys "TABLE ->
     * PARENT". NULL if violations is NULL. */
    json_t *(*mismatches)(const rb_db *db);

    /*
     * Compares tables with the state before. tables: [{"table","columns","recreated","rows"}].
     * *out: what is missing now, [{"table","column" or null,"rows","values","exact"}] (loss.h).
     *
     * In tables, "columns": the only columns that can differ, or null; "recreated": the table was
     * dropped or renamed meanwhile; "rows": rows may have been deleted or replaced; "nulls",
     * optional: columns in which a NULL that is now a value counts; "added", optional: true adds an
     * item with "added", the number of new rows. Rows are matched by key, else by their rowid if
     * that is stable, else as multisets. After a comparison in a rehearsal's copy no script may run
     * there.
     */
    enum rb_code (*compare)(json_t **out, rb_db *db, const json_t *tables, rb_err *err);
    /* Counts what places [{"table","column","fresh"}] hold, in the form of compare: for a column,
     * its values that differ from "fresh" (SQL), or all. Counts in the state before if one was
     * kept. */
    enum rb_code (*count)(json_t **out, rb_db *db, const json_t *places, rb_err *err);

    /* Inserts a made-up row into each empty table where that is possible. filled: {table: has
     * rows}; tables that are true already are skipped. */
    enum rb_code (*fill)(json_t *filled, rb_db *db, const rb_samples *samples, rb_err *err);
    /* Adds the values that a script compares columns with: {"column in lower case": [SQL
     * literals]}. */
    void (*literals)(json_t *literals, const char *sql, size_t len);
    /* In a scratch database, keeps the rows of tables as the state before, for compare and count.
     * Skips tables that `kept` has, and adds the others: true, or false if they cannot be read. */
    enum rb_code (*keep)(json_t *kept, rb_db *db, rb_err *err);

    /*
     * The following members are for backup.c and restore.c, which write the SQL. In it `n` is a row
     * of the database, and `d` the row of a backup that belongs to it.
     *
     * Describes a table as it is now; NULL if it does not exist: {"sql": its name in SQL,
     * "columns": those that hold data, without generated ones, "key": the declared key, or a unique
     * one of NOT NULL columns; may be empty, "collations": {column of the key: text to add in a
     * comparison}, "defaults": {column: default as SQL, if that is a literal}, "types": {column:
     * type as SQL, if a backup has its values as text}, may be missing, "rowid": the hidden column
     * that identifies a row, or null, "instead": the tables that store its rows if it cannot be
     * read, "definition": for people}.
     */
    enum rb_code (*table)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* Lists the foreign keys of a table: [{"columns","table","to"}]. */
    enum rb_code (*foreign_keys)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* Reads the next numbers that a table's sequences give; NULL if it has none. */
    enum rb_code (*counter)(json_t **out, rb_db *db, const char *name, rb_err *err);
    enum rb_code (*set_counter)(rb_db *db, const char *name, const json_t *counter, rb_err *err);
    void (*triggers)(rb_db *db, bool on);
    /* Lists the indexes of a table that only triggers keep, and that agree with it now: an array of
     * SQL that builds each from the table. NULL if the engine has none. */
    enum rb_code (*rebuilds)(json_t **out, rb_db *db, const char *name, rb_err *err);
    /* Runs one statement. *refused: it violated a constraint and had no effect. */
    enum rb_code (*attempt)(bool *refused, rb_db *db, const char *sql, const json_t *params,
                            rb_err *err);
    const char *insert; /* "INSERT" in a form that fails if a constraint is violated, even if the
                           table's definition says to ignore that */
    const char *update; /* "UPDATE" in such a form */
    const char *overriding; /* follows the columns of an INSERT that sets generated keys; or NULL */
    /* Appends a condition: two expressions have the same value and type. */
    void (*same)(rb_buf *out, const char *a, const char *b);
    /* hash: appends the hash of the columns of `row`, "n" or "d". matches: appends a condition:
     * d.rbtool_hash is the hash of row n, except for the columns of `ignored`. */
    void (*hash)(rb_buf *out, const char *row, const json_t *columns);
    void (*matches)(rb_buf *out, const json_t *columns, const json_t *ignored);
    const char *length; /* SQL for the bytes of a value, with @ for the column */
    /* Returns a default of the catalog as SQL; NULL if it is not a literal. A new string. */
    char *(*default_value)(const char *text);

    /* Opens or creates the file or folder of a backup. Reads file->about, unless it is new. */
    enum rb_code (*backup_open)(struct rb_backup_file **out, rb_db *db, const char *path,
                                enum rb_backup_use use, rb_err *err);
    /* Makes the tables of the backup visible to the database's SQL, with file->prefix before their
     * names, which scripts cannot use. RB_FOUND if no more files can be attached. */
    enum rb_code (*backup_attach)(struct rb_backup_file *file, rb_err *err);
    /* Writes the rows of `select` into a new table. Adds a first column rbtool_row, which counts
     * from 1. */
    enum rb_code (*backup_copy)(struct rb_backup_file *file, const json_t *table,
                                const char *select, rb_err *err);
    /* Updates rows: `select` gives rbtool_row, and its new rbtool_state and rbtool_hash. */
    enum rb_code (*backup_note)(struct rb_backup_file *file, const json_t *table,
                                const char *select, rb_err *err);
    /* Writes `about` unless it is NULL, and syncs the file. Always frees `file`. */
    enum rb_code (*backup_close)(struct rb_backup_file *file, const json_t *about, rb_err *err);
} rb_db_driver;

#define RB_DB_LABEL "rbtool:%s" /* name of the session that carries out a transition */

struct rb_db {
    const rb_db_driver *driver;
};

const rb_db_driver *rb_engine_driver(const char *engine); /* NULL if it is unknown */
extern const rb_db_driver rb_sqlite_driver;
extern const rb_db_driver rb_postgres_driver;

#endif
