# Shared by the tests that wait for another process.
# shellcheck shell=bash

# wait_for COMMAND...: runs it until it succeeds. Gives up after 60 s, so that a test that cannot go
# on fails with the name of what it waited for.
wait_for() {
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.05
    done
    echo "waited 60 s in vain for: $*" >&2
    return 1
}
