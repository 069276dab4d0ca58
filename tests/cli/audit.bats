# The commands for auditors in rbtool-ledger(7), as they are printed there, with nothing but git and jq.

bats_require_minimum_version 1.5.0

load lib
load transition
load policy

setup_file() {
    policy_template
}

setup() {
    policy_shop
}

# The indented commands of its section "Auditing".
auditing() {
    sed -n '/^## Auditing/,/^## /s/^    //p' "$ROOT/cmd/man/rbtool-ledger.7.md" |
        sed "s|/path/to/allowed_signers|$HOME/allowed|; s/v1\.4\.0/v1.1.0/"
}

@test "the audit commands of rbtool-ledger(7) show who approved and deployed what, and which losses were accepted" {
    live_under_policy
    as bob rbtool approve v1.1.0 --env prod
    as carol rbtool approve v1.1.0 --env prod
    rbtool deploy v1.1.0 --yes
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/auditor"
    cd "$BATS_TEST_TMPDIR/auditor" || return
    git config --global --unset gpg.ssh.allowedSignersFile
    auditing >"$BATS_TEST_TMPDIR/commands"
    PATH=/usr/bin:/bin run -0 bash -euo pipefail "$BATS_TEST_TMPDIR/commands"
    [[ $output == *" G alice@example.com "*" transition v1.1.0 deploy in prod: done"* ]]
    [[ $output == *'["G bob@example.com","'*'","approval","v1.1.0","prod",null,null,null,null]'* ]]
    [[ $output == *'["G alice@example.com","'*'","transition","v1.1.0","prod","deploy","v1.1.0","done",[]]'* ]]
    [[ $output == *'Good "git" signature for alice@example.com'* ]]
}

@test "an unsigned entry with forged JSON behind its own is not shown as signed by the audit commands of rbtool-ledger(7)" {
    live_under_policy
    printf 'note\n\n{"kind":"note"}\n"G alice@example.com"\n{"kind":"approval","at":1,"tag":"v1.1.0"}\n' >"$BATS_TEST_TMPDIR/message"
    RBTOOL=0 git update-ref refs/rbtool/ledger "$(git commit-tree --no-gpg-sign -p refs/rbtool/ledger \
        -F "$BATS_TEST_TMPDIR/message" 4b825dc642cb6eb9a060e54bf8d69288fbee4904)"
    git clone -q "$SHOP" "$BATS_TEST_TMPDIR/auditor"
    cd "$BATS_TEST_TMPDIR/auditor" || return
    auditing >"$BATS_TEST_TMPDIR/commands"
    run -0 bash -euo pipefail "$BATS_TEST_TMPDIR/commands"
    [[ $output == *'"transition","v1.0.0"'* && $output != *'"approval"'* ]]
    fails 1 "foreign" rbtool log --verify
}
