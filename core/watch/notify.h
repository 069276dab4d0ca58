/*
 * Sends events to the environment's notify commands (settings: notify).
 *
 * A command gets one CloudEvents 1.0 document in structured mode on its standard input. Its data is
 * a CDEvent 0.5.1: of a standard type (service.deployed, service.rolledback, incident.detected,
 * incident.resolved) if one fits, otherwise of a custom type (dev.cdeventsx.rbtool-*). Events
 * contain no names of persons, no output of commands and no data of rows.
 *
 * Events are derived from the journal: what has no event yet gets one. So an event is sent after a
 * kill, too, and whichever command runs next. Order of calls: rb_notify_collect(), with the
 * environment's lock, stores and returns the events to send; rb_notify_send() needs no lock;
 * rb_notify_record(), with the lock again, stores the results.
 *
 * A command that fails, or that runs longer than 5 s and is killed with its process group, gets no
 * more events in that call. The next call sends them again. All commands together get 10 s. After a
 * kill between sending and recording, an event arrives twice, with the same id.
 */
#ifndef RB_WATCH_NOTIFY_H
#define RB_WATCH_NOTIFY_H

#include "config/environment.h"
#include "environment/state.h"

/* running: this process carries out the pending transition, which is therefore not half-way. *out
 * is empty if no command is configured. */
enum rb_code rb_notify_collect(json_t **out, const rb_env *env, rb_state *state, bool running,
                               rb_err *err);
/* Sends events, and sets "tried" and, if that failed, "error" of each. */
void rb_notify_send(json_t *notices, const rb_env *env);
enum rb_code rb_notify_record(const json_t *notices, rb_state *state, rb_err *err);

/* Returns the program of the notice, borrowed; NULL if it is not configured any more. */
const char *rb_notify_program(const rb_env *env, const json_t *notice);

#endif
