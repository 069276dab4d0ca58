/* The parts of a diff, for diff.c. */
#ifndef RB_REPORT_DIFF_PARTS_H
#define RB_REPORT_DIFF_PARTS_H

#include "release/release.h"

typedef struct rb_diff_sides {
    rb_repo *repo;
    const rb_release *from;
    const rb_release *to;
    const rb_release *const *between;
    size_t count;
} rb_diff_sides;

enum rb_risk { RB_RISK_REVERSIBLE, RB_RISK_LOSSY, RB_RISK_IRREVERSIBLE };

typedef struct rb_diff_risk {
    enum rb_risk worst;
    json_t *reasons; /* array of strings */
} rb_diff_risk;

/* Each of these functions makes a new array for the document. */
enum rb_code rb_diff_artifacts(json_t **out, const rb_diff_sides *sides, rb_err *err);
enum rb_code rb_diff_flags(json_t **out, const rb_diff_sides *sides, rb_err *err);
json_t *rb_diff_config(const rb_diff_sides *sides);
json_t *rb_diff_secrets(const rb_diff_sides *sides); /* returns versions: [{"name","from","to"}] */
enum rb_code rb_diff_commits(json_t **out, const rb_diff_sides *sides, rb_err *err);
enum rb_code rb_diff_databases(json_t **out, rb_diff_risk *risk, const rb_diff_sides *sides,
                               rb_err *err);

#endif
