# SPDX-License-Identifier: MIT
#
# check_trace.awk: does a recorded trace of thread exits take only allowed steps?
#
#   awk -f check_trace.awk models/exit_steps.txt trace
#
# Prints one line for each thread that does not, and a summary. Exit status 0: all do, and there was at least one
# exit; 1: some do not; 2: the list of steps cannot be read, or the trace holds no exits. Lines of the trace that do
# not begin with `exit` belong to other parts. Each thread is told about once.

function wrong(thread, words)
{
	if (!(thread in bad))
		print "thread " thread ": " words
	bad[thread] = 1
}

function title(number)
{
	return number == 0 ? "alive" : number in name ? number " " name[number] : number " (no such step)"
}

FNR == 1 { file++ }

file == 1 && $1 == "step" {
	name[$2] = $3
	for (i = 4; i <= NF; i++)
		allowed[$i, $2] = 1
	steps++
}

file == 1 && $1 == "last" {
	for (i = 2; i <= NF; i++)
		last[$i] = 1
}

file == 2 && $1 == "exit" {
	if (NF != 3 || $2 !~ /^[0-9]+$/ || $3 !~ /^[0-9]+$/) {
		wrong("?", "line " FNR " is not `exit THREAD STEP`: " $0)
		next
	}
	at = ($2 in where) ? where[$2] : 0
	if (!((at, $3) in allowed))
		wrong($2, "step " title($3) " after " title(at))
	where[$2] = $3
}

END {
	if (!steps) {
		print "no steps in the first file"
		exit 2
	}
	for (thread in where) {
		exits++
		if (!(where[thread] in last))
			wrong(thread, "the record ends after " title(where[thread]))
	}
	for (thread in bad)
		count++
	if (!exits && !count) {
		print "no exits in the trace"
		exit 2
	}
	printf "%d thread exits, %d wrong\n", exits, count
	exit count > 0
}
