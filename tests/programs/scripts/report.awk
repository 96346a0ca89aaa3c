# SPDX-License-Identifier: MIT
# Fields, associative arrays, regular expressions, functions, number formats.
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
function mix(h, s,   i) {
	for (i = 1; i <= length(s); i++)
		h = (h * 31 + index("abcdefghijklmnopqrstuvwxyz ", tolower(substr(s, i, 1)))) % 1000003
	return h
}
{
	lines++
	hash = mix(hash, $0)
	for (i = 1; i <= NF; i++) {
		count[length($i)]++
		if ($i ~ /^[A-Za-z_]+$/) names[$i]++
		line = $0
		changed += gsub(/[aeiou]/, "<&>", line)
	}
}
END {
	printf "%d lines, hash %d, %d vowels, fib %d\n", lines, hash, changed, fib(18)
	for (i = 1; i <= 40; i++) if (i in count) printf "%2d:%d ", i, count[i]
	print ""
	n = 0
	for (w in names) if (names[w] > 3) n++
	print n, sprintf("%5.2f|%-6s|%06d|%x|%e", atan2(1, 2), "ab", 42, 255, 12345.678)
	print substr("hello", 2, 3), toupper("abc"), split("a:b:c", parts, ":"), parts[3], match("foobar", /o+/), RSTART, RLENGTH
	while (k < 2000) { k++; t += k % 7 == 0 ? sqrt(k) : -int(k / 3) }
	printf "%.4f\n", t
}
