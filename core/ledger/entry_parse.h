/*
 * Parses the commit of an entry: headers exactly tree, parent*, author, committer and, if it is
 * signed, gpgsig; a title, an empty line, and the JSON in its one form. git accepts more than
 * this. The signed bytes are the commit without the header gpgsig, as for git.
 */
#ifndef RB_LEDGER_ENTRY_PARSE_H
#define RB_LEDGER_ENTRY_PARSE_H

#include "ledger/entry.h"
#include "trust/tag_parse.h"

typedef struct rb_entry_form {
    bool claims; /* claims to be an entry of a ledger: its message contains the type */
    rb_oid tree;
    rb_oid parents[RB_ENTRY_PARENTS];
    size_t parent_count; /* as many as could be read, RB_ENTRY_PARENTS at most */
    rb_ident committer;
    char *title;
    rb_buf payload;   /* what the signature is over */
    rb_buf signature; /* armoured; empty when there is none */
    char *text;       /* the JSON's bytes; NULL unless the form is right */
    size_t text_len;
    json_t *json; /* the same parsed */
    enum rb_entry_kind kind;
} rb_entry_form;

/* Parses a commit. RB_FOUND with problems ("form", "header", "parents", "time", "title", "size",
 * "ledger", "foreign") if the form is wrong; *out is filled as far as it could be read. */
enum rb_code rb_entry_form_read(rb_entry_form *out, const char *raw, size_t len,
                                rb_problems *problems);
void rb_entry_form_clear(rb_entry_form *form);

#endif
