#!/bin/bash
# Walk the README on a fresh Debian 12: `make run` and a chat with the offline model, then
# `make test`, then deploy/install.sh, each in a clone of its own, and what that installed under systemd.
#
#     tests/fresh-machine.sh [run] [test] [install [systemd]]      (run and test by default; needs root)
#
# The machine is a debootstrap root with git, make, python3-venv and Node 20. Node is this machine's
# own if that is version 20, otherwise `make test` installs Debian's. How the root reaches package
# registries is taken from this machine: proxies, certificates, name resolution, and the settings of
# apt, pip and npm. KEEP=1 keeps the root; ROOT= names it, and one that is there is used again.
set -euo pipefail

REPOSITORY=$(cd "$(dirname "$0")/.." && pwd)
SUITE=bookworm
PORT=${PORT:-18473}
STEPS=${*:-run test}

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# In namespaces of its own every mount and process ends with this script.
if [ -z "${HOLDFAST_FRESH:-}" ]; then
    [ "$(id -u)" = 0 ] || fail "debootstrap and chroot need root"
    command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq debootstrap; }
    ROOT=${ROOT:-$(mktemp -d /var/tmp/holdfast-fresh.XXXXXX)}
    export HOLDFAST_FRESH=1 ROOT
    status=0
    unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" "$@" || status=$?
    [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$ROOT"
    exit $status
fi

# --- The root

mirror() {
    apt-get indextargets --format '$(REPO_URI)' "Codename: $SUITE" "Identifier: Packages" 2>/dev/null |
        grep -v security | head -n 1
}

build_root() {
    # Programs that give up root, such as PostgreSQL, must be able to pass through "/".
    mkdir -p "$ROOT"
    chmod 755 "$ROOT"
    [ ! -x "$ROOT/usr/bin/git" ] || return 0
    # shellcheck disable=SC2046
    debootstrap --variant=minbase \
        --include=git,make,python3-venv,ca-certificates,curl \
        "$SUITE" "$ROOT" $(mirror) >"$ROOT.log" 2>&1 || { tail "$ROOT.log"; fail debootstrap; }
    rm -f "$ROOT.log"
}

# Copy files to the same place in the root, following links.
put() {
    local path
    for path in "$@"; do
        [ -f "$path" ] || continue
        mkdir -p "$ROOT$(dirname "$path")"
        cp -L "$path" "$ROOT$path"
    done
}

# Show a directory of this machine in the root, read-only.
show() {
    mkdir -p "$ROOT$1"
    mount --bind -o ro "$1" "$ROOT$1"
}

copy_registry_access() {
    local variable value path
    put /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates/*.crt
    put /etc/pip.conf ~/.config/pip/pip.conf ~/.pip/pip.conf ~/.npmrc /etc/npmrc /usr/etc/npmrc
    put /etc/apt/auth.conf /etc/apt/auth.conf.d/*
    apt-config dump | grep -E '^Acquire::(http|https)' >"$ROOT/etc/apt/apt.conf.d/90this-machine" || true

    ENVIRONMENT=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$HOME" LANG=C.UTF-8)
    while IFS= read -r variable; do
        value=${!variable}
        [ ! -f "$value" ] || put "$value"
        ENVIRONMENT+=("$variable=$value")
    done < <(compgen -e | grep -iE '^((https?|all|no)_proxy|pip_.*|npm_config_.*|ssl_cert_.*|node_extra_ca_certs|curl_ca_bundle|requests_ca_bundle)$')

    # Directories that pip looks into; an index named "simple" has its files beside it.
    while IFS= read -r path; do
        [ ! -d "$path" ] || show "${path%/simple}"
    done < <(python3 -m pip config list 2>/dev/null | tr " '" '\n\n' | sed 's|^file://||' | grep '^/' | sort -u)
}

copy_node() {
    local node
    node=$(command -v node || true)
    [ -n "$node" ] && [[ $("$node" --version) == v20.* ]] || { echo "Node 20 is not here; Debian's it will be"; return 0; }
    cp -L "$node" "$ROOT/usr/local/bin/node"
    local npm
    npm=$(dirname "$(readlink -f "$node")")/../lib/node_modules/npm
    [ -d "$npm" ] || return 0
    mkdir -p "$ROOT/usr/local/lib/node_modules"
    cp -RL "$npm" "$ROOT/usr/local/lib/node_modules/"
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$ROOT/usr/local/bin/npm"
}

mount_kernel() {
    mount -t proc proc "$ROOT/proc"
    mount --bind /dev "$ROOT/dev"
    mount -t tmpfs -o mode=1777 shm "$ROOT/dev/shm"
    mount -t devpts devpts "$ROOT/dev/pts" || true
}

inside() { chroot "$ROOT" /usr/bin/env -i "${ENVIRONMENT[@]}" "$@"; }

clone() {
    rm -rf "${ROOT:?}$HOME/$1"
    inside git clone --quiet /tmp/holdfast.bundle "$HOME/$1"
}

# --- make run, and a chat

answers() { inside curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$PORT/readyz"; }

start() {
    # Of its own session, so that an interrupt reaches make and the server as from a terminal.
    setsid chroot "$ROOT" /usr/bin/env -i --default-signal=INT "${ENVIRONMENT[@]}" \
        make --no-print-directory -C "$HOME/run" run PORT="$PORT" >"$ROOT/tmp/run.log" 2>&1 </dev/null &
    SERVER=$!
}

wait_until_it_answers() {
    local deadline=$((SECONDS + $1))
    until answers; do
        kill -0 "$SERVER" 2>/dev/null || { cat "$ROOT/tmp/run.log"; fail "make run ended"; }
        [ $SECONDS -lt $deadline ] || { uptime; cat "$ROOT/tmp/run.log"; fail "no answer within $1 s"; }
        sleep 0.1
    done
}

interrupt() {
    local deadline=$((SECONDS + 30))
    kill -INT -- "-$SERVER"
    while kill -0 -- "-$SERVER" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || { cat "$ROOT/tmp/run.log"; fail "make run does not end on SIGINT"; }
        sleep 0.1
    done
    ! grep -q Traceback "$ROOT/tmp/run.log" || { cat "$ROOT/tmp/run.log"; fail "a traceback"; }
}

chat() {
    inside bash -euo pipefail -s -- "http://127.0.0.1:$PORT" <<'CHAT'
url=$1
jar=$(mktemp)
field() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }
call() {
    curl -sS --fail-with-body --max-time 120 -b "$jar" -c "$jar" -H "X-CSRFToken: ${token:-}" -H "Content-Type: application/json" "$@"
}
call "$url/api/session" >/dev/null
token=$(awk '$6 == "csrftoken" {print $7}' "$jar")
model=$(call "$url/api/models" | field 'next(m["id"] for m in (d["models"] if isinstance(d, dict) else d) if m["provider"] == "local" and m["default"])')
conversation=$(call "$url/api/conversations" -d '{"settings": {"temperature": 0}}' | field 'd["id"]')
token=$(awk '$6 == "csrftoken" {print $7}' "$jar")
call -N -H "Accept: text/plain" "$url/api/conversations/$conversation/messages" \
    -d '{"content": "What is the capital of France?"}'
echo
call "$url/api/conversations/$conversation/messages" | MODEL=$model python3 -c '
import json, os, sys
reply = [m for m in json.load(sys.stdin)["messages"] if m["role"] == "assistant"][-1]
print({k: reply[k] for k in ("status", "reason", "model", "usage", "content")})
assert reply["status"] == "completed", "not completed"
assert "Paris" in reply["content"], "no Paris"
assert reply["model"] == os.environ["MODEL"], "not the local model"
assert reply["usage"]["input_tokens"] > 0 and reply["usage"]["output_tokens"] > 0, "no usage"
'
CHAT
}

walk_run() {
    say "make run on a fresh clone"
    clone run
    local began=$SECONDS
    start
    wait_until_it_answers 600
    echo "serves after $((SECONDS - began)) s"
    cat "$ROOT/tmp/run.log"
    chat || { cat "$ROOT/tmp/run.log"; fail "the chat"; }
    interrupt

    say "make run once more, without a network"
    export -f answers start inside wait_until_it_answers interrupt chat fail walk_again
    export PORT
    unshare --net bash -euo pipefail -c "$(declare -p ENVIRONMENT); ip link set lo up; walk_again"
}

walk_again() {
    local began
    began=$(date +%s%N)
    start
    wait_until_it_answers 5
    echo "serves after $((($(date +%s%N) - began) / 1000000)) ms"
    chat || { cat "$ROOT/tmp/run.log"; fail "the chat"; }
    interrupt
}

walk_test() {
    say "make test on a fresh clone"
    clone test
    inside make --no-print-directory -C "$HOME/test" test || fail "make test"
}

# --- deploy/install.sh: two workers behind nginx, a chat through it, an upgrade, once more
# Units are verified, and workers started by hand as their unit says.

ENVIRONMENT_FILE=/etc/holdfast/environment

install_release() {
    inside "$HOME/install/deploy/install.sh" --host chat.example || fail "install.sh"
}

verify_units() {
    inside sh -c 'command -v systemd-analyze >/dev/null || apt-get install -y -qq --no-install-recommends systemd man-db' >/dev/null 2>&1
    local unit
    for unit in holdfast@8001.service holdfast.target holdfast-daily.service holdfast-daily.timer; do
        inside env SYSTEMD_OFFLINE=1 systemd-analyze verify --man=no "/etc/systemd/system/${unit/8001/}" ||
            fail "$unit is not sound"
    done
    echo "units are sound"
}

# What a unit of systemd starts, in the way that it would.
exec_start() {
    inside sed -n -e ':a' -e '/\\$/{N;s/\\\n *//;ba' -e '}' -e 's/^ExecStart=//p' \
        "/etc/systemd/system/holdfast@.service" | sed "s/%i/$1/g"
}

start_worker() {
    setsid chroot "$ROOT" /usr/bin/env -i "${ENVIRONMENT[@]}" BIND=127.0.0.1 UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=30 \
        sh -c "set -a; . $ENVIRONMENT_FILE; set +a; cd /opt/holdfast/current
               exec setpriv --reuid=holdfast --regid=holdfast --init-groups $(exec_start "$1")" \
        >>"$ROOT/tmp/worker-$1.log" 2>&1 </dev/null &
    WORKER[$1]=$!
    local deadline=$((SECONDS + 60))
    until inside curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$1/readyz"; do
        [ $SECONDS -lt $deadline ] || { cat "$ROOT/tmp/worker-$1.log"; fail "worker $1 is not ready"; }
        sleep 0.2
    done
}

end_worker() {
    kill -TERM "${WORKER[$1]}"
    wait "${WORKER[$1]}" || true
}

# A chat through nginx: `inside` the root, or in the machine that is `booted` there.
talk() {
    "$1" bash -euo pipefail -s <<'TALK'
jar=$(mktemp)
call() {
    curl -sS --fail-with-body --max-time 60 -b "$jar" -c "$jar" -H "Host: chat.example" \
        -H "X-CSRFToken: ${token:-}" -H "Content-Type: application/json" "$@"
}
# Cookies are kept by curl for the name in its URL.
call http://127.0.0.1/api/session >/dev/null
token=$(awk '$6 == "csrftoken" {print $7}' "$jar")
conversation=$(call http://127.0.0.1/api/conversations -d '{}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
token=$(awk '$6 == "csrftoken" {print $7}' "$jar")
call -N -H "Accept: text/plain" "http://127.0.0.1/api/conversations/$conversation/messages" -d '{"content": "Hello"}' | wc --chars || true
until [[ $(call "http://127.0.0.1/api/conversations/$conversation/messages") != *'"running"'* ]]; do sleep 0.2; done
call "http://127.0.0.1/api/conversations/$conversation/messages" | python3 -c '
import json, sys
reply = json.load(sys.stdin)["messages"][-1]
assert (reply["role"], reply["status"]) == ("assistant", "completed"), reply'
page=$(call http://127.0.0.1/ -H "Accept: text/html")
[[ $page =~ /static/conversations/js/[a-z]+\.[0-9a-f]{12}\.js ]]
headers=$(call -o /dev/null -D - "http://127.0.0.1${BASH_REMATCH[0]}")
grep -qi 'cache-control:.*immutable' <<<"$headers"
TALK
}

messages() { inside runuser -u holdfast -- psql -tAc 'SELECT count(*) FROM holdfast_conversations_message' holdfast; }

walk_site() {
    ip link set lo up
    declare -A WORKER
    start_worker 8001
    start_worker 8002
    inside nginx -g 'daemon on;'
    talk inside || { tail -n 20 "$ROOT"/tmp/worker-*.log; fail "the chat through nginx"; }
    local before after
    before=$(messages)

    say "deploy/install.sh once more, and the workers restarted in turn"
    local settings release
    settings=$(sha256sum <"$ROOT$ENVIRONMENT_FILE")
    release=$(readlink "$ROOT/opt/holdfast/current")
    rm -f "$ROOT/tmp/go-on"
    touch "$ROOT/tmp/upgrade"
    until [ -e "$ROOT/tmp/go-on" ]; do sleep 0.2; done
    [ "$settings" = "$(sha256sum <"$ROOT$ENVIRONMENT_FILE")" ] || fail "the settings were changed"
    [ "$release" != "$(readlink "$ROOT/opt/holdfast/current")" ] || fail "the release is the old one"
    local port
    for port in 8001 8002; do
        end_worker $port
        talk inside || fail "the chat while the worker on port $port is away"
        start_worker $port
    done
    talk inside || fail "the chat after the upgrade"
    after=$(messages)
    [ "$after" -gt "$before" ] || fail "messages were lost: $before, then $after"
    echo "messages before the upgrade: $before, after it: $after"
    end_worker 8001
    end_worker 8002
    ! grep -E 'Traceback| ERROR ' "$ROOT"/tmp/worker-*.log || fail "errors in the workers' logs"
}

walk_install() {
    say "deploy/install.sh on a fresh machine"
    clone install
    install_release
    verify_units
    printf 'ALLOW_GUESTS=1\nDEMO_TOKENS_PER_SECOND=0\n' >>"$ROOT$ENVIRONMENT_FILE"
    # The workers and nginx have ports of their own there; the upgrade needs the network, so it is made here.
    rm -f "$ROOT/tmp/upgrade" "$ROOT/tmp/go-on"
    export -f walk_site start_worker end_worker exec_start talk messages inside fail say
    export ENVIRONMENT_FILE
    unshare --net bash -euo pipefail -c "$(declare -p ENVIRONMENT); walk_site" &
    local site=$!
    until [ -e "$ROOT/tmp/upgrade" ]; do
        kill -0 $site 2>/dev/null || fail "the site"
        sleep 0.2
    done
    install_release
    touch "$ROOT/tmp/go-on"
    wait $site || fail "the site"
}

# --- The same under systemd, booted in the root: units, restarts, upgrades, and the machine itself

boot() {
    systemd-nspawn --quiet --directory="$ROOT" --register=no --keep-unit --private-network --boot \
        >>"$ROOT.boot.log" 2>&1 </dev/null &
    MACHINE=$!
    local deadline=$((SECONDS + 60))
    until INIT=$(pgrep -P $MACHINE) && booted systemctl is-system-running >/dev/null 2>&1; do
        kill -0 $MACHINE 2>/dev/null && [ $SECONDS -lt $deadline ] ||
            { cat "$ROOT.boot.log"; booted systemctl --failed; fail "systemd does not come up"; }
        sleep 0.2
    done
}

booted() {
    nsenter --target "$INIT" --mount --uts --ipc --net --pid \
        env -i "${ENVIRONMENT[@]}" PIP_NO_INDEX=1 PIP_FIND_LINKS="$HOME/wheels" "$@"
}

power_off() {
    booted systemctl poweroff
    wait $MACHINE || true
}

upgrade() { booted env READY_SECONDS=30 "$HOME/install/deploy/install.sh" "$@"; }

is_ready() { booted curl -sf -o /dev/null --max-time 2 "http://127.0.0.1:$1/readyz"; }

wait_until_ready() {
    local deadline=$((SECONDS + 60))
    until is_ready "$1"; do
        [ $SECONDS -lt $deadline ] || { booted journalctl --no-pager -u "holdfast@$1"; fail "the worker on port $1"; }
        sleep 0.2
    done
}

# A reply of some ten seconds, while its worker, whichever it is, is restarted.
talk_through_restarts() {
    booted sed -i 's/^DEMO_TOKENS_PER_SECOND=.*/DEMO_TOKENS_PER_SECOND=25/' $ENVIRONMENT_FILE
    booted systemctl restart holdfast.target
    wait_until_ready 8001
    wait_until_ready 8002
    talk booted &
    local talk=$! port
    sleep 2
    for port in 8001 8002; do
        booted systemctl restart "holdfast@$port"
        wait_until_ready $port
    done
    wait $talk || fail "the reply was not completed"
    booted sed -i 's/^DEMO_TOKENS_PER_SECOND=.*/DEMO_TOKENS_PER_SECOND=0/' $ENVIRONMENT_FILE
    booted systemctl restart holdfast.target
    wait_until_ready 8001
    wait_until_ready 8002
}

walk_systemd() {
    say "The machine is booted"
    [ -L "$ROOT/opt/holdfast/current" ] || fail "systemd is a step behind install"
    command -v systemd-nspawn >/dev/null || apt-get install -y -qq --no-install-recommends systemd-container >/dev/null
    inside apt-get install -y -qq --no-install-recommends systemd-sysv dbus >/dev/null 2>&1
    # It has no network, so what upgrades install is fetched before.
    inside /opt/holdfast/current/.venv/bin/python -m pip -qq download --require-hashes \
        --dest "$HOME/wheels" -r /opt/holdfast/current/requirements.txt
    inside service postgresql stop >/dev/null || true
    umount --recursive --lazy "$ROOT/dev" "$ROOT/proc"
    rm -f "$ROOT.boot.log"
    boot
    upgrade --workers 2 || fail "install.sh"
    local unit
    for unit in holdfast@8001 holdfast@8002 holdfast.target holdfast-daily.timer nginx; do
        booted systemctl -q is-active "$unit" || fail "$unit does not run"
    done
    talk booted || fail "the chat through nginx"
    booted systemctl start holdfast-daily || { booted journalctl --no-pager -u holdfast-daily; fail "the daily cleaning"; }

    say "A reply while both workers are restarted, one after the other"
    talk_through_restarts

    say "A worker is killed"
    local before
    before=$(booted systemctl show --value -p MainPID holdfast@8001)
    booted systemctl kill --signal=KILL holdfast@8001
    until [[ $(booted systemctl show --value -p MainPID holdfast@8001) != @("$before"|0) ]]; do sleep 0.2; done
    wait_until_ready 8001

    say "The machine is switched off and on"
    power_off
    boot
    wait_until_ready 8001
    wait_until_ready 8002
    talk booted || fail "the chat after the boot"
    ! booted journalctl --no-pager -u 'holdfast*' | grep -E 'Traceback| ERROR ' || fail "errors in the journal"

    say "One worker less, then a release that does not start"
    upgrade --workers 1 || fail "one worker"
    is_ready 8001 || fail "the first worker"
    ! is_ready 8002 || fail "the second worker still runs"
    local release
    release=$(readlink "$ROOT/opt/holdfast/current")
    echo 'raise SystemExit("broken")' >>"$ROOT$HOME/install/chatproject/asgi.py"
    ! upgrade || fail "a release that does not start was installed"
    [ "$release" = "$(readlink "$ROOT/opt/holdfast/current")" ] || fail "not led back to the release before"
    wait_until_ready 8001
    [ "$(ls "$ROOT/opt/holdfast/releases" | sort | tail -n 1)" = "${release##*/}" ] || fail "the failed release is still there"
    talk booted || fail "the chat with the release before"
    power_off
}

say "A fresh Debian ($SUITE) in $ROOT"
build_root
copy_registry_access
copy_node
mount_kernel
git -C "$REPOSITORY" bundle create --quiet "$ROOT/tmp/holdfast.bundle" HEAD \
    $(git -C "$REPOSITORY" symbolic-ref --short --quiet HEAD || true)
inside sh -c 'git --version; make --version | head -n 1; python3 --version; node --version || true'
for step in $STEPS; do "walk_$step"; done
say "passed: $STEPS"
