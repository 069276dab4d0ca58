#include "proof/confined.h"

#include "base/json.h"

#define RESULT_LIMIT ((size_t)64 << 20) /* bytes */
#define MOST_SECONDS 86400
/* For work that is not a script, such as reading catalogs and tables on a busy machine. */
#define OTHER_SECONDS 60
#define OTHER_MEMORY 2048 /* MiB */
#define OTHER_FILES 256   /* MiB of temporary files, such as those of sorting */
/* seconds, beyond one and a half times the limit, until a statement that cannot be interrupted is
 * killed */
#define GRACE 2

void rb_confine(rb_sandbox *sandbox, const rb_db_limits *limits, size_t runs)
{
    int64_t seconds = OTHER_SECONDS + (int64_t)runs * limits->seconds;
    sandbox->result_limit = RESULT_LIMIT;
    sandbox->seconds = limits->seconds && seconds < MOST_SECONDS ? (int)seconds : MOST_SECONDS;
    sandbox->memory = limits->memory ? limits->memory + OTHER_MEMORY : 0;
    sandbox->file_size = limits->size ? limits->size + OTHER_FILES : 0;
}

void rb_confined_watch(const rb_db_limits *limits, const char *what)
{
    RB_AUTO(rb_json_freep) json_t *json = json_object();
    RB_AUTO(rb_buf_clear) rb_buf words = {0};
    RB_AUTO(rb_free_str)
    char *message = rb_format("%s: a statement ran longer than %d s, the limit, and could not be "
                              "interrupted; if it has to, raise %s.seconds in rbtool.json",
                              what, limits->seconds, limits->where ? limits->where : "limits");
    json_object_set_new(json, "code", json_integer(RB_FOUND));
    rb_json_set_str(json, "message", message);
    rb_json_canonical(&words, json);
    if (limits->seconds)
        rb_sandbox_deadline(limits->seconds + limits->seconds / 2 + GRACE, rb_buf_str(&words));
}
