#!/bin/sh
# SPDX-License-Identifier: MIT
#
# perf.sh BUILD PROGRAM - translations have names in perf: by jitdump (perf inject --jit), and, where perf comes to a program that has them
# already and its code cache is no file's, by /tmp/perf-PID.map. A folder that cannot be written, and a file in the way, cost the names and nothing else.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
map=
trap 'rm -rf "$folder" $map' EXIT
cd "$folder"
mkdir names

fail()
{
	echo "$*"
	exit 1
}

skip()
{
	echo "SKIP: $*"
	exit 77
}

# The program runs until it is translated, and some time after that.
names_of() # PERF-DATA: samples by name, of those in translations
{
	perf report -i "$1" --stdio -F sample,sym 2>report.err | grep 'dynopt:' || true
}

command -v perf >/dev/null || skip "perf is not installed (package linux-perf)"
perf record -q -e cpu-clock:u -o none.data true 2>record.err || skip "perf record: $(tail -n 1 record.err)"
out=$(perf record -q -k mono -e cpu-clock:u -o record.data "$dynopt" run --sample --all --status-dir="$folder" --perf=names -- \
	"$program" 2>record.err) || fail "perf record: $(cat record.err)"
[ "$out" = "ok translated" ] || fail "under perf: $out"
pid=$(basename "$(ls ./*.dynopt)" .dynopt)
map=/tmp/perf-$pid.map
[ -s "names/jit-$pid.dump" ] || fail "no jitdump file"
perf inject --jit -i record.data -o named.data 2>inject.err || fail "perf inject: $(cat inject.err)"
names_of named.data >by_jitdump
grep -qE 'dynopt:work(\+0x[0-9a-f]+)?$' by_jitdump || fail "no translation of work() in perf's report: $(cat by_jitdump)"
# As many names as translations, each with its code.
translations=$("$dynopt" report --translations --file="$pid.dynopt" | grep -cE '^ *0x')
[ "$(wc -l <"$map")" = "$translations" ] || fail "$(wc -l <"$map") names for $translations translations"
[ "$(grep -ac 'dynopt:' "names/jit-$pid.dump")" -gt 0 ] || fail "no names in the file"

# Later: perf finds anonymous memory in /proc/PID/maps, for which it looks into the map file.
mkfifo ready go control answer
sh=$(readlink -f /bin/sh)
"$dynopt" run --eager --all --modules="$(basename "$sh")" --status-dir="$folder" --perf=names -- \
	"$sh" -c 'echo $$ >ready; read -r line <go; i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done' &
started=$!
read -r pid <ready
map="$map /tmp/perf-$pid.map"
perf record -q -e cpu-clock:u -p "$pid" --delay=-1 --control=fifo:control,answer -o later.data 2>record.err &
recorder=$!
echo enable >control
read -r line <answer
echo on >go
wait $started
wait $recorder
names_of later.data >by_map
grep -qE 'dynopt:' by_map || fail "no names by the map file ($line): $(head -n 20 by_map record.err)"

# Nothing to write to.
if "$dynopt" run --perf=no/such -- "$program" 1 >out 2>err; then
	fail "a folder that is not there is taken"
fi
grep -q "no/such: cannot be written" err || fail "no word about the folder: $(cat err)"
if [ -w /proc/tty ]; then
	rm ./*.dynopt
	out=$("$dynopt" run --sample --all --status-dir="$folder" --perf=/proc/tty -- "$program")
	[ "$out" = "ok translated" ] || fail "where no file can be made: $out"
fi
