#include "report/metrics_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ledger/judge.h"
#include "report/figures.h"

#define DAY 86400

enum family {
    LEDGER_ENTRIES,
    TRANSITIONS,
    LOST,
    FREQUENCY,
    LEAD,
    FAILED,
    RECOVERY,
    REWORK,
    RESTORE,
    DRILL,
    REVIEW,
    APPROVALS,
    RELEASE,
    PENDING,
    RUNNING,
    STEP,
    STEPS,
    STARTED,
    RISK,
    HEALTHY,
    CHECKED,
    CHECK_VALUE,
    WATCHES,
    DETECT,
    WATCH_RESTORE,
    BACKUP,
    UNWRITTEN,
    FAMILIES
};

static const struct {
    const char *name; /* name without "rbtool_" */
    const char *unit; /* suffix of the name, or NULL */
    const char *help;
} families[FAMILIES] = {
    /* all are gauges, which OpenMetrics and Prometheus write in the same way */
    [LEDGER_ENTRIES] = {"ledger_entries", NULL, "Entries of the ledger, by trust."},
    [TRANSITIONS] = {"transitions", NULL, "Transitions in the ledger."},
    [LOST] = {"lost_values", NULL, "Values, and rows of whole tables, that people agreed to lose."},
    [FREQUENCY] = {"dora_deployments_per_day", NULL, "Deployment frequency, in the last 30 days."},
    [LEAD] = {"dora_change_lead_time_seconds", "seconds",
              "Change lead time: median from the commit to its first deployment, in the last 30 "
              "days."},
    [FAILED] = {"dora_change_fail_ratio", "ratio",
                "Change fail rate: deployments that failed, in the last 30 days."},
    [RECOVERY] = {"dora_failed_deployment_recovery_time_seconds", "seconds",
                  "Failed deployment recovery time: median, in the last 30 days."},
    [REWORK] = {"dora_deployment_rework_ratio", "ratio",
                "Deployment rework rate: deployments after a failed one, in the last 30 days."},
    [RESTORE] = {"revert_duration_seconds", "seconds",
                 "Time to restore: median of the reverts of the last 30 days."},
    [DRILL] = {"drill_timestamp_seconds", "seconds",
               "When the last drill without a problem ended."},
    [REVIEW] = {"review_due_timestamp_seconds", "seconds", "When the next review is due."},
    [APPROVALS] = {"approvals_pending", NULL,
                   "Approvals that the newest release lacks for a deploy."},
    [RELEASE] = {"release_info", NULL, "The release that is live."},
    [PENDING] = {"transition_pending", NULL, "1 while a transition has begun and not ended."},
    [RUNNING] = {"transition_running", NULL,
                 "1 while a process carries it out; 0 with a pending one: it was interrupted."},
    [STEP] = {"transition_step", NULL, "Number of the step that was begun last."},
    [STEPS] = {"transition_steps", NULL, "Steps of the pending transition."},
    [STARTED] = {"transition_started_timestamp_seconds", "seconds",
                 "When the pending transition began."},
    [RISK] = {"data_at_risk_values", NULL, "Values at risk by the plan of the pending transition."},
    [HEALTHY] = {"healthy", NULL, "1 if the last checks passed; absent if none ran."},
    [CHECKED] = {"health_checked_timestamp_seconds", "seconds", "When the checks ran last."},
    [CHECK_VALUE] = {"check_value", NULL, "The last value that a check printed."},
    [WATCHES] = {"watches", NULL, "Watches in the ledger, by how they ended."},
    [DETECT] = {"watch_detect_duration_seconds", "seconds",
                "Time to detect: from the deploy to the failure that the newest such watch acted "
                "on."},
    [WATCH_RESTORE] = {"watch_restore_duration_seconds", "seconds",
                       "Time to restore: from there to the end of the newest automatic revert."},
    [BACKUP] = {"backup_timestamp_seconds", "seconds", "When the newest backup was written."},
    [UNWRITTEN] = {"ledger_unwritten", NULL, "Transitions that the ledger lacks."},
};

json_t *rb_metrics_new(void)
{
    json_t *metrics = json_array();
    for (size_t i = 0; i < FAMILIES; i++)
        json_array_append_new(metrics, json_array());
    return metrics;
}

/* Appends a label with its value, escaped. */
static void add_label(rb_buf *out, const char *name, const char *value)
{
    rb_buf_printf(out, "%s%s=\"", out->len > 0 ? "," : "", name);
    RB_AUTO(rb_free_str) char *safe = rb_safe(value);
    for (const char *p = safe; *p; p++) {
        if (*p == '"' || *p == '\\')
            rb_buf_addc(out, '\\');
        rb_buf_addc(out, *p);
    }
    rb_buf_addc(out, '"');
}

/* Adds a sample with labels: pairs of name and value, ended by NULL. */
static void add_labelled(json_t *metrics, enum family family, double value,
                         const char *const *label)
{
    RB_AUTO(rb_buf_clear) rb_buf labels = {0};
    for (; label[0]; label += 2)
        add_label(&labels, label[0], label[1] ? label[1] : "");
    json_array_append_new(json_array_get(metrics, family),
                          rb_json_make("labels:s value:j", rb_buf_str(&labels), json_real(value)));
}

#define add(metrics, family, value, ...)                                                           \
    add_labelled(metrics, family, value, (const char *const[]){__VA_ARGS__, NULL})

/* Adds a figure, unless it is null. */
static void add_figure(json_t *metrics, enum family family, const json_t *value, double scale,
                       const char *environment)
{
    if (json_is_number(value))
        add(metrics, family, json_number_value(value) * scale, "environment", environment);
}

static void add_figures(json_t *metrics, const json_t *document)
{
    rb_json_each (f, json_object_get(document, "figures")) {
        const char *name = rb_json_str(f, "environment");
        add_figure(metrics, FREQUENCY, json_object_get(f, "deploymentsPerDay"), 1, name);
        add_figure(metrics, LEAD, json_object_get(f, "leadSeconds"), 1, name);
        add_figure(metrics, FAILED, json_object_get(f, "failedPercent"), 0.01, name);
        add_figure(metrics, RECOVERY, json_object_get(f, "recoverySeconds"), 1, name);
        add_figure(metrics, REWORK, json_object_get(f, "reworkPercent"), 0.01, name);
        add_figure(metrics, RESTORE, json_object_get(json_object_get(f, "reverts"), "seconds"), 1,
                   name);
    }
}

static bool is_of(const rb_entry *entry, const char *environment)
{
    return !environment || rb_text_same(entry->environment, environment);
}

static void count(json_t *counts, const char *key, int64_t by)
{
    json_object_set_new(counts, key, json_integer(rb_json_int(counts, key, 0) + by));
}

/* Counts one transition under "ENVIRONMENT\nKIND\nOUTCOME", and what it lost. */
static void count_transition(json_t *counts, json_t *lost, const rb_entry *entry)
{
    const json_t *detail = rb_entry_detail(entry);
    const char *environment = entry->environment ? entry->environment : "";
    RB_AUTO(rb_free_str)
    char *key = rb_format("%s\n%s\n%s", environment, rb_json_str(detail, "kind"),
                          rb_json_str(detail, "outcome"));
    count(counts, key, 1);
    if (json_array_size(json_object_get(detail, "accepted")) > 0)
        count(lost, environment, rb_judge_lost(detail));
}

static void add_counts(json_t *metrics, const json_t *counts, const json_t *lost)
{
    rb_json_each_member (key, value, counts) {
        RB_AUTO(rb_free_str) char *words = rb_strdup(key);
        char *kind = strchr(words, '\n');
        char *outcome = strchr(kind + 1, '\n');
        *kind = *outcome = '\0';
        add(metrics, TRANSITIONS, (double)json_integer_value(value), "environment", words, "kind",
            kind + 1, "outcome", outcome + 1);
    }
    rb_json_each_member (key, value, lost)
        add(metrics, LOST, (double)json_integer_value(value), "environment", key);
}

/* Adds the newest drill of each environment, and the newest review of each environment and subject.
 */
static void add_newest(json_t *metrics, const rb_ledger *ledger, const char *environment)
{
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    for (size_t i = ledger->n; i > 0; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        const char *name = entry->environment ? entry->environment : "";
        if (entry->trust != RB_ENTRY_GOOD ||
            (entry->kind != RB_ENTRY_DRILL && entry->kind != RB_ENTRY_REVIEW) ||
            (*name && !is_of(entry, environment)))
            continue;
        const json_t *detail = rb_entry_detail(entry);
        if (json_is_false(
                json_object_get(detail, "ok")) || /* such as a drill that found a problem */
            rb_text_same(rb_json_str(detail, "mode"), "tabletop"))
            continue;
        const char *subject = rb_json_str(detail, "subject");
        RB_AUTO(rb_free_str) char *key = rb_format("%s\n%s", name, subject ? subject : "");
        if (json_object_get(seen, key))
            continue;
        json_object_set_new(seen, key, json_true());
        if (subject)
            add(metrics, REVIEW, (double)rb_json_int(detail, "due", 0), "environment", name,
                "subject", subject);
        else
            add(metrics, DRILL, (double)rb_json_int(detail, "finished", 0), "environment", name,
                NULL);
    }
}

/* Adds watches by outcome, and the durations of the newest ones that have any. */
static void add_watches(json_t *metrics, const rb_ledger *ledger, const char *environment)
{
    static const struct {
        const char *key;
        enum family family;
    } durations[] = {{"millisecondsToDetect", DETECT}, {"millisecondsToRestore", WATCH_RESTORE}};
    RB_AUTO(rb_json_freep) json_t *counts = json_object();
    RB_AUTO(rb_json_freep) json_t *seen = json_object();
    for (size_t i = ledger->n; i > 0; i--) {
        const rb_entry *entry = &ledger->items[i - 1];
        if (entry->kind != RB_ENTRY_WATCH || entry->trust > RB_ENTRY_UNSIGNED ||
            !is_of(entry, environment))
            continue;
        const char *name = entry->environment ? entry->environment : "";
        const json_t *detail = rb_entry_detail(entry);
        RB_AUTO(rb_free_str)
        char *counted = rb_format("%s\n%s", name, rb_json_str(detail, "outcome"));
        count(counts, counted, 1);
        for (size_t k = 0; k < sizeof durations / sizeof *durations; k++) {
            RB_AUTO(rb_free_str) char *once = rb_format("%zu %s", k, name);
            const json_t *took = json_object_get(detail, durations[k].key);
            if (!json_is_integer(took) || json_object_get(seen, once))
                continue;
            json_object_set_new(seen, once, json_true());
            add(metrics, durations[k].family, (double)json_integer_value(took) / 1000,
                "environment", name);
        }
    }
    rb_json_each_member (key, value, counts) {
        const size_t len = strcspn(key, "\n");
        RB_AUTO(rb_free_str) char *name = rb_strndup(key, len);
        add(metrics, WATCHES, (double)json_integer_value(value), "environment", name, "outcome",
            key + len + 1);
    }
}

/* Adds the approvals that the newest release lacks, for each environment that the policy names. */
static void add_approvals(json_t *metrics, rb_session *session, const json_t *environments)
{
    const rb_ledger *ledger = session->ledger;
    size_t i = ledger->n;
    RB_AUTO(rb_release_freep) rb_release *release = NULL;
    rb_err none;
    while (i > 0 && (ledger->items[i - 1].kind != RB_ENTRY_RELEASE ||
                     ledger->items[i - 1].trust > RB_ENTRY_UNSIGNED))
        i--;
    if (i == 0 || !rb_policy_entry(session->policy) ||
        rb_session_release(&release, session, ledger->items[i - 1].tag, ledger->items[i - 1].object,
                           &none) != RB_OK)
        return;
    rb_json_each_member (name, ignored, environments) {
        RB_AUTO(rb_approvals_clear) rb_approvals now = {0};
        rb_approvals_count(&now, session->policy, release, name, "deploy");
        add(metrics, APPROVALS, now.needed > now.given ? now.needed - now.given : 0, "environment",
            name, "release", release->tag);
    }
}

enum rb_code rb_metrics__count(json_t *metrics, int64_t *until, rb_session *session,
                               const char *environment, int64_t now, rb_err *err)
{
    const int64_t window = (int64_t)RB_METRICS_DAYS * DAY;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_AUTO(rb_json_freep) json_t *counts = json_object();
    RB_AUTO(rb_json_freep) json_t *lost = json_object();
    RB_AUTO(rb_json_freep) json_t *environments = json_object();
    RB_TRY(rb_session_ledger(session, err));
    const rb_ledger *ledger = session->ledger;
    size_t trust[RB_ENTRY_FOREIGN + 1] = {0};
    for (size_t i = 0; i < ledger->n; i++) {
        const rb_entry *entry = &ledger->items[i];
        trust[entry->trust]++;
        if (entry->kind != RB_ENTRY_TRANSITION || entry->trust > RB_ENTRY_UNSIGNED ||
            !is_of(entry, environment))
            continue;
        count_transition(counts, lost, entry);
        const int64_t finished = rb_json_int(rb_entry_detail(entry), "finished", 0);
        if (finished >= now - window && finished + window < *until)
            *until = finished + window + 1;
        if (entry->environment)
            json_object_set_new(environments, entry->environment, json_true());
    }
    for (size_t i = 0; i <= RB_ENTRY_FOREIGN; i++)
        add(metrics, LEDGER_ENTRIES, (double)trust[i], "trust",
            rb_entry_trust_name((enum rb_entry_trust)i));
    add_counts(metrics, counts, lost);
    const rb_report_request request = {
        .session = session, .environment = environment, .since = now - window, .now = now};
    RB_TRY(rb_report_make(&document, &request, err));
    add_figures(metrics, document);
    add_newest(metrics, ledger, environment);
    add_watches(metrics, ledger, environment);
    add_approvals(metrics, session, environments);
    return RB_OK;
}

static void add_pending(json_t *metrics, const char *environment, rb_state *state,
                        const rb_transition_row *row)
{
    RB_AUTO(rb_json_freep) json_t *steps = NULL;
    rb_err none;
    int64_t values = 0;
    const size_t all = json_array_size(json_object_get(row->plan, "steps"));
    add(metrics, STARTED, (double)row->started, "environment", environment);
    add(metrics, STEPS, (double)all, "environment", environment);
    rb_json_each (risk, json_object_get(row->plan, "dataAtRisk"))
        values += rb_json_int(risk, "values", 0);
    add(metrics, RISK, (double)values, "environment", environment);
    if (rb_state_steps(&steps, state, row, &none) != RB_OK)
        return;
    const size_t begun = json_array_size(steps);
    add(metrics, STEP, (double)begun, "environment", environment, "kind", row->kind, "from",
        row->from, "to", row->to, "step",
        begun > 0 ? rb_json_str(json_array_get(steps, begun - 1), "id") : "");
}

static void add_health(json_t *metrics, const char *environment, rb_state *state)
{
    RB_AUTO(rb_json_freep) json_t *health = NULL;
    rb_err none;
    if (rb_state_health(&health, state, &none) != RB_OK || !health)
        return;
    add(metrics, HEALTHY, rb_text_same(rb_json_str(health, "health"), "healthy"), "environment",
        environment);
    if (rb_json_int(health, "at", 0) > 0)
        add(metrics, CHECKED, (double)rb_json_int(health, "at", 0), "environment", environment,
            NULL);
    rb_json_each_member (name, value, json_object_get(health, "values"))
        add(metrics, CHECK_VALUE, json_number_value(value), "environment", environment, "check",
            name);
}

void rb_metrics_environment(json_t *metrics, const char *environment, rb_state *state,
                            const rb_transition_row *row, bool running)
{
    rb_live live = {0};
    RB_AUTO(rb_backup_rows_clear) rb_backup_rows backups = {0};
    RB_AUTO(rb_transition_rows_clear) rb_transition_rows unwritten = {0};
    rb_err none;
    if (rb_state_live(&live, state, &none) == RB_OK && live.tag[RB_PART_APP])
        add(metrics, RELEASE, 1, "environment", environment, "release", live.tag[RB_PART_APP],
            "object", live.object[RB_PART_APP]);
    rb_live_clear(&live);
    add(metrics, PENDING, row != NULL, "environment", environment);
    add(metrics, RUNNING, row && running, "environment", environment);
    if (row)
        add_pending(metrics, environment, state, row);
    add_health(metrics, environment, state);
    if (rb_state_backups(&backups, state, NULL, NULL, &none) == RB_OK && backups.n > 0)
        add(metrics, BACKUP, (double)backups.items[0].at, "environment", environment);
    if (rb_state_outbox(&unwritten, state, &none) == RB_OK)
        add(metrics, UNWRITTEN, (double)unwritten.n, "environment", environment);
}

void rb_metrics_write(rb_buf *out, const json_t *metrics)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        const json_t *samples = json_array_get(metrics, i);
        if (json_array_size(samples) == 0)
            continue;
        rb_buf_printf(out, "# TYPE rbtool_%s gauge\n", families[i].name);
        if (families[i].unit)
            rb_buf_printf(out, "# UNIT rbtool_%s %s\n", families[i].name, families[i].unit);
        rb_buf_printf(out, "# HELP rbtool_%s %s\n", families[i].name, families[i].help);
        rb_json_each (sample, samples)
            rb_buf_printf(out, "rbtool_%s{%s} %.15g\n", families[i].name,
                          rb_json_str(sample, "labels"),
                          json_number_value(json_object_get(sample, "value")));
    }
    rb_buf_puts(out, "# EOF\n");
}
