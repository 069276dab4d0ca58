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
    bool claims; /* the message contains the type of ledger entries */
    rb_oid tree;
    rb_oid parents[RB_ENTRY_PARENTS];
    size_t parent_count; /* parents that could be read, at most RB_ENTRY_PARENTS */
    rb_ident committer;
    char *title;
    rb_buf payload;   /* the signed bytes */
    rb_buf signature; /* armoured signature; empty if there is none */
    char *text;       /* bytes of the JSON; NULL if the commit is malformed */
    size_t text_len;
    json_t *json; /* parsed text */
    enum rb_entry_kind kind;
} rb_entry_form;

/* Parses a commit. RB_FOUND with problems ("form", "header", "parents", "time", "title", "size",
 * "ledger", "foreign") if the form is wrong; *out is filled as far as it could be read. */
enum rb_code rb_entry_form_read(rb_entry_form *out, const char *raw, size_t len,
                                rb_problems *problems);
void rb_entry_form_clear(rb_entry_form *form);

#endif
