/*
 * Access to the users' databases. Each engine has a driver in a folder of its own, with its foreign
 * library. A url is "sqlite:PATH", "sqlite::memory:" for scratch, or "postgresql://...", which may
 * have anything that libpq accepts.
 *
 * Order of calls for a change: rb_db_open, rb_db_begin, rb_db_run, (checks), rb_db_journal_add,
 * rb_db_commit. Everything from begin to commit is one transaction. Closing the database, or a
 * kill, rolls it back.
 *
 * rbtool's own tables in the user's database: rbtool_applied(sequence, id, up_sha256, release,
 * applied_at), rbtool_journal(transition_id, from_release, to_release, finished_at, engine_version,
 * catalog_before, catalog_after, sequence, pins), and rbtool_checksums(up_sha256, checksum), for
 * which see tracking.h. They are created inside the transaction if they are missing. Catalogs leave
 * out these tables and the tracking tables of other tools.
 */
#ifndef RB_DATABASE_DATABASE_H
#define RB_DATABASE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "migration/migration.h"

typedef struct rb_db rb_db;

enum rb_db_mode {
    RB_DB_READ,   /* never writes; the file must exist */
    RB_DB_WRITE,  /* may write; the file must exist */
    RB_DB_CREATE, /* may write; creates the file if it is missing */
};

/* Opens a database. Errors name the url without any password, the cause (which session holds the
 * lock, missing file, full disk) and a hint. Waits 5 s for a lock, then fails with RB_ERROR. */
enum rb_code rb_db_open(rb_db **out, const char *url, enum rb_db_mode mode, rb_err *err);
/* Makes a session of RB_DB_READ one of RB_DB_WRITE, which saves a server the reading of what the
 * session knows. *done is false, and nothing has happened, where the engine needs another one. */
enum rb_code rb_db_make_writable(bool *done, rb_db *db, rb_err *err);
void rb_db_close(rb_db *db); /* rolls back an open transaction */
RB_DEFINE_AUTO(rb_db, rb_db_close)

/* What a url points to, without opening the database. */
typedef struct rb_db_target {
    bool exists;
    bool writable;  /* this process may write it; true if the database is not a file */
    uint64_t bytes; /* size of the file; 0 if unknown */
} rb_db_target;

enum rb_code rb_db_inspect(rb_db_target *out, const char *url, rb_err *err);
/* Removes a database that rb_db_open() created and to which nothing was committed. Does nothing to
 * any other database. */
enum rb_code rb_db_discard(const char *url, rb_err *err);
/* Returns the suffixes of the files that the engine keeps beside the database's file, such as
 * "-wal". The list ends with NULL; it is empty if the database is not a file. */
const char *const *rb_db_files_beside(const char *url);
/* Returns the suffix of the names of this engine's backups. */
const char *rb_db_backup_suffix(const char *url);

const char *rb_db_engine(const rb_db *db);  /* "sqlite", "postgresql" */
const char *rb_db_version(const rb_db *db); /* "3.40.1" */
/* Identifies the database itself: a copy has another identity. SQLite: device and inode of its
 * file. *out is NULL for a database in memory. */
enum rb_code rb_db_identity(char **out, rb_db *db, rb_err *err);
/* Names the server session after the transition, so that administrators can see it. */
enum rb_code rb_db_label(rb_db *db, const char *transition, rb_err *err);
bool rb_engine_known(const char *engine);
/* Returns shell functions that apply scripts with the engine's own client (driver.h). */
const char *rb_engine_shell(const char *engine);
const char *rb_engine_between(const char *engine); /* SQL that keeps two scripts apart there */
const char *rb_engine_programs(
    const char *engine); /* names of the programs that the functions of rb_engine_shell() call */
/* Called for each part of an SQL text that acts outside the transaction, or that scripts must not
 * use. message: what it is, and what to do instead. */
typedef void rb_outside_found(void *context, size_t offset, const char *message);
void rb_engine_outside(const char *engine, const char *sql, size_t len, rb_outside_found *found,
                       void *context);

/*
 * Sets shared libraries that every SQLite database loads that this process opens from now on. They
 * provide functions, modules and collations that an application registers and its scripts need. The
 * paths are absolute and set by the operator, never by a release. If one cannot be loaded,
 * rb_db_open() fails and names it.
 */
void rb_db_extensions(const rb_strs *paths);
/* Makes rb_db_open() of a user's SQLite database fail with `why`, since its extensions cannot be
 * used. */
void rb_db_extensions_fail(const rb_err *why);

/* Interrupts a running statement of this handle, which then fails. May be called from a signal
 * handler. */
void rb_db_interrupt(rb_db *db);

/* Run one or more of rbtool's own statements. params: JSON array of strings, integers and nulls, or
 * NULL; $2 is the second one, and may occur several times. *rows: array of arrays; integers and
 * NULL stay as they are, everything else becomes a string. RB_ERROR if the rows exceed
 * RB_DB_QUERY_LIMIT bytes, since any user of the database may have written them. */
#define RB_DB_QUERY_LIMIT (16u << 20)
enum rb_code rb_db_exec(rb_db *db, const char *sql, const json_t *params, rb_err *err);
enum rb_code rb_db_query(json_t **rows, rb_db *db, const char *sql, const json_t *params,
                         rb_err *err);
/* Like rb_db_query(), with a limit in bytes instead of RB_DB_QUERY_LIMIT. */
enum rb_code rb_db_query_within(json_t **rows, rb_db *db, size_t limit, const char *sql,
                                const json_t *params, rb_err *err);

/* Lists a table's columns in lower case and bytewise order; none if the table does not exist. */
enum rb_code rb_db_columns(rb_strs *names, rb_db *db, const char *table, rb_err *err);
enum rb_code rb_db_has_table(bool *out, rb_db *db, const char *table, rb_err *err);
/* Creates a table by running sql, unless a table of that name is visible to statements. CREATE
 * TABLE IF NOT EXISTS would look only in the schema of the new table, which could then hide an
 * existing one. */
enum rb_code rb_db_make_table(rb_db *db, const char *table, const char *sql, rb_err *err);

/* Runs a data test: one query that may only read. *rows: at most `limit` rows, as objects by column
 * name. The test passed if there are none. */
enum rb_code rb_db_check(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);

/* Begins a transaction and takes the write lock; RB_BUSY if another run of rbtool holds it.
 * Enforcement of foreign keys is turned off before. Violations are counted now and after the
 * scripts, and new ones make rb_db_run() fail. */
enum rb_code rb_db_begin(rb_db *db, rb_err *err);
enum rb_code rb_db_commit(rb_db *db, rb_err *err);
void rb_db_rollback(rb_db *db);

/*
 * Limits for scripts. A script that exceeds one fails with RB_FOUND, and the message names the
 * limit and its setting. If scripts have a time limit, rbtool's own statements between two scripts
 * have the same one.
 */
typedef struct rb_db_limits {
    int seconds;     /* time of one script; 0: unlimited, and RB_DB_LIMITS_SECONDS for a check */
    bool statements; /* `seconds` applies to each statement of a script, and not to rbtool's own
                        statements */
    int lock_ms;     /* milliseconds that a statement waits for a lock; 0: unlimited */
    int memory;      /* MiB that the engine may allocate in the process; 0: unlimited */
    int size;        /* MiB of the database; 0: unlimited */
    const char
        *where; /* name of the setting for messages, such as "databases.main.limits"; borrowed */
    /* Called when the time of a script, or of rbtool's own statements, starts; or NULL. */
    void (*watch)(const struct rb_db_limits *limits, const char *what);
} rb_db_limits;

#define RB_DB_LIMITS_SECONDS 20
#define RB_DB_LIMITS_MEMORY 256
#define RB_DB_LIMITS_SIZE 2048

/* Sets the folder for scratch data that does not fit into memory, for the rest of the process. */
void rb_db_temporary_folder(const char *dir);

/* Sets the limits of this handle. */
enum rb_code rb_db_limit(rb_db *db, const rb_db_limits *limits, rb_err *err);
bool rb_db_limited(const rb_db *db); /* true if a script of this handle exceeded a limit */

/* The migrations that are applied in a database. */
typedef struct rb_applied {
    rb_strs ids;      /* in order of application */
    char *tracking;   /* name of the tool's tracking table, or "" */
    bool dirty;       /* the tool recorded that a migration stopped half-way */
    rb_strs disagree; /* ids that only one of rbtool_applied and the tracking table has. If any,
                         `ids` are those of the tracking table */
    rb_keys index;    /* of ids */
} rb_applied;

/* Reads which migrations are applied. set: gives their order, and those before the last one if the
 * tool records only that. tracking: "auto" or a tool's name. */
enum rb_code rb_db_applied(rb_applied *out, rb_db *db, const rb_migrations *set,
                           const char *tracking, rb_err *err);
void rb_applied_clear(rb_applied *applied);
/* Reads the ids from rbtool_applied only. */
enum rb_code rb_db_recorded(rb_strs *out, rb_db *db, rb_err *err);

/* One migration to apply or undo. */
typedef struct rb_db_step {
    const rb_migration *migration;
    bool up;
    const char *release; /* release to record in rbtool_applied */
    bool noted; /* a person ran the script already: only record it as applied or unapplied */
    /* The migration that is applied with the same scripts under another id, or NULL. Nothing runs:
     * its row gets the new id and keeps its position. */
    const rb_migration *was;
    /* Set by rb_db_segments(). border: the steps before this one have to be committed first. alone:
     * its script runs outside a transaction. commits: it also commits in a scratch database, so
     * that no rollback undoes it. */
    bool border;
    bool alone;
    bool commits;
} rb_db_step;

/*
 * A segment is a sequence of steps that share a transaction. If all scripts can run in one
 * transaction, there is one segment.
 *
 * A script that the engine refuses in a transaction (CREATE INDEX CONCURRENTLY) is a segment of its
 * own, with alone set: first the script runs, then a transaction records it. A segment also begins
 * before a script that uses an enum value which an earlier script adds: the value must be committed
 * first. A script that uses a value which it adds itself is alone if its tool runs it outside a
 * transaction.
 */
typedef struct rb_db_segment {
    size_t from; /* index of its first step */
    size_t to;   /* index after its last step */
    bool alone;
    bool last;
} rb_db_segment;

/* Sets `border`, `alone` and `commits` of the steps, which must not be set yet. */
void rb_db_segments(rb_db_step *steps, size_t n, const char *engine);
/* Finds segment `number`, counted from 0; false if it does not exist. A list without steps has one
 * empty segment. */
bool rb_db_segment_at(rb_db_segment *out, const rb_db_step *steps, size_t n, size_t number);
size_t rb_db_segment_count(const rb_db_step *steps, size_t n);
/* Keeps the lock against other runs of rbtool after the next commit, until the next begin. */
enum rb_code rb_db_hold(rb_db *db, rb_err *err);

/*
 * Runs the script of a segment that is alone, statement by statement and outside transactions.
 *
 * LOOK: before anything runs, stores in `had` (an object) what the other actions compare with. RUN:
 * runs the script. AGAIN: continues a script that was interrupted, without repeating statements
 * that took effect; RB_HALFWAY if it cannot find out whether one did. UNDO: drops the indexes that
 * the script made, also unfinished ones.
 *
 * *happened: a part of the script took effect; after a failed UNDO, a part remains.
 */
enum rb_alone { RB_ALONE_LOOK, RB_ALONE_RUN, RB_ALONE_AGAIN, RB_ALONE_UNDO };
enum rb_code rb_db_alone(bool *happened, rb_db *db, const rb_db_step *step, enum rb_alone act,
                         json_t *had, rb_err *err);

typedef struct rb_db_work {
    const rb_db_step *steps;
    size_t n;
    size_t more;          /* steps after these, for later transactions */
    const char *tracking; /* name of the tool's tracking table to maintain, "" for none */
    const rb_migrations
        *order; /* migrations of the target release, for tools that record only the last version */
    /* Effects that a rehearsal of the same work found: only references that these can break are
     * checked. NULL: checks all references. */
    const json_t *effects;
    json_t *before; /* the catalog, if it is known to be the one of this transaction; or NULL */
    /* Called before each script. If it returns false, rb_db_run() fails with RB_ERROR. May be NULL.
     */
    bool (*proceed)(void *context, const rb_db_step *step);
    void *context;
} rb_db_work;

typedef struct rb_db_outcome {
    json_t *before; /* catalog before the scripts */
    json_t *after;
    json_t *effects; /* what the scripts may write: loss.h */
    json_t *bound;   /* what the scripts could destroy: [{"table","column" or null}] */
} rb_db_outcome;

/*
 * Runs the steps. Compares them with rb_db_applied(), after rbtool_applied was corrected by that:
 * refuses to apply what is applied, and to undo what is not. Then checks foreign keys and reads the
 * catalogs. An error in a script names the migration, file and line, the statement, and the
 * database's own message. Transaction control in a script is refused with its line
 * (rb_script_unwrap), and so are ATTACH and PRAGMAs that act outside the database.
 *
 * Only a scratch database may run several segments at once: what is before a border is then
 * committed, and everything at the end.
 */
enum rb_code rb_db_run(rb_db_outcome *out, rb_db *db, const rb_db_work *work, rb_err *err);
void rb_db_outcome_clear(rb_db_outcome *outcome);

/*
 * Records a transition in the same transaction as its scripts. A transition was committed if, and
 * only if, its row exists. pins: an object that names what the database is bound to from now on
 * (environment, host, root and policy of the ledger, ...), or NULL.
 */
enum rb_code rb_db_journal_add(rb_db *db, const char *transition, const char *from, const char *to,
                               const rb_db_outcome *outcome, const json_t *pins, rb_err *err);
/* Removes that row, in the transaction that undoes the scripts. */
enum rb_code rb_db_journal_remove(rb_db *db, const char *transition, rb_err *err);
/* Reads the pins of the newest row. *out is NULL if the database has no row in rbtool_journal. */
enum rb_code rb_db_journal_pins(json_t **out, rb_db *db, rb_err *err);
/* Waits until no session of that transition runs any more. After a client was killed, a server can
 * still execute what it sent, and even commit it. terminate: first ends those sessions. RB_BUSY if
 * one still runs after `seconds`. */
enum rb_code rb_db_await(rb_db *db, const char *transition, int seconds, bool terminate,
                         rb_err *err);
/* Sets *out if the transition has a row, so that it was committed. First waits a short time for its
 * sessions, like rb_db_await(). */
enum rb_code rb_db_journal_has(bool *out, rb_db *db, const char *transition, rb_err *err);

/* Lists what uses the database now and would block scripts with these effects (loss.h), make them
 * fail, or break when they drop something. *out: an array of lines for people, a few of each kind,
 * not yet safe for a terminal. */
enum rb_code rb_db_obstacles(json_t **out, rb_db *db, const json_t *effects, rb_err *err);

/*
 * rb_db_locks(): the strongest lock that this transaction has on each table that existed before,
 * [{"table","mode","rewrites","scans"}]. before: the result of an earlier call with NULL. *out is
 * NULL for engines that lock whole databases.
 *
 * rb_db_lock_tables(): takes locks (objects with "table" and "mode") in a fixed order. Skips tables
 * that do not exist or that the role may not lock. RB_BUSY names the session that holds one.
 */
enum rb_code rb_db_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err);
enum rb_code rb_db_lock_tables(rb_db *db, const json_t *locks, rb_err *err);

/*
 * Reads a point in time that backups of the database's server can be restored to: {"system": the
 * server's identifier, "timeline", "lsn": position in the WAL, "stanza": of pgBackRest, or null,
 * "may": the role can create a restore point, "role": the role's name, "logged": wal_level
 * suffices}. name: creates a restore point if possible; NULL: only reads. *out is NULL if the
 * database is a file.
 */
enum rb_code rb_db_recovery_point(json_t **out, rb_db *db, const char *name, rb_err *err);

/* Reads the schema of the database as a catalog (catalog/catalog.h). The object may be that of an
 * earlier call: copy it before you change it. */
enum rb_code rb_db_catalog(json_t **out, rb_db *db, rb_err *err);

/* A catalog with its canonical text, which is read once and then compared and hashed several times.
 */
typedef struct rb_catalog_now {
    json_t *catalog;
    rb_buf text;
} rb_catalog_now;
enum rb_code rb_catalog_now_read(rb_catalog_now *out, rb_db *db, rb_err *err);
void rb_catalog_now_clear(rb_catalog_now *now);

/* Reads from the journal the catalog that the database had when `release` was last live in it. NULL
 * if not recorded. now: shared with *out if it is equal, or NULL. */
enum rb_code rb_db_journal_catalog(json_t **out, rb_db *db, const char *release,
                                   const rb_catalog_now *now, rb_err *err);

/* Reads settings of the database and its server, by name: extensions with versions, encoding,
 * collation, and settings that affect scripts and applications. Those that the database alone has
 * (ALTER DATABASE ... SET) end with RB_DB_FACT_OF_DATABASE. */
#define RB_DB_FACT_OF_DATABASE " of the database"
enum rb_code rb_db_facts(json_t **out, rb_db *db, rb_err *err);

/* Counts the rows of all tables of a catalog. */
enum rb_code rb_db_count_rows(int64_t *out, rb_db *db, const json_t *catalog, rb_err *err);

/* Copies and scratch databases, which are removed at the end. */

/* Opens a temporary copy of a database for a rehearsal (loss.h), with rows or only the schema. It
 * is in memory, or in dir if it is large, and is removed when closed. Only reads db, outside a
 * transaction. */
enum rb_code rb_db_rehearse(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
/*
 * Copies a database that is in use, in the state of one moment, so that another process can change
 * the copy. *url: the copy, owned by the caller: the file `into` if the engine uses files, else a
 * scratch database, which rb_db_scratch_stop() removes. If the database does not exist, neither
 * does the copy. dump: reads from this file instead, a database of the engine or the output of its
 * dump program; or NULL.
 */
enum rb_code rb_db_copy(char **url, const char *from, const char *dump, const char *into,
                        rb_err *err);
enum rb_code rb_db_size(int64_t *bytes, rb_db *db, rb_err *err);
/* *out differs from an earlier value if another connection has committed in between. */
enum rb_code rb_db_data_version(int64_t *out, rb_db *db, rb_err *err);
/* Opens an empty scratch database, which is removed when closed. clock: the time that its scripts
 * see, in seconds since 1970, or RB_DB_CLOCK_REAL for the host's clock. Rehearsals use the host's
 * clock: they show what the transition will do. */
#define RB_DB_CLOCK_REAL INT64_MIN
enum rb_code rb_db_scratch(rb_db **out, const char *engine, int64_t clock, rb_err *err);
/* Opens a scratch database in the state that rb_db_driver.scratch_keep() stored for the first of
 * these keys that has one: keys->items[*which]. *out is NULL if none has. */
enum rb_code rb_db_scratch_at(rb_db **out, size_t *which, const char *engine, const rb_strs *keys,
                              rb_err *err);
/* Where the scratch databases of an engine are. */
enum rb_scratch_place {
    RB_SCRATCH_HERE,    /* in this process, and in its temporary files */
    RB_SCRATCH_PRIVATE, /* in a private server that this command starts */
    RB_SCRATCH_SERVER,  /* in the server set by rb_db_scratch_server() */
};
enum rb_scratch_place rb_db_scratch_place(const char *engine);
/* Sets the server in which scratch databases of that url's engine are created from now on. The
 * database that the url names must be empty. RB_ERROR if the engine has no servers. */
enum rb_code rb_db_scratch_server(const char *url, rb_err *err);
/* Sets the folder in which the private server's data is kept for later commands; NULL: not kept.
 * Must be called before rb_db_scratch_start(). */
void rb_db_scratch_cache(const char *dir);
/* Adds to what scripts may do in scratch databases on a server: create these extensions, which only
 * a superuser may; code: everything, such as functions in untrusted languages. Set by the operator,
 * never by a release, and before the first scratch database. */
void rb_db_scratch_allow(const rb_strs *extensions, bool code);
/* Starts the private server for scratch databases, if the engine needs one. Must be called before
 * forking a process that may not start it itself (base/sandbox.h). limits: of the scripts, or NULL.
 */
enum rb_code rb_db_scratch_start(const char *engine, const rb_db_limits *limits, rb_err *err);
/* Stops the private server, and removes its data unless that is kept. The server also ends when
 * this process does, but then nothing waits for it. */
void rb_db_scratch_stop(void);

/* Reads the foreign keys without a parent row. Call it before a restore. rb_db_references_kept()
 * compares them with those that exist afterwards: RB_FOUND if others appeared. Call that once,
 * after all backups were restored, because the parent of a row may be in a later backup. */
enum rb_code rb_db_references(json_t **out, rb_db *db, rb_err *err);
enum rb_code rb_db_references_kept(rb_db *db, const json_t *before, rb_err *err);

#endif
