#!/bin/sh
# SPDX-License-Identifier: MIT
#
# declared.sh HEADER...: the names that public headers give to a program, one a line:
#
#   function weft_run
#   struct weft_task
#   constant WEFT_LOCK_MAIN      an enumerator
#   macro WEFT_FOREVER
#   other ...                    anything else, which a public header should not have
#
# Reads the plain style of our headers (one declaration ends with a semicolon at the outermost level).

set -eu
work=$(mktemp)
trap 'rm -f "$work"' EXIT
for file in "$@"; do
	header=$work
	sed ':more; /\\$/ { N; s/\\\n//; b more }' "$file" >"$header" # macros of several lines
	sed -n 's/^#[ \t]*define[ \t][ \t]*\([A-Za-z_0-9]*\).*/macro \1/p' "$header"
	# What remains without comments, preprocessor lines and attributes is declarations.
	tr '\n' '\001' <"$header" | sed 's:/\*[^*]*\**\([^/*][^*]*\*\**\)*/::g' | tr '\001' '\n' |
		sed '/^#/d; s/__attribute__((__[a-z]*__))//; s/WEFT_\(NONNULL\|PRINTF\)([^)]*)//; s/extern "C" {//' |
		awk '
		function name_before(text, end) {
			text = substr(text, 1, end - 1)
			sub(/[ \t]+$/, "", text)
			match(text, /[A-Za-z_0-9]+$/)
			return substr(text, RSTART)
		}
		function declaration(text, n, part, i) {
			gsub(/[ \t\n]+/, " ", text)
			sub(/^ /, "", text)
			if (text == "" || text == "}")
				return
			if (text ~ /^enum ?\{/) {
				gsub(/enum|[{}]|=[^,}]*/, "", text)
				n = split(text, part, / *, */)
				for (i = 1; i <= n; i++) {
					gsub(/ /, "", part[i])
					if (part[i] != "")
						print "constant " part[i]
				}
			} else if (text ~ /^struct [A-Za-z_0-9]+( \{.*\})?$/) {
				split(text, part, " ")
				print "struct " part[2]
			} else if (text ~ /\(/ && text !~ /^typedef/) {
				print "function " name_before(text, index(text, "("))
			} else
				print "other " text
		}
		{
			for (i = 1; i <= length($0); i++) {
				c = substr($0, i, 1)
				depth += (c == "{") - (c == "}")
				if (c == ";" && depth == 0) {
					declaration(text)
					text = ""
				} else
					text = text c
				if (depth < 0) # the end of extern "C"
					depth = 0
			}
			text = text " "
		}'
done
