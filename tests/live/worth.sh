#!/bin/sh
# SPDX-License-Identifier: MIT
#
# worth.sh BUILD PROGRAM - what is translated of functions that save one or a few instructions: by samples less than by what the engine reckons, as one instruction
# of forty has to be saved, and a jump into a translation counts as two (runtime/lib/worth.h).

set -eu
dynopt=$1/bin/dynopt
program=$2
name=$(basename "$program")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export DYNOPT_REMEMBER=no DYNOPT_SYSTEM_CONFIG="$folder/none" DYNOPT_CONFIG="$folder/none"
plain=$("$program")
failed=0

# Each instruction as often as each other, but for the first and the last: loops go on.
for function in short_loop long_loop few_jumps more_jumps; do
	objdump -d --no-show-raw-insn "$program" | awk -v of="<$function>:" -v name="$name" '
		/^$/ { within = 0 }
		within && /\tret/ { within = 0 }
		within && !/int3/ { sub(":", "", $1); if (n++) print "samples " name " 0x" $1 " 20" }
		$2 == of { within = 1 }'
done >"$folder/samples"
[ "$(wc -l <"$folder/samples")" = 184 ] || {
	echo "$(wc -l <"$folder/samples") instructions"
	exit 1
}

expect() # FUNCTIONS OPTION...
{
	wanted=$1
	shift
	rm -f "$folder"/*.dynopt
	out=$("$dynopt" run --no-agent --modules="$name" --status-dir="$folder" "$@" -- "$program")
	"$dynopt" report --translations --file="$(echo "$folder"/*.dynopt)" >"$folder/report"
	found=$(sed -n 's/^ *0x.* \([a-z_]*\)+0x2$/\1/p' "$folder/report" | xargs)
	[ "$out" = "$plain" ] && [ "$found" = "$wanted" ] && return
	echo "$*: translated '$found', not '$wanted', or the output differs: $out"
	cat "$folder/report"
	failed=1
}

expect "short_loop long_loop few_jumps more_jumps" --eager
expect "short_loop more_jumps" --samples="$folder/samples"
exit $failed
