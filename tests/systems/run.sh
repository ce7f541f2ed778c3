#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [SYSTEM...]: this tree on other systems, as a newcomer would meet it.
#
#   debian-12 debian-13 debian-sid   a fresh minimal system with gcc, make, cmake and git, then steps.sh in it
#
# STEPS="install deb" tries those alone (steps.sh lists them).
#
# Needs root (chroot, mounts) and debootstrap; a system that cannot be made is a row that says why. Systems are kept
# in build/systems between runs, and a step that passed for the very same tree is not run again: an interrupted run
# goes on where it was. The table at the end is the README's "Tried on"; the logs lie beside it. Status 1: a step failed.

set -u
cd "$(dirname "$0")/../.." || exit 2
all='debian-12 debian-13 debian-sid'
steps=${STEPS:-run test install deb}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
home=$PWD/build/systems
mkdir -p "$home"
[ $# -gt 0 ] || eval "set -- $all"

skip() {
	echo "skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "systems are made and entered by root"
command -v debootstrap >/dev/null || skip "debootstrap is not here (apt-get install debootstrap)"

suite_of() {
	case $1 in
	debian-12) echo bookworm ;;
	debian-13) echo trixie ;;
	debian-sid) echo sid ;;
	*) return 1 ;;
	esac
}

tree_files() { # what is committed or would be, with every change made since
	git ls-files -co --exclude-standard | while IFS= read -r file; do
		[ ! -e "$file" ] || printf '%s\n' "$file"
	done
}
tree=$(tree_files | tr '\n' '\0' | xargs -0 sha256sum | sha256sum | cut -c 1-16)

make_system() { # SYSTEM SUITE: a complete one appears under its name at once, or not at all
	[ ! -d "$home/$1" ] || return 0
	echo "$1: debootstrap $2"
	rm -rf "$home/$1.new"
	debootstrap --variant=minbase --include=gcc,make,cmake,git,ca-certificates,libc6-dev "$2" "$home/$1.new" \
		"$mirror" >"$home/$1-debootstrap.log" 2>&1 &&
		printf '127.0.0.1 localhost\n::1 localhost\n' >"$home/$1.new/etc/hosts" && # as an installer does
		mv "$home/$1.new" "$home/$1"
}

copy_tree() {
	rm -rf "$home/$1/weft"
	mkdir "$home/$1/weft"
	tree_files | tar -cf - -T - | tar -xf - -C "$home/$1/weft"
	(cd "$home/$1/weft" && git init -q . && git add -A && git -c user.name=weft -c user.email=weft@localhost \
		commit -qm tree)
	echo "$tree" >"$home/$1.tree"
}

# Mounts live and die with the namespace of the one step. The root is a mount point, as mounts inside expect.
inside() { # SYSTEM STEP
	unshare -m sh -c '
		root=$1 step=$2
		mount --bind "$root" "$root" && mount -t proc proc "$root/proc" && mount -t sysfs sys "$root/sys" && mount --rbind /dev "$root/dev" &&
		cp -L /etc/resolv.conf "$root/etc/resolv.conf" &&
		exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			sh -c "cd /weft && exec sh tests/systems/steps.sh $step"' sh "$home/$1" "$2" </dev/null
}

passed() { # SYSTEM STEP
	grep -qs "^$2 passed $tree " "$home/$1.results"
}

one_step() { # SYSTEM STEP
	if passed "$1" "$2"; then
		echo "$1: $2: passed before, for this tree"
		return 0
	fi
	printf '%s: %s ... ' "$1" "$2"
	start=$(date +%s)
	verdict=FAILED
	inside "$1" "$2" >"$home/$1-$2.log" 2>&1 && verdict=passed
	seconds=$(($(date +%s) - start))
	echo "$verdict (${seconds} s)"
	[ $verdict = passed ] || tail -n 5 "$home/$1-$2.log" | sed 's/^/    /'
	touch "$home/$1.results"
	grep -v "^$2 " "$home/$1.results" >"$home/$1.results.new"
	echo "$2 $verdict $tree $seconds" >>"$home/$1.results.new"
	mv "$home/$1.results.new" "$home/$1.results"
	[ $verdict = passed ]
}

one_system() { # SYSTEM
	suite=$(suite_of "$1") || { echo "no such system: $1 (there are: $all)" >&2; return 2; }
	make_system "$1" "$suite" || { echo "$1: could not be made: $home/$1-debootstrap.log"; return 1; }
	[ "$(cat "$home/$1.tree" 2>/dev/null)" = "$tree" ] || copy_tree "$1"
	failed=0
	for step in $steps; do
		one_step "$1" "$step" || failed=1
	done
	return $failed
}

cell() { # SYSTEM STEP
	awk -v step="$2" -v tree="$tree" '$1 == step && $3 == tree { print $2 == "passed" ? "passes" : "**fails**"; ok = 1 }
		END { if (!ok) print "not tried" }' "$home/$1.results" 2>/dev/null
}

table() {
	echo "| system | \`make run\` | \`make test\` | install, link, uninstall | packages |"
	echo "|---|---|---|---|---|"
	for system; do
		what=$(inside "$system" about 2>/dev/null) || what="$system: could not be made"
		echo "| $what | $(cell "$system" run) | $(cell "$system" test) | $(cell "$system" install) | $(cell "$system" deb) |"
	done
}

status=0
for system; do
	one_system "$system" || status=1
done
echo
table "$@" | tee "$home/table.md"
exit $status
