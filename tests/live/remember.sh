#!/bin/bash
# SPDX-License-Identifier: MIT
#
# remember.sh BUILD PROGRAM BAD NAMELESS LATE LIBRARY - a program is remembered by what its runs have sampled: the next one begins with that, if it is the same build, and
# if the run is long enough. Where the file, or its folder, is not what it has to be, the program runs as the first time, and the status says why.

set -eu
dynopt=$1/bin/dynopt
program=$2
bad=$3
nameless=$4
late=$5
library=$6
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -m 700 status
export DYNOPT_SYSTEM_CONFIG=$folder/none DYNOPT_CONFIG=$folder/none XDG_CACHE_HOME=$folder/cache
unset DYNOPT_REMEMBER
name=$(basename "$program")
failed=0

fail()
{
	echo "FAILED: $*"
	failed=1
}

# Not before the agent is gone: what it keeps of a program that has just ended is there then.
wait_for_agent() # FILE
{
	agent=$(sed -n 's/.*"agent_pid": *\([0-9]*\).*/\1/p' "$1")
	while [ "${agent:-0}" != 0 ] && kill -0 "$agent" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$agent/status" 2>/dev/null; do
		:
	done
}

# Leaves out, err, report.
run() # COMMAND...
{
	rm -f status/*
	"$dynopt" run --sample --all --status-dir=status --report=report --json "${options[@]}" -- "$@" >out 2>err || fail "exit code $?: $*"
	grep -q '^ok ' out || fail "$*: $(cat out err)"
	wait_for_agent report
}

# A whole number of the report.
number() # KEY
{
	sed -n "s/^ *\"$1\": *\([0-9]*\).*/\1/p" report | head -n 1
}

says() # PATTERN
{
	grep -qE -- "$1" report || fail "the report does not say '$1': $(grep rememb report)"
}

# How many samples a file holds.
sum()
{
	awk '$1 == "samples" { n += $4 } END { print n + 0 }' "$1"
}

# It began cold, for this reason.
cold() # REASON
{
	[ "$(number remembered)" = 0 ] || fail "$1: begun with $(number remembered) samples"
	says "\"remember_wrong\": *\"$1\""
}

# It began with what was there.
warm()
{
	if [ "$(number remembered)" = 0 ] || [ "$(number remembered)" = "" ]; then
		fail "nothing was remembered: $(grep rememb report; cat cache/dynopt/* | head -n 3)"
	fi
	says '"remember_wrong": *"NONE"'
}

options=()
run "$program" 60 25
if grep -q '"cause": *"SAMPLER"' report; then
	echo "SKIP: $(grep cause_text report)"
	exit 77
fi
cold NONE
file=$(echo cache/dynopt/"$name"-*.samples)
[ -f "$file" ] && [ "$(stat -c %a "$file" cache/dynopt | xargs)" = "600 700" ] || fail "no file, or not the user's alone: $(ls -lR cache)"
grep -qE '^ran [0-9]{10}( 0{10}){7}$' <(head -n 1 "$file") || fail "not one run's length: $(head -n 1 "$file")"
grep -qE '^(left|owed) [0-9]{10}$' <(sed -n 2p "$file") || fail "not what is left of the budget: $(sed -n 2p "$file")"
build=$(readelf -n "$program" | sed -n 's/.*Build ID: //p')
grep -qx "module $name $build" "$file" || fail "not of this build: $(grep module "$file")"
[ "$file" = "cache/dynopt/$name-$build.samples" ] || fail "$file is not named after the build"

set -- status/*.dynopt
[ $# = 1 ] || fail "a forked child that ends has a status file, too: $*"

there=$(sum "$file")
run "$program" 60 25
warm
[ "$(number remembered)" = "$there" ] || fail "begun with $(number remembered) samples of $there"
grep -qx 'ok translated' out || fail "warm, and not translated: $(cat out)"
[ "$(number first_live_ns)" -gt 0 ] || fail "no first translation"
grep -qE '^ran( [0-9]{10}){2}( 0{10}){6}$' <(head -n 1 "$file") || fail "not two runs' lengths: $(head -n 1 "$file")"
cp "$file" good

# Far more than one run can have: what it says of itself is of its own samples.
awk '$1 == "samples" { $4 *= 100 } { print }' good >"$file"
rm -f report
run "$program" 60 25
warm
own=$(sed -n '/"heat"/,/}/s/.*"samples": *\([0-9]*\).*/\1/p' report | head -n 1)
[ "$own" -gt 0 ] && [ "$own" -le "$(number samples)" ] || fail "functions have $own samples of $(number samples)"
cp good "$file"

# What is not to be remembered.
for options in --no-remember --keep-samples=kept --samples=good; do
	run "$program" 60 25
	[ "$options" = --samples=good ] || cold NONE
	cmp "$file" good || fail "$options changes it"
done
options=()
DYNOPT_REMEMBER=no run "$program" 60 25
cold NONE
echo "[default]
remember = no" >policy
DYNOPT_CONFIG=$folder/policy run "$program" 60 25
cold NONE
cmp "$file" good || fail "a policy that says no is not obeyed"

# Other builds' samples are left; there may be some of libc, which is the same.
awk -v name="$name" '$1 == "module" && $2 == name { $3 = "0123456789abcdef" } $2 == name || $1 == "ran" || $1 == "left" || $1 == "owed"' good >"$file"
run "$program" 60 25
cold NONE
[ "$(number remembered_left)" -gt 0 ] || fail "another build's samples are not counted"
grep -qx "module $name $build" "$file" || fail "they are not replaced"

# Damaged ones: said, not used, written anew.
for damage in 's/^samples/simples/' '1s/ran/run/' '1d' '2d' '2s/^..../lost/' '2s/0/9/g' '$s/$/ 7/' '1s/0/x/'; do
	sed "$damage" good >"$file"
	run "$program" 60 25
	cold LINE
	run "$program" 60 25
	warm
done
: >"$file"
run "$program" 60 25
cold LINE
head -c 5000000 /dev/zero | tr '\0' '#' >>"$file"
run "$program" 60 25
[ "$(number remembered)" = 0 ] || fail "a file of 5 MB is read"
# A file may say anything of this build's code: which is translated is all that depends on it.
{
	head -n 3 good
	for at in 0x0 0x1 0x1001 0x1040 0x3fff 0xfffffffffff 0x7fffffffffffffff; do
		echo "samples $name $at 4294967295"
		echo "samples $name $at 4294967295"
		echo "run $name $at $at $at 4294967295"
		echo "run $name 0x0 $at 0x1000 4294967295"
	done
} >"$file"
run "$program" 5 25
warm

# Neither a link, nor another kind of file, nor one that others can write.
rm "$file"
cp good elsewhere
ln -s "$folder/elsewhere" "$file"
run "$program" 60 25
cold FILE
[ ! -L "$file" ] && cmp good elsewhere || fail "what a link led to was written"
cp good "$file"
chmod 620 "$file"
run "$program" 60 25
cold FILE_TRUST
[ "$(stat -c %a "$file")" = 600 ] || fail "it is not replaced"
rm "$file"
mkfifo "$file"
run "$program" 60 25
cold FILE_TRUST
if chown 65534 "$file" 2>/dev/null; then
	run "$program" 60 25
	cold FILE_TRUST
fi
rm -rf cache/dynopt
mkdir real
ln -s "$folder/real" cache/dynopt
run "$program" 60 25
cold FOLDER
[ -z "$(ls real)" ] || fail "written where a link leads"
rm cache/dynopt
mkdir -m 770 cache/dynopt
cp good "$file"
run "$program" 60 25
cold FOLDER_TRUST
"$dynopt" doctor >doctor || true
grep -q 'warn *remember .*can be written by others' doctor || fail "doctor does not say it: $(grep remember doctor)"
chmod 700 cache/dynopt
if chown 65534 cache/dynopt 2>/dev/null; then
	run "$program" 60 25
	cold FOLDER_TRUST
	chown 0 cache/dynopt
fi
run "$program" 60 25
warm

# No place, or one that cannot be made.
(
	unset XDG_CACHE_HOME HOME
	run "$program" 60 25
	cold NONE
	XDG_CACHE_HOME=/dev/null/none run "$program" 60 25
	cold FOLDER
	exit "$failed"
) || failed=1

# In the home folder; without a build-id by size and time.
unset XDG_CACHE_HOME
export HOME=$folder/home
mkdir home
run "$nameless" 60 25
run "$nameless" 60 25
warm
set -- home/.cache/dynopt/*
[ $# = 1 ] || fail "not one file: $*"
touch -d '2001-01-01' "$nameless"
run "$nameless" 60 25
cold NONE
touch "$nameless"
export XDG_CACHE_HOME=$folder/cache

# A library that the program loads itself, by its own build.
rm -rf cache/dynopt
run "$late" "$library" 20 25
file=$(echo cache/dynopt/"$(basename "$late")"-*.samples)
grep -q "^module $(basename "$library") " "$file" || fail "nothing of a library that was loaded: $(grep module "$file")"
there=$(sum "$file")
run "$late" "$library" 20 25
warm
[ "$(number remembered)" = "$there" ] || fail "begun with $(number remembered) samples of $there, a library's included"
file=cache/dynopt/$name-$build.samples

# Several at once: whole files, whoever is last.
rm -f "$file"
runs=
for i in 1 2 3; do
	mkdir -m 700 "status$i"
	"$dynopt" run --sample --all --status-dir="status$i" --report="report$i" --json -- "$program" 60 25 >"out$i" &
	runs="$runs $!"
done
for i in $runs; do
	wait "$i" || fail "one of several: exit code $?"
done
for i in 1 2 3; do
	grep -q '^ok ' "out$i" || fail "one of several: $(cat "out$i")"
	wait_for_agent "report$i"
done
run "$program" 60 25
warm
set -- cache/dynopt/*~*
[ ! -e "$1" ] || fail "halves of files are left: $*"

# Those that it starts have files of their own.
rm -rf cache/dynopt
options=(--children --programs="$name")
run sh -c "$program 60 25; :"
set -- cache/dynopt/*
[ "$*" = "$file" ] || fail "of a child: $*"
options=()

# At most 256, the oldest go.
for i in $(seq 100 400); do
	: >"cache/dynopt/x-$i.samples"
done
touch -d '2001-01-01' cache/dynopt/x-1*.samples
touch -d '2002-01-01' cache/dynopt/x-123.samples
: >cache/dynopt/kept
run "$program" 60 25
warm
n=$(find cache/dynopt -name '*.samples' | wc -l)
[ "$n" = 256 ] && [ -e "$file" ] && [ -e cache/dynopt/kept ] && [ -e cache/dynopt/x-123.samples ] && [ ! -e cache/dynopt/x-110.samples ] ||
	fail "$n files: $(ls cache/dynopt)"

# Started once for seconds and then a thousand times in vain: only the lengths are noted, in place, and nothing is begun for it.
rm -rf cache/dynopt
mkdir -m 700 cache/dynopt
build=$(readelf -n "$bad" | sed -n 's/.*Build ID: //p')
file=cache/dynopt/$(basename "$bad")-$build.samples
{
	echo "ran 0000003000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000"
	echo "left 0000004000"
	echo "module $(basename "$bad") $build"
	echo "samples $(basename "$bad") 0x1100 3000"
} >"$file"
cp "$file" good
for i in $(seq 10); do
	rm -f status/*
	"$dynopt" run --status-dir=status --report=report --json -- "$bad" short >out
	grep -qx 'ok 1' out || fail "short: $(cat out)"
	wait_for_agent report
	[ "$i" = 1 ] || [ "$(number remembered)" = 0 ] || fail "short run $i begins with $(number remembered) samples"
done
cmp <(sed 1,2d good) <(sed 1,2d "$file") || fail "a short run changes more than the lengths and what is left"
[ "$(head -n 1 "$file")" != "$(head -n 1 good)" ] || fail "short runs are not noted"
[ "$(awk 'NR == 1 { for (i = 2; i <= NF; i++) n += $i >= 500; print n + 0 }' "$file")" = 0 ] || fail "lengths: $(head -n 1 "$file")"

# Enough is known, and nothing can be paid for: the run saves up, and what was known before is kept as it is.
rm -rf cache/dynopt
mkdir -m 700 cache/dynopt
build=$(readelf -n "$program" | sed -n 's/.*Build ID: //p')
file=cache/dynopt/$name-$build.samples
{
	echo "ran 0000003000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000 0000000000"
	echo "owed 0000020000"
	echo "module $name $build"
	echo "samples $name 0x1100 3000"
} >"$file"
cp "$file" good
rm -f status/*
"$dynopt" run --budget=1 --status-dir=status --report=report --json -- "$program" 3 0 >out
grep -qx 'ok text' out || fail "saves up: $(cat out)"
wait_for_agent report
[ "$(number remembered)" = 3000 ] || fail "saves up: $(grep remembered report)"
cmp <(sed 1,2d good) <(sed 1,2d "$file") || fail "a run that saves up changes more than the lengths and what is left"
grep -qE '^ran( [0-9]{10}){2}( 0{10}){6}$' <(head -n 1 "$file") || fail "not two runs' lengths: $(head -n 1 "$file")"
exit $failed
