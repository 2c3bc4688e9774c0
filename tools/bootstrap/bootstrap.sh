#!/bin/sh
# Finds or fetches Node 24 or newer and installs the npm packages; prints the path of Node. Called by ./virtkit with its folder.
set -eu
root=$1
state=$root/.virtkit
least=24

say() { echo "virtkit: $*" >&2; }
die() {
	say "$*"
	exit 1
}
new_enough() { "$1" -e "process.exit(parseInt(process.versions.node) >= $least ? 0 : 1)" >/dev/null 2>&1; }

release() {
	while read -r key value; do
		[ "$key" != "$1" ] || { echo "$value" && return; }
	done <"$root/tools/bootstrap/node-release"
}

ensure_npm() {
	! command -v npm >/dev/null || return 0
	command -v apt-get >/dev/null || die "npm is needed to fetch Node $least: install npm, or set VIRTKIT_NODE to a Node $least binary"
	[ "$(id -u)" = 0 ] || die "npm is needed to fetch Node $least; as root: apt-get install npm (or set VIRTKIT_NODE to a Node $least binary)"
	say "installing npm with apt, to fetch Node $least with it"
	export DEBIAN_FRONTEND=noninteractive
	{
		apt-get -q -o DPkg::Lock::Timeout=600 update
		apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends npm ca-certificates
	} >"$state/apt.log" 2>&1 || die "installing npm failed; apt's output is in $state/apt.log"
}

fetch_node() {
	case $(uname -m) in
	x86_64) cpu=x64 ;;
	aarch64) cpu=arm64 ;;
	*) die "no Node to fetch for $(uname -m): set VIRTKIT_NODE to a Node $least binary" ;;
	esac
	version=$(release version)
	folder=$state/node-$version
	if ! new_enough "$folder/bin/node"; then
		ensure_npm
		package=node-linux-$cpu@$version
		say "fetching Node $version (the npm package $package)"
		rm -rf "$state"/fetch.*
		temp=$(mktemp -d "$state/fetch.XXXXXX")
		trap 'rm -rf "$temp"' EXIT
		(cd "$temp" && npm pack --silent "$package" >/dev/null) || die "npm cannot fetch $package"
		set -- "$temp"/*.tgz
		[ "$(sha512sum <"$1")" = "$(release "$cpu")  -" ] || die "$package is not the archive that tools/bootstrap/node-release pins"
		tar -xzf "$1" -C "$temp" package/bin/node package/LICENSE
		new_enough "$temp/package/bin/node" || die "the fetched Node does not run here"
		rm -rf "$folder"
		mv "$temp/package" "$folder"
	fi
	node=$folder/bin/node
}

find_node() {
	for node in ${VIRTKIT_NODE:+"$VIRTKIT_NODE"} "$(command -v node || :)"; do
		if [ -n "$node" ] && new_enough "$node"; then return; fi
		[ "$node" != "${VIRTKIT_NODE-}" ] || [ -z "$node" ] || die "VIRTKIT_NODE is $node, which is no Node $least or newer"
	done
	fetch_node
}

install_packages() {
	packages=$root/node_modules/.package-lock.json
	[ ! -e "$packages" ] || [ "$root/package-lock.json" -nt "$packages" ] || return 0
	# A checkout touches the lock file without changing what it asks for.
	if "$node" "$root/tools/bootstrap/installed.ts" "$root" 2>/dev/null; then
		touch "$packages"
		return
	fi
	ensure_npm
	say "installing npm packages"
	# Debian's own npm finds its modules there only with Debian's own Node.
	(cd "$root" && PATH=${node%/*}:$PATH NODE_PATH=/usr/share/nodejs npm ci --loglevel=error --no-audit --no-fund >"$state/npm.log" 2>&1) ||
		die "npm ci failed: $(head -n 8 "$state/npm.log") (all of it in $state/npm.log)"
	touch "$packages"
}

mkdir -p "$state"
exec 9>"$state/lock"
flock 9
find_node
install_packages
echo "$node" >"$state/node-path.$$"
mv "$state/node-path.$$" "$state/node-path"
echo "$node"
