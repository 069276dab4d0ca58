#include "git/tag.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "git/internal.h"

#define TAGS "refs/tags/"
#define NO_OBJECT "0000000000000000000000000000000000000000"

static char *ref_of(const char *name)
{
    RB_AUTO(rb_free_str) char *ref = rb_format(TAGS "%s", name);
    int valid = 0;
    if (git_reference_name_is_valid(&valid, ref) != 0 || !valid)
        return NULL;
    char *out = ref;
    ref = NULL;
    return out;
}

static enum rb_code read_raw(rb_tag *tag, rb_repo *repo, rb_err *err)
{
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    int status = git_odb_read_header(&size, &type, repo->odb, rb_git_oid(&tag->object));
    if (status != 0)
        return rb_git_unreadable(repo, status, "the object of tag", &tag->object, tag->name, err);
    if (type != GIT_OBJECT_TAG)
        return RB_OK;
    if (size > RB_TAG_LIMIT) {
        RB_AUTO(rb_free_str) char *safe = rb_safe(tag->name);
        return rb_fail(err, RB_ERROR,
                       "cannot read tag %s: its object has %zu bytes, the limit is %u", safe, size,
                       RB_TAG_LIMIT);
    }
    struct rb_raw raw;
    status = rb_git_read(&raw, repo, &tag->object, true);
    if (status != 0)
        return rb_git_unreadable(repo, status, "the object of tag", &tag->object, tag->name, err);
    rb_buf_add(&tag->raw, raw.data, raw.len);
    rb_git_raw_clear(&raw);
    tag->annotated = true;
    return RB_OK;
}

size_t rb_tag_size(rb_repo *repo, const rb_oid *object)
{
    size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    int status = git_odb_read_header(&size, &type, repo->odb, rb_git_oid(object));
    return status == 0 && type == GIT_OBJECT_TAG ? size : 0;
}

enum rb_code rb_tag_read_object(rb_tag **out, rb_repo *repo, const rb_oid *object, const char *name,
                                rb_err *err)
{
    RB_AUTO(rb_tag_freep) rb_tag *tag = rb_calloc(1, sizeof *tag);
    tag->name = rb_strdup(name);
    tag->object = *object;
    RB_TRY(read_raw(tag, repo, err));
    *out = RB_TAKE(tag);
    return RB_OK;
}

/* Returns the object in a tag's ref; RB_FOUND if the ref does not exist. */
static enum rb_code resolve(rb_oid *out, rb_repo *repo, const char *name, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(name);
    RB_AUTO(rb_free_str) char *ref = ref_of(name);
    git_oid oid;
    int status = ref ? git_reference_name_to_id(&oid, repo->repo, ref) : GIT_ENOTFOUND;
    if (status == GIT_ENOTFOUND)
        return rb_fail(err, RB_FOUND, "there is no tag %s in this repository\ngit fetch --tags?",
                       safe);
    if (status != 0) {
        RB_AUTO(rb_free_str) char *why = rb_git_message();
        return rb_fail(err, RB_ERROR, "cannot read the ref of tag %s: %s", safe, why);
    }
    *out = rb_git_from(&oid);
    return RB_OK;
}

enum rb_code rb_tag_read(rb_tag **out, rb_repo *repo, const char *name, rb_err *err)
{
    rb_oid object;
    RB_TRY(resolve(&object, repo, name, err));
    return rb_tag_read_object(out, repo, &object, name, err);
}

bool rb_tag_target(rb_oid *out, const rb_tag *tag)
{
    static const char key[] = "object ";
    char hex[RB_OID_HEX] = {0};
    if (!tag->annotated || tag->raw.len < strlen(key) + RB_OID_HEX - 1 ||
        strncmp(tag->raw.data, key, strlen(key)) != 0)
        return false;
    memcpy(hex, tag->raw.data + strlen(key), RB_OID_HEX - 1);
    return rb_oid_parse(out, hex);
}

void rb_tag_free(rb_tag *tag)
{
    if (!tag)
        return;
    free(tag->name);
    rb_buf_clear(&tag->raw);
    free(tag);
}

static enum rb_code write_object(rb_oid *out, rb_repo *repo, const void *raw, size_t len,
                                 rb_err *err)
{
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    RB_AUTO(rb_buf_clear) rb_buf printed = {0};
    const char *const args[] = {"mktag", NULL};
    RB_TRY(rb_git_run(&printed, &status, &said, repo, args, raw, len, err));
    if (status != 0)
        return rb_fail(err, RB_ERROR, "git mktag refuses the tag object: %s", said);
    char hex[RB_OID_HEX] = "";
    git_oid expected;
    if (printed.len == RB_OID_HEX)
        memcpy(hex, printed.data, RB_OID_HEX - 1);
    if (!rb_oid_parse(out, hex) || git_odb_hash(&expected, raw, len, GIT_OBJECT_TAG) != 0 ||
        git_oid_cmp(&expected, rb_git_oid(out)) != 0)
        return rb_fail(err, RB_ERROR, "git mktag wrote another object than it was given: %s", hex);
    return RB_OK;
}

enum rb_code rb_tag_create(rb_oid *out, rb_repo *repo, const char *name, const void *raw,
                           size_t len, rb_err *err)
{
    RB_AUTO(rb_free_str) char *safe = rb_safe(name);
    RB_AUTO(rb_free_str) char *ref = ref_of(name);
    if (!ref || name[0] == '-')
        return rb_fail(err, RB_ERROR, "%s cannot be the name of a tag (git check-ref-format)",
                       safe);
    rb_oid taken;
    rb_err absent;
    enum rb_code code = resolve(&taken, repo, name, &absent);
    if (code == RB_OK)
        return rb_fail(err, RB_FOUND, "tag %s is there already\nchoose another name", safe);
    if (code != RB_FOUND) {
        *err = absent;
        return code;
    }
    rb_oid object;
    RB_TRY(write_object(&object, repo, raw, len, err));
    char hex[RB_OID_HEX];
    rb_oid_hex(&object, hex);
    int status = 0;
    RB_AUTO(rb_free_str) char *said = NULL;
    const char *const args[] = {"-c", "core.fsync=reference", "update-ref", ref, hex, NO_OBJECT,
                                NULL};
    RB_TRY(rb_git_run(NULL, &status, &said, repo, args, NULL, 0, err));
    if (status != 0) {
        bool refused = strstr(said, "hook") || resolve(&taken, repo, name, &absent) == RB_OK;
        return rb_fail(err, refused ? RB_FOUND : RB_ERROR, "git did not create tag %s: %s", safe,
                       said);
    }
    *out = object;
    return RB_OK;
}

/* Compares two runs of digits by value; moves both past them. */
static int compare_digits(const char **a, const char **b)
{
    while (**a == '0')
        ++*a;
    while (**b == '0')
        ++*b;
    const char *x = *a;
    const char *y = *b;
    while (isdigit((unsigned char)**a))
        ++*a;
    while (isdigit((unsigned char)**b))
        ++*b;
    size_t n = (size_t)(*a - x);
    size_t m = (size_t)(*b - y);
    return n != m ? (n < m ? -1 : 1) : memcmp(x, y, n);
}

int rb_tag_compare(const char *a, const char *b)
{
    const char *x = a;
    const char *y = b;
    while (*x || *y) {
        if (isdigit((unsigned char)*x) && isdigit((unsigned char)*y)) {
            int order = compare_digits(&x, &y);
            if (order != 0)
                return order;
            continue;
        }
        if (*x != *y) {
            /* "-" begins a pre-release. It sorts before the release and before all longer names. */
            if (*x == '-' || *y == '-')
                return *x == '-' ? -1 : 1;
            return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
        }
        x++;
        y++;
    }
    return strcmp(a, b);
}
