/*
 * Migration sets, read from a commit's tree in the layouts that teams already use:
 *
 *   golang-migrate  N_name.up.sql, N_name.down.sql, and variants such as V0001.Name.up.sql,
 *                   V0001.Name.sqlite.up.sql, N_name_sqlite.up.sql, N_name.autocommit.up.sql
 *   diesel          N_name/up.sql, N_name/down.sql
 *   dbmate          N_name.sql with "-- migrate:up" and "-- migrate:down"
 *   goose           N_name.sql with "-- +goose Up" and "-- +goose Down"
 *   sql-migrate     NAME.sql with "-- +migrate Up" and "-- +migrate Down"
 *   node-pg-migrate NAME.sql with "-- Up Migration" and "-- Down Migration"
 *   sqlx            N_name.up.sql and N_name.down.sql, or N_name.sql, which has no down
 *
 * "auto" detects. Each layout's own order and its own marker for "no transaction" hold. Nothing
 * is expanded, and a file that no rule covers is named in ignored.
 */
#ifndef RB_MIGRATION_MIGRATION_H
#define RB_MIGRATION_MIGRATION_H

#include "base/hash.h"
#include "base/problem.h"
#include "git/repository.h"

#define RB_SCRIPT_LIMIT (64u << 20)   /* bytes of one script */
#define RB_MIGRATION_LIMIT 100000     /* migrations of one set */
#define RB_SCRIPTS_LIMIT (256u << 20) /* bytes of all scripts of one set */

typedef struct rb_script {
    bool present;
    char *path;  /* file, from the top of the tree */
    size_t line; /* of the text's first byte in that file, from 1 */
    char *text;  /* NUL-terminated; a script with a NUL byte inside is refused */
    size_t len;
    char sha256[RB_SHA256_HEX]; /* of text: the whole file, or its section */
    bool transactional;         /* false where the layout's marker says so */
} rb_script;

typedef struct rb_migration {
    char *id;   /* as the tool's tracking table has it: version digits, or a name */
    char *name; /* "" where the layout has none */
    rb_script up;
    rb_script down;
    bool code; /* in a programming language: seen, named, cannot be run */
} rb_migration;

typedef struct rb_migrations {
    char *layout;        /* a name of the list above; "" for an empty set */
    rb_migration *items; /* in the order the layout's tool applies them */
    size_t n;
    rb_strs engines; /* that file names distinguish ("mysql", "sqlite"), sorted; mostly empty */
    rb_strs ignored; /* files that are not migrations of this database */
    size_t bytes;    /* of all files that were read */
} rb_migrations;

/*
 * Reads the set in `dir`, a path from the top of the tree. RB_FOUND if it does not exist. engine:
 * "sqlite" or "postgresql"; if a folder has the scripts of several engines, those of this one and
 * those for all are read. NULL reads them all, to show what exists.
 */
enum rb_code rb_migrations_read(rb_migrations **out, rb_repo *repo, const rb_oid *tree,
                                const char *dir, const char *layout, const char *engine,
                                rb_err *err);
void rb_migrations_free(rb_migrations *set);
RB_DEFINE_AUTO(rb_migrations, rb_migrations_free)

const rb_migration *rb_migrations_find(const rb_migrations *set, const char *id);

#endif
