#!/bin/sh
# Runs virtkit from this folder alone: its own Node, the command line and the daemon.
set -eu

here=${0%/*}
[ "$here" != "$0" ] || here=$(dirname -- "$(command -v -- "$0")")
[ ! -L "$0" ] || here=$(dirname -- "$(readlink -f -- "$0")")
case $here in /*) ;; .) here=$PWD ;; *) here=$PWD/$here ;; esac

# Compiled code is kept beside the programs, or with the user where they may not write there.
: "${NODE_COMPILE_CACHE=$here/lib/compile-cache}"
[ -w "$NODE_COMPILE_CACHE" ] || NODE_COMPILE_CACHE=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/virtkit/compile-cache
NODE_COMPILE_CACHE_PORTABLE=1
# Whoever starts another virtkit, such as the daemon of virtkit up, does it by this.
VIRTKIT_COMMAND=$here/virtkit
export NODE_COMPILE_CACHE NODE_COMPILE_CACHE_PORTABLE VIRTKIT_COMMAND

program=cli.cjs
if [ "${1-}" = daemon ]; then
	program=daemon.mjs
	shift
fi
exec "$here/bin/node" "$here/lib/$program" "$@"
