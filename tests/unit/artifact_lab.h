/* What the tests of module artifact share. */
#ifndef ARTIFACT_LAB_H
#define ARTIFACT_LAB_H

#include "git_lab.h"

#include "artifact/artifact.h"

static inline rb_artifact_spec spec_of(const char *format)
{
    return (rb_artifact_spec){.name = "app", .format = format};
}

static inline rb_artifact hashed(rb_repo *repo, const char *rev, int threads)
{
    rb_err err = {0};
    rb_artifact artifact = {0};
    rb_oid tree = tree_of(repo, rev);
    rb_artifact_spec spec = spec_of("dir");
    assert_ok(rb_artifact_hash(&artifact, repo, &tree, &spec, threads, &err));
    return artifact;
}

/* Writes app below dir, which is made. */
static inline rb_artifact written(rb_repo *repo, const char *rev, const char *format,
                                  const char *dir)
{
    rb_err err = {0};
    rb_artifact artifact = {0};
    rb_oid tree = tree_of(repo, rev);
    rb_artifact_spec spec = spec_of(format);
    sh_do("mkdir -p %s", dir);
    assert_ok(rb_artifact_write(&artifact, repo, &tree, &spec, dir, 2, &err));
    return artifact;
}

static inline void assert_same(const rb_artifact *a, const rb_artifact *b)
{
    assert_string_equal(a->tree, b->tree);
    assert_string_equal(a->digest, b->digest);
    assert_int_equal(a->files, b->files);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->submodules.n, b->submodules.n);
}

static inline void make_project(const char *dir)
{
    sh_do(
        "git init -q %s; cd %s; mkdir -p src/deep bin; echo '#!/bin/sh' >bin/run; chmod +x "
        "bin/run; echo hello >src/a.txt; : >src/empty; ln -s ../a.txt src/deep/link; ln -s "
        "/etc/nowhere src/dangling; head -c 300000 /dev/zero | tr '\\0' z >src/deep/large; printf "
        "'a\\r\\nb\\n' >src/crlf; printf '$Id$ $Format:%%%%H$\\n' >src/ident; printf '* text=auto "
        "ident export-subst\\n*.txt export-ignore\\n' >.gitattributes; echo x >\"$(printf "
        "'src/n\\377on')\"; git add -A 2>/dev/null; git commit -qm one; umask 077",
        dir, dir);
}

#endif
