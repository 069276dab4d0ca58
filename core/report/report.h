/*
 * Reports releases and transitions, for auditors and after an incident: what the ledger and the
 * tags prove, as one document, and as a page or table made from it.
 *
 * Order of calls: rb_report_make(), then rb_report_html() or rb_report_csv(), or the document
 * itself. Figures are computed only from valid entries: those signed by an allowed signer whose key
 * was not revoked, and unsigned ones if no policy requires a signature. The others are listed in
 * "ignored".
 */
#ifndef RB_REPORT_REPORT_H
#define RB_REPORT_REPORT_H

#include "environment/journals.h"
#include "session/session.h"

typedef struct rb_report_request { /* all members are borrowed */
    rb_session *session;           /* its ledger must be open */
    const rb_journals *journals;   /* journals of this host, for verdicts */
    const char *environment;       /* NULL: all */
    const char *tag;               /* only the dossier of this release; NULL: all */
    int64_t since;                 /* seconds; INT64_MIN: no limit */
    int64_t now;
    const json_t *objectives; /* {ENVIRONMENT: {"rto","rpo"}} from this clone's settings; or NULL */
    bool releases;            /* lists the releases, which verifies new ones */
} rb_report_request;

/*
 * Makes the document of `report --format json` (schemas/report.schema.json). Texts are safe for a
 * terminal. RB_ERROR if the releases cannot be listed, or `tag` is not one of them.
 */
enum rb_code rb_report_make(json_t **out, const rb_report_request *request, rb_err *err);

/* Appends an HTML page without scripts and references to other files. changes: the document of
 * rb_diff() from the previous release to the dossier's, or NULL; signers: the text of the allowed
 * signers file, or NULL. Adds members to the document. */
void rb_report_html(rb_buf *out, json_t *document, const json_t *changes, const char *signers);

/* Appends CSV (RFC 4180) with a line for each transition and each other entry. A cell that a
 * spreadsheet would run as a formula gets an apostrophe in front. */
void rb_report_csv(rb_buf *out, const json_t *document);

#endif
