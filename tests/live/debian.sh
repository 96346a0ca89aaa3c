#!/bin/sh
# SPDX-License-Identifier: MIT
#
# debian.sh BUILD - programs that nobody here compiled: sort, gzip, tar, python3, gcc, perl and a shell, alone and
# from translations of all their modules. Output, errors and exit codes must be equal. What is not installed is
# said and left out; SKIP if nothing is left.

set -eu
dynopt=$1/bin/dynopt
folder=$(mktemp -d)
export DYNOPT_REMEMBER=no # no run begins with what another has left
trap 'rm -rf "$folder"' EXIT
cd "$folder"
ran=0

awk 'BEGIN { for (i = 0; i < 20000; i++) print (i * 7919) % 20011, "line", i }' >numbers
cat >program.c <<'C'
#include <stdio.h>
int main(void) { for (int i = 0; i < 10; i++) printf("%d\n", i * i); return 3; }
C
cat >words.py <<'PY'
import hashlib, json, re
d = {str(i): [i] * 3 for i in range(5000)}
s = json.dumps(d)
print(hashlib.sha256(s.encode()).hexdigest(), len(re.findall(r"\d+", s)))
raise SystemExit(5)
PY

same() # PROGRAM ARGUMENT...
{
	[ -x "$1" ] || {
		echo "not installed, left out: $1"
		return 0
	}
	alone=0 under=0
	"$@" >alone.out 2>alone.err </dev/null || alone=$?
	rm -f status/*
	"$dynopt" run --eager --all --status-dir="$folder/status" -- "$@" >under.out 2>under.err </dev/null ||
		under=$?
	[ "$alone" = "$under" ] && cmp alone.out under.out && cmp alone.err under.err || {
		echo "FAILED: $* (exit codes $alone and $under)"
		exit 1
	}
	"$dynopt" report --json --file="$(ls status/*.dynopt)" | grep -qE '"state": ?"RUNNING"' || {
		echo "FAILED: $1 did not run from translations"
		"$dynopt" report --file="$(ls status/*.dynopt)"
		exit 1
	}
	ran=$((ran + 1))
}

same /usr/bin/sort -k3n numbers
same /bin/gzip -9 -c numbers
same /bin/tar cf - --sort=name --mtime=@0 numbers program.c
same /usr/bin/python3 -B words.py
same /usr/bin/gcc -O2 -S -o - program.c
same /usr/bin/perl -e 'my %h; $h{$_ % 100} .= $_ for 1 .. 20000; print length($h{7}), "\n"; exit 4'
same /bin/bash -c 'for i in {1..500}; do x=$((x + i)); done; echo $x; ls | wc -l; exit 6'
[ "$ran" -gt 0 ] || {
	echo "SKIP: none of the programs is installed"
	exit 77
}
echo "$ran programs, equal"
