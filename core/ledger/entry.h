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
#define RB_ENTRY_LIMIT (64u << 10) /* bytes of an entry's message */
#define RB_ENTRY_HEADERS_LIMIT                                                                     \
    (32u << 10)                         /* bytes of the headers before it, signature included      \
                                         */
#define RB_ENTRY_READ_LIMIT (4u << 20)  /* of a larger commit not even the parents are read */
#define RB_ENTRY_TITLE_LIMIT 1024       /* bytes of a title */
#define RB_ATTACHMENT_LIMIT (16u << 20) /* bytes of an attachment */
#define RB_ATTACHED_LIMIT (64u << 20)   /* bytes of all attachments of an entry */
#define RB_ENTRY_PARENTS 16
#define RB_ENTRY_POLICIES 16 /* that a transition names */
#define RB_ATTACHMENTS 64

enum rb_entry_kind {
    RB_ENTRY_RELEASE,    /* first seen; {"commit","sha256","witness"}; attached: tag, proof, ... */
    RB_ENTRY_VERDICT,    /* {"verdict": good|bad, "why", "transition": id or null} */
    RB_ENTRY_APPROVAL,   /* {"why"}; environment null: any */
    RB_ENTRY_POLICY,     /* {"version", "previous": entry id or null, "policy": {...}} */
    RB_ENTRY_GAP,        /* {"why"}: this predecessor is lost, and people know */
    RB_ENTRY_TRANSITION, /* {"id","kind","from","fromObject","to","toObject","digest","outcome",
                             "started","finished","steps":[{"id","outcome","milliseconds"}],"error",
                             "acceptedLoss": digest or null,"acceptedDrift",
                             "acceptedReverted","whole"; "accepted": [{"database","table",
                             "column","rows","values"}] with that loss, "backups": [{"database",
                             "path" below ROOT,"tables","rows"}] that it wrote,
                            "host","user","version" that it ran with, "policy": [entry ids] that its
                            plan was judged under, perhaps left out}; milliseconds null: cut off;
                            whole: every part of the environment is at TO afterwards; outcome: done,
                            unhealthy, failed, refused, aborted, interrupted (another one took
                            over). Its tag is TO of a deploy, else FROM: the release that is undone
                          */
    RB_ENTRY_DRILL, /* as transition, and {"rto": seconds or null}; perhaps {"mode": revert, backup,
                       tabletop,"ok","milliseconds": to restore,"fault": fail or kill,"faultStep",
                       "backup": its id,"answers": [{"section","answer","milliseconds"}]} */
    RB_ENTRY_OVERRIDE, /* {"rule","why","transition": id or null}: past a rule, by --break-glass. Of
                          `env trust`: rule "environment", and "environment": the name before, where
                          it changed */
    RB_ENTRY_RESTORE,  /* rows that a person restored from the backup of a transition: {"id",
                          "transition","database","path","table": the only one, or null,
                          "ignored": [columns],"deleted","overwrite","restored","missing": rows and
                          values,"tables": [{"table","column","restored","missing"}],"finished",
                          "host","user","version"} */
    RB_ENTRY_WATCH,  /* how the watch of a deploy ended: {"transition","outcome": passed, reverted,
                        held, failing, superseded or unobserved,"began","deadline","rounds",
                        "failed","millisecondsToDetect" since it went live,
                        "millisecondsToRestore" since then, by an automatic revert: or null,
                        "message": what failed last, "held": why it held} */
    RB_ENTRY_NOTE,   /* a finding: {"about": entry id, or null of a release, "transition": id or
                        null, "text"}; tag, object and environment are those of the subject */
    RB_ENTRY_REVIEW, /* {"subject": plan, backup or history, "text", "due": when the next review is
                        due, seconds}; environment null: of all */
    RB_ENTRY_MERGE,  /* {}: joins concurrent histories; two parents or more. {"joins": [first
                        entries]}: joins ledgers that began apart */
    RB_ENTRY_KINDS
};
const char *rb_entry_kind_name(enum rb_entry_kind kind);
bool rb_entry_kind_of(enum rb_entry_kind *out, const char *name);

enum rb_entry_trust {
    RB_ENTRY_GOOD,     /* signed by an allowed signer */
    RB_ENTRY_UNSIGNED, /* of good form, no signature */
    RB_ENTRY_UNKNOWN,  /* signed, by a key that is not allowed, or was not then, or is revoked */
    RB_ENTRY_BROKEN,   /* signature, form, or an attachment is bad */
    RB_ENTRY_FOREIGN,  /* no entry of this ledger: a code commit, another application's */
};
#define RB_ENTRY_UNREADABLE "unreadable" /* code of a problem: the commit cannot be read */
const char *rb_entry_trust_name(enum rb_entry_trust trust); /* good, unsigned, unknown, ... */

typedef struct rb_entry {    /* all borrowed from the ledger that it is in */
    rb_oid id;               /* of the commit */
    enum rb_entry_kind kind; /* RB_ENTRY_KINDS when it is foreign or broken in form */
    enum rb_entry_trust trust;
    const char *title;       /* first line; need not be printable */
    const char *app;         /* or NULL, when it is foreign or broken in form */
    const char *ledger;      /* first entry's id; NULL in that entry, or broken in form */
    const char *tag;         /* or NULL */
    const char *object;      /* of the tag, 40 hex digits, or NULL */
    const char *environment; /* or NULL */
    int64_t at;              /* seconds since the epoch; the writer's clock */
    uint32_t parents[RB_ENTRY_PARENTS]; /* indexes in the ledger */
    size_t parent_count;
    const char *committer;   /* Name <email>, as the commit says */
    const char *principal;   /* of the signature; NULL unless it is good */
    const char *fingerprint; /* the same, and of an unknown key */
    rb_problems problems;    /* why it is not good */
    const char *text;        /* the JSON's bytes: use rb_entry_json() */
    size_t text_len;
    json_t *parsed;
} rb_entry;

/* The whole, and its member named as the kind: parsed on first use, by one thread at a time. NULL
 * when it is foreign or broken in form. */
const json_t *rb_entry_json(const rb_entry *entry);
const json_t *rb_entry_detail(const rb_entry *entry);
/* Frees what was parsed, in a command that reads many entries; it is parsed again on next use. */
void rb_entry_forget(const rb_entry *entry);

#endif
