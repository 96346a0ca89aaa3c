# SPDX-License-Identifier: MIT
#
# ratio.awk - from lines "ALONE UNDER" (CPU time of one round each) the ratio and its 95 % interval, in words.
#
# Mean and Student's t of the logarithms of the rounds' ratios; few rounds, so no bootstrap as in bench/harness/stats.py.
# The verdict is "faster" or "slower" only if the interval leaves out 1.
BEGIN {
	split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145", t, " ")
}

{
	log_ratio = log($2 / $1)
	sum += log_ratio
	squares += log_ratio * log_ratio
	alone += $1
	under += $2
	n++
}

END {
	if (n < 2) {
		print "too few rounds for an interval"
		exit 1
	}
	mean = sum / n
	variance = (squares - n * mean * mean) / (n - 1)
	if (variance < 0)
		variance = 0
	half = (n - 1 in t ? t[n - 1] : 2.145) * sqrt(variance / n)
	low = exp(mean - half)
	high = exp(mean + half)
	verdict = high < 1 ? "faster" : low > 1 ? "SLOWER" : "no difference seen"
	printf "%.2f s alone, %.2f s under dynopt; ratio %.3f (95 %%: %.3f to %.3f, %d rounds): %s\n",
		alone / n / 1e6, under / n / 1e6, exp(mean), low, high, n, verdict
}
