# SPDX-License-Identifier: MIT
# Assembly in, one line a function out: NAME FACT... REASON... [noslots] [budget=] [cache=] [object=]
# A budget of 0, which every function has at -O0, is shown with -v zero=1 only.
# Reads what AsmPrinter writes for the section dynopt.facts (clang-plugin/facts.c); the words'
# meaning is that of elf-notes/dynopt_notes.h and clang-plugin/facts.h.
function flush_facts(   text, i, n, names)
{
	if (!inside)
		return
	inside = 0
	text = name
	if (count != 8)
		text = text " MALFORMED(" count " words)"
	n = split("plain private", names)
	for (i = 1; i <= n; i++)
		if (int(word[3] / 2 ^ (i - 1)) % 2)
			text = text " " names[i]
	n = split("USER SETJMP RETADDR FRAMEADDR ASMFLOW NAKED IFUNC SIGNAL INTERRUPT SLEDS SPLITSTACK", names)
	for (i = 1; i <= n; i++)
		if (int(word[4] / 2 ^ (i - 1)) % 2)
			text = text " " names[i]
	if (word[5])
		text = text " noslots"
	if (word[6] != 300 && (word[6] || zero))
		text = text " budget=" word[6]
	if (word[7] != 2000)
		text = text " cache=" word[7]
	if (word[8])
		text = text " object=" word[8]
	print text
}
$1 == ".type" && $2 ~ /,@function$/ { sub(/,@function$/, "", $2); gsub(/"/, "", $2); name = $2 }
$1 == ".section" { flush_facts(); if ($2 ~ /^dynopt\.facts,/) { inside = 1; count = 0; split("", word) } next }
inside && ($1 == ".long" || $1 == ".quad") { word[++count] = $2; next }
inside && $1 ~ /^\.(text|data|bss|p2align)/ { flush_facts() }
END { flush_facts() }
