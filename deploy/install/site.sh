# The site of nginx. It is yours to change, but for the list of workers between its two comments.

SITES=/etc/nginx
LIST_BEGINS="# install.sh writes the workers here"
LIST_ENDS="# until here"

# The site with these workers in its list. One that was made before the comments were there gets them.
with_workers() {
    local port lines=""
    for port in $(ports); do lines+="    server $(address):$port max_fails=0;"$'\n'; done
    WORKER_LIST="    $LIST_BEGINS"$'\n'"$lines    $LIST_ENDS" BEGINS=$LIST_BEGINS ENDS=$LIST_ENDS awk '
        function list() { if (!written) print ENVIRON["WORKER_LIST"]; written = 1 }
        { text = $0; gsub(/^[ \t]+|[ \t\r]+$/, "", text) }
        text == ENVIRON["BEGINS"] { inside = 1; list(); next }
        inside { if (text == ENVIRON["ENDS"]) inside = 0; next }
        !marked && text ~ /^server 127\.0\.0\.1:[0-9]+ max_fails=0;$/ { list(); next }
        { print }
        END { exit inside || !written }
    ' marked="$(grep -c "$LIST_BEGINS" "$1")" "$1"
}

# Debian's own site also wants to be the default one, and each stream is two connections: it allows 768.
prepare_nginx() {
    [ ! -L sites-enabled/default ] || rm sites-enabled/default
    sed -i 's/worker_connections 768;/worker_connections 16384;/' nginx.conf
    echo 'worker_rlimit_nofile 65536;' >modules-enabled/90-holdfast.conf
}

write_site() (
    [ "$NGINX" = yes ] || return 0
    set -e
    local site=conf.d/holdfast.conf kept file told
    local files=($site snippets/holdfast-locations.conf nginx.conf modules-enabled/90-holdfast.conf sites-enabled/default)
    mkdir -p "$SITES"/{conf.d,snippets,modules-enabled}
    cd "$SITES"
    kept=$(mktemp -d)
    trap 'rm -rf "$kept"' EXIT
    for file in "${files[@]}"; do [ ! -e $file ] && [ ! -L $file ] || cp -a --parents $file "$kept"; done
    [ -f $site ] || {
        say "nginx: $SITES/$site"
        install -m 644 "$RELEASE/deploy/nginx/holdfast.conf" $site
        prepare_nginx
    }
    install -m 644 "$RELEASE/deploy/nginx/locations.conf" snippets/holdfast-locations.conf
    if with_workers $site >"$kept/list"; then
        cat "$kept/list" >$site
    else
        say "nginx: no list between \"$LIST_BEGINS\" and \"$LIST_ENDS\" in $SITES/$site: see to its workers yourself"
    fi
    told=$(nginx -t -q 2>&1) || {
        for file in "${files[@]}"; do
            rm -f $file
            [ ! -e "$kept/$file" ] && [ ! -L "$kept/$file" ] || cp -a "$kept/$file" $file
        done
        fail "nginx does not take its new configuration, and keeps the one before: $told"
    }
    if runs_systemd; then systemctl reload-or-restart nginx; fi
)
