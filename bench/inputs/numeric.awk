# SPDX-License-Identifier: MIT
# Sums and a running model over numbers in log lines; loops in END.
{
	split($6, bytes, "=")
	split($7, ms, "=")
	n++
	delta = ms[2] - mean
	mean += delta / n
	spread += delta * (ms[2] - mean)
	total[$3] += bytes[2]
	bucket[int(ms[2] / 5)]++
}
END {
	for (i = 0; i < 18; i++) { h = h " " bucket[i] }
	for (i = 1; i <= n; i++) { x = (x * 75 + 74) % 65537; y += x % 3 == 0 ? x : -1 }
	printf "%d %.4f %.4f %d %d%s\n", n, mean, sqrt(spread / n), y, total["cache"], h
}
