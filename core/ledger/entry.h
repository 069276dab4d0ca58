/*
 * One entry of the ledger: a commit whose message is a title and the entry's JSON
 * (schemas/ledger-entry.schema.json), whose parents are entries only, and whose tree holds exactly
 * the attachments that the JSON names with their SHA-256, so that no signed code commit can pose
 * as an entry.
 *
 *     verdict v1.4.0 good: checked by hand
 *
 *     { "app": "shop", "at": 1764000000, "attachments": [], "environment": null,
 *       "kind": "verdict", "ledger": "40 hex", "object": "40 hex", "tag": "v1.4.0",
 *       "type": "urn:rbtool:ledger:v1",
 *       "verdict": { "transition": null, "verdict": "good", "why": "checked by hand" } }
 *
 * in rb_json_pretty() form, so that the same entry is the same bytes; the member named as the
 * kind holds what is particular to it. "at" equals the committer's time, to the second. "ledger" is
 * the id of the ledger's first entry, null in the first entry itself: an entry of one ledger does
 * not count in another (identity.h).
 */
#ifndef RB_LEDGER_ENTRY_H
#define RB_LEDGER_ENTRY_H

#include <stdint.h>

#include "base/json.h"
#include "base/problem.h"
#include "git/repository.h"

#define RB_ENTRY_TYPE "urn:rbtool:ledger:v1"
#define RB_ENTRY_LIMIT (64u << 10)         /* bytes of an entry's message */
#define RB_ENTRY_HEADERS_LIMIT (32u << 10) /* bytes of the headers, with the signature */
/* bytes; of a larger commit, not even the parents are read */
#define RB_ENTRY_READ_LIMIT (4u << 20)
#define RB_ENTRY_TITLE_LIMIT 1024       /* bytes of a title */
#define RB_ATTACHMENT_LIMIT (16u << 20) /* bytes of an attachment */
#define RB_ATTACHED_LIMIT (64u << 20)   /* bytes of all attachments of an entry */
#define RB_ENTRY_PARENTS 16
#define RB_ENTRY_POLICIES 16 /* number of policies that a transition names */
#define RB_ATTACHMENTS 64

enum rb_entry_kind {
    /* The ledger has seen a release; {"commit","sha256","witness"}; attachments: tag, proof, ... */
    RB_ENTRY_RELEASE,
    RB_ENTRY_VERDICT,  /* {"verdict": good|bad, "why", "transition": id or null} */
    RB_ENTRY_APPROVAL, /* {"why"}; environment null: any environment */
    RB_ENTRY_POLICY,   /* {"version", "previous": entry id or null, "policy": {...}} */
    RB_ENTRY_GAP,      /* {"why"}: the release of this tag is lost, and that is accepted */
    /* A transition ended: {"id","kind","from","fromObject","to","toObject","digest","outcome",
     * "started","finished","steps":[{"id","outcome","milliseconds"}],"error","acceptedLoss": digest
     * or null,"acceptedDrift","acceptedReverted","whole"}. May have "accepted": the loss that was
     * accepted, [{"database","table","column","rows","values"}]; "backups": those that it wrote,
     * [{"database","path" below ROOT,"tables","rows"}]; "host","user","version": where and by which
     * rbtool it ran; "policy": [entry ids] by which its plan was judged. milliseconds null: the
     * step was interrupted. whole: every part of the environment is at the target release. outcome:
     * done, unhealthy, failed, refused, aborted, interrupted (another run continued it). Its tag is
     * the target release of a deploy, otherwise the source release, which is undone. */
    RB_ENTRY_TRANSITION,
    /* As RB_ENTRY_TRANSITION, and {"rto": seconds or null}; may have {"mode": revert, backup,
     * tabletop, "ok","milliseconds": time of the restore,"fault": fail or kill,"faultStep",
     * "backup": its id,"answers": [{"section","answer","milliseconds"}]} */
    RB_ENTRY_DRILL,
    /* A rule was broken with --break-glass: {"rule","why","transition": id or null}. By `env
     * trust`: rule "environment", and "environment": its previous name if it was renamed */
    RB_ENTRY_OVERRIDE,
    /* Rows were restored from the backup of a transition: {"id",
     * "transition","database","path","table": the only one, or null, "ignored":
     * [columns],"deleted","overwrite","restored","missing": rows and values,"tables":
     * [{"table","column","restored","missing"}],"finished", "host","user","version"} */
    RB_ENTRY_RESTORE,
    /* The watch of a deploy ended: {"transition","outcome": passed, reverted, held, failing,
     * superseded or unobserved,"began","deadline","rounds", "failed","millisecondsToDetect":
     * since the release went live, "millisecondsToRestore": the same, of an automatic revert, or
     * null, "message": the last failure, "held": why it held} */
    RB_ENTRY_WATCH,
    /* A remark: {"about": entry id, or null for a release, "transition": id or null, "text"};
     * tag, object and environment are those of what it is about */
    RB_ENTRY_NOTE,
    /* A review: {"subject": plan, backup or history, "text", "due": time of the next review, in
     * seconds}; environment null: all environments */
    RB_ENTRY_REVIEW,
    /* {}: joins concurrent histories; has two or more parents. {"joins": [first entries]}: joins
     * ledgers that began separately */
    RB_ENTRY_MERGE,
    RB_ENTRY_KINDS
};
const char *rb_entry_kind_name(enum rb_entry_kind kind);
bool rb_entry_kind_of(enum rb_entry_kind *out, const char *name);

enum rb_entry_trust {
    RB_ENTRY_GOOD,     /* signed by an allowed signer */
    RB_ENTRY_UNSIGNED, /* well-formed, without a signature */
    /* signed, but the key is not allowed, was not valid at that time, or is revoked */
    RB_ENTRY_UNKNOWN,
    RB_ENTRY_BROKEN,  /* signature, form or an attachment is invalid */
    RB_ENTRY_FOREIGN, /* not an entry of this ledger, such as a code commit */
};
#define RB_ENTRY_UNREADABLE "unreadable" /* problem code of a commit that cannot be read */
/* returns "good", "unsigned", "unknown", ... */
const char *rb_entry_trust_name(enum rb_entry_trust trust);

typedef struct rb_entry {    /* all members are borrowed from the ledger */
    rb_oid id;               /* id of the commit */
    enum rb_entry_kind kind; /* RB_ENTRY_KINDS if it is foreign or malformed */
    enum rb_entry_trust trust;
    const char *title; /* first line of the message; may contain control characters */
    const char *app;   /* application; NULL if the entry is foreign or malformed */
    /* id of the ledger's first entry; NULL in that entry, and if malformed */
    const char *ledger;
    const char *tag;                    /* name of a release, or NULL */
    const char *object;                 /* id of the tag object, 40 hex digits, or NULL */
    const char *environment;            /* name of an environment, or NULL */
    int64_t at;                         /* seconds since 1970, by the writer's clock */
    uint32_t parents[RB_ENTRY_PARENTS]; /* indexes of the parents in the ledger */
    size_t parent_count;
    const char *committer;   /* "Name <email>" of the commit */
    const char *principal;   /* signer; NULL unless trust is RB_ENTRY_GOOD */
    const char *fingerprint; /* key of the signature, also of an unknown key */
    rb_problems problems;    /* reasons why it is not good */
    const char *text;        /* bytes of the JSON; use rb_entry_json() */
    size_t text_len;
    json_t *parsed;
} rb_entry;

/* Return the entry's JSON, and its member that is named like the kind. Parsed on first use, by one
 * thread at a time. NULL if the entry is foreign or malformed. */
const json_t *rb_entry_json(const rb_entry *entry);
const json_t *rb_entry_detail(const rb_entry *entry);
/* Returns "flags only" for a transition that moved some parts, as its title says, or NULL. */
char *rb_entry_part(const rb_entry *entry);
/* Frees the parsed JSON, for commands that read many entries. It is parsed again on next use. */
void rb_entry_forget(const rb_entry *entry);

#endif
