#!/bin/sh
# SPDX-License-Identifier: MIT
#
# check-tree.sh: the rules of the tree that a compiler does not know.
#
#   check-tree.sh tree ROOT       includes point down the floors, and from one tool of the command to another only where
#                                 listed; files are short, folders of the command small, each file has its SPDX line
#   check-tree.sh code ROOT       what tools/tree/*.py say of the C files: their comments, their atomic operations,
#                                 names that nothing uses, docs/HEADERS.md
#   check-tree.sh shared LIB...   a shared library exports weft_* alone and needs libc alone
#   check-tree.sh static LIB...   a static library defines no global outside weft_*
#
# Prints one line per offence; status 1 when there is any, 2 for wrong usage.

set -eu

# Every file of the tree but what is built, downloaded or git's own.
files() {
	find "$1" \( -name .git -o -name 'build*' -type d -o -name .cache -o -name __pycache__ -o -path '*/bench/results' \) -prune \
		-o -type f -print
}

sources() {
	files "$1" | grep -E '\.(c|h|S|def|sh|py|pml|cmake)$' || true
}

# A floor includes itself and what stands below it; public headers are open to all, and include none
# but their like. Examples are users: they see public headers alone. Inside src/cli stand floors of its
# own: what reads hostile files and talks to the user, what all tools share, the tools, main.c.
check_includes() {
	sources "$1" | xargs -r awk -v root="$1/" '
		BEGIN {
			floor["base"] = 0; floor["random"] = 1; floor["arch"] = 2; floor["sched"] = 3
			floor["api"] = 4; floor["debug"] = 4; floor["run"] = 5; floor["cli"] = 6

			inner["shell"] = inner["elf"] = 0
			inner["gobin"] = inner["core"] = inner["proc"] = 1
			count = split("scan shield patch triage storm doctor inspect", tools, " ")
			for (i = 1; i <= count; i++)
				inner[tools[i]] = 2
			inner["main.c"] = 3
			stands["scan shield"] = stands["doctor shield"] = stands["doctor scan"] = 1
		}

		# May the file in this room of src/cli include cli/TO? A table without code, commands.def, is open to all.
		function inner_bad(from, to) {
			if (!(from in inner))
				return 1
			if (to == "commands.def" || from == to || (from " " to) in stands)
				return 0
			return !(to in inner) || inner[to] >= inner[from]
		}

		FNR == 1 {
			path = substr(FILENAME, length(root) + 1)
			split(path, part, "/")
			room = part[1] == "src" ? part[2] : part[1]
		}
		path !~ /\.(c|h|S|def)$/ || !/^[ \t]*#[ \t]*include[ \t]*"/ { next }
		{
			split($0, quoted, "\"")
			split(quoted[2], to, "/")
			target = to[1]
			bad = part[1] !~ /^(tests|bench)$/ && quoted[2] ~ /\.\./
			if (part[1] == "include" || part[1] == "examples")
				bad = bad || (target != "weft" && index(quoted[2], "/"))
			else if (part[1] == "src" && target in floor)
				bad = bad || floor[target] > floor[room] || (floor[target] == floor[room] && target != room)
			if (part[1] == "src" && room == "cli" && target == "cli")
				bad = bad || inner_bad(part[3], to[2])
			if (bad) {
				print path ":" FNR ": must not include \"" quoted[2] "\""
				found = 1
			}
		}
		END { exit found }'
}

# Tests are allowed a little more than the rest.
check_lengths() {
	sources "$1" | xargs -r awk -v root="$1/" '
		FNR == 1 {
			path = substr(FILENAME, length(root) + 1)
			most = path ~ /^(tests|models)\// ? 600 : 500
		}
		FNR == most + 1 { print path ": more than " most " lines"; found = 1 }
		END { exit found }'
}

# A room of the command that needs more is two rooms.
check_rooms() {
	files "$1/src/cli" 2>/dev/null | sed 's|/[^/]*$||' | sort | uniq -c | awk -v root="$1/" '
		$1 > 16 { print substr($2, length(root) + 1) ": more than 16 files"; found = 1 }
		END { exit found }'
}

# Prose, data and pictures carry no licence line.
check_spdx() {
	files "$1" | grep -vE '(/LICENSE|\.(md|json|svg|png|html|csv|bin|seed|trail|mod))$|/(data|corpus|seeds)/' |
		while read -r file; do
			head -n 5 "$file" | grep -q 'SPDX-License-Identifier: MIT' ||
				echo "${file#"$1"/}: no SPDX line"
		done | grep . && return 1
	return 0
}

# check_symbols LIB PATTERN [NM-OPTION]: it defines globals, and each matches the pattern
check_symbols() {
	nm -g --defined-only ${3:+"$3"} "$1" | awk -v pattern="$2" -v file="$(basename "$1")" '
		NF == 3 && $2 != "A" {
			seen = 1
			if ($3 !~ pattern) {
				print file ": exports " $3
				found = 1
			}
		}
		END {
			if (!seen)
				print file ": defines no symbol"
			exit found || !seen
		}'
}

check_needed() {
	readelf -d "$1" | awk -v file="$(basename "$1")" -F '[][]' '
		/NEEDED/ && $2 !~ /^(libc\.so|libc\.musl|ld-|libweft-random\.so)/ {
			print file ": needs " $2
			found = 1
		}
		END { exit found }'
}

# What a shared library may export: the public names, and under a version node that says so, what
# one of the two libraries needs of the other.
public='^weft_[a-z0-9][a-z0-9_]*(@|$)'
private='^weft__[a-z0-9_]+@@WEFT_[A-Z_]*PRIVATE$'

usage() {
	sed -n '5,12s/^# //p' "$0" >&2
	exit 2
}

[ $# -ge 2 ] || usage
what=$1
shift
status=0
for subject in "$@"; do
	case $what in
	tree)
		root=${subject%/}
		check_includes "$root" || status=1
		check_lengths "$root" || status=1
		check_rooms "$root" || status=1
		check_spdx "$root" || status=1
		;;
	code)
		for rule in layout atomics unused; do
			python3 "$(dirname "$0")/tree/$rule.py" "${subject%/}" || status=1
		done
		python3 "$(dirname "$0")/tree/headers.py" "${subject%/}" check || status=1
		;;
	shared)
		check_symbols "$subject" "$public|$private" -D || status=1
		check_needed "$subject" || status=1
		;;
	# _.stapsdt.base is where <sys/sdt.h> anchors its probes: hidden, and the same in every object.
	static) check_symbols "$subject" '^(weft_[a-z0-9_]+|_\\.stapsdt\\.base)$' || status=1 ;;
	*) usage ;;
	esac
done
exit $status
