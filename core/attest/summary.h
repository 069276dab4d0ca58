/*
 * Makes a SLSA verification summary (slsa.dev/verification_summary/v1): the result of rbtool's
 * checks of a release, as an in-toto Statement for tools that rely on another verifier.
 */
#ifndef RB_ATTEST_SUMMARY_H
#define RB_ATTEST_SUMMARY_H

#include "release/release.h"

#define RB_SUMMARY_TYPE "https://slsa.dev/verification_summary/v1"

/* Names of members that SLSA does not define. */
#define RB_SUMMARY_REASONS "urn:rbtool:reasons:v1"
#define RB_SUMMARY_RULES "urn:rbtool:rules:v1"

typedef struct rb_summary { /* all members are borrowed */
    const char *tag;
    const char *object; /* of the tag, 40 hex digits */
    const char *sha256; /* of the tag object's bytes; NULL: left out */
    const rb_release
        *release;        /* NULL: its manifest cannot be trusted, so that only the tag is named */
    bool passed;         /* all checks passed */
    const json_t *rules; /* results for environments, from rb_evidence_judge(); or NULL */
    const char *verdict; /* verdict of the ledger: good, bad, or NULL */
    const char *verdict_entry; /* commit id of the entry that decides the verdict, or NULL */
    const char *policy;        /* id of the policy entry in force, or NULL */
    const rb_strs *reasons;    /* why it did not pass; empty if it did */
    const char *verifier;      /* a URI that identifies the verifier */
    const char *version;       /* version of rbtool */
    const char *resource;      /* a URI; NULL: pkg:generic/APP@VERSION */
    int64_t when;
} rb_summary;

/* True if every check passed, the verdict is not bad, and every rule was met. */
bool rb_summary_passed(const rb_summary *summary);
json_t *rb_summary_statement(const rb_summary *summary); /* a new reference */

bool rb_summary_is_uri(
    const char *text); /* true for a text with a scheme and printable ASCII only */

#endif
