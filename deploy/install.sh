#!/bin/bash
# Install Holdfast on Debian 12 or newer, or upgrade it: run as root in the version that is wanted. It can
# be run again at any time; replies that are being written go on.
#
#   deploy/install.sh [--workers N] [--host NAME] [--with observability] [--without nginx]
#   deploy/install.sh image      for a container: packages, user and code alone
#
# What lies where:
#   /opt/holdfast/releases/…     code, each release with a venv of its own; `current` leads to one
#   /etc/holdfast/environment    settings, generated once with their secrets and never changed after
#   /var/lib/holdfast            uploaded files, lock files, static files of all releases
#   /usr/local/bin/holdfast      manage.py with these settings: holdfast createsuperuser
# PostgreSQL: the role and database "holdfast", by peer authentication, unless DATABASE_URL is given.
set -euo pipefail

SOURCE=$(cd "$(dirname "$0")/.." && pwd)
HOME_DIRECTORY=/opt/holdfast
CURRENT=$HOME_DIRECTORY/current
DATA=/var/lib/holdfast
ENVIRONMENT=/etc/holdfast/environment
FIRST_PORT=${FIRST_PORT:-8001}
KEPT_RELEASES=3
READY_SECONDS=${READY_SECONDS:-60}

WORKERS=${WORKERS:-2}
HOST=${HOST:-}
EXTRAS=()
NGINX=yes
IMAGE=""

say() { printf '== %s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            image) IMAGE=yes ;;
            --workers) WORKERS=${2:?}; shift ;;
            --host) HOST=${2:?}; shift ;;
            --with) EXTRAS+=("${2:?}"); shift ;;
            --without) [ "${2:?}" = nginx ] || fail "only nginx can be left out"; NGINX=""; shift ;;
            *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
        esac
        shift
    done
    [[ $WORKERS =~ ^[1-9][0-9]?$ ]] || fail "--workers is a number from 1 to 99"
    [ "$(id -u)" = 0 ] || fail "needs root"
}

runs_systemd() { [ -d /run/systemd/system ]; }

# A setting of the environment file, or nothing.
setting() { [ ! -f $ENVIRONMENT ] || sed -n "s/^$1=//p" $ENVIRONMENT | tail -n 1 | tr -d "'\""; }

# --- Steps

install_packages() {
    local wanted=(python3 python3-venv ca-certificates curl) missing=() package
    if [ -z "$IMAGE" ]; then
        [ -z "$NGINX" ] || command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || wanted+=(nginx-light)
        [ -n "${DATABASE_URL:-$(setting DATABASE_URL)}" ] || wanted+=(postgresql)
    fi
    for package in "${wanted[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

make_user() {
    id holdfast >/dev/null 2>&1 ||
        useradd --system --user-group --home-dir $DATA --no-create-home --shell /usr/sbin/nologin holdfast
    install -d -o holdfast -g holdfast -m 750 $DATA/media $DATA/workers
    install -d -o root -g root -m 755 $HOME_DIRECTORY/releases $DATA/static
    # nginx passes through to static files, nobody reads the rest.
    chown holdfast:holdfast $DATA
    chmod 711 $DATA
}

copy_code() {
    RELEASE=$HOME_DIRECTORY/releases/$(date -u +%Y%m%d-%H%M%S)-$$
    say "Code: $RELEASE"
    mkdir "$RELEASE"
    trap 'rm -rf --one-file-system "$RELEASE"' EXIT
    tar -C "$SOURCE" --exclude=__pycache__ -cf - \
        chatproject conversations streaming deploy docs manage.py LICENSE README.md CHANGELOG.md \
        $(cd "$SOURCE" && ls requirements*.txt) | tar -C "$RELEASE" --no-same-owner -xf -
    local extra files=(-r "$RELEASE/requirements.txt")
    for extra in "${EXTRAS[@]}"; do
        [ -f "$RELEASE/requirements-$extra.txt" ] || fail "there is no requirements-$extra.txt"
        files+=(-r "$RELEASE/requirements-$extra.txt")
    done
    say "Python packages"
    python3 -m venv "$RELEASE/.venv"
    "$RELEASE/.venv/bin/python" -m pip -qq --disable-pip-version-check install --require-hashes "${files[@]}"
    say "Static files"
    (cd "$RELEASE" && SECRET_KEY=not-needed-here DATABASE_URL=sqlite://:memory: \
        .venv/bin/python -W ignore manage.py collectstatic --noinput --verbosity 0)
    "$RELEASE/.venv/bin/python" -m compileall -q "$RELEASE"/{chatproject,conversations,streaming}
    # Names with a hash never mean something else, so those of all releases may lie together.
    cp -a "$RELEASE/staticfiles/." $DATA/static/
    chmod -R a+rX "$RELEASE" $DATA/static
}

write_environment() {
    [ ! -f $ENVIRONMENT ] || return 0
    say "Settings: $ENVIRONMENT"
    install -d -o root -g holdfast -m 750 "$(dirname $ENVIRONMENT)"
    local host=${HOST:-$(hostname -f 2>/dev/null || hostname)} key
    key=$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')
    (
        umask 027
        cat >$ENVIRONMENT.new <<SETTINGS
# Settings of Holdfast. All of them: $CURRENT/README.md, "Configuration". After a change:
#   systemctl restart holdfast.target, or deploy/install.sh again for one worker after another.
SECRET_KEY=$key
# 127.0.0.1 is for install.sh, which asks each worker whether it is ready.
ALLOWED_HOSTS=$host,127.0.0.1
DATABASE_URL=${DATABASE_URL:-postgres:////var/run/postgresql/holdfast}
MEDIA_ROOT=$DATA/media
STREAMING_RUN_DIRECTORY=$DATA/workers
STREAMING_TRUSTED_PROXIES=1
# 1 once the site is served over TLS (deploy/nginx/holdfast-tls.conf)
HTTPS=0
${REDIS_URL:+REDIS_URL=$REDIS_URL}
SETTINGS
    )
    chown root:holdfast $ENVIRONMENT.new
    mv $ENVIRONMENT.new $ENVIRONMENT
}

make_command() {
    cat >/usr/local/bin/holdfast <<'COMMAND'
#!/bin/sh
# manage.py of the installed release, with its settings and as its user: holdfast createsuperuser
set -a
. /etc/holdfast/environment
set +a
cd "${HOLDFAST_RELEASE:-/opt/holdfast/current}" || exit 1
[ "$(id -un)" != holdfast ] || exec .venv/bin/python manage.py "$@"
exec runuser -u holdfast -- .venv/bin/python manage.py "$@"
COMMAND
    chmod 755 /usr/local/bin/holdfast
}

as_postgres() { (cd / && runuser -u postgres -- "$@"); }

make_database() {
    case $(setting DATABASE_URL) in
        postgres:////var/run/postgresql/holdfast) ;;
        *) return 0 ;;
    esac
    as_postgres psql -qtAc "SELECT 1" >/dev/null 2>&1 || service postgresql start >/dev/null 9>&-
    local tries=0
    until as_postgres psql -qtAc "SELECT 1" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || fail "PostgreSQL does not answer"
        sleep 0.2
    done
    [ "$(as_postgres psql -qtAc "SELECT 1 FROM pg_roles WHERE rolname = 'holdfast'")" = 1 ] || {
        say "PostgreSQL: role holdfast"
        as_postgres createuser holdfast
    }
    [ "$(as_postgres psql -qtAc "SELECT 1 FROM pg_database WHERE datname = 'holdfast'")" = 1 ] || {
        say "PostgreSQL: database holdfast"
        as_postgres createdb --owner holdfast --encoding UTF8 --template template0 holdfast
    }
}

migrate() {
    say "Checks and migrations"
    # Workers of the release before go on meanwhile: migrations only add (docs/deploy.md).
    local told
    told=$(HOLDFAST_RELEASE=$RELEASE holdfast check --deploy --fail-level ERROR 2>&1) || fail "$told"
    HOLDFAST_RELEASE=$RELEASE holdfast migrate --noinput --verbosity 0
}

switch() {
    ln -sfn "$1" $CURRENT.new
    mv -T $CURRENT.new $CURRENT
}

write_units() {
    install -m 644 "$RELEASE"/deploy/systemd/holdfast* /etc/systemd/system/
    # The deadlines of the unit fit a drain of 20 s; with another one they move along.
    local drain directory=/etc/systemd/system/holdfast@.service.d
    drain=$(setting STREAMING_DRAIN_SECONDS)
    drain=${drain%.*}
    rm -f $directory/deadlines.conf
    [ "${drain:-20}" = 20 ] || {
        mkdir -p $directory
        printf '[Service]\nEnvironment=UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=%s\nTimeoutStopSec=%s\n' \
            $((drain + 10)) $((drain + 40)) >$directory/deadlines.conf
    }
    runs_systemd || return 0
    systemctl daemon-reload
    systemctl -q enable --now holdfast-daily.timer
    systemctl -q enable holdfast.target
}

ports() { seq $FIRST_PORT $((FIRST_PORT + WORKERS - 1)); }

wait_until_ready() {
    local deadline=$((SECONDS + READY_SECONDS))
    # With HTTPS=1 all else is sent away to https.
    until [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 5 -H 'X-Forwarded-Proto: https' \
        "http://127.0.0.1:$1/readyz")" = 200 ]; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

# One after another: the next begins to drain when this one takes requests again.
restart_workers() {
    local port previous=$1
    runs_systemd || { say "No systemd here: start the workers yourself (ports $(ports | paste -sd' '))"; return 0; }
    for port in $(ports); do
        say "Worker on port $port: draining, restarting"
        systemctl -q enable "holdfast@$port"
        systemctl restart "holdfast@$port"
        wait_until_ready "$port" || {
            journalctl -u "holdfast@$port" -n 20 --no-pager >&2 || true
            if [ -n "$previous" ]; then
                switch "$previous"
                systemctl restart "holdfast@$port"
                fail "the worker on port $port is not ready after $READY_SECONDS s: back to $previous"
            fi
            fail "the worker on port $port is not ready after $READY_SECONDS s"
        }
    done
    for port in $(seq $((FIRST_PORT + WORKERS)) $((FIRST_PORT + 98))); do
        ! systemctl -q is-enabled "holdfast@$port" 2>/dev/null || systemctl -q disable --now "holdfast@$port"
    done
    systemctl start holdfast.target
}

write_site() {
    [ -n "$NGINX" ] || return 0
    local site=/etc/nginx/conf.d/holdfast.conf port lines=""
    for port in $(ports); do lines+="    server 127.0.0.1:$port max_fails=0;\n"; done
    lines=${lines%\\n}
    [ -f $site ] || {
        say "nginx: $site"
        install -m 644 "$RELEASE/deploy/nginx/holdfast.conf" $site
        # Debian's own site also wants to be the default one.
        [ ! -L /etc/nginx/sites-enabled/default ] || rm /etc/nginx/sites-enabled/default
        # Each stream is two connections of nginx; Debian's file allows 768.
        sed -i 's/worker_connections 768;/worker_connections 16384;/' /etc/nginx/nginx.conf
        mkdir -p /etc/nginx/modules-enabled
        echo 'worker_rlimit_nofile 65536;' >/etc/nginx/modules-enabled/90-holdfast.conf
    }
    # The site is yours to change; only the list of workers is kept as it is here.
    sed -i -e '/^    server 127\.0\.0\.1:[0-9]* max_fails=0;$/d' -e "s/^    least_conn;\$/&\n$lines/" $site
    install -D -m 644 "$RELEASE/deploy/nginx/locations.conf" /etc/nginx/snippets/holdfast-locations.conf
    nginx -t -q
    if runs_systemd; then systemctl reload-or-restart nginx; fi
}

remove_old_releases() {
    local release
    for release in $(ls -1d $HOME_DIRECTORY/releases/* | sort -r | tail -n +$((KEPT_RELEASES + 1))); do
        [ "$release" = "$(readlink -f $CURRENT)" ] || rm -rf --one-file-system "$release"
    done
}

# --- Everything in its order

read_arguments "$@"
exec 9>/run/lock/holdfast-install
flock -n 9 || fail "it runs already"
install_packages
make_user
copy_code
if [ -n "$IMAGE" ]; then
    switch "$RELEASE"
    trap - EXIT
    exit 0
fi
write_environment
make_command
make_database
migrate
previous=""
[ ! -L $CURRENT ] || previous=$(readlink -f $CURRENT)
switch "$RELEASE"
trap - EXIT
write_units
restart_workers "$previous"
write_site
remove_old_releases
version=$(cd "$RELEASE" && .venv/bin/python -c 'import chatproject; print(chatproject.__version__)')
say "Holdfast $version is installed; workers: $WORKERS"
[ -n "$previous" ] || say "Make yourself an admin: holdfast createsuperuser"
