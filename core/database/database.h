/*
 * The users' databases. Drivers implement this interface; each foreign library is in the folder of
 * its driver. A url is "sqlite:PATH", "sqlite::memory:" for scratch, or "postgresql://...", which
 * may have anything that libpq takes.
 *
 * Order of calls for a change: rb_db_open, rb_db_begin, rb_db_run, (checks), rb_db_journal_add,
 * rb_db_commit. Everything from begin to commit is one transaction; closing or a kill undoes it.
 *
 * Tables of rbtool's own in the user's database, left out of every catalog with the tracking
 * tables: rbtool_applied(sequence, id, up_sha256, release, applied_at),
 * rbtool_journal(transition_id, from_release, to_release, finished_at, engine_version,
 * catalog_before, catalog_after, sequence, pins), and rbtool_checksums(up_sha256, checksum), for
 * which see tracking.h. They are created inside the transaction where they do not exist.
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
    RB_DB_WRITE,  /* the file must exist */
    RB_DB_CREATE, /* made when it is missing */
};

/* Errors name the url without any password, the cause (locked by whom, missing, disk full) and
 * what to do. A database locked longer than 5 s is RB_ERROR. */
enum rb_code rb_db_open(rb_db **out, const char *url, enum rb_db_mode mode, rb_err *err);
void rb_db_close(rb_db *db); /* rolls back what was not committed */
RB_DEFINE_AUTO(rb_db, rb_db_close)

/* What a url leads to, without opening it as a database. */
typedef struct rb_db_target {
    bool exists;
    bool writable;  /* by this process; true if it is not a file */
    uint64_t bytes; /* 0 if that is not known */
} rb_db_target;

enum rb_code rb_db_inspect(rb_db_target *out, const char *url, rb_err *err);
/* Removes a database that rb_db_open() created and nobody has used since: nothing was committed to
 * it. Leaves any other alone. */
enum rb_code rb_db_discard(const char *url, rb_err *err);
/* What the names of the files end with that the engine keeps next to the database's own: "-wal".
 * Ends with NULL; empty if the database is not a file. */
const char *const *rb_db_files_beside(const char *url);
/* What the name of a backup of this database ends with. */
const char *rb_db_backup_suffix(const char *url);

const char *rb_db_engine(const rb_db *db);  /* "sqlite", "postgresql" */
const char *rb_db_version(const rb_db *db); /* "3.40.1" */
/* Names this very database: a copy of it has another identity. SQLite: device and inode of its
 * file. *out is NULL for one in memory. */
enum rb_code rb_db_identity(char **out, rb_db *db, rb_err *err);
/* Names the session after the transition that it carries out, for those who look at the server. */
enum rb_code rb_db_label(rb_db *db, const char *transition, rb_err *err);
bool rb_engine_known(const char *engine);
/* Shell functions that do an engine's part of a revert with its own program (driver.h). */
const char *rb_engine_shell(const char *engine);
const char *rb_engine_programs(const char *engine); /* that these call */
/* Calls found() for each place in SQL text that acts outside the transaction, or that the engine
 * lets no script do. message: what it is, and what to do instead. */
typedef void rb_outside_found(void *context, size_t offset, const char *message);
void rb_engine_outside(const char *engine, const char *sql, size_t len, rb_outside_found *found,
                       void *context);

/*
 * Shared libraries that every SQLite database opened from now on in this process loads, for
 * functions, modules and collations that its scripts need and the application registers. Absolute
 * paths, the operator's own choice: never from a release. One that does not load is named by the
 * opening that fails.
 */
void rb_db_extensions(const rb_strs *paths);
/* They cannot be used: from now on, opening a database of the user's fails with why. */
void rb_db_extensions_fail(const rb_err *why);

/* Makes a running statement of this handle fail soon; may be called from a signal handler. */
void rb_db_interrupt(rb_db *db);

/* Statements of rbtool's own, one or more. params: JSON array of strings, integers and nulls, or
 * NULL; $2 is the second of them, wherever it stands. rows: array of arrays, integers as integers,
 * NULL as null, text as strings, all else as strings. RB_ERROR if they have more than
 * RB_DB_QUERY_LIMIT bytes: anybody who may write the database may have put them there. */
#define RB_DB_QUERY_LIMIT (16u << 20)
enum rb_code rb_db_exec(rb_db *db, const char *sql, const json_t *params, rb_err *err);
enum rb_code rb_db_query(json_t **rows, rb_db *db, const char *sql, const json_t *params,
                         rb_err *err);
/* The same with another limit. */
enum rb_code rb_db_query_within(json_t **rows, rb_db *db, size_t limit, const char *sql,
                                const json_t *params, rb_err *err);

/* Names of a table's columns in lower case, in bytewise order; none if the table does not exist. */
enum rb_code rb_db_columns(rb_strs *names, rb_db *db, const char *table, rb_err *err);
enum rb_code rb_db_has_table(bool *out, rb_db *db, const char *table, rb_err *err);
/* Runs sql, which creates it, unless statements find a table of that name: IF NOT EXISTS looks only
 * where a new table would go, and one that is made there hides the other. */
enum rb_code rb_db_make_table(rb_db *db, const char *table, const char *sql, rb_err *err);

/* One data test: a query that may only read. rows: at most limit of them, as objects by column
 * name; none means passed. */
enum rb_code rb_db_check(json_t **rows, rb_db *db, const char *sql, size_t limit, rb_err *err);

/* Takes the write lock; RB_BUSY if another run of rbtool has it. Foreign-key enforcement is off
 * before it; violations are counted at begin and again after the scripts, and new ones refuse the
 * run. */
enum rb_code rb_db_begin(rb_db *db, rb_err *err);
enum rb_code rb_db_commit(rb_db *db, rb_err *err);
void rb_db_rollback(rb_db *db);

/*
 * What scripts may cost. A script that hits a limit fails with RB_FOUND; its message names the
 * limit and the setting. rbtool's own statements between two scripts have the
 * time of one script, where scripts have a limit.
 */
typedef struct rb_db_limits {
    int seconds;       /* for one script; 0: any, and RB_DB_LIMITS_SECONDS for a check */
    bool statements;   /* seconds are for each statement of a script; none for rbtool's own */
    int lock_ms;       /* that a statement waits for a lock at a time; 0: any */
    int memory;        /* MiB of the engine's heap, in the whole process; 0: any */
    int size;          /* MiB of the database; 0: any */
    const char *where; /* the settings, "databases.main.limits"; or the one of seconds; borrowed */
    /* Called when the time of a script starts, or that of rbtool's own statements; or NULL. */
    void (*watch)(const struct rb_db_limits *limits, const char *what);
} rb_db_limits;

#define RB_DB_LIMITS_SECONDS 20
#define RB_DB_LIMITS_MEMORY 256
#define RB_DB_LIMITS_SIZE 2048

/* Where scratch databases put what does not fit into memory; for the rest of the process. */
void rb_db_temporary_folder(const char *dir);

/* From now on until the handle is closed. */
enum rb_code rb_db_limit(rb_db *db, const rb_db_limits *limits, rb_err *err);
bool rb_db_limited(const rb_db *db); /* a script of this handle has hit a limit */

/* What is applied. */
typedef struct rb_applied {
    rb_strs ids;      /* in order of application */
    char *tracking;   /* the tool's table that is there: its name; "" none
                       */
    bool dirty;       /* the tool says that a migration stopped half-way */
    rb_strs disagree; /* ids in rbtool_applied or the tracking table only; then ids is what the
                         tracking table says */
} rb_applied;

/* set: to order and expand what a tool keeps as its last version only. tracking: auto or a name. */
enum rb_code rb_db_applied(rb_applied *out, rb_db *db, const rb_migrations *set,
                           const char *tracking, rb_err *err);
void rb_applied_clear(rb_applied *applied);
/* What rbtool_applied says, alone. */
enum rb_code rb_db_recorded(rb_strs *out, rb_db *db, rb_err *err);

/* Running scripts, inside the transaction. */
typedef struct rb_db_step {
    const rb_migration *migration;
    bool up;
    const char *release; /* noted in rbtool_applied */
    bool noted;          /* somebody ran the script by hand: it is only noted */
    /* The same scripts are applied under this one's id: it gets migration's, in its place in the
     * order, and nothing runs. NULL: no such. */
    const rb_migration *was;
    /* Set by rb_db_segments(): what is before it has to be committed first; and it runs outside of
     * transactions. */
    bool border;
    bool alone;
} rb_db_step;

/*
 * Segments: steps that share a transaction. Where all scripts can run in one, there is one segment.
 * A script that the engine refuses in a transaction (CREATE INDEX CONCURRENTLY) is a segment alone:
 * the script runs first, then a transaction records it. A new one also begins before a script that
 * needs what another has to commit first: a value that was added to an enum type.
 */
typedef struct rb_db_segment {
    size_t from; /* of its first step */
    size_t to;   /* past its last */
    bool alone;
    bool last;
} rb_db_segment;

/* Finds the borders in a list of steps that has none yet. */
void rb_db_segments(rb_db_step *steps, size_t n, const char *engine);
/* The segment of that number, from 0; false if there are fewer. No steps are one segment. */
bool rb_db_segment_at(rb_db_segment *out, const rb_db_step *steps, size_t n, size_t number);
size_t rb_db_segment_count(const rb_db_step *steps, size_t n);
/* Keeps other runs of rbtool away over the next commit, until the next begin. */
enum rb_code rb_db_hold(rb_db *db, rb_err *err);

/*
 * Running a script of a segment alone, outside of transactions, statement by statement.
 * LOOK fills `had`, an object, with what the others compare with later, when nothing has run yet.
 * RUN runs the script. AGAIN goes on with one that was cut off: statements that have happened are
 * not repeated. It is RB_HALFWAY where nothing shows whether one has. UNDO drops indexes that the
 * script made, also unfinished ones. *happened: something of the script is there; after a failure
 * it is what could not be undone.
 */
enum rb_alone { RB_ALONE_LOOK, RB_ALONE_RUN, RB_ALONE_AGAIN, RB_ALONE_UNDO };
enum rb_code rb_db_alone(bool *happened, rb_db *db, const rb_db_step *step, enum rb_alone act,
                         json_t *had, rb_err *err);

typedef struct rb_db_work {
    const rb_db_step *steps;
    size_t n;
    size_t more;                /* steps behind these, which transactions after this one run */
    const char *tracking;       /* resolved name of the tool's table to keep true, "" for none */
    const rb_migrations *order; /* the set TO has, for tools that keep only a last version */
    /* What a rehearsal of the same work gave as its effects: only references that these can break
     * are checked. NULL: all are. */
    const json_t *effects;
    json_t *before; /* the catalog, where it is known to be that of this transaction; or NULL */
    /* Called before each script; false stops with RB_ERROR. NULL: none. */
    bool (*proceed)(void *context, const rb_db_step *step);
    void *context;
} rb_db_work;

typedef struct rb_db_outcome {
    json_t *before; /* catalogs */
    json_t *after;
    json_t *effects; /* what the scripts may write: loss.h */
    json_t *bound;   /* places that they could destroy: [{"table","column" or null}] */
} rb_db_outcome;

/*
 * What is applied is what rb_db_applied() says; rbtool_applied is made to say the same first.
 * Refuses to apply what is applied, and to undo what is not. A script that fails names migration,
 * file, line, the database's own message, and what it was doing. Transaction control inside is
 * refused with its line (rb_script_unwrap), ATTACH and PRAGMAs that reach outside too. After the
 * scripts: foreign keys, then catalogs.
 */
enum rb_code rb_db_run(rb_db_outcome *out, rb_db *db, const rb_db_work *work, rb_err *err);
/* Work of several segments is for scratch databases: what is before a border is committed there,
 * and all of it at the end. */
void rb_db_outcome_clear(rb_db_outcome *outcome);

/*
 * Exactly once: the database's own row records whether a transition's commit happened.
 * pins: an object that names what the database is bound to from this transition on (environment,
 * host, root and policy of the ledger, ...), or NULL.
 */
enum rb_code rb_db_journal_add(rb_db *db, const char *transition, const char *from, const char *to,
                               const rb_db_outcome *outcome, const json_t *pins, rb_err *err);
/* Removes that row: what it stands for is undone in the same transaction. */
enum rb_code rb_db_journal_remove(rb_db *db, const char *transition, rb_err *err);
/* The pins of the newest row; *out is NULL where the database has no journal row. */
enum rb_code rb_db_journal_pins(json_t **out, rb_db *db, rb_err *err);
/* Waits until no session of that transition runs any more: a server goes on with what a client that
 * was killed has sent, and may commit it. terminate: ends them first. RB_BUSY if one runs longer
 * than that many seconds. */
enum rb_code rb_db_await(rb_db *db, const char *transition, int seconds, bool terminate,
                         rb_err *err);
/* Waits for them, for a short time, and reads the row. */
enum rb_code rb_db_journal_has(bool *out, rb_db *db, const char *transition, rb_err *err);

/* What else uses the database now, and would wait for scripts with these effects (loss.h), stop
 * them, or miss what they drop: lines for a person, a few of each kind; not terminal-safe. */
enum rb_code rb_db_obstacles(json_t **out, rb_db *db, const json_t *effects, rb_err *err);

/*
 * What statements lock. rb_db_locks(), in a transaction: the strongest lock that it has on each
 * table that was there before, [{"table","mode","rewrites","scans"}]; before: what it gave then,
 * with NULL. *out is NULL where an engine locks whole databases. rb_db_lock_tables() takes locks
 * ("table", "mode") in one order, as far as tables and rights exist. RB_BUSY names who holds one.
 */
enum rb_code rb_db_locks(json_t **out, rb_db *db, const json_t *before, rb_err *err);
enum rb_code rb_db_lock_tables(rb_db *db, const json_t *locks, rb_err *err);

/*
 * Where backups of the database's server can be restored to: {"system": the server's identifier,
 * "timeline", "lsn": the position in its log, "stanza": of pgBackRest, or null, "may": a restore
 * point can be created, "role": that may or may not, "logged": the log has enough for it}. name:
 * creates one where that is possible; NULL: only looks. *out is NULL for a file.
 */
enum rb_code rb_db_recovery_point(json_t **out, rb_db *db, const char *name, rb_err *err);

/* The schema that a database has now (catalog/catalog.h). */
enum rb_code rb_db_catalog(json_t **out, rb_db *db, rb_err *err);

/* The catalog that a database has now, with its canonical form: what is compared with it and hashed
 * is mostly that again. */
typedef struct rb_catalog_now {
    json_t *catalog;
    rb_buf text;
} rb_catalog_now;
enum rb_code rb_catalog_now_read(rb_catalog_now *out, rb_db *db, rb_err *err);
void rb_catalog_now_clear(rb_catalog_now *now);

/* The catalog this database had when release was last live in it, from its journal; NULL when there
 * is none. now: shared when the record says the same, or NULL. */
enum rb_code rb_db_journal_catalog(json_t **out, rb_db *db, const char *release,
                                   const rb_catalog_now *now, rb_err *err);

/* What the database and its server are set to, by name: extensions with their versions, encoding,
 * collation, and settings that change what scripts and applications see. */
enum rb_code rb_db_facts(json_t **out, rb_db *db, rb_err *err);

/* The rows of all tables of a catalog together. */
enum rb_code rb_db_count_rows(int64_t *out, rb_db *db, const json_t *catalog, rb_err *err);

/* Throw-away copies and scratch databases. */

/* Opens a throw-away copy of a database for a rehearsal (loss.h), with its rows or of its schema
 * alone; in memory, or in dir where it is large; gone at close. db is only read, outside a
 * transaction. */
enum rb_code rb_db_rehearse(rb_db **out, rb_db *db, const char *dir, bool rows, rb_err *err);
/*
 * Copies a database that is in use, as of one moment, so that another process can change the copy.
 * *url, the caller's, is that of the copy: the file `into` if the engine keeps a database in a
 * file, else a scratch database, which rb_db_scratch_stop() removes. A database that does not exist
 * has a copy that does not exist. dump: the rows and the schema come from this file instead, a
 * database of the engine or what its own dump program wrote; or NULL.
 */
enum rb_code rb_db_copy(char **url, const char *from, const char *dump, const char *into,
                        rb_err *err);
enum rb_code rb_db_size(int64_t *bytes, rb_db *db, rb_err *err);
/* Differs from its value before when another connection has committed since. */
enum rb_code rb_db_data_version(int64_t *out, rb_db *db, rb_err *err);
/* An empty scratch database of that engine; gone at close. clock: seconds since 1970 at which the
 * clock that its scripts see stands still, or RB_DB_CLOCK_REAL for the host's. A rehearsal has the
 * host's clock, too: what it shows is what the transition will do. */
#define RB_DB_CLOCK_REAL INT64_MIN
enum rb_code rb_db_scratch(rb_db **out, const char *engine, int64_t clock, rb_err *err);
/* One that begins with what rb_db_driver.scratch_keep() kept for the first of these keys that it
 * has kept something for, keys->items[*which]; *out is NULL if there is none. */
enum rb_code rb_db_scratch_at(rb_db **out, size_t *which, const char *engine, const rb_strs *keys,
                              rb_err *err);
/* Where scratch databases of an engine are. */
enum rb_scratch_place {
    RB_SCRATCH_HERE,    /* in this process and its files */
    RB_SCRATCH_PRIVATE, /* in a server of this command's own, behind a socket */
    RB_SCRATCH_SERVER,  /* in that of rb_db_scratch_server() */
};
enum rb_scratch_place rb_db_scratch_place(const char *engine);
/* From now on, scratch databases of that url's engine are created in its server. The database that
 * it names has to be empty. RB_ERROR if the engine has no servers. */
enum rb_code rb_db_scratch_server(const char *url, rb_err *err);
/* Sets the folder in which what scratch databases are in is kept for later commands; NULL: none. To
 * be called before it is started. */
void rb_db_scratch_cache(const char *dir);
/* Starts what scratch databases of that engine are in; to be called before a process is forked that
 * may not start it (base/sandbox.h). limits: of the scripts, or NULL. */
enum rb_code rb_db_scratch_start(const char *engine, const rb_db_limits *limits, rb_err *err);
/* Stops it and removes it, unless it is kept. It ends with this process, too, but nobody waits for
 * that then. */
void rb_db_scratch_stop(void);

/* The foreign keys that find no parent row, read before a restore. rb_db_references_kept() compares
 * them with those after it: RB_FOUND if there are others. It is called once, after all backups were
 * restored, because the parent of a row may be in a later backup. */
enum rb_code rb_db_references(json_t **out, rb_db *db, rb_err *err);
enum rb_code rb_db_references_kept(rb_db *db, const json_t *before, rb_err *err);

#endif
