#!/usr/bin/env bats
# The files in hooks/recipes: their form, and that every command in them exists.

bats_require_minimum_version 1.5.0
load lib

RECIPES=$ROOT/hooks/recipes

setup() {
    home
}

# Every `rbtool COMMAND --option` in the text on stdin exists.
commands_exist() {
    local command option
    while read -r command option; do
        rbtool help "$command" >"$BATS_TEST_TMPDIR/help" || return 1
        [[ -z $option ]] || grep -q -e "$option\b" "$BATS_TEST_TMPDIR/help" || {
            echo "rbtool $command has no option $option"
            return 1
        }
    done < <(grep -oE 'rbtool( -C [^ ]+)? [a-z]+ .*' | sed -E 's/rbtool( -C [^ ]+)? //' |
        awk '{ print $1; for (i = 2; i <= NF; i++) if ($i ~ /^--?[a-z]/) print $1, $i }')
}

@test "the workflows and the Helm job are YAML, and their scripts are shell" {
    python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
    sed -E 's/\{\{[^}]*\}\}/x/g' "$RECIPES/helm-hook-job.yaml" >"$BATS_TEST_TMPDIR/job.yaml"
    python3 - "$RECIPES/github-actions.yml" "$RECIPES/gitlab-ci.yml" "$BATS_TEST_TMPDIR/job.yaml" \
        >"$BATS_TEST_TMPDIR/scripts" <<'PY'
import sys, yaml
github, gitlab, job = (yaml.safe_load(open(f)) for f in sys.argv[1:])
for name in ("prove", "verify"):
    for step in github["jobs"][name]["steps"]:
        assert "uses" in step or "run" in step, step
        print(step.get("run", ""))
for name in ("prove", "verify-release"):
    assert gitlab[name]["rules"], name
    print("\n".join(gitlab[name]["script"]))
assert job["kind"] == "Job" and job["spec"]["backoffLimit"] == 0
container = job["spec"]["template"]["spec"]["containers"][0]
print(" ".join(container["command"] + container["args"]))
mounts = {m["name"] for m in container["volumeMounts"]}
assert mounts == {v["name"] for v in job["spec"]["template"]["spec"]["volumes"]}
PY
    bash -n "$BATS_TEST_TMPDIR/scripts"
    [[ $(grep -c rbtool "$BATS_TEST_TMPDIR/scripts") -ge 5 ]]
    commands_exist <"$BATS_TEST_TMPDIR/scripts"
}

@test "the systemd units are accepted by systemd-analyze, and each timer has its service" {
    command -v systemd-analyze >/dev/null || skip "systemd is not installed"
    local unit
    for unit in "$RECIPES"/*.service "$RECIPES"/*.timer; do
        sed -e "s#/usr/local/bin/rbtool#$BUILD/rbtool#" -e 's/^User=.*/User=root/' \
            "$unit" >"$BATS_TEST_TMPDIR/${unit##*/}"
    done
    for unit in "$RECIPES"/*.timer; do
        [[ -e ${unit%.timer}.service ]]
        unit=${unit##*/}
        run -0 systemd-analyze verify --man=no "$BATS_TEST_TMPDIR/${unit/@./@prod.}"
        [[ -z $output ]]
    done
    cat "$RECIPES"/*.service | sed 's#/usr/local/bin/rbtool#rbtool#' | commands_exist
}
