#!/bin/sh
# SPDX-License-Identifier: MIT
#
# limits.sh BUILD - text growth, notes and coverage of real programs against their
# limits: lua and sqlite always, zstd and duktape with ./dev test --full.
set -eu
programs="lua speedtest1"
[ "${DYNOPT_TEST_FULL:-0}" = 0 ] || programs="$programs zstd-cli duktape"
exec "$(dirname "$0")/measure.sh" "$1" --check --programs "$programs" text notes coverage
