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

/* Of the scripts that ran: which ones the data of a backup had gone through. */
enum rb_scripts_known {
    RB_SCRIPTS_OTHER, /* none: what they made only has the name of what was destroyed */
    RB_SCRIPTS_SOME,  /* others are new, or were edited since: what they wrote stays */
    RB_SCRIPTS_ALL,
};

struct rb_backup_spec; /* backup.h */
struct rb_restore_options;

typedef struct rb_db_driver {
    const char *engine;
    const char *(*version)(const rb_db *db);

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
    void (*scratch_stop)(void);
    enum rb_code (*scratch)(rb_db **out, int64_t clock, rb_err *err);
    /* Keeps what a scratch database holds, outside a transaction, for later ones; and opens one
     * that begins with it, or *out is NULL. NULL where running the scripts again costs less. */
    enum rb_code (*scratch_keep)(rb_db *db, const char *key, rb_err *err);
    enum rb_code (*scratch_at)(rb_db **out, const char *key, rb_err *err);
    enum rb_code (*size)(int64_t *bytes, rb_db *db, rb_err *err);
    enum rb_code (*data_version)(int64_t *out, rb_db *db, rb_err *err);
    /* A copy to rehearse in, below dir where it is large: with rows, which keeps the state before
     * for compare and count; or of the schema alone, and of what is applied. */
    enum rb_code (*rehearse)(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
    enum rb_code (*identity)(char **out, rb_db *db, rb_err *err);
    /* NULL where no other host can use the database: names the session for those who look at the
     * server; waits until no other session has that name, RB_BUSY if one goes on for long; takes
     * the lock of that key until the transaction ends, RB_BUSY if what (shown) holds it. */
    enum rb_code (*label)(rb_db *db, const char *label, rb_err *err);
    enum rb_code (*await)(rb_db *db, const char *label, rb_err *err);
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
    /* Statements one by one, each undone alone when it fails; done[i] is set for those that ran,
     * and those set already are left out. *why: the last failure that is not a broken constraint.
     */
    enum rb_code (*seed)(rb_db *db, const rb_db_text *sql, json_t *done, char **why, rb_err *err);

    /* The locks of this transaction on the tables that there were before a script: [{"table",
     * "mode","rewrites","scans"}], the strongest on each, whether its file is another one now, and
     * whether all of it was read. before: what the function gave before the script, with NULL
     * then. NULL where an engine locks whole databases. */
    enum rb_code (*locks)(json_t **out, rb_db *db, const json_t *before, rb_err *err);

    enum rb_code (*catalog)(json_t **out, rb_db *db, rb_err *err);
    /* Numbers that scripts can give the database as a whole, by name. Not in the
     * catalog: an application may count on by itself. */
    enum rb_code (*settings)(json_t **out, rb_db *db, rb_err *err);
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

    /* backup.h. part: what the driver keeps between compare and restore. applied: {id: up_sha256}
     * of the migrations that were applied when the backup was made. */
    enum rb_code (*backup)(json_t **left_out, rb_db *db, const struct rb_backup_spec *spec,
                           rb_err *err);
    enum rb_code (*backup_finish)(rb_db *db, const struct rb_backup_spec *spec, rb_err *err);
    enum rb_code (*backup_size)(int64_t *bytes, json_t **left_out, rb_db *db,
                                const struct rb_backup_spec *spec, rb_err *err);
    enum rb_code (*restore_compare)(void **part, json_t *applied, rb_db *db, const char *path,
                                    const struct rb_restore_options *options, rb_err *err);
    /* undone: all scripts of the backup are. */
    enum rb_code (*restore)(json_t **report, void *part, bool undone, enum rb_scripts_known known,
                            rb_err *err);
    void (*restore_free)(void *part);
} rb_db_driver;

#define RB_DB_LABEL "rbtool:%s" /* of the session that carries out a transition */

struct rb_db {
    const rb_db_driver *driver;
};

extern const rb_db_driver rb_sqlite_driver;
extern const rb_db_driver rb_postgres_driver;

#endif
