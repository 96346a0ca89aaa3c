#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - builds the real programs of programs.def with the flag and tests them.
#
#     run.sh BUILD test PROGRAM              every way of linking, with its tests
#     run.sh BUILD foreign PROGRAM           the first way, compiled without the flag, its tests
#                                            under dynopt: foreign text
#     run.sh BUILD sampled PROGRAM           the first way, its tests while what is hot is sampled
#     run.sh BUILD traced PROGRAM            the first way, its tests with a file of traces
#     run.sh BUILD build PROGRAM flag|plain FOLDER
#                                            only the first way, into FOLDER
#
# BUILD is dynopt's build folder. Work is done in BUILD/programs, sources are kept
# in BUILD/sources. Exit code 0: passed; 1: something failed, and the output says
# what; 77: SKIP with the reason (no sources, no compiler).
#
# What is built with the flag must carry notes that `dynopt notes --check`
# accepts, so that a driver that silently did nothing cannot pass.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
action=$2
program=$3
full=${DYNOPT_TEST_FULL:-0}
eager=0 rounds=1
jobs=${DYNOPT_TEST_JOBS:-1}
export DYNOPT_SOURCES="${DYNOPT_SOURCES:-$build/sources}"
: "${DYNOPT_PLAIN_CC:=clang-19}" "${DYNOPT_PLAIN_CXX:=clang++-19}"
: "${DYNOPT_PROGRAM_CFLAGS:=-O2}"

. "$here/words.sh"
. "$here/suites.sh"

# Reads the row of $program into $source, $linkings, $files, $runs, $against, $row_builds, $row_tests.
read_row()
{
	source='' linkings='' files='' runs='' against='' row_builds='' row_tests='' row=''
	while read -r key value; do
		case $key in
		program) row=$value ;;
		'' | \#*) continue ;;
		esac
		[ "$row" = "$program" ] || continue
		case $key in
		program) ;;
		source) source=$value ;;
		linking) linkings=$value ;;
		files) files=$value ;;
		runs) runs=$value ;;
		against) against=$value ;;
		build) row_builds="$row_builds$value
" ;;
		test) row_tests="$row_tests$value
" ;;
		*)
			echo "programs.def: unknown key '$key' in '$row'"
			exit 1
			;;
		esac
	done <"$here/programs.def"
	[ -n "$source" ] || {
		echo "programs.def has no program '$program'"
		exit 1
	}
}

# The compiler: flag or plain.
select_compiler()
{
	if [ "$1" = flag ]; then
		CC=$build/bin/dynopt-clang
		CXX=$build/bin/dynopt-clang++
		CFLAGS="$DYNOPT_PROGRAM_CFLAGS -fdynopt-jumpstations"
		toolchain=$build/lib/cmake/dynopt/dynopt-toolchain.cmake
	else
		CC=$DYNOPT_PLAIN_CC
		CXX=$DYNOPT_PLAIN_CXX
		CFLAGS=$DYNOPT_PROGRAM_CFLAGS
		toolchain=
	fi
	LDFLAGS=${DYNOPT_PROGRAM_LDFLAGS:-}
}

# Runs the lines of one kind, stopping at the first that fails.
run_lines() # LINES
{
	set -- "$1"
	lines=$1
	set --
	while [ -n "$lines" ]; do
		line=${lines%%
*}
		lines=${lines#*
}
		eval "$line"
	done
}

fresh_folder()
{
	rm -rf "$1"
	mkdir -p "$1"
	cd "$1"
}

noted() # FILE...
{
	[ "$CC" != "$DYNOPT_PLAIN_CC" ] || return 0
	for file in "$@"; do
		file=$(readlink -f "$file")
		readelf -SW "$file" | grep -q '\.note\.dynopt' || {
			echo "FAILED: $file was built with the flag but has no notes"
			exit 1
		}
		"$build/bin/dynopt" notes --check "$file" >notes.log 2>&1 || {
			echo "FAILED: dynopt notes --check $file"
			tail -n 20 notes.log
			exit 1
		}
		"$build/bin/text_report" "$file" >/dev/null 2>&1 || continue # refused as a whole
		"$build/bin/text_parts" --times=2 "$file" >parts.log || {
			echo "FAILED: text_parts --times=2 $file"
			cat parts.log
			exit 1
		}
	done
}

# A file of traces: of what was built here, by every name that a process may know it by, and of what the tests run.
trace() # FILE...
{
	for file in "$@"; do
		find -L . -samefile "$file"
	done >names
	for file in $runs; do
		find -L . -name "$file" -type f
	done >>names
	sort -u names | while read -r file; do
		! readelf -SW "$file" 2>/dev/null | grep -q '\.note\.dynopt' ||
			"$build/tests/guest/grow_traces" "$file" || exit 1
	done >traces
	[ -s traces ] || {
		echo "FAILED: no traces of $*"
		exit 1
	}
}

# The same tests once more, with the programs of `runs` executed from translations. Eagerly: every head of theirs (and of the files
# built here that they load) is patched before main. --full: of libc and the other libraries, too. Sampled: what is hot anywhere, as
# early as it can be, whatever that costs. Traced: a tree for each head of these files that their notes vouch for, read from a file.
test_translated() # eager|sampled|traced
{
	names=
	for file in $files; do
		names="$names:${file##*/}"
	done
	modules=$(eval echo "$names:$runs" | sed 's/^://; s/ /:/g')
	mode="eager=1"
	case $full$1 in
	*traced)
		eval "trace $files"
		mode="traces=$PWD/traces"
		;;
	*sampled)
		modules=
		mode="sample=1
budget=1000000"
		;;
	1eager) modules= ;;
	esac
	echo "$program, $linking: testing under dynopt, $1"
	compared=0 eager=1
	[ "$1" != sampled ] || rounds=50
	rm -rf status
	mkdir status
	LD_PRELOAD=$build/lib/dynopt/libdynopt.so
	DYNOPT_OPTIONS="$mode
all=1
children=1
status_dir=$PWD/status
modules=$modules
programs=$(echo "$runs" | tr ' ' ':')"
	export LD_PRELOAD DYNOPT_OPTIONS
	run_lines "$row_tests"
	unset LD_PRELOAD DYNOPT_OPTIONS
	eager=0 rounds=1
	count_translated "$1"
	rm -rf status
}

# Every process that ran eagerly or with traces has translations; of those that were sampled, those that ran long enough.
count_translated() # eager|sampled|traced
{
	processes=0 translated=0
	for file in status/*.dynopt; do
		[ -e "$file" ] || continue
		processes=$((processes + 1))
		"$build/bin/dynopt" report --json --file="$file" >report.json
		if grep -q '"state": *"RUNNING"' report.json; then
			translated=$((translated + 1))
		elif [ "$1" != sampled ] || grep -q '"state": *"FAILED"' report.json; then
			echo "FAILED: $program, $linking: nothing was translated"
			"$build/bin/dynopt" report --file="$file"
			exit 1
		fi
	done
	if [ "$1$translated" = sampled0 ] && [ "$processes" -gt 0 ]; then
		echo "SKIP: $program: its tests end before they are sampled"
		exit 77
	fi
	[ "$translated" -gt 0 ] || {
		echo "FAILED: $program, $linking: none of $processes processes ran from translations"
		exit 1
	}
	echo "$program, $linking: $translated of $processes processes ran from translations"
}

test_program()
{
	for linking in $linkings; do
		work=$build/programs/$program-$linking
		if [ -n "$against" ]; then
			plain=$work-plain
			select_compiler plain
			fresh_folder "$plain"
			run_lines "$row_builds"
		fi
		echo "$program, $linking: building with -fdynopt-jumpstations"
		select_compiler flag
		fresh_folder "$work"
		run_lines "$row_builds"
		eval "noted $files"
		echo "$program, $linking: testing"
		compared=0
		run_lines "$row_tests"
		[ "$compared" = 0 ] || echo "$program, $linking: $compared outputs equal to the plain build's"
		if [ -n "$runs" ]; then
			test_translated eager
		fi
		echo "$program, $linking: passed"
		[ -n "${DYNOPT_TEST_KEEP:-}" ] || rm -rf "$work" "$work-plain"
	done
}

# Built in the first way only, and tested in one. Of each, bzip2 and lua always, the others with --full.
test_once() # flag|plain eager|sampled|traced
{
	case $full:$program in
	1:* | 0:bzip2 | 0:lua) ;;
	*)
		echo "SKIP: $program, $action, runs with ./dev test --full"
		exit 77
		;;
	esac
	linking=${linkings%% *}
	work=$build/programs/$program-$action
	plain=$work-plain
	select_compiler plain
	if [ -n "$against" ]; then
		fresh_folder "$plain"
		run_lines "$row_builds"
	fi
	echo "$program, $linking, $action: building"
	select_compiler "$1"
	fresh_folder "$work"
	run_lines "$row_builds"
	test_translated "$2"
	echo "$program, $linking, $action: passed"
	[ -n "${DYNOPT_TEST_KEEP:-}" ] || rm -rf "$work" "$plain"
}

read_row
src=$("$here/source.sh" "$source") || exit $?
case $action in
test)
	test_program
	;;
foreign)
	test_once plain eager
	;;
sampled)
	test_once flag sampled
	;;
traced)
	test_once flag traced
	;;
build)
	linking=${linkings%% *}
	select_compiler "$4"
	fresh_folder "$5"
	run_lines "$row_builds"
	;;
*)
	echo "run.sh: unknown action '$action'"
	exit 2
	;;
esac
