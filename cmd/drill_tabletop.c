#include "drill_tabletop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/version.h"
#include "report/runbook.h"
#include "ui.h"

#define ANSWERS_LIMIT (64u << 10) /* bytes of the file of --answers */
#define ANSWER_LIMIT 500          /* bytes of one answer */

typedef struct tabletop {
    rb_cli *cli;
    const rb_env_session *site;
    const rb_plan *plan;
    rb_buf given;     /* content of the file of --answers */
    const char *next; /* next line of `given`; NULL: ask at the terminal */
    json_t *answers;
    double began;
    time_t started;
} tabletop;

static const char *question_of(const char *section)
{
    static const char *const questions[][2] = {
        {"People", "Who decides, and who carries it out?"},
        {"Detection", "What shows you that the release is bad?"},
        {"Decision", "Which way back do you take, and why?"},
        {"Execution", "On which host do you run the command, and what if it exits with 3 or 5?"},
        {"If a step fails", "Which step worries you most, and what do you do if it fails?"},
        {"What users see", "Who informs the users, and how?"},
        {"Verification", "How do you know that it has worked?"},
        {"Afterwards", "Who writes down what was found, and by when?"}};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (strcmp(questions[i][0], section) == 0)
            return questions[i][1];
    return "What do you do?";
}

/* Returns the answer as a new string, or NULL if none was given. */
static char *ask(tabletop *t, const char *question)
{
    if (!t->next)
        return rb_ui_ask_text(t->cli, ANSWER_LIMIT, "%s ", question);
    const size_t len = strcspn(t->next, "\n");
    RB_AUTO(rb_free_str) char *line = len > 0 ? rb_strndup(t->next, len) : NULL;
    t->next += len + (t->next[len] == '\n');
    rb_ui_note(t->cli, "%s %s", question, line ? line : "");
    return line && strlen(line) <= ANSWER_LIMIT ? rb_safe(line) : NULL;
}

static enum rb_code stopped(const char *section, rb_err *err)
{
    return rb_fail(err, RB_FOUND,
                   "no answer to \"%s\", of at most %d bytes; nothing was recorded\nbegin again "
                   "with the same command",
                   section, ANSWER_LIMIT);
}

static enum rb_code walk_section(tabletop *t, const char *title, const char *text, size_t len,
                                 rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf shown = {0};
    rb_buf_add_safe_lines(&shown, text, len);
    rb_ui_text(t->cli, &shown, t->cli->json);
    const double began = rb_clock_seconds();
    RB_AUTO(rb_free_str) char *answer = ask(t, question_of(title));
    if (!answer)
        return stopped(title, err);
    json_array_append_new(t->answers,
                          rb_json_make("section:s answer:s milliseconds:i", title, answer,
                                       (int64_t)((rb_clock_seconds() - began) * 1000)));
    return RB_OK;
}

/* Asks about each section of the runbook. A section begins with "## TITLE". */
static enum rb_code walk(tabletop *t, const char *runbook, rb_err *err)
{
    const char *head = strstr(runbook, "\n## ");
    while (head) {
        const char *title = head + 4;
        const char *next = strstr(title, "\n## ");
        RB_AUTO(rb_free_str) char *name = rb_strndup(title, strcspn(title, "\n"));
        RB_TRY(walk_section(t, name, head + 1, next ? (size_t)(next - head - 1) : strlen(head + 1),
                            err));
        head = next;
    }
    return RB_OK;
}

static json_t *objective(int wanted)
{
    return rb_json_make("objective:j measured:0 met:0", wanted < 0 ? NULL : json_integer(wanted));
}

static json_t *document_of(const tabletop *t, bool clear, double planning, double took)
{
    RB_AUTO(rb_free_str) char *id = rb_transition_id();
    const rb_env *env = t->site->env;
    const json_t *plan = t->plan->json;
    const char *problem = clear ? NULL : "the runbook is not clear enough to go back by it";
    json_t *record = rb_json_make(
        "id:s kind:s from:J fromObject:0 to:J toObject:0 digest:s outcome:s started:i finished:i "
        "steps:j error:s acceptedLoss:0 acceptedDrift:b acceptedReverted:b whole:b rto:j "
        "version:s ok:b milliseconds:i mode:s answers:J",
        id, "revert", json_object_get(plan, "from"), json_object_get(plan, "to"), t->plan->digest,
        "done", (int64_t)t->started, (int64_t)time(NULL), json_array(), problem, false, false, true,
        env->rto < 0 ? NULL : json_integer(env->rto), RB_VERSION, clear, (int64_t)(took * 1000),
        "tabletop", t->answers);
    return rb_json_make(
        "environment:s mode:s backup:0 from:J to:J rule:J ok:b problem:s outcome:0 live:0 drift:j "
        "fault:0 faultStep:0 then:0 steps:j dataAtRisk:J needs:j notTried:j putBack:0 objectives:j "
        "seconds:j answers:J record:j",
        env->name, "tabletop", json_object_get(plan, "from"), json_object_get(plan, "to"),
        json_object_get(plan, "rule"), clear, problem, json_array(), json_array(),
        json_object_get(plan, "dataAtRisk"), json_array(), json_array(),
        rb_json_make("rto:j rpo:j", objective(env->rto), objective(env->rpo)),
        rb_json_make("copy:d plan:j transition:d recovery:d restore:j", 0, json_real(planning), 0,
                     0, json_real(took)),
        t->answers, record);
}

static enum rb_code walk_through(json_t **out, tabletop *t, double planning, rb_err *err)
{
    RB_AUTO(rb_buf_clear) rb_buf text = {0};
    RB_AUTO(rb_free_str) char *program = rb_env_session_program(t->cli);
    rb_runbook_write(&text, t->plan, t->site->env, t->cli->session.policy, program);
    t->began = rb_clock_seconds();
    RB_TRY(walk(t, rb_buf_str(&text), err));
    RB_AUTO(rb_free_str)
    char *last = ask(t, "Is the runbook clear enough to go back by it at night? [y/N]");
    if (!last)
        return stopped("the last question", err);
    const bool clear = strchr("yY", last[0]) != NULL;
    *out = document_of(t, clear, planning, rb_clock_seconds() - t->began);
    return clear
               ? RB_OK
               : rb_fail(err, RB_FOUND,
                         "the runbook of %s is not clear enough to go back by it\nwrite down what "
                         "is missing with `rbtool note`, and fix the settings it is made of",
                         t->site->env->name);
}

enum rb_code rb_drill_tabletop(json_t **out, rb_cli *cli, rb_env_session *site, const rb_options *o,
                               const char *tag, rb_err *err)
{
    RB_AUTO(rb_transition_clear) rb_transition planned = {0};
    tabletop t = {.cli = cli, .site = site, .started = time(NULL)};
    rb_intent intent;
    const double began = rb_clock_seconds();
    *out = NULL;
    if (o->answers)
        RB_TRY(rb_file_read(&t.given, o->answers, ANSWERS_LIMIT, err));
    else if (!cli->interactive)
        return rb_fail(err, RB_ERROR,
                       "--tabletop asks questions, and standard input is not a terminal\ngive the "
                       "answers, one a line, "
                       "with --answers FILE");
    t.next = o->answers ? rb_buf_str(&t.given) : NULL;
    enum rb_code code = rb_env_session_intent(&intent, site, o, "revert", tag, err);
    intent.partial = true;
    if (code == RB_OK)
        code = rb_env_session_plan(&planned, cli, site, &intent, err);
    if (code == RB_OK && planned.nothing)
        code = rb_fail(err, RB_ERROR, "%s", planned.nothing);
    t.plan = planned.plan;
    t.answers = json_array();
    if (code == RB_OK)
        code = walk_through(out, &t, rb_clock_seconds() - began, err);
    json_decref(t.answers);
    rb_buf_clear(&t.given);
    return code;
}
