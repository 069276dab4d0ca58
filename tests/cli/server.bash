# A server: `load server` after lib. Pushes go to a bare repository with the real hooks, over
# file:// or over ssh to an sshd of the test's own on loopback.
#
#   sshd_start, sshd_stop   for setup_file and teardown_file; $PORT
#   server                  $SERVER, a bare repository with rbtool's hooks; a key of its own
#   url file|ssh            prints how to reach it
#   clone WHO [KIND]        a clone of it in $BATS_TEST_TMPDIR/WHO with that person's name and key

sshd_start() {
    local dir=$BATS_FILE_TMPDIR/sshd left
    mkdir -p "$dir"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
    ssh-keygen -q -t ed25519 -N '' -f "$dir/client"
    cp "$dir/client.pub" "$dir/authorized"
    : >"$dir/gitconfig"
    [[ $(id -u) -ne 0 ]] || mkdir -p /run/sshd # compiled in, only asked for by root's
    for ((left = 10; left > 0; left--)); do
        PORT=$((20000 + RANDOM % 40000))
        cat >"$dir/config" <<CONFIG
ListenAddress 127.0.0.1:$PORT
HostKey $dir/host
PidFile $dir/pid
AuthorizedKeysFile $dir/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
# HOME too: a shell reads the .bashrc that lies there
LogLevel VERBOSE
SetEnv HOME=$dir PATH=$PATH GIT_CONFIG_GLOBAL=$dir/gitconfig GIT_CONFIG_NOSYSTEM=1 TMPDIR=${TMPDIR:-/tmp}
CONFIG
        "$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)" -f "$dir/config" -E "$dir/log" && break
    done
    for ((left = 50; left > 0; left--)); do
        [[ -s $dir/pid ]] && ssh-keyscan -p "$PORT" 127.0.0.1 >"$dir/known" 2>/dev/null && break
        sleep 0.1
    done
    [[ -s $dir/known ]] || {
        cat "$dir/log"
        return 1
    }
    export PORT
    export GIT_SSH_COMMAND="ssh -F none -i $dir/client -o IdentitiesOnly=yes -o UserKnownHostsFile=$dir/known -o StrictHostKeyChecking=yes -o ControlMaster=auto -o ControlPath=$dir/m -o ControlPersist=60"
}

sshd_stop() {
    $GIT_SSH_COMMAND -p "$PORT" -O exit 127.0.0.1 2>/dev/null || true # the connection that is shared
    [[ ! -s $BATS_FILE_TMPDIR/sshd/pid ]] || kill "$(cat "$BATS_FILE_TMPDIR/sshd/pid")"
}

server() {
    SERVER=$BATS_TEST_TMPDIR/server.git
    git init -q --bare "$SERVER"
    [[ -f $KEYS/server ]] || ssh-keygen -q -t ed25519 -N '' -C git@server -f "$KEYS/server"
    cp "$KEYS/allowed" "$KEYS/allowed.server"
    printf 'git@server %s\n' "$(cut -d' ' -f1,2 "$KEYS/server.pub")" >>"$KEYS/allowed.server"
    cp "$KEYS/allowed.server" "$KEYS/allowed"
    git -C "$SERVER" config gpg.format ssh
    git -C "$SERVER" config gpg.ssh.allowedSignersFile "$KEYS/allowed.server"
    git -C "$SERVER" config user.signingKey "$KEYS/server"
    git -C "$SERVER" config user.name Server
    git -C "$SERVER" config user.email git@server
    rbtool -C "$SERVER" init >/dev/null 2>&1
}

url() {
    case $1 in
    file) echo "file://$SERVER" ;;
    ssh) echo "ssh://$(id -un)@127.0.0.1:$PORT$SERVER" ;;
    esac
}

clone() {
    local who=$1 dir=$BATS_TEST_TMPDIR/$1
    git clone -q "$(url "${2:-file}")" "$dir"
    git -C "$dir" config user.name "$who"
    git -C "$dir" config user.email "$who@example.com"
    git -C "$dir" config user.signingKey "$KEYS/$who"
    git -C "$dir" config rbtool.app shop
    cd "$dir" || return 1
    rbtool init >/dev/null 2>&1
}

there() { # REF: its object at the server
    git -C "$SERVER" rev-parse -q --verify "$1"
}

# refused WORDS COMMAND...: not done, and rbtool said why in three lines at most
# shellcheck disable=SC2154 # bats sets status and output
refused() {
    local words=$1
    shift
    run "$@"
    [[ $status -ne 0 && ${output//$'\n'hint: /; } == *"$words"* ]] || {
        printf 'expected a refusal with "%s"; got exit %s and:\n%s\n' "$words" "$status" "$output"
        return 1
    }
    [[ $(grep -cE '^(remote: )?(rbtool: |  )' <<<"$output") -le 3 ]] || {
        printf 'more than three lines:\n%s\n' "$output"
        return 1
    }
}
