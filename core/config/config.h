/*
 * Reads rbtool.json (schemas/config.schema.json). Unknown keys are errors that name the key and the
 * nearest known one. This module reads the settings of releases; environments stay JSON, which
 * config/environment.h reads.
 */
#ifndef RB_CONFIG_CONFIG_H
#define RB_CONFIG_CONFIG_H

#include "base/json.h"
#include "git/repository.h"

#define RB_CONFIG_FILE "rbtool.json"
#define RB_CONFIG_TAGS "v*" /* default glob of the tags that are releases */
#define RB_COMPATIBILITY_SECONDS 60
#define RB_CONFIG_LIMIT (1u << 20) /* bytes */

typedef struct rb_config_artifact {
    char *name;
    rb_strs paths;
    char *format;   /* "dir" by default */
    rb_strs ignore; /* globs of files that the application may create; see rb_path_match() */
} rb_config_artifact;

typedef struct rb_config_database {
    char *name;
    char *engine;
    char *migrations;
    char *layout;   /* "auto" by default */
    char *tracking; /* "auto" by default */
    char *seed;     /* path of the seed script, or NULL */
    int seconds;    /* limits of a proof, as in rb_db_limits */
    int memory;
    int size;
} rb_config_database;

typedef struct rb_config {
    char *source; /* name of the file or release, for messages */
    char *app_name;
    char *version_file; /* path of a text file with the version, or NULL */
    char *version_json; /* path of a JSON file with the version at version_key, or NULL */
    char *version_key;
    char *tags;                    /* glob of release tags; RB_CONFIG_TAGS by default */
    rb_config_artifact *artifacts; /* never empty: one artifact "source" by default */
    size_t artifact_count;
    rb_config_database *databases;
    size_t database_count;
    char *flags_file;   /* path in the repository, or NULL */
    char *flags_format; /* "flagd" by default */
    /* flag -> {"migrations": [ids]}: the migrations whose feature it switches */
    json_t *features;
    rb_strs config;            /* globs of config files */
    rb_strs sql_checks;        /* globs of SQL checks */
    rb_strs compatibility;     /* argument vector; empty: none */
    int compatibility_timeout; /* seconds of `compatibility` */
    json_t *requires;          /* [{"app","repository","range"}] */
    json_t *secrets;           /* {NAME: version} of secrets that the release needs, or NULL */
    char *known_good;          /* "verdict" or "verified" */
    json_t *environments;      /* object with environments, may be empty */
} rb_config;

enum rb_code rb_config_parse(rb_config **out, const char *text, size_t len, const char *source,
                             rb_err *err);
enum rb_code rb_config_read(rb_config **out, const char *path, rb_err *err);
/* Reads rbtool.json from the tree of a commit. RB_FOUND if the tree does not have the file. */
enum rb_code rb_config_at(rb_config **out, rb_repo *repo, const rb_oid *commit, rb_err *err);
/* Reads environments from a file that contains only them, or has them under "environments". */
enum rb_code rb_config_environments(json_t **out, const char *text, size_t len, const char *source,
                                    rb_err *err);
void rb_config_free(rb_config *config);
RB_DEFINE_AUTO(rb_config, rb_config_free)

#endif
