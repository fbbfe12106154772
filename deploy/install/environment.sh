# What install.sh keeps from one run to the next: settings of the site, and the options of the run before.

# One line NAME=value of a file, or nothing. It is read as systemd does, never as a program.
line_of() {
    local value
    [ -f "$1" ] || return 0
    value=$(sed -n "s/^$2=//p" "$1" | tail -n 1)
    case $value in
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    printf '%s\n' "$value"
}

setting() { line_of "$ENVIRONMENT" "$1"; }

# What was chosen when it ran last stays, but for what is given now.
read_options() {
    WORKERS=${WORKERS:-$(line_of "$OPTIONS" WORKERS)}
    FIRST_PORT=${FIRST_PORT:-$(line_of "$OPTIONS" FIRST_PORT)}
    NGINX=$(line_of "$OPTIONS" NGINX)
    read -r -a EXTRAS <<<"$(line_of "$OPTIONS" EXTRAS)" || true
    WORKERS=${WORKERS:-2} FIRST_PORT=${FIRST_PORT:-8001} NGINX=${NGINX:-yes}
}

keep_options() {
    cat >"$OPTIONS.new" <<KEPT
# How deploy/install.sh was run last; the next run does the same, unless it is told otherwise.
WORKERS=$WORKERS
FIRST_PORT=$FIRST_PORT
NGINX=$NGINX
EXTRAS=${EXTRAS[*]}
KEPT
    mv "$OPTIONS.new" "$OPTIONS"
}

# Settings are written once; what is given later and says something else must not be passed over in silence.
check_given() {
    [ -f "$ENVIRONMENT" ] || return 0
    local name
    for name in SECRET_KEY DATABASE_URL REDIS_URL; do
        [ -z "${!name:-}" ] || [ "${!name}" = "$(setting $name)" ] ||
            fail "$name was given, and $ENVIRONMENT has another one: change it there, or leave it away"
    done
    [ -z "$HOST" ] || [[ ,$(setting ALLOWED_HOSTS), == *",$HOST,"* ]] ||
        fail "--host $HOST was given, and ALLOWED_HOSTS in $ENVIRONMENT does not name it: add it there"
}

# A value for a line of the file: within quotes where systemd would read more than its characters.
quoted() {
    case $1 in
        *[\'$'\n']*) fail "a setting with a quote or a line's end cannot stand in $ENVIRONMENT" ;;
        *[!A-Za-z0-9_.,:/@%+=?\&-]*) printf "'%s'" "$1" ;;
        *) printf '%s' "$1" ;;
    esac
}

write_environment() {
    [ ! -f "$ENVIRONMENT" ] || return 0
    say "Settings: $ENVIRONMENT"
    install -d -o root -g holdfast -m 750 "$(dirname "$ENVIRONMENT")"
    local host=${HOST:-$(hostname -f 2>/dev/null || hostname)} key database redis
    key=$(quoted "${SECRET_KEY:-$(python3 -c 'import secrets; print(secrets.token_urlsafe(50))')}")
    database=$(quoted "${DATABASE_URL:-postgres:////var/run/postgresql/holdfast}")
    redis=$(quoted "${REDIS_URL:-}")
    (
        umask 027
        cat >"$ENVIRONMENT.new" <<SETTINGS
# Settings of Holdfast. All of them: $CURRENT/README.md, "Configuration". After a change:
#   systemctl restart holdfast.target, or deploy/install.sh again for one worker after another.
# Values stand as they are, without \$ or quotes for a shell; with a space or a backslash: 'in quotes'.
SECRET_KEY=$key
# 127.0.0.1 is for install.sh, which asks each worker whether it is ready.
ALLOWED_HOSTS=$host,127.0.0.1
DATABASE_URL=$database
MEDIA_ROOT=$DATA/media
STREAMING_RUN_DIRECTORY=$DATA/workers
STREAMING_TRUSTED_PROXIES=1
# 1 once the site is served over TLS (deploy/nginx/holdfast-tls.conf)
HTTPS=0
${redis:+REDIS_URL=$redis}
SETTINGS
    )
    chown root:holdfast "$ENVIRONMENT.new"
    mv "$ENVIRONMENT.new" "$ENVIRONMENT"
}
