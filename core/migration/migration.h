/*
 * Reads the migrations of a commit's tree, in the layouts of these tools:
 *
 *   golang-migrate  N_name.up.sql, N_name.down.sql, and variants such as V0001.Name.up.sql,
 *                   V0001.Name.sqlite.up.sql, N_name_sqlite.up.sql, N_name.autocommit.up.sql
 *   diesel          N_name/up.sql, N_name/down.sql
 *   dbmate          N_name.sql with "-- migrate:up" and "-- migrate:down"
 *   goose           N_name.sql with "-- +goose Up" and "-- +goose Down"
 *   sql-migrate     NAME.sql with "-- +migrate Up" and "-- +migrate Down"
 *   node-pg-migrate NAME.sql with "-- Up Migration" and "-- Down Migration"
 *   sqlx            N_name.up.sql and N_name.down.sql, or N_name.sql, which has no down
 *   flyway          V1.2__name.sql and U1.2__name.sql, also in folders below
 *   sqitch          sqitch.plan with deploy/NAME.sql and revert/NAME.sql
 *
 * "auto" detects the layout. Migrations are sorted as by the layout's tool, and its marker for "no
 * transaction" is obeyed. Variables in scripts are not expanded. Files that are not migrations are
 * listed in `ignored`.
 */
#ifndef RB_MIGRATION_MIGRATION_H
#define RB_MIGRATION_MIGRATION_H

#include "base/hash.h"
#include "base/json.h"
#include "base/keys.h"
#include "base/problem.h"
#include "git/repository.h"

#define RB_SCRIPT_LIMIT (64u << 20)   /* bytes of one script */
#define RB_MIGRATION_LIMIT 100000     /* migrations of one set */
#define RB_SCRIPTS_LIMIT (256u << 20) /* bytes of all scripts of one set */

typedef struct rb_script {
    bool present;
    char *path;  /* path of the file, from the top of the tree */
    size_t line; /* line in that file where text begins, from 1 */
    char *text;  /* NUL-terminated; contains no other NUL */
    size_t len;
    char sha256[RB_SHA256_HEX]; /* SHA-256 of text: the whole file, or its section */
    bool transactional;         /* false if the layout's marker requests that */
} rb_script;

typedef struct rb_migration {
    char *id;   /* version digits or name, as in the tool's tracking table */
    char *name; /* descriptive name; "" if the layout has none */
    rb_script up;
    rb_script down;
    bool code; /* in a programming language: listed, but cannot be run */
    /* What the tool records of it besides the id, by the names that the statements of
     * database/tracking_tools.c use; NULL: nothing */
    json_t *record;
} rb_migration;

typedef struct rb_unread_file {
    char *path;      /* path from the top of the tree */
    const char *why; /* such as "it is in a folder below, ..."; a static string */
} rb_unread_file;

typedef struct rb_migrations {
    char *layout;        /* name of a layout above; "" for an empty set */
    rb_migration *items; /* in the order in which the layout's tool applies them */
    size_t n;
    /* engines that file names distinguish ("mysql", "sqlite"), sorted; usually none */
    rb_strs engines;
    rb_strs ignored; /* files that are not migrations of this database */
    /* those of them that look like migrations, and scripts that look like templates: `release`,
     * `lint` and `init` report them, which otherwise would only be noticed at a deploy, or later */
    rb_unread_file *unread;
    size_t unread_count;
    size_t bytes;  /* bytes of all files that were read */
    rb_keys index; /* of the items by id, for rb_migrations_find(); may be empty */
} rb_migrations;

/*
 * Reads the set in `dir`, a path from the top of the tree. RB_FOUND if it does not exist. engine:
 * "sqlite" or "postgresql"; if a folder has scripts of several engines, those of this engine and
 * those for all engines are read. NULL: all are read, to list them.
 */
enum rb_code rb_migrations_read(rb_migrations **out, rb_repo *repo, const rb_oid *tree,
                                const char *dir, const char *layout, const char *engine,
                                rb_err *err);
void rb_migrations_free(rb_migrations *set);
RB_DEFINE_AUTO(rb_migrations, rb_migrations_free)

const rb_migration *rb_migrations_find(const rb_migrations *set, const char *id);

#endif
