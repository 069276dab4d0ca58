/*
 * Events for the environment's notify commands (settings: notify). Each command gets one
 * CloudEvents 1.0 document in structured mode on its standard input, whose data is a CDEvent 0.5.1:
 * of a type of its vocabulary (service.deployed, service.rolledback, incident.detected,
 * incident.resolved) where one exists, otherwise of a custom type (dev.cdeventsx.rbtool-*). No
 * event names a person or holds what a command printed or what is in a row.
 *
 * Events are found in the journal, not where they happen: what is there and has no event yet gets
 * one. So an event is found after a kill too, and by every command in the same way. Order of calls,
 * with the environment's lock: rb_notify_collect(), which stores and returns what is to be sent;
 * rb_notify_send(), which needs no lock; rb_notify_record() with it again.
 *
 * A command that fails, or takes longer than 5 s and is killed with its process group, gets nothing
 * more in that call; what it did not take is sent again by the next call. All commands together get
 * 10 s. An event can arrive twice, with the same id: after a kill between sending and recording.
 */
#ifndef RB_WATCH_NOTIFY_H
#define RB_WATCH_NOTIFY_H

#include "config/environment.h"
#include "environment/state.h"

/* running: this process carries the pending transition out, so that it is not half-way. *out is
 * empty if no command is configured. */
enum rb_code rb_notify_collect(json_t **out, const rb_env *env, rb_state *state, bool running,
                               rb_err *err);
/* Marks what was tried, and why it failed: "tried" and "error". */
void rb_notify_send(json_t *notices, const rb_env *env);
enum rb_code rb_notify_record(const json_t *notices, rb_state *state, rb_err *err);

/* Returns the program that the notice is for, or NULL: it is not configured any more. Borrowed. */
const char *rb_notify_program(const rb_env *env, const json_t *notice);

#endif
