/* The limits of a connection, and the file with its state before a rehearsal. */
#include "database/sqlite/sqlite.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/anchor.h"
#include "base/clock.h"
#include "base/file.h"

int rb_sqlite_tick(void *context)
{
    const rb_sqlite_state *state = context;
    return state->deadline && rb_clock_ms() >= state->deadline;
}

void rb_sqlite_clock_start(rb_sqlite *db, const rb_db_text *sql)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (sql) {
        RB_AUTO(rb_free_str) char *script = rb_format("%s: %s", sql->what, sql->file);
        free(state->script);
        state->script = rb_safe(script);
    }
    const char *place = sql ? "" : "in a table, view or trigger, after ";
    RB_AUTO(rb_free_str)
    char *what = rb_format("%s%s", place, state->script ? state->script : "nothing");
    if (state->limits.watch)
        state->limits.watch(&state->limits, what);
    state->deadline =
        state->limits.seconds ? rb_clock_ms() + (int64_t)state->limits.seconds * 1000 : 0;
}

void rb_sqlite_clock_stop(rb_sqlite *db)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    if (state->limits.statements)
        state->deadline = 0;
    else
        rb_sqlite_clock_start(db, NULL);
}

enum rb_sqlite_limit rb_sqlite_limit_hit(rb_sqlite *db)
{
    rb_sqlite_state *state = rb_sqlite_state_of(db);
    int rc = sqlite3_errcode(db->handle) & 0xff;
    enum rb_sqlite_limit hit = RB_LIMIT_NONE;
    if (rc == SQLITE_INTERRUPT && rb_sqlite_tick(state))
        hit = RB_LIMIT_SECONDS;
    else if (rc == SQLITE_NOMEM && state->limits.memory)
        hit = RB_LIMIT_MEMORY;
    else if (rc == SQLITE_FULL && state->limits.size)
        hit = RB_LIMIT_SIZE;
    state->limited |= hit != RB_LIMIT_NONE;
    return hit;
}

void rb_sqlite_drop_file(int *fd, char **name)
{
    if (*name)
        (void)!rb_file_remove(*name, RB_IGNORED);
    rb_free_str(name);
    rb_close(fd);
}

void rb_sqlite_drop_before(rb_sqlite_state *state)
{
    if (state->before_file)
        rb_sqlite_drop_file(&state->before_fd, &state->before_file);
}
