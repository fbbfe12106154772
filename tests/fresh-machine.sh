#!/bin/bash
# Walk the README on a fresh Debian 12: `make run` and a chat with the offline model, then
# `make test`, each in a clone of its own.
#
#     tests/fresh-machine.sh [run] [test]      (both by default; needs root)
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
    unshare --mount --pid --fork --kill-child --propagation private "$0" "$@" || status=$?
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
