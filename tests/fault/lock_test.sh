#!/bin/bash
# One run at a time: a second revert is told so (exit 4); a killed holder leaves no lock behind.
set -uo pipefail
here=$(realpath "$(dirname "$0")")
. "$here/lib.bash"

work=$(mktemp -d "${TMPDIR:-/tmp}/rbtool-lock.XXXXXX")
trap 'rm -rf "$work"' EXIT
shop=$work/shop
make_shop "$shop" >"$work/log" 2>&1 || {
    result 1 "prepare a shop"
    sed 's/^/# /' "$work/log"
    finish
}
# The stop command waits until it is let go: the first revert then holds the environment.
cat >"$work/stop" <<SH
#!/bin/bash
touch "$work/stopping"
. "$here/../wait.bash"
wait_for test -e "$work/go"
touch "$shop/srv/stopped"
SH
chmod +x "$work/stop"
jq --arg stop "$work/stop" '.environments.prod.service.stop = [$stop]' rbtool.json >"$work/settings"
digest=$(rbtool --config "$work/settings" plan v2.0.0 --json 2>/dev/null | jq -r .digest)
revert=(rbtool --config "$work/settings" revert v2.0.0 --accept-data-loss "$digest" --yes)
shop_state "$shop" >"$work/from"

"${revert[@]}" >"$work/first" 2>&1 &
holder=$!
wait_for test -e "$work/stopping"
result $? "the first revert is running"
"${revert[@]}" >"$work/second" 2>&1
[[ $? -eq 4 ]] && grep -q '^rbtool: ' "$work/second"
result $? "a second revert exits 4 while the first one runs: $(grep -m1 '^rbtool: ' "$work/second")"
rbtool --config "$work/settings" resume --yes >"$work/third" 2>&1
result $(($? != 4)) "resume exits 4 while the first revert runs"

kill -KILL "$holder"
wait "$holder" 2>/dev/null
touch "$work/go"
sleep 0.2
rbtool --config "$work/settings" abort --yes >"$work/abort" 2>&1
result $? "abort gets the lock after the first revert was killed: $(tail -1 "$work/abort")"
shop_state "$shop" >"$work/now"
cmp -s "$work/from" "$work/now"
result $? "the environment is at FROM after abort"
"${revert[@]}" >"$work/last" 2>&1
result $? "the next revert succeeds: $(tail -1 "$work/last")"
[[ $(readlink "$shop/srv/current") == releases/v1.0.0 ]]
result $? "the environment is at TO after the next revert"
finish
