#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - builds one row of cases.def and runs it plain and under dynopt.
#
#     run.sh BUILD CASE
#
# For each way of building that the row names: the plain run must say what the row
# expects; the run under dynopt must write the same to both outputs, end in the same
# way and leave no process behind (observe.c). The words put before the program are
# DYNOPT_TEST_RUN, by default `BUILD/bin/dynopt run --eager --all --no-remember --status-dir=STATUS --`; with
# DYNOPT_TEST_RUN set to `plain` only the plain runs are done. Where STATUS is among the
# words, a folder takes its place, and the run must have left a status file there that
# tells of live translations: a program that was silently left alone proves nothing. Rows
# with `cycles` run once more while all translations are undone and applied again and again, rows with `sampled`
# so, too, with what is hot found on the way: what that is, if anything, depends on the machine.
# DYNOPT_TEST_BUILDS picks among the ways of building, DYNOPT_TEST_SECONDS (60) ends a run.
# Work is done in BUILD/transparency. Exit code 0: all the same; 1: not, and the output
# says what; 77: SKIP with the reason, where one of the ways could not run.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
name=$2
work=$build/transparency
limit=${DYNOPT_TEST_SECONDS:-60}
given=${DYNOPT_TEST_RUN:+1}
given=${given:-0}
run=${DYNOPT_TEST_RUN:-$build/bin/dynopt run --eager --all --no-remember --status-dir=STATUS --}
failed=0 skipped=''
picked=${DYNOPT_TEST_BUILDS:-}
# The programs see no variable that is this script's or the user's.
# shellcheck disable=SC2046 # names
unset LD_PRELOAD $(env | sed -n 's/^\(DYNOPT_[A-Z_]*\)=.*/\1/p')

fail()
{
	echo "FAILED: $name ($how): $*"
	failed=$((failed + 1))
}

# Puts the folder of clang's own libraries where the row has CLANG_RUNTIME.
clang_runtime()
{
	file=$(clang-19 -print-file-name=libclang_rt.asan-x86_64.so 2>/dev/null || :)
	flags=$(echo "$flags" | sed "s,CLANG_RUNTIME,$(dirname "${file:-.}"),")
}

# Reads the row into $source, $builds, $flags and the keys.
read_row()
{
	row=$(awk -v name="$name" '$1 == name' "$here/cases.def")
	[ -n "$row" ] || {
		echo "cases.def has no case '$name'"
		exit 1
	}
	flags='' libs=0 needs='' expect='exit:0' script='' says=ok refused=0 libflags='' linked='' environment='' state=RUNNING reason='' cycles=0 sampled=0
	# shellcheck disable=SC2086 # a row is words
	set -- $row
	source=$2 builds=$3
	shift 3
	while [ $# -gt 0 ]; do
		case $1 in
		--)
			shift
			flags=$*
			case $flags in *CLANG_RUNTIME*) clang_runtime ;; esac
			break
			;;
		libs=*) libs=${1#*=} ;;
		libflags=*) libflags=$(echo "${1#*=}" | tr ';' ' ') ;;
		linked=*) linked=$(echo "${1#*=}" | tr , ' ') ;;
		env=*) environment="$environment ${1#*=}" ;;
		needs=*) needs=${1#*=} ;;
		expect=*) expect=${1#*=} ;;
		script=*) script=$here/${1#*=} ;;
		says=*) says=${1#*=} ;;
		state=*) state=${1#*=} ;;
		reason=*) reason=${1#*=} ;;
		cycles) cycles=1 ;;
		sampled) sampled=1 ;;
		refused) refused=1 ;;
		*)
			echo "cases.def: unknown word '$1' in '$name'"
			exit 1
			;;
		esac
		shift
	done
}

# The compiler of one way to build; fails where it is missing.
select_compiler()
{
	plus='' common='-O2 -g -Wall -Wextra'
	case $source in *.cpp) plus=1 ;; esac
	case $1 in
	flag)
		compiler="$build/bin/dynopt-clang${plus:+++}"
		common="$common -fdynopt-jumpstations"
		;;
	clang) compiler=clang${plus:+++}-19 ;;
	gcc)
		compiler=gcc
		[ -z "$plus" ] || compiler=g++
		;;
	m32)
		compiler=gcc
		common="$common -m32"
		;;
	musl) compiler=musl-gcc ;;
	*)
		echo "cases.def: unknown way to build '$1' in '$name'"
		exit 1
		;;
	esac
	command -v "$compiler" >/dev/null 2>&1
}

# True if FILE is there and newer than all it is made from.
current() # FILE
{
	[ -e "$1" ] || return 1
	[ -z "$(find "$here" "$build/bin/dynopt-clang" -newer "$1" \
		\( -name "$source" -o -name '*.h' -o -name 'cases.def' -o -name run.sh -o -name dynopt-clang \) -print 2>/dev/null)" ]
}

compile()
{
	current "$folder/program" && return 0
	rm -rf "$folder"
	mkdir -p "$folder"
	(
		cd "$folder"
		lib=1
		# shellcheck disable=SC2086 # lists of words
		while [ "$lib" -le "$libs" ]; do
			"$compiler" $common -I"$here" -fPIC -shared -DLIB=$lib "$here/cases/$source" \
				-o lib$lib.so $flags $libflags -Wl,--enable-new-dtags,-rpath,'$ORIGIN' || exit 1
			lib=$((lib + 1))
		done
		rpath='-Wl,--enable-new-dtags,-rpath,$ORIGIN'
		[ "$libs" != 0 ] || rpath=
		# shellcheck disable=SC2086
		"$compiler" $common -I"$here" "$here/cases/$source" -o program.new $linked $flags $rpath ||
			exit 1
		mv program.new program
	) >"$folder.log" 2>&1
}

# Runs the program, with the words given before it, and keeps what it says.
observe() # WAY WORDS...
{
	way=$1
	shift
	set -- "$@" ./program
	# shellcheck disable=SC2086 # words
	[ -z "$environment" ] || set -- env $environment "$@"
	[ -z "$script" ] || set -- "$script" "$@"
	(
		cd "$folder"
		"$work/observe" "$limit" "$way.facts" "$@" >"$way.out" 2>"$way.err"
	) || {
		fail "observe could not run"
		return 1
	}
}

show()
{
	for part in facts out err; do
		[ ! -s "$folder/$1.$part" ] || sed "s/^/    $1.$part: /" "$folder/$1.$part" | head -n 20
	done
}

# What the status files say: translations were live, or gone for the reason the row knows.
check_status() # WAY
{
	case $run in *STATUS*) ;; *) return 0 ;; esac
	status=$folder/$1.status
	if [ "$refused" = 1 ]; then
		[ -z "$(ls "$status" 2>/dev/null)" ] || fail "$1: refused, and still translated"
		return 0
	fi
	"$build/bin/dynopt" status --all --json --status-dir="$status" >"$status.json" ||
		fail "$1: left no status file that can be read"
	[ "$1" != sampled ] || return 0
	grep -q '"translated":[1-9]' "$status.json" || fail "$1: nothing was translated"
	[ "$state" = any ] || grep -q "\"state\":\"$state\"" "$status.json" ||
		fail "$1: the state is not $state: $(grep -E '"(state|cause)":' "$status.json" | tr -d ' \n')"
	[ -z "$reason" ] || "$build/bin/dynopt" report --status-dir="$status" |
		grep -q "$reason" || fail "$1: the report does not give the reason $reason"
}

# A run with words before the program, against the plain one.
compare() # WAY WORDS...
{
	way=$1
	before=$failed
	rm -rf "$folder/$way.status"
	observe "$@" || return 0
	cmp -s "$folder/plain.facts" "$folder/$way.facts" || fail "$way: ends in another way"
	cmp -s "$folder/plain.out" "$folder/$way.out" || fail "$way: says something else"
	if [ "$refused" = 1 ]; then
		[ "$(grep -c '^dynopt' "$folder/$way.err")" = 1 ] ||
			fail "$way: no single line that says why it is left alone"
	elif ! cmp -s "$folder/plain.err" "$folder/$way.err"; then
		fail "$way: writes something else to its standard error"
	fi
	check_status "$way"
	[ "$failed" = "$before" ] || show "$way"
}

one_build()
{
	folder=$work/$name.$how
	compile || {
		cat "$folder.log"
		fail "does not compile"
		return 0
	}
	observe plain || return 0
	if grep -q '^SKIP: ' "$folder/plain.out"; then
		skipped="$skipped$name ($how): $(sed -n 's/^SKIP: //p' "$folder/plain.out"); "
		return 0
	fi
	before=$failed
	[ "$(head -n 1 "$folder/plain.facts" | tr ' ' :)" = "$expect" ] || fail "plain: ends in another way than $expect"
	grep -q '^left 0$' "$folder/plain.facts" || fail "plain: leaves processes behind"
	[ "$says" = none ] || tail -n 1 "$folder/plain.out" | grep -q "^$says" || fail "plain: does not say $says"
	if [ "$failed" != "$before" ]; then
		show plain
		return 0
	fi
	[ "$run" != plain ] || return 0
	[ "$ready" = 1 ] || return 0
	# shellcheck disable=SC2046 # words
	compare dynopt $(echo "$run" | sed "s,STATUS,$folder/dynopt.status,")
	# shellcheck disable=SC2046 # words
	[ "$cycles$given" != 10 ] || compare cycles $(echo "$run" |
		sed "s,STATUS,$folder/cycles.status,; s,--eager,& --cycles=1000000,")
	# shellcheck disable=SC2046 # words
	[ "$sampled$given" != 10 ] || compare sampled $(echo "$run" |
		sed "s,STATUS,$folder/sampled.status,; s,--eager,--sample --budget=1000 --cycles=1000000,")
}

read_row
mkdir -p "$work"
for need in $(echo "$needs" | tr , ' '); do
	command -v "$need" >/dev/null 2>&1 || {
		echo "SKIP: $need is not installed"
		exit 77
	}
done
how=any
if [ ! -x "$work/observe" ] || [ -n "$(find "$here/observe.c" -newer "$work/observe")" ]; then
	cc -O1 -Wall "$here/observe.c" -o "$work/observe.$$" && mv "$work/observe.$$" "$work/observe"
fi
ready=1
if [ "$given" = 0 ] && ! "$build/bin/dynopt" run --help >/dev/null 2>&1; then
	ready=0
	skipped="there is no 'dynopt run' here, only the plain run was done; "
fi
for how in $(echo "$builds" | tr , ' '); do
	case " ${picked:-$how} " in *" $how "*) ;; *) continue ;; esac
	if select_compiler "$how"; then
		one_build
	else
		skipped="$skipped$compiler is not installed; "
	fi
done
[ "$failed" = 0 ] || exit 1
if [ -n "$skipped" ]; then
	echo "SKIP: ${skipped%; }"
	exit 77
fi
echo "$name: the same in every way ($builds)"
