# The workers of this machine: units of systemd, each worker's port, one restart after another.

UNITS=/etc/systemd/system

runs_systemd() { [ -d /run/systemd/system ]; }

ports() { seq "$FIRST_PORT" $((FIRST_PORT + WORKERS - 1)); }

# Where workers are reached from this machine; BIND is where they listen.
address() {
    local bind
    bind=$(setting BIND)
    case ${bind:-127.0.0.1} in
        0.0.0.0) echo 127.0.0.1 ;;
        ::) echo '[::1]' ;;
        *:*) echo "[$bind]" ;;
        *) echo "${bind:-127.0.0.1}" ;;
    esac
}

# The units of a release, with what follows from the settings.
write_units() {
    install -m 644 "$1"/deploy/systemd/holdfast* "$UNITS"
    # The deadlines of the unit fit a drain of 20 s; with another one they move along.
    local drain media worker=$UNITS/holdfast@.service.d daily=$UNITS/holdfast-daily.service.d
    drain=$(setting STREAMING_DRAIN_SECONDS)
    drain=${drain%.*}
    mkdir -p "$worker" "$daily"
    rm -f "$worker"/{deadlines,media}.conf "$daily/media.conf"
    [ "${drain:-20}" = 20 ] ||
        printf '[Service]\nEnvironment=UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=%s\nTimeoutStopSec=%s\n' \
            $((drain + 10)) $((drain + 40)) >"$worker/deadlines.conf"
    # All else is read-only for them.
    media=$(setting MEDIA_ROOT)
    case $media/ in
        / | "$DATA"/*) ;;
        *) printf '[Service]\nReadWritePaths="%s"\n' "${media//%/%%}" | tee "$worker/media.conf" >"$daily/media.conf" ;;
    esac
    runs_systemd || return 0
    systemctl daemon-reload
    systemctl -q enable --now holdfast-daily.timer
    systemctl -q enable holdfast.target
}

wait_until_ready() {
    local deadline=$((SECONDS + READY_SECONDS))
    # With HTTPS=1 all else is sent away to https; 127.0.0.1 is among ALLOWED_HOSTS.
    until [ "$(curl -s -g -o /dev/null -w '%{http_code}' --max-time 5 --noproxy '*' -H 'Host: 127.0.0.1' \
        -H 'X-Forwarded-Proto: https' "http://$(address):$1/readyz")" = 200 ]; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

restart_worker() { systemctl restart "holdfast@$1" && wait_until_ready "$1"; }

# One after another: the next begins to drain when this one takes requests again.
restart_workers() {
    local port previous=$1
    runs_systemd || { say "No systemd here: start the workers yourself (ports $(ports | paste -sd' '))"; return 0; }
    for port in $(ports); do
        say "Worker on port $port: draining, restarting"
        systemctl -q enable "holdfast@$port"
        restart_worker "$port" || {
            journalctl -u "holdfast@$port" -n 20 --no-pager >&2 || true
            [ -n "$previous" ] || fail "the worker on port $port is not ready after $READY_SECONDS s"
            lead_back "$previous" "$port"
            fail "the worker on port $port is not ready after $READY_SECONDS s: back to $previous"
        }
    done
    systemctl start holdfast.target
}

# The release before, for each worker up to the one that failed; those behind it never left.
lead_back() {
    local port previous=$1 failed=$2
    switch "$previous"
    write_units "$previous"
    for port in $(ports); do
        say "Worker on port $port: back to $previous"
        restart_worker "$port" || say "the worker on port $port is not ready with $previous either"
        [ "$port" != "$failed" ] || break
    done
    # It would count among those that are kept to go back to.
    rm -rf --one-file-system "$RELEASE"
}

# Only when nothing asks them any more.
stop_workers_that_are_not_wanted() {
    runs_systemd || return 0
    local unit port
    for unit in "$UNITS"/holdfast.target.wants/holdfast@*.service; do
        port=${unit##*@} port=${port%.service}
        [ -L "$unit" ] && ! ports | grep -qx "$port" || continue
        say "Worker on port $port: draining, stopped"
        systemctl -q disable --now "holdfast@$port"
    done
}
