/*
 * The interface of layouts. A layout is the form of one tool's migration files.
 *
 * A layout reads the entries of the migrations folder, adds migrations to the set in any order, and
 * marks the entries that it used. set.c then sorts the set and lists the other entries as ignored.
 * A new layout needs one file, and a line in set.c. layout.c has what
 * layouts share.
 */
#ifndef RB_MIGRATION_LAYOUT_H
#define RB_MIGRATION_LAYOUT_H

#include "git/tree.h"
#include "migration/migration.h"

/* Values of rb_layout_source.used besides false and true: */
#define RB_LAYOUT_FOREIGN 2 /* a file that does not belong to the migrations */
#define RB_LAYOUT_BRACES 3  /* used as SQL, and has {{ as templates do */
#define RB_LAYOUT_TAGS 4    /* used as SQL, and has <%= as templates do */

typedef struct rb_layout_source {
    rb_repo *repo;
    const rb_tree_entries *entries;
    size_t prefix;       /* length of the beginning of each path, up to the name in the folder */
    unsigned char *used; /* for each entry, whether the layout used it */
    size_t *bytes;       /* bytes of all files that were read */
    const rb_oid *tree;  /* tree that contains the folder */
    const char *dir;     /* path of the folder; "" for the top */
    const char *engine;  /* "sqlite", "postgresql", or NULL for any engine */
} rb_layout_source;

/* How a tool marks the two directions in one file; see layout_sections.c. */
typedef struct rb_section_form rb_section_form;

typedef struct rb_layout rb_layout;
struct rb_layout {
    const char *name;
    /* Sets *out if the folder has migrations in this layout. */
    enum rb_code (*detect)(bool *out, const rb_layout *layout, const rb_layout_source *source,
                           rb_err *err);
    enum rb_code (*read)(rb_migrations *set, const rb_layout *layout,
                         const rb_layout_source *source, rb_err *err);
    /* Compares in the order in which the tool applies migrations; ties are broken by path. */
    int (*compare)(const rb_migration *a, const rb_migration *b);
    const rb_section_form *sections; /* NULL: each file is one script */
    /* Returns why a file, by its path below the folder, has a meaning for the tool and is not read;
     * NULL if it has none. May be NULL. */
    const char *(*why_unread)(const char *rest);
};

extern const rb_layout rb_layout_golang, rb_layout_diesel, rb_layout_dbmate, rb_layout_goose,
    rb_layout_sql_migrate, rb_layout_node_pg_migrate, rb_layout_sqlx, rb_layout_flyway,
    rb_layout_sqitch;

/* Returns the path of entry i below the folder. */
const char *rb_layout_rest(const rb_layout_source *source, size_t i);
/* True for an entry that is a file, executable or not; a link is not. */
bool rb_layout_is_regular(const rb_layout_source *source, size_t i);
/* True if entry i is a regular file directly in the folder. */
bool rb_layout_is_file(const rb_layout_source *source, size_t i);

/* Appends a migration to the set. The result is valid until the next call. */
rb_migration *rb_layout_add(rb_migrations *set, const char *id, size_t id_len, const char *name,
                            size_t name_len);

/* Reads entry i as one script and marks it used. RB_ERROR if it contains a NUL byte, or the files
 * together would exceed RB_SCRIPTS_LIMIT bytes. */
enum rb_code rb_layout_load(rb_script *out, const rb_layout_source *source, size_t i, rb_err *err);
/* Fills out with a part of a script; out owns its strings. */
void rb_layout_section(rb_script *out, const rb_script *whole, size_t start, size_t end);

/* True if a version fits the signed 64-bit column of a tracking table. */
bool rb_layout_version_fits(const char *digits, size_t len);
/* Compares versions without leading zeros as numbers. */
int rb_golang_compare(const char *a, size_t a_len, const char *b, size_t b_len);
bool rb_layout_ends_with(const char *text, size_t len, const char *suffix);

void rb_script_clear(rb_script *script);

/* Functions of the layouts' files, also for tests and fuzzers. */

typedef struct rb_golang_name {
    const char *version; /* digits without leading zeros; "0" for zero */
    size_t version_len;
    const char *name;
    size_t name_len; /* length of the name without engine and suffix */
    /* engine in the name, see engine_suffix.h, or "all"; NULL: none. A static string */
    const char *engine;
    bool autocommit;
    bool up;
    bool simple; /* a simple migration of sqlx: an up without a down */
} rb_golang_name;
typedef bool rb_layout_parse(rb_golang_name *out, const char *file);

/* Parses a file name; false if it has neither golang-migrate's form nor one of its variants. */
bool rb_golang_parse(rb_golang_name *out, const char *file);

/* Reads the files whose names `parse` accepts, as pairs of up and down. engines: the names may
 * contain an engine. */
enum rb_code rb_layout_read_numbered(rb_migrations *set, const rb_layout_source *source,
                                     rb_layout_parse *parse, bool engines, rb_err *err);
int rb_layout_compare_numbered(const rb_migration *a, const rb_migration *b);

/* Compares versions of Flyway part by part, as numbers: 1.2 is before 1.10, and equals 1.2.0. */
int rb_flyway_compare(const char *a, const char *b);
/* Returns Flyway's checksum of a script: the CRC-32 of its lines, as a signed number. */
int32_t rb_flyway_checksum(const char *text, size_t len);

/* Returns diesel's version of a folder: its name up to the first "_", without dashes. */
char *rb_diesel_version(const char *folder, size_t len);
/* Reads run_in_transaction from a metadata.toml in the same way as diesel. */
bool rb_diesel_in_transaction(const char *toml, size_t len);

typedef struct rb_section {
    bool present;
    bool transactional;
    size_t start; /* offset of the line that begins the section */
    size_t end;
} rb_section;

typedef struct rb_sections {
    rb_section up, down;
} rb_sections;

/* Splits the text into sections like the form's tool. Returns NULL, or a description of what is
 * wrong, with its line in *line. */
const char *rb_sections_split(rb_sections *out, size_t *line, const rb_section_form *form,
                              const char *text, size_t len);

#endif
