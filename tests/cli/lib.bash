# Shared by the bats files: `load lib`.
#
#   home            settings of its own: HOME, git's global config, no prompts
#   keys            $KEYS/alice, $KEYS/bob, $KEYS/mallory; alice and bob are allowed to sign
#   shop [DIR]      a signed repository in DIR ($BATS_TEST_TMPDIR/shop), entered, one commit:
#                   VERSION 1.0.0, src/, flags.json, config/, checks/, migrations/ for SQLite,
#                   rbtool.json with environment "prod" below $PROD
#   second          its next commit: VERSION 1.1.0, a changed file, a second migration (up and
#                   down), a changed flag and config value
#   release TAG     commits what is there, with VERSION set from TAG, and runs rbtool release
#   rbtool          the program under test ($BUILD/rbtool)
#   schema NAME     checks the JSON document on stdin against schemas/NAME.schema.json
#   canonical       prints the RFC 8785 form of the document on stdin
#   fails CODE TEXT COMMAND...   asserts the exit code and a text on stdout or stderr
#   forget_ledger   the ledger of this clone, and that it was pinned to it
#   wait_for COMMAND...          runs it until it succeeds, at most 60 s
#
# Everything lives in $BATS_TEST_TMPDIR; nothing touches the caller's settings.

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
PATH=$BUILD:$PATH
# shellcheck source=tests/wait.bash
. "$ROOT/tests/wait.bash"

home() {
    export HOME=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/home # in setup_file there is no test yet
    mkdir -p "$HOME"
    export GIT_CONFIG_GLOBAL=$HOME/gitconfig GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
    unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE SSH_AUTH_SOCK RBTOOL RBTOOL_ENV
    export TZ=UTC LC_ALL=C.UTF-8 NO_COLOR=1 GIT_PAGER=cat
    git config --global user.name Alice
    git config --global user.email alice@example.com
    git config --global init.defaultBranch main
    git config --global gpg.format ssh
    git config --global advice.detachedHead false
}

keys() {
    local who
    KEYS=$HOME/keys
    mkdir -p "$KEYS"
    for who in alice bob mallory; do
        [[ -f $KEYS/$who ]] || ssh-keygen -q -t ed25519 -N '' -C "$who@example.com" -f "$KEYS/$who"
    done
    for who in alice bob; do
        printf '%s@example.com %s\n' "$who" "$(cut -d' ' -f1,2 "$KEYS/$who.pub")"
    done >"$KEYS/allowed"
    git config --global gpg.ssh.allowedSignersFile "$KEYS/allowed"
    git config --global user.signingKey "$KEYS/alice"
}

forget_ledger() {
    RBTOOL=0 git update-ref -d refs/rbtool/ledger
    git config --unset-all rbtool.ledger || true
}

shop() {
    SHOP=${1:-$BATS_TEST_TMPDIR/shop}
    PROD=${PROD:-$BATS_TEST_TMPDIR/prod}
    git init -q "$SHOP"
    cd "$SHOP" || return 1
    mkdir -p src config checks migrations
    echo 1.0.0 >VERSION
    printf '#!/bin/sh\necho shop 1\n' >src/shop
    chmod +x src/shop
    echo '<h1>shop</h1>' >src/index.html
    ln -s index.html src/home.html
    cat >flags.json <<'JSON'
{
  "flags": {
    "checkout": { "state": "ENABLED", "variants": { "old": 1, "new": 2 }, "defaultVariant": "old" },
    "search": { "state": "DISABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" }
  }
}
JSON
    printf 'workers = 2\n' >config/app.toml
    printf 'SELECT id, total FROM orders WHERE total < 0;\n' >checks/totals.sql
    printf 'CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);\n' \
        >migrations/0001_orders.up.sql
    printf 'DROP TABLE orders;\n' >migrations/0001_orders.down.sql
    cat >rbtool.json <<JSON
{
  "app": { "name": "shop", "version": { "file": "VERSION" } },
  "artifacts": [ { "name": "app", "paths": ["src"], "format": "dir" } ],
  "databases": { "main": { "engine": "sqlite", "migrations": "migrations" } },
  "flags": { "file": "flags.json", "format": "flagd" },
  "config": ["config/*.toml"],
  "checks": { "sql": ["checks/*.sql"] },
  "environments": {
    "prod": {
      "root": "$PROD",
      "databases": { "main": "sqlite:$PROD/data/shop.db" },
      "flags": "$PROD/etc/flags.json",
      "config": { "config/app.toml": "$PROD/etc/app.toml" }
    }
  }
}
JSON
    git add -A
    git commit -qm 'shop: orders'
}

second() {
    echo 1.1.0 >VERSION
    printf '#!/bin/sh\necho shop 2\n' >src/shop
    printf 'workers = 4\n' >config/app.toml
    sed -i 's/"defaultVariant": "old"/"defaultVariant": "new"/' flags.json
    printf 'ALTER TABLE orders ADD COLUMN discount INTEGER;\n' >migrations/0002_discount.up.sql
    printf 'ALTER TABLE orders DROP COLUMN discount;\n' >migrations/0002_discount.down.sql
    git add -A
    git commit -qm 'shop: discounts'
}

release() {
    local tag=$1
    shift
    echo "${tag#v}" >VERSION
    git add -A
    git diff --cached --quiet || git commit -qm "release ${tag#v}"
    rbtool release "$tag" "$@"
}

schema() {
    local modules
    modules=$("$ROOT/tests/npm" ajv canonicalize) || skip "npm packages are not to be had"
    NODE_PATH=$modules node "$ROOT/tests/cli/schema.cjs" "$ROOT/schemas/$1.schema.json" "${@:2}"
}

canonical() {
    local modules
    modules=$("$ROOT/tests/npm" ajv canonicalize) || skip "npm packages are not to be had"
    NODE_PATH=$modules node "$ROOT/tests/cli/schema.cjs" --canonical
}

# fails CODE TEXT COMMAND...: a hint follows its message in TEXT after "; ", as on one line.
# shellcheck disable=SC2154 # bats sets status and output
fails() {
    local code=$1 text=$2
    shift 2
    run "$@"
    [[ $status -eq $code && ${output//$'\n'hint: /; } == *"$text"* ]] || {
        printf 'expected exit %s and "%s"; got exit %s and:\n%s\n' "$code" "$text" "$status" "$output"
        return 1
    }
}

# The JSON between a tag's markers, and its whole message without the signature.
manifest() {
    git cat-file tag "$1" | sed -n '/^-----BEGIN RELEASE MANIFEST-----$/,/^-----END RELEASE MANIFEST-----$/p' | sed '1d;$d'
}

message() {
    git cat-file tag "$1" | sed '1,/^$/d' | sed '/^-----BEGIN SSH SIGNATURE-----$/,$d'
}

# resign TAG COMMIT FILTER...: the tag again, its message passed through FILTER, signed by whoever
# user.signingKey names. What a signer with bad intent, or another tool, could make.
resign() {
    local tag=$1 commit=$2
    shift 2
    message "$tag" | "$@" >"$BATS_TEST_TMPDIR/message"
    git tag -f -s --cleanup=verbatim -F "$BATS_TEST_TMPDIR/message" "$tag" "$commit" >/dev/null
}

# The codes that verify finds, one a line.
codes() {
    rbtool verify --json "$@" | jq -r '.releases[].problems[].code' | sort -u
}

# problem CODE FIELD [ARGUMENTS...]: verify exits 1 and names exactly that code and field.
problem() {
    local code=$1 field=$2
    shift 2
    run rbtool verify --json "$@"
    [[ $status -eq 1 ]] || {
        printf 'expected exit 1, got %s: %s\n' "$status" "$output"
        return 1
    }
    jq -e --arg code "$code" --arg field "$field" \
        '[.releases[].problems[] | select(.code == $code and (.field | startswith($field)))] |
         length > 0 and all(.message | length > 20)' <<<"$output" >/dev/null || {
        printf 'expected %s at %s in: %s\n' "$code" "$field" "$output"
        return 1
    }
}
