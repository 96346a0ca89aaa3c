#!/bin/sh
# SPDX-License-Identifier: MIT
#
# measure.sh - what -fdynopt-jumpstations costs and gives, on real programs.
#
#     measure.sh BUILD [--json] [--check] [--programs "NAME..."] [WHAT...]
#
# WHAT: text, notes, coverage, instructions, compile-time (default: all).
# Programs are rows of tests/programs/programs.def, each built twice by the same
# compiler version and linker at -O2, without and with the flag. Text, notes and
# coverage are exact and the same on every run; instructions are counted by
# callgrind; compile time is user+sys, plain and flagged in turns, medians.
#
# --check exits with 1 when a figure is beyond its limit. 77: SKIP with reason.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
programs_dir=$here/../programs
build=$(cd "$1" && pwd)
shift
json=0 check=0 programs="lua speedtest1 zstd-cli duktape" what=''
while [ $# -gt 0 ]; do
	case $1 in
	--json) json=1 ;;
	--check) check=1 ;;
	--programs)
		programs=$2
		shift
		;;
	text | notes | coverage | instructions | compile-time) what="$what $1" ;;
	*)
		echo "measure.sh: unknown argument '$1'" >&2
		exit 2
		;;
	esac
	shift
done
: "${what:=text notes coverage instructions compile-time}"
work=$build/measure
results=$work/results
mkdir -p "$work"
: >"$results"
export DYNOPT_SOURCES="${DYNOPT_SOURCES:-$build/sources}"
export DYNOPT_PROGRAM_LDFLAGS=-fuse-ld=lld
: "${DYNOPT_PLAIN_CC:=clang-19}"

say()
{
	printf '    %s\n' "$*" >&2
}

# One row of the result; LIMIT is "<= N", ">= N" or "-".
row() # SUBJECT FIGURE VALUE UNIT LIMIT
{
	printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$results"
}

percent() # PART WHOLE
{
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", b ? 100 * a / b : 0 }'
}

growth() # NEW OLD
{
	percent $(($1 - $2)) "$2"
}

# A value of the JSON that dynopt prints (one key a line), by its path.
json_value() # PATH FILE
{
	awk -v want="$1" '
		match($0, /"[^"]*":/) {
			key = substr($0, RSTART + 1, RLENGTH - 3)
			value = substr($0, RSTART + RLENGTH)
			sub(/,$/, "", value)
			at[depth] = key
			if (value !~ /^[[{]/) {
				path = ""
				for (i = 0; i <= depth; i++) path = path (at[i] == "" ? "" : "/" at[i])
				if (path == want) { print value; exit }
			}
		}
		/[[{]$/ { at[++depth] = "" }
		/^ *[]}],?$/ { depth-- }' "$2"
}

text_size() # FILE
{
	readelf -SW "$1" | sed 's/^ *\[ *[0-9]*\]//' |
		awk '$1 ~ /^\.text/ { print "0x" $5 }' | {
		sum=0
		while read -r size; do sum=$((sum + size)); done
		echo $sum
	}
}

# Both builds of a program, kept for all figures of this run.
built() # PROGRAM
{
	[ "${ready:-}" != "$1" ] || return 0
	for variant in plain flag; do
		say "building $1 ($variant)"
		"$programs_dir/run.sh" "$build" build "$1" $variant "$work/$1-$variant" || exit $?
	done
	case $1 in
	zstd-cli) name=zstd ;;
	duktape) name=duk ;;
	*) name=$1 ;;
	esac
	plain=$work/$1-plain/$name
	flag=$work/$1-flag/$name
	"$build/bin/dynopt" notes --coverage --json "$flag" >"$work/$1.json"
	facts=$work/$1.json
	ready=$1
}

fact() # PATH
{
	json_value "/files/$1" "$facts"
}

measure_text() # PROGRAM
{
	row "$1" "text growth" "$(growth "$(text_size "$flag")" "$(text_size "$plain")")" % "<= 3.0"
	row "$1" "code cache, of text" "$(percent "$(fact notes/cache_bytes)" "$(text_size "$flag")")" % "<= 25"
	row "$1" "file growth" "$(growth "$(wc -c <"$flag")" "$(wc -c <"$plain")")" % -
}

measure_notes() # PROGRAM
{
	notes=$(($(fact notes/note_bytes) + $(fact notes/record_bytes)))
	row "$1" "notes, of text" "$(percent $notes "$(text_size "$flag")")" % "<= 2.0"
}

share() # LIST
{
	percent "$(fact "coverage/certified/$1/patchable")" "$(fact "coverage/certified/$1/of")"
}

measure_coverage() # PROGRAM
{
	row "$1" "loop heads patchable, all at once" "$(share loop_heads_together)" % ">= 100"
	row "$1" "other blocks, one at a time" "$(share others_alone)" % ">= 99.9"
	row "$1" "random tenth at once" "$(fact coverage/certified/random_tenth_percent |
		awk '{ printf "%.3f", $1 }')" % ">= 97"
}

# Fixed work for each program: FILE is the program.
workload() # PROGRAM FILE
{
	case $1 in
	lua) echo "$2 $programs_dir/scripts/numbers.lua" ;;
	duktape) echo "$2 $programs_dir/scripts/objects.js" ;;
	speedtest1) echo "$2 --memdb --size 5 --testset main" ;;
	zstd-cli) echo "$2 -12 -c $DYNOPT_SOURCES/libzstd/lib/compress/zstd_compress.c" ;;
	*) echo "$2" ;;
	esac
}

executed() # PROGRAM FILE
{
	# shellcheck disable=SC2046 # a command line
	valgrind --tool=callgrind --callgrind-out-file=/dev/null $(workload "$1" "$2") \
		2>&1 >/dev/null </dev/null | sed -n 's/.*Collected : //p'
}

measure_instructions() # PROGRAM
{
	command -v valgrind >/dev/null 2>&1 || {
		echo "SKIP: valgrind is needed to count instructions" >&2
		exit 77
	}
	say "counting instructions of $1"
	row "$1" "executed instructions" "$(growth "$(executed "$1" "$flag")" "$(executed "$1" "$plain")")" % "<= 0.1"
}

# The table, or JSON; then the verdict.
report()
{
	if [ $json = 1 ]; then
		awk -F '\t' 'BEGIN { print "[" }
			{ printf "%s  {\"subject\": \"%s\", \"figure\": \"%s\", \"value\": %s, \"unit\": \"%s\", \"limit\": \"%s\"}",
				(NR > 1 ? ",\n" : ""), $1, $2, $3, $4, $5 }
			END { print "\n]" }' "$results"
	else
		awk -F '\t' '{ printf "%-16s %-36s %10s %-3s %s\n", $1, $2, $3, $4, $5 == "-" ? "" : "(" $5 ")" }' "$results"
	fi
	[ $check = 1 ] || return 0
	awk -F '\t' '
		{ split($5, limit, " ") }
		$3 == "" || limit[1] == "<=" && $3 + 0 > limit[2] + 0 || limit[1] == ">=" && $3 + 0 < limit[2] + 0 {
			printf "beyond the limit: %s, %s: %s %s (%s)\n", $1, $2, $3, $4, $5
			bad = 1
		}
		END { exit bad }' "$results" >&2
}

for program in $programs; do
	for one in $what; do
		[ "$one" != compile-time ] || continue
		built "$program"
		"measure_$one" "$program"
	done
done
case " $what " in
*" compile-time "*) bash "$here/compile_time.sh" "$build" "$DYNOPT_SOURCES" "$work" >>"$results" ;;
esac
report
