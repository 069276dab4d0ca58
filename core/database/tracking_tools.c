#include "database/tracking_tools.h"

#include "migration/layout.h"

/* goose inserts this row when it creates its table. */
#define GOOSE_FIRST                                                                                \
    "INSERT INTO goose_db_version (version_id, is_applied) SELECT 0, TRUE WHERE NOT EXISTS "       \
    "(SELECT 1 FROM goose_db_version)"

#define FLYWAY_COLUMNS                                                                             \
    "checksum,description,execution_time,installed_by,installed_on,installed_rank,script,success," \
    "type,version"
#define FLYWAY_TABLE                                                                               \
    "    \"installed_rank\" INT NOT NULL,\n"                                                       \
    "    \"version\" VARCHAR(50),\n"                                                               \
    "    \"description\" VARCHAR(200) NOT NULL,\n"                                                 \
    "    \"type\" VARCHAR(20) NOT NULL,\n"                                                         \
    "    \"script\" VARCHAR(1000) NOT NULL,\n"
#define FLYWAY_INDEX                                                                               \
    "CREATE INDEX \"flyway_schema_history_s_idx\" ON flyway_schema_history (\"success\")"
/* An undo adds a row, so the newest row of a version counts. */
#define FLYWAY_READ                                                                                \
    "SELECT version, CASE WHEN success THEN 0 ELSE 1 END,"                                         \
    " CASE WHEN type = 'BASELINE' THEN 1 ELSE 0 END FROM flyway_schema_history h"                  \
    " WHERE version IS NOT NULL AND type NOT LIKE 'UNDO%' AND type NOT IN ('DELETE', 'SCHEMA')"    \
    " AND installed_rank = (SELECT max(installed_rank) FROM flyway_schema_history n"               \
    " WHERE n.version = h.version)"
#define FLYWAY_INSERT(TYPE, PREFIX, USER)                                                          \
    "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script,"       \
    " checksum, installed_by, execution_time, success) VALUES ((SELECT"                            \
    " coalesce(max(installed_rank), 0) + 1 FROM flyway_schema_history), {id}, {" PREFIX            \
    "description}, " TYPE ", {" PREFIX "script}, {" PREFIX "checksum}, " USER                      \
    ", {milliseconds}, TRUE)"

/* Sqitch's registry, pg.sql without its comments. */
#define SQITCH_PLANNER                                                                             \
    "planned_at timestamptz NOT NULL, planner_name text NOT NULL, planner_email text NOT NULL"
#define SQITCH_COMMITTED                                                                           \
    "note text NOT NULL DEFAULT '', committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),"  \
    " committer_name text NOT NULL, committer_email text NOT NULL, " SQITCH_PLANNER
#define SQITCH_OF_PROJECT                                                                          \
    "project text NOT NULL REFERENCES sqitch.projects(project) ON UPDATE CASCADE"
#define SQITCH_TABLES                                                                              \
    "CREATE SCHEMA IF NOT EXISTS sqitch;"                                                          \
    "COMMENT ON SCHEMA sqitch IS 'Sqitch database deployment metadata v1.1.';"                     \
    "CREATE TABLE sqitch.releases (version real PRIMARY KEY, installed_at timestamptz NOT NULL"    \
    " DEFAULT clock_timestamp(), installer_name text NOT NULL, installer_email text NOT NULL);"    \
    "INSERT INTO sqitch.releases (version, installer_name, installer_email)"                       \
    " VALUES (1.1, current_user, 'rbtool');"                                                       \
    "CREATE TABLE sqitch.projects (project text PRIMARY KEY, uri text NULL UNIQUE, created_at"     \
    " timestamptz NOT NULL DEFAULT clock_timestamp(), creator_name text NOT NULL, creator_email"   \
    " text NOT NULL);"                                                                             \
    "CREATE TABLE sqitch.changes (change_id text PRIMARY KEY, script_hash text NULL, change text"  \
    " NOT NULL, " SQITCH_OF_PROJECT ", " SQITCH_COMMITTED ", UNIQUE(project, script_hash));"       \
    "CREATE TABLE sqitch.tags (tag_id text PRIMARY KEY, tag text NOT NULL, " SQITCH_OF_PROJECT     \
    ", change_id text NOT NULL REFERENCES sqitch.changes(change_id) ON UPDATE"                     \
    " CASCADE, " SQITCH_COMMITTED ", UNIQUE(project, tag))"
#define SQITCH_EVENTS                                                                              \
    "CREATE TABLE sqitch.dependencies (change_id text NOT NULL REFERENCES"                         \
    " sqitch.changes(change_id) ON UPDATE CASCADE ON DELETE CASCADE, type text NOT NULL,"          \
    " dependency text NOT NULL, dependency_id text NULL REFERENCES sqitch.changes(change_id) ON"   \
    " UPDATE CASCADE CONSTRAINT dependencies_check CHECK ((type = 'require' AND dependency_id IS"  \
    " NOT NULL) OR (type = 'conflict' AND dependency_id IS NULL)), PRIMARY KEY (change_id,"        \
    " dependency));"                                                                               \
    "CREATE TABLE sqitch.events (event text NOT NULL CONSTRAINT events_event_check CHECK (event"   \
    " IN ('deploy', 'revert', 'fail', 'merge')), change_id text NOT NULL, change text NOT"         \
    " NULL, " SQITCH_OF_PROJECT ", requires text[] NOT NULL DEFAULT '{}', conflicts text[] NOT"    \
    " NULL DEFAULT '{}', tags text[] NOT NULL DEFAULT '{}', " SQITCH_COMMITTED                     \
    ", PRIMARY KEY (change_id, committed_at))"
/* What each row has last: who recorded it and when, and who planned it and when. */
#define SQITCH_PEOPLE                                                                              \
    "committed_at, committer_name, committer_email, planned_at, planner_name, planner_email"
#define SQITCH_NOW "clock_timestamp(), current_user, 'rbtool'"
#define SQITCH_PLANNED "{planned_at}::timestamptz, {planner_name}, {planner_email}"
#define SQITCH_PROJECT                                                                             \
    "INSERT INTO sqitch.projects (project, uri, creator_name, creator_email) VALUES ({project},"   \
    " {uri}, current_user, 'rbtool') ON CONFLICT (project) DO NOTHING"
#define SQITCH_CHANGE                                                                              \
    "INSERT INTO sqitch.changes (change_id, script_hash, change, project, note, " SQITCH_PEOPLE    \
    ") VALUES ({change_id}, {script_hash}, {change}, {project}, {note}, " SQITCH_NOW               \
    ", " SQITCH_PLANNED ")"
/* A change of another project has its id in the registry only. */
#define SQITCH_DEPENDENCIES                                                                        \
    "INSERT INTO sqitch.dependencies (change_id, type, dependency, dependency_id) SELECT"          \
    " {change_id}, d.type, d.dependency, coalesce(d.dependency_id, (SELECT c.change_id FROM"       \
    " sqitch.changes c WHERE d.type = 'require' AND c.project = d.project AND c.change ="          \
    " split_part(d.change, '@', 1) ORDER BY c.committed_at DESC LIMIT 1)) FROM"                    \
    " json_to_recordset({dependencies}) AS d(type text, dependency text, dependency_id text,"      \
    " project text, change text)"
#define SQITCH_TAGS                                                                                \
    "INSERT INTO sqitch.tags (tag_id, tag, project, change_id, note, " SQITCH_PEOPLE               \
    ") SELECT tag_id, tag, {project}, change_id, note, " SQITCH_NOW                                \
    ", planned_at, planner_name, planner_email FROM json_to_recordset({tags}) AS t(tag_id text,"   \
    " tag text, change_id text, note text, planned_at timestamptz, planner_name text,"             \
    " planner_email text) WHERE change_id IN (SELECT change_id FROM sqitch.changes) ON CONFLICT"   \
    " DO NOTHING"
#define SQITCH_LAST                                                                                \
    "(SELECT change_id FROM sqitch.changes WHERE project = {project} AND change = {change} ORDER"  \
    " BY committed_at DESC LIMIT 1)"

/*
 * Sources: golang-migrate database/{sqlite3,postgres} ensureVersionTable and SetVersion; dbmate
 * pkg/driver/{sqlite,postgres} CreateMigrationsTable; diesel_migrations' CREATE_MIGRATIONS_TABLE;
 * sqlx-{sqlite,postgres} migrate.rs; goose internal/dialects; sql-migrate's gorp dialects;
 * node-pg-migrate src/runner.ts; Flyway's PostgreSQLDatabase, SQLiteDatabase and
 * JdbcTableSchemaHistory; App::Sqitch::Engine::pg and App::Sqitch::Role::DBIEngine.
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
     .insert = {"INSERT INTO schema_migrations (version, dirty) VALUES ({id}, FALSE)"},
     .remove = {"DELETE FROM schema_migrations"},
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
     .read = "SELECT version, FALSE FROM schema_migrations",
     .insert = {"INSERT INTO schema_migrations (version) VALUES ({id})"},
     .remove = {"DELETE FROM schema_migrations WHERE version = {id}"}},
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
     .read = "SELECT version, FALSE FROM __diesel_schema_migrations",
     .insert = {"INSERT INTO __diesel_schema_migrations (version) VALUES ({id})"},
     .remove = {"DELETE FROM __diesel_schema_migrations WHERE version = {id}"}},
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
     .read = "SELECT version, NOT success FROM _sqlx_migrations",
     .remove = {"DELETE FROM _sqlx_migrations WHERE version = {id}"},
     .settle = "UPDATE _sqlx_migrations SET success = TRUE",
     .lock = RB_TRACKING_SQLX},
    {.name = "goose",
     .table = "goose_db_version",
     .columns = "id,is_applied,tstamp,version_id",
     .create = {{"sqlite",
                 {"CREATE TABLE IF NOT EXISTS goose_db_version (\n"
                  "\t\tid INTEGER PRIMARY KEY AUTOINCREMENT,\n"
                  "\t\tversion_id INTEGER NOT NULL,\n"
                  "\t\tis_applied INTEGER NOT NULL,\n"
                  "\t\ttstamp TIMESTAMP DEFAULT (datetime('now'))\n\t)",
                  GOOSE_FIRST}},
                {"postgresql",
                 {"CREATE TABLE IF NOT EXISTS goose_db_version (\n"
                  "\t\tid integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,\n"
                  "\t\tversion_id bigint NOT NULL,\n"
                  "\t\tis_applied boolean NOT NULL,\n"
                  "\t\ttstamp timestamp NOT NULL DEFAULT now()\n\t)",
                  GOOSE_FIRST}}},
     /* Older versions of goose inserted a row for a down script; the newest row of a version
      * counts. */
     .read = "SELECT version_id, FALSE FROM goose_db_version g WHERE is_applied AND version_id > 0"
             " AND id = (SELECT max(id) FROM goose_db_version n WHERE n.version_id = g.version_id)",
     .insert = {"INSERT INTO goose_db_version (version_id, is_applied) VALUES ({id}, TRUE)"},
     .remove = {"DELETE FROM goose_db_version WHERE version_id = {id}"}},
    {.name = "sql-migrate",
     .table = "gorp_migrations",
     .columns = "applied_at,id",
     .create = {{"sqlite",
                 {"create table if not exists \"gorp_migrations\" (\"id\" varchar(255) not null "
                  "primary key, \"applied_at\" datetime) "}},
                {"postgresql",
                 {"create table if not exists \"gorp_migrations\" (\"id\" text not null primary "
                  "key, \"applied_at\" timestamp with time zone) "}}},
     .read = "SELECT id, FALSE FROM gorp_migrations",
     .insert = {"INSERT INTO gorp_migrations (id, applied_at) VALUES ({id}, CURRENT_TIMESTAMP)"},
     .remove = {"DELETE FROM gorp_migrations WHERE id = {id}"}},
    {.name = "node-pg-migrate",
     .table = "pgmigrations",
     .columns = "id,name,run_on",
     .create = {{"postgresql",
                 {"CREATE TABLE IF NOT EXISTS pgmigrations (id SERIAL PRIMARY KEY, name "
                  "varchar(255) NOT NULL, run_on timestamp NOT NULL)"}}},
     .read = "SELECT name, FALSE FROM pgmigrations",
     .insert = {"INSERT INTO pgmigrations (name, run_on) VALUES ({id}, now())"},
     .remove = {"DELETE FROM pgmigrations WHERE name = {id}"},
     .lock = RB_TRACKING_FIXED,
     .lock_key = 7241865325823964},
    {.name = "flyway",
     .engine = "postgresql",
     .table = "flyway_schema_history",
     .columns = FLYWAY_COLUMNS,
     .create = {{"postgresql",
                 {"CREATE TABLE flyway_schema_history (\n" FLYWAY_TABLE
                  "    \"checksum\" INTEGER,\n"
                  "    \"installed_by\" VARCHAR(100) NOT NULL,\n"
                  "    \"installed_on\" TIMESTAMP NOT NULL DEFAULT now(),\n"
                  "    \"execution_time\" INTEGER NOT NULL,\n"
                  "    \"success\" BOOLEAN NOT NULL\n"
                  ");\n"
                  "ALTER TABLE flyway_schema_history ADD CONSTRAINT \"flyway_schema_history_pk\" "
                  "PRIMARY KEY (\"installed_rank\")",
                  FLYWAY_INDEX}}},
     .read = FLYWAY_READ,
     .insert = {FLYWAY_INSERT("'SQL'", "", "current_user")},
     .remove = {FLYWAY_INSERT("'UNDO_SQL'", "undo_", "current_user")},
     .settle = "UPDATE flyway_schema_history SET success = TRUE",
     .lock = RB_TRACKING_FLYWAY,
     .lock_key = 0x466c79776179, /* "Flyway" */
     .compare = rb_flyway_compare},
    {.name = "flyway",
     .engine = "sqlite",
     .table = "flyway_schema_history",
     .columns = FLYWAY_COLUMNS,
     .create = {{"sqlite",
                 {"CREATE TABLE flyway_schema_history (\n" FLYWAY_TABLE "    \"checksum\" INT,\n"
                  "    \"installed_by\" VARCHAR(100) NOT NULL,\n"
                  "    \"installed_on\" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d "
                  "%H:%M:%f','now')),\n"
                  "    \"execution_time\" INT NOT NULL,\n"
                  "    \"success\" BOOLEAN NOT NULL,\n"
                  "    PRIMARY KEY (\"installed_rank\")\n)",
                  FLYWAY_INDEX}}},
     .read = FLYWAY_READ,
     .insert = {FLYWAY_INSERT("'SQL'", "", "''")},
     .remove = {FLYWAY_INSERT("'UNDO_SQL'", "undo_", "''")},
     .settle = "UPDATE flyway_schema_history SET success = TRUE",
     .compare = rb_flyway_compare},
    {.name = "sqitch",
     .engine = "postgresql",
     .table = "sqitch.changes",
     .columns = "change,change_id,committed_at,committer_email,committer_name,note,planned_at,"
                "planner_email,planner_name,project,script_hash",
     .create = {{"postgresql", {SQITCH_TABLES, SQITCH_EVENTS}}},
     .read = "SELECT change || CASE WHEN n > 1 THEN '#' || n ELSE '' END, 0 FROM (SELECT change,"
             " committed_at, row_number() OVER (PARTITION BY change ORDER BY committed_at) AS n"
             " FROM sqitch.changes WHERE project = {project}) c ORDER BY committed_at",
     .insert = {SQITCH_PROJECT, SQITCH_CHANGE, SQITCH_DEPENDENCIES, SQITCH_TAGS,
                "INSERT INTO sqitch.events (event, change_id, change, project, note, requires,"
                " conflicts, tags, " SQITCH_PEOPLE ") VALUES ('deploy', {change_id}, {change},"
                " {project}, {note}, ARRAY(SELECT json_array_elements_text({requires})),"
                " ARRAY(SELECT json_array_elements_text({conflicts})),"
                " ARRAY(SELECT json_array_elements_text({tag_names})), " SQITCH_NOW
                ", " SQITCH_PLANNED ")"},
     .remove = {"INSERT INTO sqitch.events (event, change_id, change, project, note, requires,"
                " conflicts, tags, " SQITCH_PEOPLE ") SELECT 'revert', c.change_id, c.change,"
                " c.project, c.note, ARRAY(SELECT dependency FROM sqitch.dependencies d WHERE"
                " d.change_id = c.change_id AND type = 'require'), ARRAY(SELECT dependency FROM"
                " sqitch.dependencies d WHERE d.change_id = c.change_id AND type = 'conflict'),"
                " ARRAY(SELECT tag FROM sqitch.tags t WHERE t.change_id = c.change_id), " SQITCH_NOW
                ", c.planned_at, c.planner_name, c.planner_email FROM sqitch.changes c"
                " WHERE c.change_id = " SQITCH_LAST,
                "DELETE FROM sqitch.tags WHERE change_id = " SQITCH_LAST,
                "DELETE FROM sqitch.changes WHERE change_id = " SQITCH_LAST},
     .lock = RB_TRACKING_FIXED,
     .lock_key = 75474063},
};

const size_t rb_tracking_tool_count = sizeof rb_tracking_tools / sizeof *rb_tracking_tools;

const rb_tracking_foreign_table rb_tracking_foreign_tables[] = {
    {"flyway_schema_history", "another version of Flyway"},
    {"goose_db_version", "another version of goose"},
    {"gorp_migrations", "another version of sql-migrate"},
    {"alembic_version", "Alembic"},
    {"django_migrations", "Django"},
    {"knex_migrations", "Knex"},
    {"pgmigrations", "another version of node-pg-migrate"},
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
