# Shared by the fault tests: a small shop with two releases, live at v2.0.0, and what its state is.
# shellcheck shell=bash

BUILD=$(realpath "${BUILD:-$(dirname "${BASH_SOURCE[0]}")/../../build}")
PATH=$BUILD:$PATH
# shellcheck source=tests/wait.bash
. "$(dirname "${BASH_SOURCE[0]}")/../wait.bash"
export HOME GIT_CONFIG_NOSYSTEM=1 LC_ALL=C.UTF-8 TZ=UTC
# The leak checker cannot work under strace.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# Calls that change something.
# shellcheck disable=SC2034 # the tests use it
state_calls=write,pwrite64,writev,pwritev,fsync,fdatasync,sync_file_range,syncfs,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,link,linkat,openat,open,creat,ftruncate,truncate,fallocate,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,copy_file_range,sendfile,flock

# points_of TRACE: the calls of a trace of strace -y that change something, as NAME N, the Nth of its
# process. Of calls that follow each other on one file (a database writing its pages) the first and
# the last tell as much as all of them do; ALL=1 takes all.
points_of() {
    awk -v all="${ALL:-0}" '
        function flush() { if (held != "") print held; held = "" }
        { pid = ""; if (/^[0-9]+ /) { pid = $1; sub(/^[0-9]+ +/, "") } }
        { name = $1; sub(/\(.*/, "", name); n[pid name]++ }
        !/^[a-z]/ || / = -1 / { next }
        name ~ /^open(at)?$/ && !/O_CREAT|O_TRUNC/ { next }
        name == "write" && /^write\([12]</ { next }
        {
            file = $0; sub(/^[^<"]*[<"]/, "", file); sub(/[>"].*/, "", file)
            this = name " " file
            if (this == last && !all) { held = name " " n[pid name]; next }
            flush(); print name, n[pid name]; last = this
        }
        END { flush() }' "$1"
}

tests_run=0 tests_failed=0
result() { # STATUS NAME: one TAP line
    tests_run=$((tests_run + 1))
    if [[ $1 -eq 0 ]]; then
        echo "ok $tests_run - $2"
    else
        tests_failed=$((tests_failed + 1))
        echo "not ok $tests_run - $2"
    fi
}
finish() {
    echo "1..$tests_run"
    exit $((tests_failed > 0))
}

# make_shop DIR: DIR/repo, DIR/srv (live at v2.0.0 with data), DIR/home. Paths are absolute. With $PGURL the
# database is that one of PostgreSQL.
make_shop() {
    local s=$1 engine=sqlite url=${PGURL:-sqlite:$1/srv/data/shop.db}
    [[ -z ${PGURL:-} ]] || engine=postgresql
    HOME=$s/home
    mkdir -p "$s"/{repo,srv/etc,srv/data,home}
    ssh-keygen -q -t ed25519 -N '' -C ops@example.com -f "$s/home/key"
    echo "ops@example.com $(cat "$s/home/key.pub")" >"$s/home/signers"
    git config --global user.name Ops
    git config --global user.email ops@example.com
    git config --global gpg.format ssh
    git config --global user.signingKey "$s/home/key.pub"
    git config --global gpg.ssh.allowedSignersFile "$s/home/signers"
    git config --global init.defaultBranch main
    cd "$s/repo" || return
    git init -q
    mkdir -p app migrations config
    echo one >app/page
    mkdir app/sub
    ln -s ../page app/sub/link
    cat >migrations/1_orders.up.sql <<'SQL'
CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL);
SQL
    echo 'DROP TABLE orders;' >migrations/1_orders.down.sql
    cat >flags.json <<'JSON'
{ "flags": { "new": { "state": "DISABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off" } } }
JSON
    echo 'workers = 1' >config/app.toml
    cat >rbtool.json <<JSON
{
  "app": { "name": "shop" },
  "artifacts": [ { "name": "app", "paths": ["app"] } ],
  "databases": { "main": { "engine": "$engine", "migrations": "migrations" } },
  "flags": { "file": "flags.json", "format": "flagd" },
  "config": ["config/*.toml"],
  "environments": {
    "prod": {
      "root": "$s/srv",
      "databases": { "main": "$url" },
      "flags": "$s/srv/etc/flags.json",
      "config": { "config/app.toml": "$s/srv/etc/app.toml" },
      "service": { "stop": ["touch", "$s/srv/stopped"], "start": ["rm", "-f", "$s/srv/stopped"] },
      "checks": [ { "name": "up", "command": ["test", "!", "-e", "$s/srv/stopped"], "timeout": 10 } ]
    }
  }
}
JSON
    git add -A && git commit -qm one
    rbtool release v1.0.0 && rbtool deploy v1.0.0 --yes || return
    shop_sql "$s" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < 300) INSERT INTO orders SELECT i, i * 17 FROM n" || return
    cat >migrations/2_discount.up.sql <<'SQL'
ALTER TABLE orders ADD COLUMN discount INTEGER;
CREATE TABLE refunds (id INTEGER PRIMARY KEY, reason TEXT NOT NULL);
SQL
    cat >migrations/2_discount.down.sql <<'SQL'
DROP TABLE refunds;
ALTER TABLE orders DROP COLUMN discount;
SQL
    echo two >app/page
    echo more >app/more
    sed -i 's/DISABLED/ENABLED/' flags.json
    echo 'workers = 2' >config/app.toml
    git add -A && git commit -qm two
    rbtool release v2.0.0 && rbtool deploy v2.0.0 --yes || return
    shop_sql "$s" "UPDATE orders SET discount = id % 7 WHERE id % 2 = 0;
        INSERT INTO refunds SELECT id, 'r' || id FROM orders WHERE id % 10 = 0"
}

shop_sql() { # DIR SQL
    if [[ -n ${PGURL:-} ]]; then
        psql -qX -v ON_ERROR_STOP=1 -c "$2" "$PGURL"
    else
        sqlite3 "$1/srv/data/shop.db" "$2"
    fi
}

shop_data() { # DIR
    if [[ -n ${PGURL:-} ]]; then
        psql -qX -c 'SELECT * FROM orders ORDER BY id' -c 'SELECT * FROM refunds ORDER BY id' \
            -c 'SELECT id, up_sha256 FROM rbtool_applied ORDER BY sequence' "$PGURL"
    else
        sqlite3 "$1/srv/data/shop.db" .dump | grep -vE 'rbtool_|^PRAGMA|sqlite_sequence'
        sqlite3 "$1/srv/data/shop.db" 'SELECT id, up_sha256 FROM rbtool_applied ORDER BY sequence'
    fi
}

# Everything a user sees of an environment: data, applied list, files, flags, config, service.
shop_state() {
    local s=$1
    {
        shop_data "$s"
        readlink "$s/srv/current"
        (cd "$s/srv/current/" && find . -type f -exec sha256sum {} + -o -type l -printf '%p %l\n' | sort)
        cat "$s/srv/etc/flags.json" "$s/srv/etc/app.toml"
        find "$s/srv" -maxdepth 1 -name stopped
    } 2>&1
}

# make_two_databases DIR: the same with database audit, which comes before main; live at v2.1.0, and
# v2.2.0 changes both.
make_two_databases() {
    local s=$1
    make_shop "$s" || return
    jq --arg url "sqlite:$s/srv/data/audit.db" '.environments.prod.databases.audit = $url
        | .databases.audit = {engine: "sqlite", migrations: "audit"}' rbtool.json >new &&
        mv new rbtool.json && mkdir audit || return
    echo 'CREATE TABLE events (id INTEGER PRIMARY KEY, what TEXT);' >audit/1_events.up.sql
    echo 'DROP TABLE events;' >audit/1_events.down.sql
    git add -A && git commit -qm audit && rbtool release v2.1.0 || return
    sqlite3 "$s/srv/data/audit.db" VACUUM && rbtool env trust --env prod --yes && rbtool deploy v2.1.0 --yes || return
    sqlite3 "$s/srv/data/audit.db" "INSERT INTO events (what) VALUES ('a'), ('b')"
    echo 'ALTER TABLE events ADD COLUMN who TEXT;' >audit/2_who.up.sql
    echo 'ALTER TABLE events DROP COLUMN who;' >audit/2_who.down.sql
    echo 'ALTER TABLE refunds ADD COLUMN amount INTEGER;' >migrations/3_amount.up.sql
    echo 'ALTER TABLE refunds DROP COLUMN amount;' >migrations/3_amount.down.sql
    git add -A && git commit -qm three && rbtool release v2.2.0
}

both_state() { # DIR
    shop_state "$1"
    sqlite3 "$1/srv/data/audit.db" .dump 2>&1 | grep -vE 'rbtool_|^PRAGMA|sqlite_sequence'
}
