# SPDX-License-Identifier: MIT
# Fields, associative arrays, substitution, matching on text lines.
{
	for (i = 1; i <= NF; i++) {
		word = $i
		sub(/[.]$/, "", word)
		count[word]++
		if (word ~ /^[aeiou].*[aeiou]$/) vowels++
	}
	chars += length($0)
	if (gsub(/an/, "AN")) changed++
	if ($1 > longest) longest = $1
}
END {
	for (word in count) { kinds++; if (count[word] > most) most = count[word] }
	print NR, chars, kinds, most, vowels, changed, longest
}
