#!/bin/sh
# manage.py of the installed release, with its settings and as its user: holdfast createsuperuser
#
# Settings are read as systemd reads them, never as a program: `$`, `&` and `<` are only characters.
while IFS= read -r line || [ -n "$line" ]; do
    name=${line%%=*} value=${line#*=}
    case $line in [A-Za-z_]*=*) ;; *) continue ;; esac
    case $name in *[!A-Za-z0-9_]*) continue ;; esac
    case $value in
        \"*\") value=${value#\"} value=${value%\"} ;;
        \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    export "$name=$value"
done </etc/holdfast/environment
cd "${HOLDFAST_RELEASE:-/opt/holdfast/current}" || exit 1
[ "$(id -un)" != holdfast ] || exec .venv/bin/python manage.py "$@"
exec runuser -u holdfast -- .venv/bin/python manage.py "$@"
