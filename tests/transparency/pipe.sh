#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pipe.sh - a reader of the program's output sees the end of file once the program has
# closed it, though the program runs on: nobody else keeps the pipe open.
#
#     pipe.sh WORDS... ./program
set -eu
rm -f go.fifo
mkfifo go.fifo
{ exec "$@" go.fifo; } | {
	cat
	echo x >go.fifo
}
rm -f go.fifo
