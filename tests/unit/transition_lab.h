/*
 * A repository with signed releases of a shop with one SQLite database, made once for the program,
 * and environments to put them in, one for each test. On top of the lab of module git.
 */
#ifndef TRANSITION_LAB_H
#define TRANSITION_LAB_H

#include <sqlite3.h>

#include "environment/lock.h"
#include "git_lab.h"
#include "release/make.h"
#include "transition/execute.h"
#include "transition/plan_make.h"

enum shop_release {
    SHOP_FIRST,      /* v1.0.0: orders */
    SHOP_NEXT,       /* v1.1.0: and two columns, which the down drops */
    SHOP_LATE,       /* v1.2.0: and a migration that sorts before the last one */
    SHOP_RENUMBERED, /* v1.3.0: the two columns have another id */
    SHOP_ONE_WAY,    /* v1.4.0: and a migration without a down */
    SHOP_RELEASES
};

typedef struct transition_shop {
    rb_repo *repo;
    rb_signers *signers;
    rb_release *releases[SHOP_RELEASES];
} transition_shop;

static transition_shop shop;

/* An environment, held and with its journal. */
typedef struct place {
    rb_env *env;
    rb_lock *lock;
    rb_state *state;
    rb_live live;
    char *database; /* its file */
} place;

static inline void shop_release(enum shop_release which, const char *script,
                                const char *const accepted[])
{
    rb_err err = {0};
    rb_oid tag;
    RB_AUTO(rb_strs_clear) rb_strs accept = {0};
    RB_AUTO(rb_free_str) char *name = rb_format("v1.%d.0", (int)which);
    sh_do("cd shop; %s; echo 1.%d.0 >VERSION; git add -A; git commit -qm %s", script, (int)which,
          name);
    for (size_t i = 0; accepted[i]; i++)
        rb_strs_add(&accept, accepted[i]);
    const rb_make make = {.tag = name, .accept = &accept};
    rb_made made = {0};
    assert_ok(rb_make_prepare(&made, shop.repo, shop.signers, &make, &err));
    assert_ok(rb_make_finish(&tag, shop.repo, shop.signers, &make, &made, &err));
    rb_made_clear(&made);
    rb_problems problems = {0};
    assert_ok(
        rb_release_open(&shop.releases[which], shop.repo, shop.signers, name, &problems, &err));
    rb_problems_clear(&problems);
}

static inline int shop_open(void **state)
{
    rb_err err = {0};
    if (lab_open(state) != 0)
        return -1;
    sh_do("git init -q shop; ssh-keygen -q -t ed25519 -N '' -C '' -f alice;"
          "echo \"alice@example.com $(cat alice.pub)\" >signers;"
          "git config --global gpg.format ssh;"
          "git config --global gpg.ssh.allowedSignersFile \"$PWD/signers\";"
          "git config --global user.signingKey \"$PWD/alice\"; mkdir -p shop/migrations shop/src;"
          "echo shop >shop/src/shop; echo '{\"flags\":{}}' >shop/flags.json;"
          "cat >shop/rbtool.json <<'JSON'\n"
          "{\"app\":{\"name\":\"shop\",\"version\":{\"file\":\"VERSION\"}},"
          "\"artifacts\":[{\"name\":\"app\",\"paths\":[\"src\"],\"format\":\"dir\"}],"
          "\"databases\":{\"main\":{\"engine\":\"sqlite\",\"migrations\":\"migrations\"}},"
          "\"flags\":{\"file\":\"flags.json\",\"format\":\"flagd\"}}\nJSON\n");
    shop.repo = open_repo("shop");
    assert_ok(rb_signers_load(&shop.signers, shop.repo, &err));
    shop_release(SHOP_FIRST,
                 "echo 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INT);' "
                 ">migrations/01_orders.up.sql; echo 'DROP TABLE orders;' "
                 ">migrations/01_orders.down.sql",
                 (const char *const[]){NULL});
    shop_release(SHOP_NEXT,
                 "echo 'ALTER TABLE orders ADD COLUMN discount INT;"
                 "ALTER TABLE orders ADD COLUMN note TEXT;' >migrations/03_more.up.sql;"
                 "echo 'ALTER TABLE orders DROP COLUMN discount;"
                 "ALTER TABLE orders DROP COLUMN note;' >migrations/03_more.down.sql;"
                 "echo '{\"flags\":{\"a\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true},"
                 "\"defaultVariant\":\"on\"}}}' >flags.json; echo shop 2 >src/shop",
                 (const char *const[]){NULL});
    shop_release(SHOP_LATE,
                 "echo 'CREATE TABLE late (id INTEGER PRIMARY KEY);' >migrations/02_late.up.sql;"
                 "echo 'DROP TABLE late;' >migrations/02_late.down.sql",
                 (const char *const[]){"RB008", NULL});
    shop_release(SHOP_RENUMBERED,
                 "for w in up down; do git mv migrations/03_more.$w.sql migrations/04_more.$w.sql;"
                 "done",
                 (const char *const[]){"RB008", NULL});
    shop_release(SHOP_ONE_WAY,
                 "echo 'CREATE INDEX by_total ON orders (total);' >migrations/05_index.up.sql",
                 (const char *const[]){"RB001", NULL});
    return 0;
}

static inline int shop_close(void **state)
{
    for (size_t i = 0; i < SHOP_RELEASES; i++)
        rb_release_free(shop.releases[i]);
    rb_signers_free(shop.signers);
    rb_repo_close(shop.repo);
    return lab_close(state);
}

/* A new environment; name: no other test's. */
static inline void place_open(place *p, const char *name)
{
    rb_err err = {0};
    RB_AUTO(rb_json_freep) json_t *json = NULL;
    *p = (place){0};
    RB_AUTO(rb_free_str)
    char *text = rb_format("{\"%s\":{\"root\":\"%s/root\",\"databases\":{\"main\":"
                           "\"sqlite:%s/shop.db\"},\"flags\":\"%s/flags.json\"}}",
                           name, name, name, name);
    sh_do("mkdir -p %s/root", name);
    assert_ok(rb_json_read(&json, text, strlen(text), "test", &err));
    assert_ok(rb_env_read(&p->env, json, name, lab, NULL, &err));
    assert_ok(rb_lock_take(&p->lock, p->env->root, &err));
    assert_ok(rb_state_open(&p->state, p->env->root, true, &err));
    p->database = rb_format("%s/%s/shop.db", lab, name);
}

static inline void place_close(place *p)
{
    rb_live_clear(&p->live);
    rb_state_close(p->state);
    rb_lock_release(p->lock);
    rb_env_free(p->env);
    free(p->database);
}

/* From what is live to a release, all parts; kind: deploy or revert. Valid until the next. */
static inline rb_plan_request place_request(place *p, const char *kind, enum shop_release to)
{
    static rb_session session; /* borrows */
    rb_err err = {0};
    for (size_t i = 0; i < RB_SESSION_RELEASES; i++)
        rb_release_free(session.releases[i]);
    session = (rb_session){.repo = shop.repo, .signers = shop.signers};
    rb_live_clear(&p->live);
    assert_ok(rb_state_live(&p->live, p->state, &err));
    rb_plan_request rq = {.kind = kind,
                          .env = p->env,
                          .state = p->state,
                          .session = &session,
                          .to = shop.releases[to],
                          .live = &p->live,
                          .observe = true};
    for (size_t part = 0; part < RB_PARTS; part++) {
        rq.parts[part] = part != RB_PART_CONFIG;
        rq.unused[part] = !p->live.tag[part];
    }
    const char *tag = p->live.tag[RB_PART_DB];
    for (size_t i = 0; tag && i < SHOP_RELEASES; i++)
        if (strcmp(shop.releases[i]->tag, tag) == 0)
            rq.from = shop.releases[i];
    return rq;
}

static inline rb_plan *place_plan(place *p, const char *kind, enum shop_release to)
{
    rb_err err = {0};
    rb_plan *plan = NULL;
    const rb_plan_request rq = place_request(p, kind, to);
    assert_ok(rb_plan_make(&plan, &rq, &err));
    return plan;
}

/* Plans and carries out, agreeing to all that is lost. */
static inline void place_go(place *p, const char *kind, enum shop_release to)
{
    rb_err err = {0};
    RB_AUTO(rb_plan_freep) rb_plan *plan = NULL;
    RB_AUTO(rb_json_freep) json_t *document = NULL;
    RB_AUTO(rb_json_freep) json_t *pins = json_object();
    const rb_plan_request rq = place_request(p, kind, to);
    rb_control control = {0};
    assert_ok(rb_plan_make(&plan, &rq, &err));
    rb_run run = {.plan = plan,
                  .request = &rq,
                  .state = p->state,
                  .agreed = json_object_get(plan->json, "dataAtRisk"),
                  .accepted_loss = plan->consent,
                  .pins = pins,
                  .control = &control};
    assert_ok(rb_execute(&document, &run, &err));
    rb_run_clear(&run);
}

static inline void place_sql(const place *p, const char *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(p->database, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    sqlite3_close(db);
}

#endif
