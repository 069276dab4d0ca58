/*
 * A SLSA verification summary (slsa.dev/verification_summary/v1): what rbtool found about a
 * release, as an in-toto Statement for tools that ask "did someone I trust verify this?".
 */
#ifndef RB_ATTEST_SUMMARY_H
#define RB_ATTEST_SUMMARY_H

#include "release/release.h"

#define RB_SUMMARY_TYPE "https://slsa.dev/verification_summary/v1"

/* Members that SLSA does not define. */
#define RB_SUMMARY_REASONS "urn:rbtool:reasons:v1"
#define RB_SUMMARY_RULES "urn:rbtool:rules:v1"

typedef struct rb_summary { /* all borrowed */
    const char *tag;
    const char *object;        /* of the tag, 40 hex digits */
    const char *sha256;        /* of the tag object's bytes; NULL: not said */
    const rb_release *release; /* NULL: its manifest cannot be trusted, only the tag is named */
    bool passed;               /* every check did */
    const json_t *rules;       /* of environments, as rb_evidence_judge() gives them; NULL: none */
    const char *verdict;       /* of the ledger: good, bad, or NULL */
    const char *verdict_entry; /* the commit that decides it, or NULL */
    const char *policy;        /* the policy entry in force, or NULL */
    const rb_strs *reasons;    /* why it did not pass; empty if it did */
    const char *verifier;      /* a URI: who says so */
    const char *version;       /* of the program */
    const char *resource;      /* a URI; NULL: pkg:generic/APP@VERSION */
    int64_t when;
} rb_summary;

/* A bad verdict, and a rule that was not met, fail as a failed check does. */
bool rb_summary_passed(const rb_summary *summary);
json_t *rb_summary_statement(const rb_summary *summary); /* a new reference */

bool rb_summary_is_uri(const char *text); /* has a scheme, and printable ASCII only */

#endif
