/* The chain over real repositories: order, links, forks, missing tags, and which release is next.
 */
#include "release_lab.h"

#include "git/refs.h"

/* Has the item a problem of that code? Gives it, or NULL. */
static const rb_problem *problem_of(const rb_chain_item *item, const char *code)
{
    for (size_t i = 0; i < item->problems.n; i++)
        if (strcmp(item->problems.items[i].code, code) == 0)
            return &item->problems.items[i];
    return NULL;
}

static rb_chain *load_chain(const shop *s, const rb_chain_more *more)
{
    rb_err err = {0};
    rb_chain *chain = NULL;
    assert_ok(rb_chain_load(&chain, s->repo, s->signers, more, &err));
    return chain;
}

static const rb_chain_item *item_of(const rb_chain *chain, const char *tag)
{
    const rb_chain_item *item = rb_chain_find(chain, tag);
    if (!item)
        fail_msg("%s is not in the chain", tag);
    return item;
}

/* The tags in the chain's order, with a space between. */
static void assert_tags(const rb_chain *chain, const char *expected)
{
    rb_buf tags = {0};
    for (size_t i = 0; i < chain->n; i++)
        rb_buf_printf(&tags, "%s%s", i ? " " : "", chain->items[i].tag);
    assert_string_equal(rb_buf_str(&tags), expected);
    rb_buf_clear(&tags);
}

static void assert_clean(const rb_chain *chain)
{
    for (size_t i = 0; i < chain->n; i++)
        if (chain->items[i].problems.n > 0 || !chain->items[i].listed)
            fail_msg("%s: %s", chain->items[i].tag,
                     chain->items[i].problems.n ? chain->items[i].problems.items[0].message
                                                : "does not verify");
}

/* previous NULL: it names none. */
static void assert_previous(const rb_chain *chain, const char *tag, const char *previous)
{
    const rb_chain_item *item = item_of(chain, tag);
    const rb_link *link = item->listed->previous;
    if (!previous) {
        assert_null(link);
        return;
    }
    assert_non_null(link);
    assert_string_equal(link->tag, previous);
    assert_string_equal(link->object, item_of(chain, previous)->object);
    assert_string_equal(link->sha256, item_of(chain, previous)->listed->sha256);
}

/* What a release at that revision would follow; NULL for none. */
static void assert_next(const rb_chain *chain, const shop *s, const char *revision,
                        const char *previous, const char *passed_over)
{
    rb_err err = {0};
    rb_oid commit;
    const rb_release *found;
    const rb_chain_item *passed;
    assert_ok(rb_repo_commit(&commit, s->repo, revision, &err));
    assert_ok(rb_chain_previous(&found, &passed, chain, s->repo, &commit, &err));
    assert_string_equal(found ? found->tag : "none", previous ? previous : "none");
    assert_string_equal(passed ? passed->tag : "none", passed_over ? passed_over : "none");
}

static void assert_nearest(const rb_chain *chain, const shop *s, const char *revision,
                           const char *nearest)
{
    rb_err err = {0};
    rb_oid commit;
    const rb_chain_item *item;
    assert_ok(rb_repo_commit(&commit, s->repo, revision, &err));
    assert_ok(rb_chain_nearest(&item, chain, s->repo, &commit, &err));
    assert_string_equal(item ? item->tag : "none", nearest);
}

static void test_ancestry(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "ancestry", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.10.0", NULL);
    shop_release(&s, "1.9.0", NULL); /* a lower version, released later */
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    assert_clean(chain);
    assert_tags(chain, "v1.9.0 v1.10.0 v1.0.0");
    assert_previous(chain, "v1.0.0", NULL);
    assert_previous(chain, "v1.10.0", "v1.0.0");
    assert_previous(chain, "v1.9.0", "v1.10.0");
    assert_true(item_of(chain, "v1.10.0")->named);
    assert_false(item_of(chain, "v1.9.0")->named);
    assert_next(chain, &s, "HEAD", "v1.9.0", NULL);
    assert_next(chain, &s, "v1.10.0^{commit}", "v1.10.0", NULL);
    assert_next(chain, &s, "v1.0.0~1", NULL, NULL);
    assert_nearest(chain, &s, "v1.0.0~1", "none");
    shop_end(&s);
}

static void test_maintenance_branch(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "maintenance", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    shop_release(&s, "2.0.0", NULL);
    sh_do("git -C maintenance checkout -q -b maintain v1.1.0");
    shop_release(&s, "1.1.1", NULL);
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    assert_clean(chain);
    assert_tags(chain, "v2.0.0 v1.1.1 v1.1.0 v1.0.0");
    assert_previous(chain, "v2.0.0", "v1.1.0");
    assert_previous(chain, "v1.1.1", "v1.1.0");
    assert_next(chain, &s, "main", "v2.0.0", NULL);
    assert_next(chain, &s, "maintain", "v1.1.1", NULL);
    shop_end(&s);
}

static void test_several_heads(void **state)
{
    (void)state;
    shop s;
    shop other;
    shop_begin(&s, "heads", "{}");
    shop_release(&s, "1.0.0", NULL);
    sh_do("git clone -q heads heads-2");
    shop_enter(&other, "heads-2");
    shop_release(&s, "2.0.0", NULL);
    shop_release(&other, "1.0.1", NULL);
    sh_do("cd heads; git fetch -q ../heads-2 main:maintain 'refs/tags/*:refs/tags/*';"
          "git checkout -q -b both; git merge -q -s ours -m both maintain");
    RB_AUTO(rb_chain_freep) rb_chain *two = load_chain(&s, NULL);
    assert_clean(two);
    assert_next(two, &s, "both", "v2.0.0", NULL); /* neither is named: the higher version */
    assert_nearest(two, &s, "both", "v2.0.0");
    /* A release on a third line names one as its predecessor and the other one as a head. */
    sh_do("cd heads; git checkout -q -b third v1.0.0");
    shop_release(&s, "3.0.0", "v2.0.0");
    RB_AUTO(rb_chain_freep) rb_chain *three = load_chain(&s, NULL);
    assert_clean(three);
    const rb_chain_item *third = item_of(three, "v3.0.0");
    assert_int_equal(third->listed->link_count, 2);
    assert_string_equal(third->listed->links[1].tag, "v1.0.1");
    assert_true(item_of(three, "v2.0.0")->named);
    assert_true(item_of(three, "v1.0.1")->named); /* as a head */
    assert_next(three, &s, "both", "v2.0.0", NULL);
    /* Where a release names v2.0.0 alone, v1.0.1 is next. */
    sh_do("cd heads; git tag -d v3.0.0 v1.0.1; git reset -q --hard v1.0.0");
    shop_release(&s, "4.0.0", "v2.0.0");
    sh_do("cd heads; git fetch -q ../heads-2 'refs/tags/*:refs/tags/*'");
    RB_AUTO(rb_chain_freep) rb_chain *four = load_chain(&s, NULL);
    assert_clean(four);
    assert_true(item_of(four, "v2.0.0")->named);
    assert_false(item_of(four, "v1.0.1")->named);
    assert_next(four, &s, "both", "v1.0.1", NULL);
    shop_end(&s);
    shop_end(&other);
}

static void test_named_previous(void **state)
{
    (void)state;
    rb_err err = {0};
    shop s;
    shop_begin(&s, "named", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    shop_release(&s, "1.2.0", "v1.0.0");
    sh_do("cd named; git checkout -q --orphan apart; git commit -qm apart");
    shop_commit(&s, "2.0.0");
    const rb_make unnamed = {.tag = "v2.0.0"};
    const rb_make missing = {.tag = "v2.0.0", .previous = "v9.9.9"};
    const rb_make named = {.tag = "v2.0.0", .previous = "v1.1.0"};
    assert_fails(shop_try(&s, &unnamed, NULL, &err), RB_FOUND, "no release is an ancestor of HEAD");
    assert_fails(shop_try(&s, &missing, NULL, &err), RB_ERROR,
                 "--previous v9.9.9: the tag is not one of the releases");
    assert_ok(shop_try(&s, &named, NULL, &err));
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    assert_clean(chain);
    assert_previous(chain, "v1.2.0", "v1.0.0");
    assert_previous(chain, "v2.0.0", "v1.1.0");
    shop_end(&s);
}

static void test_second_root(void **state)
{
    (void)state;
    shop first;
    shop second;
    shop_begin(&first, "root-1", "{}");
    shop_begin(&second, "root-2", "{}");
    shop_release(&first, "1.0.0", NULL);
    shop_release(&first, "1.1.0", NULL);
    shop_release(&second, "0.9.0", NULL);
    sh_do("git -C root-1 fetch -q ../root-2 'refs/tags/*:refs/tags/*'");
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&first, NULL);
    assert_int_equal(chain->n, 3);
    /* Most releases come from v1.0.0, although v0.9.0 is the lower version. */
    const rb_problem *fork = problem_of(item_of(chain, "v0.9.0"), "fork");
    assert_non_null(fork);
    assert_string_equal(fork->field, "previous");
    assert_string_equal(fork->expected, "v1.0.0");
    assert_false(fork->warning);
    assert_int_equal(item_of(chain, "v1.0.0")->problems.n, 0);
    assert_int_equal(item_of(chain, "v1.1.0")->problems.n, 0);
    shop_end(&first);
    shop_end(&second);
}

/* Replaces a release's tag by another object on the same commit. */
static void recreate(const shop *s, const char *tag)
{
    rb_err err = {0};
    sh_do("cd %s; git checkout -q %s; git tag -d %s >/dev/null", s->dir, tag, tag);
    const rb_make make = {.tag = tag, .message = "released again"};
    assert_ok(shop_try(s, &make, NULL, &err));
}

static void test_two_objects_of_one_name(void **state)
{
    (void)state;
    shop first;
    shop second;
    shop_begin(&first, "name-1", "{}");
    shop_release(&first, "1.0.0", NULL);
    sh_do("git clone -q name-1 name-2");
    shop_enter(&second, "name-2");
    recreate(&second, "v1.0.0");
    shop_release(&first, "1.1.0", NULL);
    shop_release(&second, "1.2.0", NULL);
    sh_do("git -C name-1 fetch -q --no-tags ../name-2 refs/tags/v1.2.0:refs/tags/v1.2.0");
    RB_AUTO(rb_free_str) char *other = sh("git -C name-2 rev-parse v1.0.0");
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&first, NULL);
    const rb_chain_item *item = item_of(chain, "v1.0.0");
    const rb_problem *fork = problem_of(item, "fork");
    assert_non_null(fork);
    assert_string_equal(fork->field, "object");
    assert_string_equal(fork->expected, other);
    assert_string_equal(fork->found, item->object);
    assert_int_equal(item_of(chain, "v1.1.0")->problems.n, 0);
    const rb_problem *moved = problem_of(item_of(chain, "v1.2.0"), "moved");
    assert_non_null(moved);
    assert_string_equal(moved->field, "previous.object");
    assert_string_equal(moved->expected, other);
    assert_string_equal(moved->found, item->object);
    shop_end(&first);
    shop_end(&second);
}

static void test_moved_predecessor(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "moved", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    RB_AUTO(rb_free_str) char *was = sh("git -C moved rev-parse v1.0.0");
    RB_AUTO(rb_free_str)
    char *follower = sh("cd moved; git rev-parse v1.1.0; git tag -d v1.1.0 >&2");
    recreate(&s, "v1.0.0");
    sh_do("git -C moved update-ref refs/tags/v1.1.0 %s", follower);
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    const rb_chain_item *target = item_of(chain, "v1.0.0");
    const rb_problem *of_target = problem_of(target, "moved");
    const rb_problem *of_follower = problem_of(item_of(chain, "v1.1.0"), "moved");
    assert_non_null(of_target);
    assert_non_null(of_follower);
    assert_string_equal(of_target->field, "object");
    assert_string_equal(of_follower->field, "previous.object");
    assert_string_equal(of_target->expected, was);
    assert_string_equal(of_follower->expected, was);
    assert_string_equal(of_follower->found, target->object);
    assert_false(target->named); /* what v1.1.0 names is another object */
    assert_null(problem_of(target, "fork"));
    shop_end(&s);
}

static void test_unknown_predecessor(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "unknown", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    sh_do("git -C unknown tag -d v1.0.0");
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    assert_tags(chain, "v1.1.0");
    const rb_problem *unknown = problem_of(&chain->items[0], "unknown");
    assert_non_null(unknown);
    assert_string_equal(unknown->field, "previous.tag");
    assert_string_equal(unknown->expected, "v1.0.0");
    assert_false(unknown->warning);
    assert_non_null(chain->items[0].listed); /* it verifies by itself */
    shop_end(&s);
}

static const char *bad_tags; /* with a space around each */

static char *ask_bad(const void *context, const char *tag, const char *object)
{
    (void)context;
    assert_int_equal(strlen(object), RB_OID_HEX - 1);
    RB_AUTO(rb_free_str) char *word = rb_format(" %s ", tag);
    return strstr(bad_tags, word) ? rb_strdup("slow") : NULL;
}

static void test_bad_release(void **state)
{
    (void)state;
    rb_err err = {0};
    shop s;
    shop_begin(&s, "bad", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    bad_tags = " v1.1.0 ";
    rb_chain_mark_bad(chain, ask_bad, NULL);
    assert_string_equal(item_of(chain, "v1.1.0")->bad, "slow");
    assert_null(item_of(chain, "v1.0.0")->bad);
    assert_next(chain, &s, "HEAD", "v1.0.0", "v1.1.0");
    assert_nearest(chain, &s, "HEAD", "v1.1.0");
    bad_tags = " v1.0.0 ";
    rb_chain_mark_bad(chain, ask_bad, NULL);
    assert_next(chain, &s, "HEAD", "v1.1.0", NULL);
    bad_tags = " v1.0.0 v1.1.0 ";
    rb_chain_mark_bad(chain, ask_bad, NULL);
    assert_next(chain, &s, "HEAD", "v1.1.0", NULL); /* all are bad: none is passed over */
    /* The release that is made asks the same. */
    rb_made made = {0};
    bad_tags = " v1.1.0 ";
    shop_commit(&s, "1.2.0");
    const rb_make make = {.tag = "v1.2.0", .bad = ask_bad};
    assert_ok(shop_try(&s, &make, &made, &err));
    assert_string_equal(made.manifest->previous->tag, "v1.0.0");
    bool noted = false;
    for (size_t i = 0; i < made.notes.n; i++)
        noted = noted || strcmp(made.notes.items[i],
                                "v1.2.0 follows v1.0.0 and not v1.1.0, which is bad (slow)") == 0;
    assert_true(noted);
    rb_made_clear(&made);
    shop_end(&s);
}

static void test_unsigned_is_not_followed(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "unsigned", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_commit(&s, "1.1.0");
    sh_do("cd unsigned; printf 'v1.1.0\\n\\n" RB_MANIFEST_BEGIN "\\n{}\\n' | "
          "git tag -a -F - v1.1.0");
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, NULL);
    const rb_chain_item *item = item_of(chain, "v1.1.0");
    assert_null(item->listed);
    assert_true(rb_problems_any(&item->problems));
    assert_true(item->has_commit);
    assert_null(rb_chain_open(chain, item));
    assert_nearest(chain, &s, "HEAD", "v1.1.0");
    assert_next(chain, &s, "HEAD", "v1.0.0", NULL);
    shop_end(&s);
}

/* What the ledger would answer: it knows these, and kept their objects where has_objects is set. */
typedef struct archive {
    const shop *shop;
    const char *tag;
    const char *object;
    bool used;
    bool has_object;
} archive;

static enum rb_code keep(const void *context, rb_tag **out, const char *tag, const char *object,
                         rb_err *err)
{
    const archive *kept = context;
    *out = NULL;
    if (!kept->has_object || strcmp(kept->object, object) != 0)
        return RB_OK;
    const rb_oid oid = oid_of(object);
    return rb_tag_read_object(out, kept->shop->repo, &oid, tag, err);
}

static void count(const void *context, rb_known_releases *out, const rb_tags_here *here)
{
    const archive *kept = context;
    assert_non_null(here);
    rb_known_releases_add(out, kept->tag, kept->object, kept->used);
}

static void test_missing_tag_in_the_middle(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "middle", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    shop_release(&s, "1.2.0", NULL);
    RB_AUTO(rb_free_str) char *object = sh("git -C middle rev-parse v1.1.0");
    archive kept = {&s, "v1.1.0", object, true, true};
    const rb_chain_more more = {.find_tag = keep, .context = &kept};
    sh_do("git -C middle tag -d v1.1.0");
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, &more);
    assert_tags(chain, "v1.2.0 v1.1.0 v1.0.0");
    const rb_chain_item *item = item_of(chain, "v1.1.0");
    assert_true(item->lost);
    assert_true(item->named);
    assert_non_null(item->listed);
    assert_string_equal(item->object, object);
    assert_non_null(problem_of(item, "lost"));
    assert_true(rb_chain_is_absent(item));
    const rb_problem *unknown = problem_of(item_of(chain, "v1.2.0"), "unknown");
    assert_non_null(unknown);
    assert_true(unknown->warning);
    assert_previous(chain, "v1.1.0", "v1.0.0");
    assert_int_equal(item_of(chain, "v1.0.0")->problems.n, 0);
    RB_AUTO(rb_free_str) char *cure = rb_chain_cure(s.repo, "v1.1.0", object);
    RB_AUTO(rb_free_str) char *expected = rb_format("git update-ref refs/tags/v1.1.0 %s", object);
    assert_string_equal(cure, expected);
    /* Where its object was kept nowhere, the link leads to nothing. */
    kept.has_object = false;
    RB_AUTO(rb_chain_freep) rb_chain *without = load_chain(&s, &more);
    assert_tags(without, "v1.2.0 v1.0.0");
    assert_false(problem_of(item_of(without, "v1.2.0"), "unknown")->warning);
    shop_end(&s);
}

static void test_missing_tag_at_the_end(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "end", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    RB_AUTO(rb_free_str) char *object = sh("git -C end rev-parse v1.1.0");
    archive kept = {&s, "v1.1.0", object, true, true};
    const rb_chain_more more = {.find_tag = keep, .list_known = count, .context = &kept};
    sh_do("git -C end tag -d v1.1.0");
    for (int used = 1; used >= 0; used--)
        for (int has_object = 1; has_object >= 0; has_object--) {
            kept.used = used;
            kept.has_object = has_object;
            RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, &more);
            const rb_chain_item *item = item_of(chain, "v1.1.0");
            assert_true(item->lost);
            assert_false(item->named);
            assert_int_equal(item->used, used);
            assert_string_equal(item->object, object);
            assert_int_equal(item->listed != NULL, has_object);
            assert_true(rb_chain_is_absent(item));
            assert_int_equal(item_of(chain, "v1.0.0")->problems.n, 0);
            rb_chain_drop_unused(chain, "v1.1.0");
            assert_int_equal(rb_chain_find(chain, "v1.1.0") != NULL, used);
        }
    shop_end(&s);
}

static void test_known_under_another_object(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "known", "{}");
    shop_release(&s, "1.0.0", NULL);
    RB_AUTO(rb_free_str) char *object = sh("git -C known rev-parse v1.0.0");
    recreate(&s, "v1.0.0");
    archive kept = {&s, "v1.0.0", object, true, true};
    const rb_chain_more more = {.find_tag = keep, .list_known = count, .context = &kept};
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, &more);
    assert_tags(chain, "v1.0.0");
    const rb_problem *moved = problem_of(&chain->items[0], "moved");
    assert_non_null(moved);
    assert_string_equal(moved->expected, object);
    assert_string_equal(moved->found, chain->items[0].object);
    assert_false(chain->items[0].lost);
    assert_false(rb_chain_is_absent(&chain->items[0]));
    /* One that is here as it is known is not added a second time. */
    kept.object = chain->items[0].object;
    RB_AUTO(rb_chain_freep) rb_chain *same = load_chain(&s, &more);
    assert_clean(same);
    assert_tags(same, "v1.0.0");
    shop_end(&s);
}

static void test_pushed(void **state)
{
    (void)state;
    rb_err err = {0};
    shop s;
    shop_begin(&s, "pushed", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    RB_AUTO(rb_free_str)
    char *line = sh("cd pushed; echo \"%040d $(git rev-parse v1.1.0) refs/tags/v1.1.0\"", 0);
    sh_do("git -C pushed tag -d v1.1.0");
    rb_pushes pushes = {0};
    assert_ok(rb_pushes_read(&pushes, s.repo, false, line, strlen(line), &err));
    const rb_chain_more more = {.pushed = &pushes};
    RB_AUTO(rb_chain_freep) rb_chain *chain = load_chain(&s, &more);
    RB_AUTO(rb_chain_freep) rb_chain *before = load_chain(&s, NULL);
    assert_clean(chain);
    assert_tags(chain, "v1.1.0 v1.0.0");
    assert_tags(before, "v1.0.0");
    rb_pushes_clear(&pushes);
    shop_end(&s);
}

static enum rb_code visit(void *visited, rb_chain_item *item, rb_err *err)
{
    (void)err;
    assert_non_null(item->release);
    rb_strs_add(visited, item->tag);
    return RB_OK;
}

/* The second load reads no tag object: opening a release does, and notices that it has gone. */
static void test_verified_once(void **state)
{
    (void)state;
    shop s;
    shop_begin(&s, "once", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    RB_AUTO(rb_chain_freep) rb_chain *first = load_chain(&s, NULL);
    assert_clean(first);
    sh_do("cd once; rm -f .git/objects/$(git rev-parse v1.0.0 | sed 's,..,&/,')");
    RB_AUTO(rb_chain_freep) rb_chain *second = load_chain(&s, NULL);
    assert_clean(second);
    assert_non_null(rb_chain_open(second, item_of(second, "v1.1.0")));
    const rb_chain_item *item = item_of(second, "v1.0.0");
    assert_null(rb_chain_open(second, item));
    assert_null(item->listed);
    assert_non_null(problem_of(item, "object"));
    rb_strs visited = {0};
    const rb_chain_more more = {.fresh = true, .visit = visit, .visitor = &visited};
    RB_AUTO(rb_chain_freep) rb_chain *fresh = load_chain(&s, &more);
    assert_non_null(problem_of(item_of(fresh, "v1.0.0"), "object"));
    assert_int_equal(visited.n, 1);
    assert_string_equal(visited.items[0], "v1.1.0");
    assert_null(item_of(fresh, "v1.1.0")->release);
    rb_strs_clear(&visited);
    shop_end(&s);
}

static void test_list(void **state)
{
    (void)state;
    rb_err err = {0};
    shop s;
    shop_begin(&s, "list", "{}");
    shop_release(&s, "1.0.0", NULL);
    shop_release(&s, "1.1.0", NULL);
    sh_do("git -C list tag -d v1.0.0");
    for (int i = 0; i < 2; i++) { /* judged, and remembered */
        RB_AUTO(rb_chain_freep) rb_chain *chain = NULL;
        const rb_listed_release *listed;
        assert_ok(rb_chain_load(&chain, s.repo, s.signers, NULL, &err));
        assert_tags(chain, "v1.1.0");
        assert_null(chain->items[0].release);
        assert_string_equal(chain->items[0].listed->version, "1.1.0");
        assert_string_equal(chain->items[0].listed->signer, "alice@example.com");
        assert_non_null(problem_of(&chain->items[0], "unknown"));
        listed = chain->items[0].listed;
        assert_int_equal(listed->link_count, 1);
        assert_string_equal(listed->previous->tag, "v1.0.0");
        const rb_release *release = rb_chain_open(chain, &chain->items[0]);
        assert_non_null(release);
        assert_string_equal(release->manifest->app_version, "1.1.0");
        assert_ptr_equal(rb_chain_open(chain, &chain->items[0]), release);
    }
    shop_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ancestry),
        cmocka_unit_test(test_maintenance_branch),
        cmocka_unit_test(test_several_heads),
        cmocka_unit_test(test_named_previous),
        cmocka_unit_test(test_second_root),
        cmocka_unit_test(test_two_objects_of_one_name),
        cmocka_unit_test(test_moved_predecessor),
        cmocka_unit_test(test_unknown_predecessor),
        cmocka_unit_test(test_bad_release),
        cmocka_unit_test(test_unsigned_is_not_followed),
        cmocka_unit_test(test_missing_tag_in_the_middle),
        cmocka_unit_test(test_missing_tag_at_the_end),
        cmocka_unit_test(test_known_under_another_object),
        cmocka_unit_test(test_pushed),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_verified_once),
    };
    return cmocka_run_group_tests(tests, release_lab_open, lab_close);
}
