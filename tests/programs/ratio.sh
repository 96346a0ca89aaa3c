#!/bin/sh
# SPDX-License-Identifier: MIT
#
# ratio.sh - demo/ratio.awk on rounds whose answer is known: intervals by hand, verdicts only where the interval leaves out 1.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
failed=0

is() # EXPECTED-END ROUND...
{
	want=$1
	shift
	got=$(printf '%s\n' "$@" | awk -f "$here/demo/ratio.awk") || true
	case $got in
	*"$want") ;;
	*)
		echo "FAILED: '$got', wanted '... $want'"
		failed=1
		;;
	esac
}

# Logarithms -0.1, -0.2, -0.3: mean -0.2, deviation 0.1, t(2) = 4.303.
is "ratio 0.819 (95 %: 0.639 to 1.050, 3 rounds): no difference seen" "1000000 904837" "1000000 818731" "1000000 740818"
is "1.00 s alone, 0.90 s under dynopt; ratio 0.900 (95 %: 0.900 to 0.900, 2 rounds): faster" "1000000 900000" "1000000 900000"
is "ratio 1.100 (95 %: 1.090 to 1.111, 4 rounds): SLOWER" "100 111" "100 110" "100 109.5" "100 109.7"
is "too few rounds for an interval" "1 2"
exit $failed
