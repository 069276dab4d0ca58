#include "database/tracking_tools.h"

/*
 * golang-migrate database/{sqlite3,postgres} ensureVersionTable and SetVersion; dbmate
 * pkg/driver/{sqlite,postgres} CreateMigrationsTable; diesel_migrations' CREATE_MIGRATIONS_TABLE;
 * sqlx-{sqlite,postgres} migrate.rs.
 */
const rb_tracking_tool rb_tracking_tools[] = {
    {.name = "golang-migrate",
     .table = "schema_migrations",
     .columns = "dirty,version",
     .create = {{"sqlite",
                 {"CREATE TABLE IF NOT EXISTS schema_migrations (version uint64,dirty bool)",
                  "CREATE UNIQUE INDEX IF NOT EXISTS version_unique ON schema_migrations "
                  "(version)"}},
                {"postgresql",
                 {"CREATE TABLE IF NOT EXISTS schema_migrations (version bigint not null primary "
                  "key, dirty boolean not null)"}}},
     .insert = "INSERT INTO schema_migrations (version, dirty) VALUES ($1, FALSE)",
     .remove = "DELETE FROM schema_migrations",
     .settle = "UPDATE schema_migrations SET dirty = FALSE",
     .lock = RB_TRACKING_GOLANG_MIGRATE,
     .last_only = true},
    {.name = "dbmate",
     .table = "schema_migrations",
     .columns = "version",
     .create = {{"sqlite",
                 {"CREATE TABLE IF NOT EXISTS \"schema_migrations\" (version varchar(128) primary "
                  "key)"}},
                {"postgresql",
                 {"CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) primary "
                  "key)"}}},
     .insert = "INSERT INTO schema_migrations (version) VALUES ($1)",
     .remove = "DELETE FROM schema_migrations WHERE version = $1"},
    {.name = "diesel",
     .table = "__diesel_schema_migrations",
     .columns = "run_on,version",
     .create = {{"sqlite",
                 {"CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\n"
                  "       version VARCHAR(50) PRIMARY KEY NOT NULL,\n"
                  "       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP\n)"}},
                {"postgresql",
                 {"CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\n"
                  "       version VARCHAR(50) PRIMARY KEY NOT NULL,\n"
                  "       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP\n)"}}},
     .insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ($1)",
     .remove = "DELETE FROM __diesel_schema_migrations WHERE version = $1"},
    {.name = "sqlx",
     .table = "_sqlx_migrations",
     .columns = "checksum,description,execution_time,installed_on,success,version",
     .create = {{"sqlite",
                 {"CREATE TABLE IF NOT EXISTS _sqlx_migrations (\n"
                  "    version BIGINT PRIMARY KEY,\n"
                  "    description TEXT NOT NULL,\n"
                  "    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n"
                  "    success BOOLEAN NOT NULL,\n"
                  "    checksum BLOB NOT NULL,\n"
                  "    execution_time BIGINT NOT NULL\n)"}},
                {"postgresql",
                 {"CREATE TABLE IF NOT EXISTS _sqlx_migrations (\n"
                  "    version BIGINT PRIMARY KEY,\n"
                  "    description TEXT NOT NULL,\n"
                  "    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n"
                  "    success BOOLEAN NOT NULL,\n"
                  "    checksum BYTEA NOT NULL,\n"
                  "    execution_time BIGINT NOT NULL\n)"}}},
     .remove = "DELETE FROM _sqlx_migrations WHERE version = $1",
     .settle = "UPDATE _sqlx_migrations SET success = TRUE",
     .lock = RB_TRACKING_SQLX},
};

const size_t rb_tracking_tool_count = sizeof rb_tracking_tools / sizeof *rb_tracking_tools;

const rb_tracking_foreign_table rb_tracking_foreign_tables[] = {
    {"flyway_schema_history", "Flyway"},
    {"goose_db_version", "goose"},
    {"gorp_migrations", "sql-migrate"},
    {"alembic_version", "Alembic"},
    {"django_migrations", "Django"},
    {"knex_migrations", "Knex"},
    {"pgmigrations", "node-pg-migrate"},
    {"_prisma_migrations", "Prisma"},
    {"__EFMigrationsHistory", "Entity Framework"},
    {"DATABASECHANGELOG", "Liquibase"},
    {"__drizzle_migrations", "Drizzle"},
    {"d1_migrations", "Wrangler (D1)"},
    {"SequelizeMeta", "Sequelize"},
    {"typeorm_metadata", "TypeORM"},
    {"mikro_orm_migrations", "MikroORM"},
    {"refinery_schema_history", "refinery"},
    {"seaql_migrations", "SeaORM"},
    {"phinxlog", "Phinx"},
    {"doctrine_migration_versions", "Doctrine"},
    {"atlas_schema_revisions", "Atlas"},
    {"play_evolutions", "Play"},
    {"schema_version", "tern or an older Flyway"},
    {"_yoyo_migration", "yoyo"},
    {"ar_internal_metadata", "Rails"},
    {"schema_migrations", "another tool"},
    {"_sqlx_migrations", "another version of sqlx"},
    {"__diesel_schema_migrations", "another version of diesel"}};

const size_t rb_tracking_foreign_count =
    sizeof rb_tracking_foreign_tables / sizeof *rb_tracking_foreign_tables;
