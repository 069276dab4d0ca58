/*
 * Functions of the plan_*.c files, each of which looks at one thing and touches nothing. The order
 * of calls is that of rb_plan_make().
 */
#ifndef RB_TRANSITION_PLAN_MAKE_H
#define RB_TRANSITION_PLAN_MAKE_H

#include "transition/plan.h"

/* Makes the plan. RB_OK even if it may not be carried out: rb_plan_allowed() says so. */
enum rb_code rb_plan_make(rb_plan **out, const rb_plan_request *request, rb_err *err) RB_MUST_USE;

/* plan_host.c: */
/* Checks that ROOT/current, flags and config can be written: RB_ERROR if not. */
enum rb_code rb_plan_look_at_host(rb_plan *plan, const rb_plan_request *request,
                                  rb_err *err) RB_MUST_USE;

/* plan_unmapped_files.c: */
/* Adds notes about files that only the environment or only the releases name. RB_ERROR if a first
 * deploy would leave out a config file because a path looks misspelt. */
enum rb_code rb_plan_unmapped_files(rb_plan *plan, const rb_plan_request *request,
                                    rb_err *err) RB_MUST_USE;

/* plan_database.c: */
/* Plans one database. RB_ERROR if it cannot be read. */
enum rb_code rb_plan_database_make(rb_plan *plan, rb_plan_database *database,
                                   const rb_plan_request *request, const char *name,
                                   rb_err *err) RB_MUST_USE;
/* Finds the losses again under lock, if the database was written since. locked: its transaction. */
enum rb_code rb_plan_database_again(rb_plan_database *database, const rb_plan_request *request,
                                    rb_db *locked, rb_err *err) RB_MUST_USE;

/* plan_scripts.c: */
/* Reads the migrations of FROM, TO and the overrides. *from: FROM's database, or NULL. */
enum rb_code rb_plan_database_sets(rb_plan_database *database, const rb_manifest_database **from,
                                   const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* Finds the scripts that lead from what is applied to TO. Sets steps and edited. */
void rb_plan_scripts(rb_plan *plan, rb_plan_database *database, const rb_plan_request *request,
                     const rb_applied *applied);
/* Finds the steps that undo those of the plan, by redeploying the source release or undoing it. If
 * one cannot be undone, finds none: undoing some of them would not lead to the source release. */
void rb_plan_inverse(rb_plan_database *database, const rb_plan_request *request);

/* plan_proven.c: */
/* Collects the proofs of the steps, and sets residual, unproven and step_proofs. */
void rb_plan_gather_proofs(rb_plan *plan, rb_plan_database *database,
                           const rb_plan_request *request);
/* Sets proven, expected and leaving, if a rehearsal would need a server, all steps have proofs, and
 * the database has FROM's schema. */
enum rb_code rb_plan_use_proofs(rb_plan_database *database, const rb_plan_request *request,
                                rb_db *db, const rb_manifest_database *from,
                                const rb_catalog_now *now, rb_err *err) RB_MUST_USE;
/* Sets what rb_plan_rehearse() sets, from the proofs and the current data of db. */
enum rb_code rb_plan_count_proven(rb_plan_database *database, rb_db *db, rb_err *err) RB_MUST_USE;

/* plan_rehearsal.c: */
/* Runs the scripts and their inverse on a copy, and sets places, bound, at_risk and generated. Only
 * reads db. */
enum rb_code rb_plan_rehearse(rb_plan *plan, rb_plan_database *database,
                              const rb_plan_request *request, rb_db *db, const char *engine,
                              rb_err *err) RB_MUST_USE;
/* The same once more, of the data that the database has now, without decisions. */
enum rb_code rb_plan_rehearse_again(rb_plan_database *database, const rb_plan_request *request,
                                    rb_err *err) RB_MUST_USE;

/* plan_target_schema.c: */
/* True if the catalog has the fingerprint in a manifest. of: NULL gives false. */
bool rb_plan_has_schema_of(const rb_manifest_database *of, const json_t *catalog);
/* True if the catalog has the fingerprint of TO's manifest. */
bool rb_plan_is_promised(const rb_plan_database *database, const json_t *catalog);
/* Sets expected, leaving and drifted, and adds drift to plan->drift. */
enum rb_code rb_plan_expect(rb_plan *plan, rb_plan_database *database,
                            const rb_plan_request *request, rb_db *db, const rb_catalog_now *now,
                            const rb_manifest_database *from, const rb_applied *applied,
                            rb_err *err) RB_MUST_USE;
/* Finds what differs from the expected schema and is not a known residual: *wrong, [{"object",
 * "change"}]. *left: the known residuals that remained. */
void rb_plan_database_judge(json_t **wrong, json_t **left, const rb_plan_database *database,
                            const json_t *catalog);
/*
 * Removes differences from `wrong` that are acceptable, and takes them into database->expected.
 * wrong: what differs between database->expected and `after`.
 *
 * An object is accepted if it is as TO's own scripts make it, even if drift was to be preserved, or
 * an edited script had left a residual. It must have been like that before the steps, or be named
 * in one of their scripts: a script that rebuilds a table must not lose an index that it does not
 * name. Nothing is accepted if TO's scripts do not run by themselves.
 */
void rb_plan_take_released(rb_plan_database *database, const rb_plan_request *request,
                           const json_t *wrong, const json_t *before, const json_t *after);

/* plan_advice.c: */
/* Returns "table a added, index b changed": the first ones. */
char *rb_plan_list_differences(const json_t *differences);
/* True if a script of a first deploy failed with `text` because a table or column exists that
 * another tool or a person made. A person must decide then; the script is not at fault. */
bool rb_plan_meets_existing(const rb_plan_database *d, const rb_plan_request *rq, const char *text);
/* Returns "; " and what to do about drift that makes scripts fail: in objects that `text` names or,
 * with `guess`, in any. "" if there is none. Never advises to remove an object with data. */
char *rb_plan_drift_advice(const rb_plan_database *database, const rb_plan_request *request,
                           const char *text, bool guess);
/* Adds a decision to the plan if only a tool that rbtool cannot read has recorded what is applied:
 * a person must decide. *refused: it was added. */
enum rb_code rb_plan_refuse_foreign(bool *refused, rb_plan *plan, const rb_plan_database *database,
                                    const rb_plan_request *request, rb_db *db,
                                    rb_err *err) RB_MUST_USE;

/* plan_loss.c: */
/* Sets places, bound, at_risk and generated from `losses`, whose lists it takes over. */
void rb_plan_take_losses(rb_plan_database *database, const rb_db_outcome *outcome,
                         rb_db_losses *losses);
/* True if `agreed`, whose items name their database, has every item of `lost` (in the form of
 * loss.h). */
bool rb_risk_within(const json_t *lost, const char *database, const json_t *agreed);
/* Lists data at risk in plan->json, including what an earlier run of the same plan found under
 * lock. */
enum rb_code rb_plan_losses(rb_plan *plan, const rb_plan_request *request, rb_err *err) RB_MUST_USE;
/* Computes the digest by which a person agrees to the plan and to the losses in `also` (items with
 * their database; NULL: none). It covers releases, steps, scripts, and the tables and columns at
 * risk, but not counts. */
void rb_plan_digest(char out[RB_SHA256_HEX], const rb_plan *plan, const rb_plan_request *request,
                    const json_t *also);
/* Handles losses that a run found in a database and that were not agreed to. Returns the digest
 * that agrees to them, too, and stores them in the journal, so that the next plan lists them. */
enum rb_code rb_plan_found(char digest[RB_SHA256_HEX], const rb_plan *plan,
                           const rb_plan_request *request, const char *database, const json_t *lost,
                           rb_err *err) RB_MUST_USE;
/* Removes the losses that rb_plan_found() stored, when a transition has ended. */
enum rb_code rb_plan_found_end(rb_state *state, rb_err *err) RB_MUST_USE;

/* plan_backup.c: */
/* Sets "backups" (path and estimated bytes), "restores" and "noBackup". After rb_plan_losses(). */
enum rb_code rb_plan_backups(rb_plan *plan, const rb_plan_request *request,
                             rb_err *err) RB_MUST_USE;

/* plan_notes.c: */
/* Adds notes about free space, and about what does not fit together afterwards. */
void rb_plan_notes(rb_plan *plan, const rb_plan_request *request);

/* plan_requires.c: */
/* Adds notes about applications that TO requires and that do not run in a suitable version, by
 * their own ledgers. */
void rb_plan_requires(rb_plan *plan, const rb_plan_request *request);
/* True if a version meets all conditions of a range like ">=2.3, <3". */
bool rb_version_within(const char *version, const char *range);

/* plan_times.c: */
/* Sets "expected": the duration of the transition and of the downtime, from earlier ones. */
void rb_plan_times(rb_plan *plan, const rb_plan_request *request);
/* Like rb_plan_times(), for a plan that moves only those parts: sets "seconds" and "downSeconds" of
 * `way`; null if no earlier transition shows them. */
void rb_plan_time_of(json_t *way, const rb_plan *plan, const rb_plan_request *request,
                     const bool parts[RB_PARTS]);

/* plan_summary.c: */
/* Sets "summary": what moves, what is at risk and the expected duration, in one line. */
void rb_plan_sum(rb_plan *plan, const rb_plan_request *request);
/* Returns the request's command with an option, "`rbtool revert v2 --env prod --to v1`", or only
 * the option if no command helps. */
char *rb_plan_with(const rb_plan_request *request, const char *option);
/* Returns the same with that value of an option in place of the one that the command has. */
char *rb_plan_with_value(const rb_plan_request *request, const char *option, const char *value);
/* Returns what to do about a down script of the database that fails or leaves a wrong schema; "" if
 * none runs, or the command takes none from elsewhere. */
char *rb_plan_scripts_hint(const rb_plan_database *database, const rb_plan_request *request);
/* Returns the command that carries out the plan, with its digest if needed. drift: adds
 * --accept-drift. */
char *rb_plan_command(const rb_plan *plan, bool drift);

/* plan_ways.c: */
/* Sets "waysBack" of a revert: flags only, application without databases, everything, forward.
 * After rb_plan_losses() and the digest. */
void rb_plan_ways(rb_plan *plan, const rb_plan_request *request);

/* plan_consent.c: */
/* Returns "tickets.slug (20,038 values), audit (12 rows)": the first items of a "dataAtRisk". */
char *rb_plan_list_losses(const json_t *losses);
/* Returns the number of values and rows at risk. */
int64_t rb_plan_at_stake(const rb_plan *plan);
#define RB_DIGEST_PREFIX 12
/* True if `loss` (digits that a person gave, or NULL) is the plan's digest or a prefix of it. */
bool rb_plan_agrees(const rb_plan *plan, const char *loss);
/* Checks whether the plan may be carried out. RB_OK; RB_DECIDE with what a person must decide
 * (loss: the digest agreed to, or NULL); RB_FOUND if the rehearsal failed; RB_ERROR without enough
 * space. */
enum rb_code rb_plan_allowed(const rb_plan *plan, bool accept_drift, const char *loss,
                             rb_err *err) RB_MUST_USE;

/* plan_store.c: */
/* Returns what carrying out the plan needs besides plan->json, as a new object. */
json_t *rb_plan_data(const rb_plan *plan);
/*
 * Reads the plan of a pending transition back from the journal. Uses kind, env, session, from, to,
 * overrides, parts and part_from of the request. Of the current state, only looks whether the
 * databases are committed. RB_HALFWAY if the releases, or the environment's paths and urls, differ
 * from the plan.
 */
enum rb_code rb_plan_read(rb_plan **out, const rb_transition_row *row, const json_t *data,
                          const rb_plan_request *request, rb_err *err) RB_MUST_USE;

#endif
