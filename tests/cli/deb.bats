# The Debian package that `make deb` makes.

bats_require_minimum_version 1.5.0

setup_file() {
    load lib
    cd "$ROOT" || return
    PACKAGE=$(BUILD=$BUILD .ci/deb/build 2>/dev/null)
    export PACKAGE
    cp "$PACKAGE" "$BATS_FILE_TMPDIR/first.deb"
    dpkg-deb -x "$PACKAGE" "$BATS_FILE_TMPDIR/root"
}

setup() {
    load lib
    home
}

@test "the same sources give the same bytes, without a path of the machine that built them" {
    (cd "$ROOT" && BUILD=$BUILD .ci/deb/build)
    cmp "$PACKAGE" "$BATS_FILE_TMPDIR/first.deb"
    run -1 grep -rlaF "$(realpath "$ROOT")" "$BATS_FILE_TMPDIR/root"
}

@test "the program holds no path of the folder that it was built in" {
    run -1 grep -caF "$(realpath "$ROOT")" "$BUILD/rbtool"
}

@test "lintian has nothing against it" {
    # A build with the sanitizers links what no package should.
    [[ $BUILD == *asan ]] || lintian --allow-root --fail-on error,warning "$PACKAGE"
}

@test "it holds every file of make install, and depends on what the program loads" {
    make -C "$ROOT" BUILD="$BUILD" DESTDIR="$BATS_TEST_TMPDIR/all" PREFIX=/usr ZSH=share/zsh/vendor-completions install >/dev/null
    [ "$(cd "$BATS_TEST_TMPDIR/all" && find . -type f | LC_ALL=C sort)" = "$(cd "$BATS_FILE_TMPDIR/root" && find . -type f -not -path './usr/share/doc/*' | sed 's/\(man[157]\/.*\)\.gz$/\1/' | LC_ALL=C sort)" ]
    depends=$(dpkg-deb -f "$PACKAGE" Depends)
    for library in libc6 libgit2 libjansson4 libsqlite3-0 libssl3 libarchive13 git; do
        [[ $depends == *"$library"* ]]
    done
    recommends=$(dpkg-deb -f "$PACKAGE" Recommends)
    parser=$(dpkg -S '*/libpg_query.so.*' | sed -n '1s/:.*//p')
    [[ $recommends == *libpq5* && $recommends == *"$parser"* ]]
}

@test "the program in it works, and its completion and manual are where Debian looks for them" {
    root=$BATS_FILE_TMPDIR/root/usr
    [ "$("$root/bin/rbtool" --version)" = "rbtool $(dpkg-deb -f "$PACKAGE" Version)" ]
    git init -q "$BATS_TEST_TMPDIR/shop"
    git -C "$BATS_TEST_TMPDIR/shop" -c user.name=me -c user.email=me@example.com commit -q --allow-empty -m one
    "$root/bin/rbtool" -C "$BATS_TEST_TMPDIR/shop" init
    [ -x "$BATS_TEST_TMPDIR/shop/.git/hooks/pre-push" ]
    zcat "$root/share/man/man1/rbtool-revert.1.gz" | grep -q '^.TH'
    [ -e "$root/share/bash-completion/completions/rbtool" ]
    [ -e "$root/share/zsh/vendor-completions/_rbtool" ]
}
