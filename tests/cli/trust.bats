#!/usr/bin/env bats
# Who signed, and whether that counts: what a user sees, beside what `git verify-tag` says.

load lib

setup_file() {
    BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR home
    keys
    git init -q "$BATS_FILE_TMPDIR/made"
    cd "$BATS_FILE_TMPDIR/made" || return 1
    echo '{"app": {"name": "small"}}' >rbtool.json
    git add -A
    git commit -q -m one
    rbtool release -q v1.0.0 >/dev/null
}

setup() {
    home
    keys
    cp "$BATS_FILE_TMPDIR"/home/keys/* "$KEYS"
    cp -a "$BATS_FILE_TMPDIR/made" "$BATS_TEST_TMPDIR/small"
    cd "$BATS_TEST_TMPDIR/small" || return 1
    forget_ledger # the ledger has its own tests
}

# refused CODE: verify exits 1 with that code, on the screen and as JSON, and list shows it.
refused() {
    problem "$1" "" v1.0.0
    fails 1 "BAD v1.0.0" rbtool verify v1.0.0
    [[ $output == *"    $1: "* ]]
    rbtool list | grep -qF "BAD ($1)"
}

agreed() { # git refuses it too
    run git verify-tag v1.0.0
    [[ $status -ne 0 ]]
}

pub() { cut -d' ' -f1,2 "$KEYS/$1.pub"; }

@test "a signature by an allowed signer is good" {
    git verify-tag v1.0.0
    rbtool verify v1.0.0 | grep -qF "ok  v1.0.0  alice@example.com  $(ssh-keygen -lf "$KEYS/alice.pub" | cut -d' ' -f2)"
}

@test "annotated and lightweight tags without a signature are unsigned" {
    message v1.0.0 >text
    git tag -f -a --no-sign --cleanup=verbatim -F text v1.0.0 'v1.0.0^{}'
    agreed
    refused unsigned
    git tag -f v1.0.0 'v1.0.0^{}'
    agreed
    fails 1 "lightweight" rbtool verify v1.0.0
    [[ -z $(rbtool list --json | jq -r '.releases[].tag') ]] # it carries no manifest
}

@test "a key that is not in the allowed signers file is unknown" {
    git config --global user.signingKey "$KEYS/mallory"
    resign v1.0.0 'v1.0.0^{}' cat
    agreed
    refused signer
    fails 1 "$(ssh-keygen -lf "$KEYS/mallory.pub" | cut -d' ' -f2)" rbtool verify v1.0.0
}

@test "a key outside its validity period is refused" {
    now=$(git cat-file tag v1.0.0 | sed -n 's/^tagger .* \([0-9]*\) .*/\1/p')
    at() { date -u -d "@$((now + $1))" +%Y%m%d%H%M%SZ; }
    echo "alice@example.com valid-before=\"$(at -60)\" $(pub alice)" >"$KEYS/allowed"
    agreed
    refused expired
    [[ $(rbtool verify --json v1.0.0 | jq -r '.releases[].problems[0].expected') == 'not after '* ]]
    echo "alice@example.com valid-after=\"$(at 60)\" $(pub alice)" >"$KEYS/allowed"
    agreed
    refused expired
    echo "alice@example.com valid-after=\"$(at -60)\",valid-before=\"$(at 60)\" $(pub alice)" >"$KEYS/allowed"
    git verify-tag v1.0.0
    rbtool verify v1.0.0
}

@test "a key that is revoked by a key list, a KRL, or a KRL of its hash is refused" {
    git config --global gpg.ssh.revocationFile "$HOME/revoked"
    cat "$KEYS/mallory.pub" "$KEYS/alice.pub" >"$HOME/revoked"
    agreed
    refused revoked
    ssh-keygen -q -kf "$HOME/revoked" "$KEYS/mallory.pub"
    git verify-tag v1.0.0
    rbtool verify v1.0.0
    ssh-keygen -q -ukf "$HOME/revoked" "$KEYS/alice.pub"
    agreed
    refused revoked
    echo "hash: $(ssh-keygen -lf "$KEYS/alice.pub" | cut -d' ' -f2)" >spec
    ssh-keygen -q -kf "$HOME/revoked" spec
    agreed
    refused revoked
}

@test "verify, list and the ledger trust no key if a KRL is damaged or ssh-keygen is missing" {
    git config --global gpg.ssh.revocationFile "$HOME/revoked"
    ssh-keygen -q -kf "$HOME/revoked" "$KEYS/mallory.pub"
    rbtool verify v1.0.0
    rbtool release -q v1.1.0 # begins a ledger
    rm -f .git/rbtool/{ledger,releases} # or their answers are used
    mkdir bin
    ln -s "$(command -v git)" bin/git
    local path=$PATH command
    PATH="$PWD/bin:$(dirname "$(command -v rbtool)")"
    [[ -x $(type -P rbtool) && -z $(type -P ssh-keygen) ]]
    for command in verify list log; do
        run rbtool "$command"
        [[ $status -eq 2 && $output == *"revocation list $HOME/revoked"*"cannot run ssh-keygen"* ]]
    done
    PATH=$path
    truncate -s -5 "$HOME/revoked"
    agreed
    for command in verify list log; do
        fails 2 "ssh-keygen -Q -l -f $HOME/revoked" rbtool "$command"
    done
}

@test "a certificate is accepted by its authority, and refused if its serial number is revoked" {
    ssh-keygen -q -t ed25519 -N '' -f "$KEYS/ca"
    ssh-keygen -q -s "$KEYS/ca" -I alice -n alice@example.com -z 4242 "$KEYS/alice.pub"
    echo "*@example.com cert-authority $(pub ca)" >"$KEYS/allowed"
    git config --global user.signingKey "$KEYS/alice-cert.pub"
    eval "$(ssh-agent -s)" >/dev/null
    ssh-add -q "$KEYS/alice" 2>/dev/null
    resign v1.0.0 'v1.0.0^{}' cat
    kill "$SSH_AGENT_PID"
    git verify-tag v1.0.0
    rbtool verify v1.0.0 | grep -qF alice@example.com
    git config --global gpg.ssh.revocationFile "$HOME/revoked"
    # Ranges, numbers one by one and around a gap.
    for serials in 'serial: 4242' 'serial: 1-5000' \
        $'serial: 9000-9999\nserial: 1\nserial: 4242\nserial: 3' \
        $'serial: 4000-9000\nserial: 1-4500\nserial: 100000-200000' \
        "$(seq -f 'serial: %g' 4200 2 4300)"; do
        echo "$serials" >spec
        ssh-keygen -q -kf "$HOME/revoked" -s "$KEYS/ca.pub" spec
        agreed
        refused revoked
    done
    for serials in 'serial: 4241' 'serial: 4243-5000' \
        $'serial: 1-4241\nserial: 4243\nserial: 4245' "$(seq -f 'serial: %g' 4201 2 4301)"; do
        echo "$serials" >spec
        ssh-keygen -q -kf "$HOME/revoked" -s "$KEYS/ca.pub" spec
        git verify-tag v1.0.0
        rbtool verify v1.0.0
    done
}

@test "a signature in another namespace is refused" {
    git cat-file tag v1.0.0 | sed '/^-----BEGIN SSH SIGNATURE/,$d' >signed
    ssh-keygen -q -Y sign -n file -f "$KEYS/alice" signed 2>/dev/null
    git update-ref refs/tags/v1.0.0 "$(cat signed signed.sig | git hash-object -t tag -w --stdin)"
    agreed
    refused namespace
    ssh-keygen -q -Y sign -n git -f "$KEYS/alice" - <signed >signed.sig 2>/dev/null
    git update-ref refs/tags/v1.0.0 "$(cat signed signed.sig | git hash-object -t tag -w --stdin)"
    git verify-tag v1.0.0
    rbtool verify v1.0.0
    echo "alice@example.com namespaces=\"file,mail\" $(pub alice)" >"$KEYS/allowed"
    agreed
    refused namespace
}

@test "a good tag under another name is refused, which git does not check" {
    git update-ref refs/tags/v9.0.0 "$(git rev-parse v1.0.0)"
    git verify-tag v9.0.0
    problem name "" v9.0.0
    fails 1 "BAD v9.0.0" rbtool verify v9.0.0
    rbtool verify v1.0.0
}

@test "an OpenPGP signature is verified by git with its keyring" {
    export GNUPGHOME=$BATS_TEST_TMPDIR/gnupg
    mkdir -m 700 "$GNUPGHOME"
    git cat-file tag v1.0.0 | sed '/^-----BEGIN SSH SIGNATURE/,$d' >signed
    gpg --batch --quiet --passphrase '' --quick-generate-key 'Alice <alice@example.com>' ed25519 2>/dev/null
    gpg --batch --quiet --armor --detach-sign -o signed.asc signed 2>/dev/null
    print=$(gpg --list-keys --with-colons | sed -n 's/^fpr:*\([0-9A-F]*\):/\1/p' | head -1)
    git update-ref refs/tags/v1.0.0 "$(cat signed signed.asc | git hash-object -t tag -w --stdin)"
    git verify-tag v1.0.0
    # a key is in a keyring for many reasons
    fails 1 "compare the fingerprint with its owner first, and then: git config --add rbtool.openpgpSigners $print" rbtool verify v1.0.0
    git config rbtool.openpgpSigners 0123456789ABCDEF0123456789ABCDEF01234567
    fails 1 "the key $print, which" rbtool verify v1.0.0
    git config --add rbtool.openpgpSigners "${print: -16}"
    fails 1 "is not a full fingerprint" rbtool verify v1.0.0
    git config --unset-all rbtool.openpgpSigners
    git config --add rbtool.openpgpSigners 0123456789ABCDEF0123456789ABCDEF01234567
    git config --add rbtool.openpgpSigners "${print,,}"
    rbtool verify v1.0.0 | grep -qF "$print"
    sed -i 's/^tagger Alice/tagger Alicia/' signed
    git update-ref refs/tags/v1.0.0 "$(cat signed signed.asc | git hash-object -t tag -w --stdin)"
    agreed
    refused signature
    gpgconf --kill all
}

@test "an X.509 signature is verified by git with gpgsm, and counts if its fingerprint is configured" {
    export GNUPGHOME=$BATS_TEST_TMPDIR/gnupg
    mkdir -m 700 "$GNUPGHOME"
    git cat-file tag v1.0.0 | sed '/^-----BEGIN SSH SIGNATURE/,$d' >signed
    printf '%s\n' 'Key-Type: RSA' 'Key-Length: 2048' 'Key-Usage: sign, cert' 'Serial: random' 'Name-DN: CN=Alice' \
        'Name-Email: alice@example.com' 'Not-Before: 2020-01-01' 'Not-After: 2099-01-01' >wanted
    gpgsm --batch --quiet --disable-dirmngr --pinentry-mode loopback --passphrase-fd 0 --gen-key -o cert.pem wanted </dev/null
    gpgsm --batch --quiet --disable-dirmngr --import cert.pem
    print=$(gpgsm --list-keys --with-colons | sed -n 's/^fpr:*\([0-9A-F]*\):.*/\1/p')
    echo "$print S relax" >"$GNUPGHOME/trustlist.txt"
    echo disable-crl-checks >"$GNUPGHOME/gpgsm.conf"
    gpgconf --kill gpg-agent
    gpgsm --batch --quiet --disable-dirmngr --pinentry-mode loopback --passphrase-fd 3 --armor --detach-sign \
        -u "$print" -o signed.pem signed 3</dev/null
    git update-ref refs/tags/v1.0.0 "$(cat signed signed.pem | git hash-object -t tag -w --stdin)"
    git verify-tag v1.0.0
    fails 1 "git config --add rbtool.openpgpSigners $print" rbtool verify v1.0.0
    git config rbtool.openpgpSigners 0123456789ABCDEF0123456789ABCDEF01234567
    fails 1 "the key $print, which" rbtool verify v1.0.0
    git config --add rbtool.openpgpSigners "$print"
    rbtool verify v1.0.0 | grep -qF "$print"
    sed -i 's/^tagger Alice/tagger Alicia/' signed
    git update-ref refs/tags/v1.0.0 "$(cat signed signed.pem | git hash-object -t tag -w --stdin)"
    agreed
    refused signature
    gpgconf --kill all
}

@test "no signature is trusted without allowed signers or with files that cannot be read" {
    git config --global gpg.ssh.revocationFile "$HOME/nowhere"
    fails 2 "$HOME/nowhere" rbtool verify v1.0.0
    git config --global --unset gpg.ssh.revocationFile
    git config --global gpg.ssh.allowedSignersFile "$HOME/nowhere"
    agreed
    fails 2 "$HOME/nowhere" rbtool verify v1.0.0
    git config --global --unset gpg.ssh.allowedSignersFile
    agreed
    fails 1 "gpg.ssh.allowedSignersFile" rbtool verify v1.0.0
    git config --global gpg.ssh.allowedSignersFile "$PWD/allowed"
    cp "$KEYS/allowed" .
    fails 2 "in the work tree" rbtool verify v1.0.0
}
