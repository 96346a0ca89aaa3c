#!/bin/sh
# SPDX-License-Identifier: MIT
#
# needed.sh BUILD PROGRAM - a program that was linked with -fdynopt-runtime is optimized when it is started by itself, where the
# policy lets it; where it does not, where the policy is wrong, or dynopt-policy is missing, it does its work as ever.

set -eu
dynopt=$1/bin/dynopt
program=$2
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
mkdir -m 700 "$folder/run"
export XDG_RUNTIME_DIR="$folder/run" DYNOPT_SYSTEM_CONFIG="$folder/none" DYNOPT_CONFIG="$folder/policy" LD_PRELOAD=libm.so.6 # for the program to find there
unset DYNOPT_OPTIONS DYNOPT_ENABLED DYNOPT_BUDGET DYNOPT_CHILDREN
failed=0

# Runs it and leaves the reports of its process, and of those that it has started, in $folder/reports.
run() # PROGRAM
{
	rm -rf "$folder/run/dynopt"
	out=$("$1" </dev/null) || true
	[ "$out" = ok ] || {
		echo "$what: '$out'"
		failed=1
	}
	: >"$folder/reports"
	for file in "$folder"/run/dynopt/*.dynopt; do
		[ ! -e "$file" ] || "$dynopt" report --json --file="$file" >>"$folder/reports"
	done
}

has() # COUNT PATTERN
{
	[ "$(grep -cE "$2" "$folder/reports")" = "$1" ] || {
		echo "$what: wanted $1 times '$2', there are:"
		grep -E '"(state|cause|mode|detail_text)"' "$folder/reports" || true
		failed=1
	}
}

what="translated before main, in the program and in what it starts by exec"
printf '[default]\neager = yes\nmodules = live_needed\n' >"$folder/policy"
run "$program"
has 2 '"state": ?"RUNNING"'
has 2 '"mode": ?"eager"'

what="sampled, which is the default"
: >"$folder/policy"
run "$program"
has 2 '"mode": ?"sampled"'

what="not wanted"
printf '[program %s]\nenabled = no\n' "$(basename "$program")" >"$folder/policy"
run "$program"
has 0 .

what="a wrong policy"
printf '[default]\neager = yes\nnonsense\n' >"$folder/policy"
run "$program"
has 2 '"cause": ?"POLICY"'
has 2 '"detail_text": ?"line 3"'
has 0 '"state": ?"RUNNING"'

what="started by dynopt run, whose options count"
printf '[default]\neager = yes\nmodules = live_needed\n' >"$folder/policy"
rm -rf "$folder/run/dynopt"
out=$("$dynopt" run --off -- "$program") || true
case $out in
ok) ;;
*)
	echo "$what: '$out'"
	failed=1
	;;
esac

what="without the helper"
mkdir "$folder/lib"
cp "$1/lib/dynopt/libdynopt.so" "$folder/lib"
LD_LIBRARY_PATH=$folder/lib run "$program"
has 0 .

what="with privileges"
if [ "$(id -u)" = 0 ]; then
	cp "$program" "$folder/setuid"
	chown 65534 "$folder/setuid"
	chmod 4755 "$folder/setuid"
	chown -R 65534 "$folder/run"
	run "$folder/setuid" 2>/dev/null # the loader speaks of LD_PRELOAD
	has 0 '"state": ?"RUNNING"'
fi
exit $failed
