#!/bin/sh
# SPDX-License-Identifier: MIT
#
# undone.sh - undone.c runs until all its translations were undone and applied ROUNDS times.
#
#     undone.sh WORDS... ./program
#
# The rounds are read from the status file, so nothing depends on time. Without
# a status folder among WORDS (the plain run) the program is told to end at once.
set -eu
rounds=${ROUNDS:-30}
rm -f go.fifo
mkfifo go.fifo
status='' first=''
for word in "$@"; do
	shift
	case $word in
	--status-dir=*) status=${word#*=} ;;
	--eager) word=--eager\ --cycles=1000000 ;;
	esac
	[ -n "$first" ] || first=$word
	# shellcheck disable=SC2086 # one word may have become two
	set -- "$@" $word
done
"$@" go.fifo &
program=$!
done=0
while [ -n "$status" ] && [ "$done" -lt "$rounds" ] && kill -0 "$program" 2>/dev/null; do
	done=$("$first" status --json --all --status-dir="$status" 2>/dev/null |
		sed -n 's/^ *"cycles":\([0-9]*\),$/\1/p' | sort -n | tail -n 1)
	done=${done:-0}
done
kill -0 "$program" 2>/dev/null && echo x >go.fifo
wait "$program"
rm -f go.fifo
