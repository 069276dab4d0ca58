/*
 * The record of releases and transitions, for auditors and after an incident: what the ledger and
 * the tags prove, as one document, and as a page or a table made of it.
 *
 * Order of calls: rb_report_make(), then rb_report_html() or rb_report_csv(), or the document as
 * it is. A figure is counted from entries that count only: signed by an allowed signer whose key
 * was not revoked, or unsigned where no policy wants a signature. The others are in "ignored".
 */
#ifndef RB_REPORT_REPORT_H
#define RB_REPORT_REPORT_H

#include "environment/journals.h"
#include "session/session.h"

typedef struct rb_report_request { /* all borrowed */
    rb_session *session;           /* its ledger is open */
    const rb_journals *journals;   /* of this host, for verdicts */
    const char *environment;       /* NULL: all */
    const char *tag;               /* the dossier of this release; NULL: all */
    int64_t since;                 /* seconds; INT64_MIN: from the beginning */
    int64_t now;
    const json_t *objectives; /* {ENVIRONMENT: {"rto","rpo"}}, as configured here; or NULL */
    bool releases;            /* list the releases, which verifies those that are new */
} rb_report_request;

/*
 * The document of `report --format json` (schemas/report.schema.json). Texts are safe for a
 * terminal. RB_ERROR if the releases cannot be listed, or the tag is not one of them.
 */
enum rb_code rb_report_make(json_t **out, const rb_report_request *request, rb_err *err);

/* One HTML page without scripts and without references to other files. changes: the document of
 * rb_diff() from the predecessor to the tag of a dossier, or NULL; signers: the text of the allowed
 * signers' file, or NULL. Adds members to the document. */
void rb_report_html(rb_buf *out, json_t *document, const json_t *changes, const char *signers);

/* RFC 4180, a line for each transition and each other entry. A cell that a spreadsheet would run
 * as a formula begins with an apostrophe. */
void rb_report_csv(rb_buf *out, const json_t *document);

#endif
