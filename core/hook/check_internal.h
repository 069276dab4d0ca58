/*
 * Types and functions that the checks of hooks share. The guard owns all results.
 */
#ifndef RB_HOOK_CHECK_INTERNAL_H
#define RB_HOOK_CHECK_INTERNAL_H

#include "hook/check.h"

struct rb_guard {
    rb_repo *repo;
    const char *config;
    rb_signers *signers;
    rb_chain *chain;
    rb_guard_loader *loader;
    rb_guard_given_up *given_up; /* decides which releases may be deleted; NULL: none may */
    rb_verifier *verifier;
    rb_config *settings;
    bool settings_read;
    char *settings_fault;      /* on a server: the fault in the settings of HEAD */
    const rb_pushes *received; /* the push in quarantine; NULL except in pre-receive */
};

/* Returns the name for use in a command in a hint; "TAG" if a shell would interpret it. */
const char *rb_hook_shell_word(const char *name);

/* Reads the settings; *out is NULL if there are none. */
enum rb_code rb_guard_settings(const rb_config **out, rb_guard *guard, rb_err *err);
enum rb_code rb_guard_signers(const rb_signers **out, rb_guard *guard, rb_err *err);
enum rb_code rb_guard_chain(const rb_chain **out, rb_guard *guard, rb_err *err);

/* Sets *out if the object is a tag with a manifest. *tag receives the tag; tag may be NULL. */
enum rb_code rb_guard_carries(bool *out, rb_tag **tag, rb_guard *guard, const rb_oid *object,
                              const char *name, rb_err *err);

/* Checks everything that `verify` checks except the chain; appends to problems. */
enum rb_code rb_guard_verify(rb_problems *problems, rb_guard *guard, const rb_tag *tag,
                             rb_err *err);

/* The two parts of rb_guard_push(): tags, and migrations. */
enum rb_code rb_guard_push_tags(rb_refusals *out, rb_guard *guard, const rb_pushes *pushes,
                                rb_err *err);
enum rb_code rb_guard_push_migrations(rb_refusals *out, rb_guard *guard, const char *remote,
                                      const rb_pushes *pushes, rb_err *err);

#endif
