/*
 * Parses the tag object of a release: exactly the headers object, type, tag and tagger, a message,
 * and one signature. Nothing may follow the signature, or stand between a manifest and it. git
 * accepts more; fsck warns about some of it.
 */
#ifndef RB_TRUST_TAG_PARSE_H
#define RB_TRUST_TAG_PARSE_H

#include "base/problem.h"
#include "git/tag.h"

/* An identity and a time, as git writes them into tags and commits: "Name <email> seconds
 * +hhmm". */
typedef struct rb_ident {
    char *who; /* "Name <email>" */
    char *email;
    int64_t time; /* seconds since 1970, at most the end of the year 9999 */
} rb_ident;

/* Parses an identity. Returns false, with nothing to clear, if git fsck would reject it. */
bool rb_ident_parse(rb_ident *out, const char *text);
void rb_ident_clear(rb_ident *ident);

enum rb_signature_kind { RB_SIGNATURE_NONE, RB_SIGNATURE_SSH, RB_SIGNATURE_GPG };

typedef struct rb_form {
    rb_oid target;
    char *name; /* value of the header "tag" */
    rb_ident tagger;
    size_t message_at;   /* offset in the tag object */
    size_t signature_at; /* offset in the tag object; its length if it is unsigned */
    enum rb_signature_kind signature;
} rb_form;

/*
 * Parses a tag. RB_FOUND with problems ("header", "object", "name", "unsigned", "signature",
 * "trailing") if the form is wrong; *out is then filled as far as it could be read, and
 * `signature` is NONE if nothing can be verified.
 */
enum rb_code rb_form_parse(rb_form *out, const char *raw, size_t len, const char *name,
                           rb_problems *problems);
void rb_form_clear(rb_form *form);

#endif
