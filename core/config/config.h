/*
 * Reads rbtool.json (schemas/config.schema.json). Unknown keys are errors that name the key and
 * the nearest known one. Reads what concerns releases; environments stay JSON for
 * config/environment.h.
 */
#ifndef RB_CONFIG_CONFIG_H
#define RB_CONFIG_CONFIG_H

#include "base/json.h"
#include "git/repository.h"

#define RB_CONFIG_FILE "rbtool.json"
#define RB_CONFIG_TAGS "v*" /* what names a release, if nothing else is set */
#define RB_COMPATIBILITY_SECONDS 60
#define RB_CONFIG_LIMIT (1u << 20) /* bytes */

typedef struct rb_config_artifact {
    char *name;
    rb_strs paths;
    char *format;   /* "dir" when not given */
    rb_strs ignore; /* globs of files that the application may add; rb_path_match() */
} rb_config_artifact;

typedef struct rb_config_database {
    char *name;
    char *engine;
    char *migrations;
    char *layout;   /* "auto" when not given */
    char *tracking; /* "auto" when not given */
    char *seed;     /* path or NULL */
    int seconds;    /* limits of a proof: rb_db_limits */
    int memory;
    int size;
} rb_config_database;

typedef struct rb_config {
    char *source; /* its name in messages */
    char *app_name;
    char *version_file; /* or NULL */
    char *version_json; /* path, or NULL; then version_key */
    char *version_key;
    char *tags;                    /* glob; RB_CONFIG_TAGS when not given */
    rb_config_artifact *artifacts; /* never empty: "source" when none are given */
    size_t artifact_count;
    rb_config_database *databases;
    size_t database_count;
    char *flags_file;          /* or NULL */
    char *flags_format;        /* "flagd" */
    json_t *features;          /* flag -> {"migrations": [ids]}: it switches what they brought */
    rb_strs config;            /* globs */
    rb_strs sql_checks;        /* globs */
    rb_strs compatibility;     /* a command; empty: none */
    int compatibility_timeout; /* seconds */
    json_t *requires;          /* [{"app","repository","range"}] */
    json_t *secrets;           /* {NAME: version} that the release needs, or NULL */
    char *known_good;          /* "verdict" or "verified" */
    json_t *environments;      /* object, perhaps empty */
} rb_config;

enum rb_code rb_config_parse(rb_config **out, const char *text, size_t len, const char *source,
                             rb_err *err);
enum rb_code rb_config_read(rb_config **out, const char *path, rb_err *err);
/* Reads rbtool.json of a commit's tree. RB_FOUND if it has none. */
enum rb_code rb_config_at(rb_config **out, rb_repo *repo, const rb_oid *commit, rb_err *err);
/* Reads the environments of a file that has nothing else, or has them under "environments". */
enum rb_code rb_config_environments(json_t **out, const char *text, size_t len, const char *source,
                                    rb_err *err);
void rb_config_free(rb_config *config);
RB_DEFINE_AUTO(rb_config, rb_config_free)

#endif
