#!/bin/sh
# Compiles the programs of this folder and runs them on a design that leaks and on one that does
# not. The iopermit command can be given as IOPERMIT=..., a C compiler as CC=...
set -eu
here=$(cd "$(dirname "$0")" && pwd)
iopermit=${IOPERMIT:-$here/../../.venv/bin/iopermit}
cc=${CC:-gcc}
command -v "$iopermit" >/dev/null || {
    echo "run.sh: there is no $iopermit; run make install, or set IOPERMIT=..." >&2
    exit 2
}
command -v "$cc" >/dev/null || {
    echo "run.sh: needs a C compiler ($cc) for x86-64 Linux; on Debian and Ubuntu: apt-get install gcc libc6-dev" >&2
    exit 2
}
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
for name in granted neighbour both; do
    "$cc" -O1 -w -static -o "$programs/$name" "$here/$name.c"
done
for design in linux-v2-06 linux-6.16; do
    echo "\$ iopermit run --design $design both"
    status=0
    "$iopermit" run --design "$design" "$programs/both" || status=$?
    echo "exit status $status"
done
