#!/bin/sh
# Make sure that the programs the tests start are here: install what is missing on Debian as root,
# otherwise say what to install and fail. Installed servers are not started: tests run private ones.
set -eu

missing=""
need() { missing="$missing $1"; }

node_major() { node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0; }
postgresql_here() {
    command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}

look() {
    missing=""
    command -v chromium-headless-shell >/dev/null 2>&1 || need chromium-headless-shell
    postgresql_here || need postgresql
    command -v redis-server >/dev/null 2>&1 || need redis-server
    { command -v nginx || ls /usr/sbin/nginx; } >/dev/null 2>&1 || need nginx-light
    [ "$(node_major)" -ge 18 ] || need nodejs
    command -v npm >/dev/null 2>&1 || need npm
    ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || need libfaketime
    command -v ss >/dev/null 2>&1 || need iproute2
    command -v setpriv >/dev/null 2>&1 || need util-linux
    command -v curl >/dev/null 2>&1 || need curl
    command -v openssl >/dev/null 2>&1 || need openssl
    command -v msgfmt >/dev/null 2>&1 || need gettext
}

look
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need these programs, which are missing here (Debian's names):$missing" >&2
    echo "Install them, or run the tests that need none of them: make unit" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "The tests need Debian packages that are missing here. Install them and try again:" >&2
    echo "    sudo apt-get install -y --no-install-recommends$missing" >&2
    echo "or run the tests that need none of them: make unit" >&2
    exit 1
fi

echo "Installing Debian packages:$missing"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
made_policy=""
cleanup() {
    rm -f "$log"
    [ -z "$made_policy" ] || rm -f "$policy"
}
trap cleanup EXIT
if [ ! -e "$policy" ]; then
    made_policy=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install:$missing" >&2
    exit 1
fi
look
if [ -n "$missing" ]; then
    echo "Still missing after the installation:$missing" >&2
    exit 1
fi
