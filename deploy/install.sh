#!/bin/bash
# Install Holdfast on Debian 12 or newer, or upgrade it: run as root in the version that is wanted. It can
# be run again at any time, and then does what it did last; replies that are being written go on.
#
#   deploy/install.sh [--workers N] [--host NAME] [--with EXTRA] [--without EXTRA]
#   deploy/install.sh image      for a container: packages, user and code alone
#
# EXTRA is nginx (there unless it is left out), observability or gunicorn.
# What lies where:
#   /opt/holdfast/releases/…     code, each release with a venv of its own; `current` leads to one
#   /etc/holdfast/environment    settings, generated once with their secrets and never changed after
#   /etc/holdfast/install        the options of the last run
#   /var/lib/holdfast            uploaded files, lock files, static files of all releases
#   /usr/local/bin/holdfast      manage.py with these settings: holdfast createsuperuser
# PostgreSQL: the role and database "holdfast", by peer authentication, unless DATABASE_URL is given.
set -euo pipefail

SOURCE=$(cd "$(dirname "$0")/.." && pwd)
HOME_DIRECTORY=/opt/holdfast
CURRENT=$HOME_DIRECTORY/current
DATA=/var/lib/holdfast
ENVIRONMENT=/etc/holdfast/environment
OPTIONS=/etc/holdfast/install
KEPT_RELEASES=3
READY_SECONDS=${READY_SECONDS:-60}

HOST=""
IMAGE=""

say() { printf '== %s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# Settings and options; units and restarts; nginx.
. "$SOURCE/deploy/install/environment.sh"
. "$SOURCE/deploy/install/workers.sh"
. "$SOURCE/deploy/install/site.sh"

with() {
    case $1 in
        nginx) NGINX=$2; return ;;
        observability | gunicorn) ;;
        *) fail "an extra is nginx, observability or gunicorn, not $1" ;;
    esac
    local extra others=()
    for extra in "${EXTRAS[@]}"; do [ "$extra" = "$1" ] || others+=("$extra"); done
    EXTRAS=("${others[@]}")
    [ "$2" = no ] || EXTRAS+=("$1")
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
            image) IMAGE=yes ;;
            --workers) WORKERS=${2:?}; shift ;;
            --host) HOST=${2:?}; shift ;;
            --with) with "${2:?}" yes; shift ;;
            --without) with "${2:?}" no; shift ;;
            *) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2 ;;
        esac
        shift
    done
    [[ $WORKERS =~ ^[1-9][0-9]?$ ]] || fail "--workers is a number from 1 to 99"
    [[ $FIRST_PORT =~ ^[1-9][0-9]{2,4}$ ]] || fail "FIRST_PORT is a port"
    [ "$(id -u)" = 0 ] || fail "needs root"
}

# --- Steps

install_packages() {
    local wanted=(python3 python3-venv ca-certificates curl) missing=() package
    if [ -z "$IMAGE" ]; then
        [ "$NGINX" = no ] || command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || wanted+=(nginx-light)
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
    local media
    media=$(setting MEDIA_ROOT)
    [ -d "${media:-$DATA}" ] || fail "MEDIA_ROOT=$media is not a directory"
    # nginx passes through to static files, nobody reads the rest.
    chown holdfast:holdfast $DATA
    chmod 711 $DATA
}

copy_code() {
    RELEASE=$HOME_DIRECTORY/releases/$(date -u +%Y%m%d-%H%M%S)-$$
    say "Code: $RELEASE"
    mkdir "$RELEASE"
    trap 'rm -rf --one-file-system "$RELEASE"' EXIT
    # Settings that lie beside the code have secrets, and a release can be read by everybody.
    tar -C "$SOURCE" --exclude=__pycache__ --exclude='*.env' -cf - \
        chatproject conversations streaming deploy docs manage.py LICENSE README.md CHANGELOG.md \
        $(cd "$SOURCE" && ls requirements*.txt) | tar -C "$RELEASE" --no-same-owner -xf -
    local extra files=(-r "$RELEASE/requirements.txt")
    for extra in "${EXTRAS[@]}"; do
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

remove_old_releases() {
    local release
    for release in $(ls -1d $HOME_DIRECTORY/releases/* | sort -r | tail -n +$((KEPT_RELEASES + 1))); do
        [ "$release" = "$(readlink -f $CURRENT)" ] || rm -rf --one-file-system "$release"
    done
}

# --- Everything in its order

read_options
read_arguments "$@"
exec 9>/run/lock/holdfast-install
flock -n 9 || fail "it runs already"
check_given
install_packages
make_user
copy_code
if [ -n "$IMAGE" ]; then
    switch "$RELEASE"
    trap - EXIT
    exit 0
fi
write_environment
install -m 755 "$RELEASE/deploy/install/command.sh" /usr/local/bin/holdfast
make_database
migrate
previous=""
[ ! -L $CURRENT ] || previous=$(readlink -f $CURRENT)
switch "$RELEASE"
trap - EXIT
write_units "$RELEASE"
restart_workers "$previous"
keep_options
write_site
stop_workers_that_are_not_wanted
remove_old_releases
version=$(cd "$RELEASE" && .venv/bin/python -c 'import chatproject; print(chatproject.__version__)')
say "Holdfast $version is installed; workers: $WORKERS"
[ -n "$previous" ] || say "Make yourself an admin: holdfast createsuperuser"
