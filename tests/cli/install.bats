# What make install puts where, and what the program needs to run.
bats_require_minimum_version 1.5.0

@test "make install respects PREFIX and DESTDIR" {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    unset MAKEFLAGS MAKELEVEL
    run -0 make -s -C "$root" install BUILD="$BUILD" PREFIX=/opt/rb DESTDIR="$BATS_TEST_TMPDIR/stage"
    cd "$BATS_TEST_TMPDIR/stage/opt/rb"
    [ "$(bin/rbtool --version)" = "$("$BUILD/rbtool" --version)" ]
    grep -q '^\.TH RBTOOL 1' share/man/man1/rbtool.1
    [ "$(cd share/man && printf '%s.md\n' man[157]/* | cut -d/ -f2 | sort)" = "$(cd "$root/cmd/man" && printf '%s\n' ./*.md | cut -d/ -f2 | sort)" ]
    bash -n share/bash-completion/completions/rbtool
    head -1 share/zsh/site-functions/_rbtool | grep -qx '#compdef rbtool'
    [ -s share/fish/vendor_completions.d/rbtool.fish ]
    jq -e '."$schema"' share/rbtool/schemas/config.schema.json
    [ "$(ls share/rbtool/schemas)" = "$(ls "$root/schemas")" ]
    [ -z "$(find "$BATS_TEST_TMPDIR/stage" -type f -perm /022)" ]
}

@test "make uninstall removes only what make install installed" {
    root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    unset MAKEFLAGS MAKELEVEL
    stage=$BATS_TEST_TMPDIR/stage
    mkdir -p "$stage/opt/rb/share/rbtool/hooks"
    echo mine >"$stage/opt/rb/share/rbtool/hooks/mine"
    make -s -C "$root" install BUILD="$BUILD" PREFIX=/opt/rb DESTDIR="$stage"
    run -0 make -s -C "$root" uninstall BUILD="$BUILD" PREFIX=/opt/rb DESTDIR="$stage"
    [ "$(find "$stage" -type f -printf '%P\n')" = opt/rb/share/rbtool/hooks/mine ]
    rm "$stage/opt/rb/share/rbtool/hooks/mine"
    run -0 make -s -C "$root" uninstall BUILD="$BUILD" PREFIX=/opt/rb DESTDIR="$stage"
    [ ! -e "$stage/opt/rb/share/rbtool" ]
}

@test "the program links only to the documented libraries" {
    needed=$(objdump -p "$(command -v rbtool)" | awk '$1 == "NEEDED" { sub(/\.so.*/, "", $2); print $2 }')
    for library in $needed; do
        case $library in
        libgit2 | libcrypto | libjansson | libsqlite3 | libc | libm | libgcc_s | ld-linux*) ;;
        *) echo "needs $library" && return 1 ;;
        esac
    done
}
