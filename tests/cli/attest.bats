#!/usr/bin/env bats
# DSSE envelopes and verification summaries, as in-toto's and sigstore's own libraries take them.
bats_require_minimum_version 1.5.0

load lib
load transition

setup_file() {
    home
    keys
    for kind in ecdsa:256 ecdsa:384 ecdsa:521 rsa:2048; do
        ssh-keygen -q -t "${kind%:*}" -b "${kind#*:}" -N '' -C '' -f "$KEYS/${kind/:/}"
    done
    SHOP=$BATS_FILE_TMPDIR/shop
    PROD=$BATS_FILE_TMPDIR/prod shop "$SHOP" >/dev/null
    rbtool release v1.0.0 >/dev/null
    second
    rbtool release v1.1.0 >/dev/null
    export KEYS SHOP
}

setup() {
    home
    unset SSH_AGENT_PID
    cp "$BATS_FILE_TMPDIR/home/gitconfig" "$GIT_CONFIG_GLOBAL"
    cp -a "$SHOP" "$BATS_TEST_TMPDIR/shop"
    cd "$BATS_TEST_TMPDIR/shop" || return 1
    E=$BATS_TEST_TMPDIR/envelope.json
}

teardown() {
    [ -z "${SSH_AGENT_PID:-}" ] || kill "$SSH_AGENT_PID"
}

fingerprint() {
    ssh-keygen -lf "$1" | cut -d' ' -f2
}

# Debian's python3, whose packages they are.
verifiers() {
    MODULES=$("$ROOT/tests/npm" @sigstore/verify @sigstore/bundle) || skip "npm packages are not to be had"
    /usr/bin/python3 -c 'import cryptography, securesystemslib' || skip "no python3-securesystemslib"
}

# sigstore ENVELOPE KEY PEM, in_toto ENVELOPE THRESHOLD KEY=PEM...: print the payload.
sigstore() {
    NODE_PATH=$MODULES node "$ROOT/tests/cli/dsse.cjs" "$1" "$(fingerprint "$2")" "$3"
}

in_toto() {
    local envelope=$1 threshold=$2 pair
    local -a pairs=()
    for pair in "${@:3}"; do
        pairs+=("$(fingerprint "${pair%%=*}")=${pair#*=}")
    done
    /usr/bin/python3 "$ROOT/tests/cli/dsse.py" "$envelope" "$threshold" "${pairs[@]}"
}

payload_of() {
    jq -r .payload "$1" | base64 -d
}

rules() { # ARGUMENTS...: of the summary
    rbtool attest "$@" --vsa -o "$E" || true
    payload_of "$E" | jq -c '(.predicate["urn:rbtool:rules:v1"] // []) | map([.rule, .found, .met])'
}

@test "attest signs the manifest's own bytes, and the in-toto and sigstore libraries accept the signature" {
    verifiers
    rbtool attest v1.1.0 -o "$E" --public-key alice.pem
    schema envelope <"$E"
    jq -e '(keys | join(" ")) == "payload payloadType signatures" and
           .payloadType == "application/vnd.in-toto+json" and (.signatures | length) == 1' "$E"
    [ "$(jq -r '.signatures[0].keyid' "$E")" = "$(fingerprint "$KEYS/alice.pub")" ]
    payload_of "$E" >payload
    manifest v1.1.0 | cmp - payload
    rbtool show --json v1.1.0 | cmp - payload
    [ "$(rbtool attest v1.1.0)" = "$(cat "$E")" ] # Ed25519 signs the same way each time
    sigstore "$E" "$KEYS/alice.pub" alice.pem | cmp - payload
    in_toto "$E" 1 "$KEYS/alice.pub=alice.pem" | cmp - payload
}

@test "both libraries refuse a changed payload and another key" {
    verifiers
    rbtool attest v1.1.0 -o "$E" --public-key alice.pem
    rbtool attest v1.1.0 --key "$KEYS/bob" -o bob.json --public-key bob.pem
    jq -c --arg p "$(payload_of "$E" | sed 's/"reversible"/"lossy"/' | base64 -w0)" '.payload = $p' "$E" >changed.json
    run -1 sigstore changed.json "$KEYS/alice.pub" alice.pem
    run -1 in_toto changed.json 1 "$KEYS/alice.pub=alice.pem"
    run -1 sigstore "$E" "$KEYS/alice.pub" bob.pem
    run -1 in_toto "$E" 1 "$KEYS/alice.pub=bob.pem"
}

@test "attest signs with every type of key, and each verifier accepts the types it supports" {
    verifiers
    for kind in ecdsa256 ecdsa384 ecdsa521 rsa2048; do
        rbtool attest v1.1.0 --key "$KEYS/$kind" -o "$E" --public-key pem
        payload_of "$E" >payload
        # The curve's own digest, as ssh-agent signs: these know SHA-256, and P-384's of the others.
        case $kind in
        ecdsa256 | rsa2048) sigstore "$E" "$KEYS/$kind.pub" pem | cmp - payload ;;
        esac
        case $kind in
        ecdsa521) ;;
        *) in_toto "$E" 1 "$KEYS/$kind.pub=pem" | cmp - payload ;;
        esac
        # OpenSSL takes all of them.
        jq -r '.signatures[0].sig' "$E" | base64 -d >sig
        printf 'DSSEv1 28 application/vnd.in-toto+json %s ' "$(stat -c %s payload)" >message
        cat payload >>message
        case $kind in ecdsa384) digest=-sha384 ;; ecdsa521) digest=-sha512 ;; *) digest=-sha256 ;; esac
        openssl dgst "$digest" -verify pem -signature sig message
    done
}

@test "attest produces the same signature with a key in ssh-agent" {
    verifiers
    eval "$(ssh-agent -s)" >/dev/null
    for kind in alice ecdsa256 rsa2048; do
        ssh-add -q "$KEYS/$kind"
        cp "$KEYS/$kind.pub" held.pub
        rbtool attest v1.1.0 --key held.pub -o "$E" --public-key pem
        payload_of "$E" >payload
        sigstore "$E" held.pub pem | cmp - payload
        in_toto "$E" 1 held.pub=pem | cmp - payload
    done
    rbtool attest v1.1.0 --key "key::$(cat "$KEYS/alice.pub")" >"$E"
    [ "$(jq -r '.signatures[0].keyid' "$E")" = "$(fingerprint "$KEYS/alice.pub")" ]
}

@test "attest refuses security keys, encrypted keys without an agent, and a missing key" {
    { printf '\0\0\0\032sk-ssh-ed25519@openssh.com\0\0\0\040' &&
        cut -d' ' -f2 "$KEYS/alice.pub" | base64 -d | tail -c 32 && printf '\0\0\0\4ssh:'; } >blob
    echo "sk-ssh-ed25519@openssh.com $(base64 -w0 blob)" >sk.pub
    ssh-keygen -lf sk.pub
    fails 2 "security key" rbtool attest v1.1.0 --key sk.pub
    ssh-keygen -q -t ed25519 -N secret -C '' -f locked
    fails 2 'ssh-add locked' rbtool attest v1.1.0 --key locked
    fails 2 "ssh-add" rbtool attest v1.1.0 --key locked.pub
    git config --global --unset user.signingKey
    fails 2 "no key to sign with" rbtool attest v1.1.0
    git config --global user.signingKey "$KEYS/alice"
}

@test "attest adds signatures to an envelope and checks each of them" {
    verifiers
    rbtool attest v1.1.0 -o "$E" --public-key alice.pem
    rbtool attest v1.1.0 --append "$E" --key "$KEYS/bob" --public-key bob.pem
    rbtool attest v1.1.0 --append "$E" --key "$KEYS/ecdsa256" -o three.json --public-key ecdsa.pem
    [ "$(jq '.signatures | length' "$E")" -eq 2 ]
    [ "$(jq '.signatures | length' three.json)" -eq 3 ]
    for pair in alice=alice.pem bob=bob.pem ecdsa256=ecdsa.pem; do
        sigstore three.json "$KEYS/${pair%=*}.pub" "${pair#*=}" >/dev/null
    done
    in_toto three.json 3 "$KEYS/alice.pub=alice.pem" "$KEYS/bob.pub=bob.pem" "$KEYS/ecdsa256.pub=ecdsa.pem" >/dev/null
    run -1 in_toto "$E" 3 "$KEYS/alice.pub=alice.pem" "$KEYS/bob.pub=bob.pem" "$KEYS/ecdsa256.pub=ecdsa.pem"

    run -0 --separate-stderr rbtool attest v1.1.0 --append three.json --key "$KEYS/bob"
    # shellcheck disable=SC2154 # bats sets stderr
    [[ $stderr == *"1 signature of unknown signers"*"already"* ]]
    [ "$(jq '.signatures | length' three.json)" -eq 3 ]
}

@test "attest does not sign an invalid envelope" {
    rbtool attest v1.0.0 -o "$E"
    cp "$E" before.json
    fails 1 "another payload" rbtool attest v1.1.0 --append "$E" --key "$KEYS/bob"
    jq -c '.signatures[0].sig |= (.[0:4] + "AAAA" + .[8:])' "$E" >bad.json
    fails 1 "signatures[0]" rbtool attest v1.0.0 --append bad.json --key "$KEYS/bob"
    jq -c '.payloadType = "text/plain"' "$E" >bad.json
    fails 2 "payloadType" rbtool attest v1.0.0 --append bad.json --key "$KEYS/bob"
    jq -c '.signatures[0].sig = "*"' "$E" >bad.json
    fails 2 "signatures[0].sig" rbtool attest v1.0.0 --append bad.json --key "$KEYS/bob"
    jq -c 'del(.payload)' "$E" >bad.json
    fails 2 "no payload" rbtool attest v1.0.0 --append bad.json --key "$KEYS/bob"
    fails 2 "cannot" rbtool attest v1.0.0 --append absent.json --key "$KEYS/bob"
    cmp "$E" before.json
    # What others wrote into it stays, and so does URL-safe base64.
    jq -c '.note = "kept" | .signatures[0].sig |= (gsub("\\+"; "-") | gsub("/"; "_"))' "$E" >other.json
    rbtool attest v1.0.0 --append other.json --key "$KEYS/bob"
    [ "$(jq -r '.note, (.signatures | length)' other.json | tr '\n' ' ')" = "kept 2 " ]
}

@test "attest refuses a release that does not verify" {
    git cat-file tag v1.1.0 | sed 's/"version": "1.1.0"/"version": "1.1.1"/' >edited
    git update-ref refs/tags/v1.1.0 "$(git hash-object -t tag -w edited)"
    fails 1 "does not verify" rbtool attest v1.1.0 -o "$E"
    [ ! -e "$E" ]
    fails 2 "there is no tag" rbtool attest v9 -o "$E"
}

@test "attest --vsa reports PASSED, or FAILED with exit code 1" {
    verifiers
    rbtool attest v1.1.0 --vsa -o "$E" --public-key alice.pem
    payload_of "$E" >payload
    sigstore "$E" "$KEYS/alice.pub" alice.pem | cmp - payload
    in_toto "$E" 1 "$KEYS/alice.pub=alice.pem" | cmp - payload
    schema vsa <payload
    jq -e --arg object "$(git rev-parse v1.1.0)" --arg key "$(fingerprint "$KEYS/alice.pub")" \
        --arg archive "$(manifest v1.1.0 | jq -r '.subject[0].digest.sha256')" '
        .predicate.verificationResult == "PASSED" and
        .predicate.verifier.id == "urn:rbtool:key:" + $key and
        .predicate.resourceUri == "pkg:generic/shop@1.1.0" and
        .subject[0].digest.sha256 == $archive and
        .subject[1] == {"name": "refs/tags/v1.1.0", "digest": {"gitTag": $object}}' payload
    [ "$(jq -r .predicate.timeVerified payload | date -f - +%s)" -ge $(($(date +%s) - 60)) ]
    rbtool attest v1.1.0 --vsa --verifier https://ci.example.com/ --resource pkg:oci/shop@1.1.0 >"$E"
    [ "$(payload_of "$E" | jq -r '.predicate.verifier.id, .predicate.resourceUri' | tr '\n' ' ')" = \
        "https://ci.example.com/ pkg:oci/shop@1.1.0 " ]

    forget_ledger
    git tag -d v1.0.0 # v1.1.0 follows it
    run -1 rbtool attest v1.1.0 --vsa -o "$E"
    [[ $output == *"FAILED"*"rbtool verify v1.1.0"* ]]
    payload_of "$E" | schema vsa
    [ "$(payload_of "$E" | jq -c '[.predicate.verificationResult, .predicate.verifiedLevels]')" = '["FAILED",["FAILED"]]' ]
    payload_of "$E" | jq -e '.predicate["urn:rbtool:reasons:v1"][0] | contains("v1.0.0")'

    git cat-file tag v1.1.0 | sed 's/"version": "1.1.0"/"version": "1.1.1"/' >edited
    git update-ref refs/tags/v1.1.0 "$(git hash-object -t tag -w edited)"
    run -1 rbtool attest v1.1.0 --vsa -o "$E"
    payload_of "$E" | schema vsa
    [ "$(payload_of "$E" | jq -c '[.predicate.verificationResult, (.subject | length)]')" = '["FAILED",1]' ]
}

@test "attest --proof signs an in-toto test result, with a test for each new migration" {
    verifiers
    rbtool attest v1.1.0 --proof -o "$E" --public-key alice.pem
    payload_of "$E" >payload
    sigstore "$E" "$KEYS/alice.pub" alice.pem | cmp - payload
    in_toto "$E" 1 "$KEYS/alice.pub=alice.pem" | cmp - payload
    schema test-result <payload
    jq -e --arg commit "$(git rev-parse 'v1.1.0^{}')" --argjson subject "$(manifest v1.1.0 | jq .subject)" '
        .predicate == {result: "PASSED", passedTests: ["main/2"], warnedTests: [], failedTests: [],
                       configuration: [{name: "source", digest: {gitCommit: $commit}}]} and
        .subject == $subject' payload
    # A down that loses what it cannot restore warns, and a missing one fails.
    echo 'ALTER TABLE orders DROP COLUMN discount;' >migrations/0003_none.up.sql
    echo 'ALTER TABLE orders ADD COLUMN discount INTEGER;' >migrations/0003_none.down.sql
    echo 'CREATE TABLE kinds (name TEXT);' >migrations/0004_kinds.up.sql
    release v1.2.0 --accept RB001,RB003 >/dev/null
    rbtool attest v1.2.0 --proof -o "$E"
    payload_of "$E" | schema test-result
    [ "$(payload_of "$E" | jq -c '.predicate | [.result, .passedTests, .warnedTests, .failedTests]')" = \
        '["FAILED",[],["main/3"],["main/4"]]' ]
    fails 2 'exclude each other' rbtool attest v1.1.0 --proof --vsa
}

@test "attest --deployment signs the newest transition to a release as an in-toto link" {
    verifiers
    mkdir -p "$BATS_FILE_TMPDIR/prod/data" "$BATS_FILE_TMPDIR/prod/etc"
    fails 1 'the ledger has no transition that reached v1.1.0' rbtool attest v1.1.0 --deployment
    rbtool deploy v1.0.0 --yes
    rbtool deploy v1.1.0 --yes
    rbtool attest v1.1.0 --deployment -o "$E" --public-key alice.pem
    payload_of "$E" >payload
    sigstore "$E" "$KEYS/alice.pub" alice.pem | cmp - payload
    in_toto "$E" 1 "$KEYS/alice.pub=alice.pem" | cmp - payload
    schema deployment <payload
    jq -e --argjson entry "$(rbtool log --json --kind transition -n 1)" --argjson subject "$(manifest v1.1.0 | jq .subject)" \
        --arg to "$(git rev-parse v1.1.0)" --arg from "$(git rev-parse v1.0.0)" '
        .subject == $subject and .predicate.name == "deploy" and .predicate.byproducts.transition == $entry.entry.transition.id and
        .predicate.environment.environment == "prod" and
        .predicate.materials == [{name: "refs/tags/v1.1.0", digest: {gitTag: $to}}, {name: "refs/tags/v1.0.0", digest: {gitTag: $from}},
                                 {name: "refs/rbtool/ledger", digest: {gitCommit: $entry.id}}]' payload
    rbtool revert v1.1.0 --yes
    [ "$(rbtool attest v1.0.0 --deployment --env prod | jq -r .payload | base64 -d | jq -r .predicate.name)" = revert ]
    fails 1 'no transition in test' rbtool attest v1.0.0 --deployment --env test
    # Its verdict is bad now, and the summary says why.
    run -1 rbtool attest v1.1.0 --vsa -o "$E"
    payload_of "$E" | jq -e '.predicate["urn:rbtool:reasons:v1"] | length == 1 and (.[0] | startswith("its verdict is bad"))'
}

@test "attest --vsa judges the rules of environments as they were when transitions ran, and says why" {
    verifiers
    PROD=$BATS_FILE_TMPDIR/prod
    rm -rf "$PROD"
    mkdir -p "$PROD/data" "$PROD/etc"
    git config rbtool.root alice@example.com
    echo '{"environments":{"prod":{"maxAge":{"drill":30,"backup":30,"review":30},"maxRowsAtRisk":1,"signed":true}}}' >policy.json
    rbtool policy set policy.json -m 'as agreed'
    [ "$(rules v1.0.0 --env prod)" = '[]' ] # nothing is needed before the first deploy
    rbtool deploy v1.0.0 --yes
    [ "$(rules v1.0.0)" = '[["maxRowsAtRisk","0",true],["signed","one",true]]' ]
    # Before a deploy the summary says what would stop it.
    run -1 rbtool attest v1.1.0 --vsa --env prod -o "$E" --public-key alice.pem
    [[ $output == *"a deploy to prod now breaks the rule backup: it needs a look at a backup at most 30 days old and has none that counts"* ]]
    payload_of "$E" >payload
    sigstore "$E" "$KEYS/alice.pub" alice.pem | cmp - payload
    in_toto "$E" 1 "$KEYS/alice.pub=alice.pem" | cmp - payload
    schema vsa <payload
    [ "$(jq -c '[.predicate.verificationResult, (.predicate["urn:rbtool:rules:v1"] | map([.rule, .transition, .met]))]' payload)" = \
        '["FAILED",[["backup",null,false],["review",null,false]]]' ]
    rbtool attest v1.1.0 --vsa | payload_of /dev/stdin | jq -e '.predicate.verificationResult == "PASSED"'
    fails 5 'wants a look at a backup' rbtool deploy v1.1.0 --yes
    rbtool deploy v1.1.0 --yes --break-glass -m 'it has to be today'
    rbtool attest v1.1.0 --vsa -o "$E"
    payload_of "$E" | jq -e --arg why "$(rbtool log --json --kind override -n 1 | jq -r .id)" '
        .predicate["urn:rbtool:rules:v1"][0] | .rule == "backup" and (.by | length == 40) and .found == "none that counts" and .met'
    rbtool note --review backup --due 2200-01-01 -m 'restored one'
    release v1.2.0
    [ "$(rules v1.2.0 --env prod)" = '[["drill","none that counts",false],["backup","one 0 days old",true],["review","one 0 days old",true]]' ]
    rbtool drill
    rbtool attest v1.2.0 --vsa --env prod -o "$E"
    payload_of "$E" | jq -e --arg drill "$(rbtool log --json --kind drill -n 1 | jq -r .id)" '
        .predicate["urn:rbtool:rules:v1"][0] | .rule == "drill" and .by == $drill and .met'
    # More is at risk than the policy allows: the override that was recorded excuses it.
    sql 'INSERT INTO orders VALUES (1, 1, 5), (2, 2, 6)'
    rbtool revert v1.1.0 --yes --accept-data-loss "$(digest v1.1.0)" --break-glass -m 'the shop is down'
    rbtool attest v1.0.0 --vsa -o "$E"
    payload_of "$E" | jq -e --arg why "$(rbtool log --json --kind override -n 1 | jq -r .id)" '
        .predicate["urn:rbtool:rules:v1"] | map(select(.rule == "maxRowsAtRisk")) |
        map([.found, .met, .by]) == [["0", true, null], ["2", true, $why]]'
}

@test "attest reports usage errors" {
    fails 2 "is for --deployment and --vsa" rbtool attest v1.1.0 --env prod
    fails 2 "do not go together" rbtool attest v1.1.0 --vsa --append "$E"
    fails 2 "are for --vsa" rbtool attest v1.1.0 --verifier https://x.example
    fails 2 "is not a URI" rbtool attest v1.1.0 --vsa --verifier 'ci system'
    fails 2 "is not a URI" rbtool attest v1.1.0 --vsa --resource shop
}
