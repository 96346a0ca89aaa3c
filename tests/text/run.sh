#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh - the engine's text of real programs against a disassembler and the notes' finder.
#
#     run.sh BIN FILE...      BIN: the folder of text_check and text_report
#
# Names of libraries are looked up with the C++ compiler, other files must be paths; what does not
# exist on this machine is passed over and said. Exit codes: 0, 1, 77 (no disassembler).
set -eu
bin=$1
shift
command -v objdump >/dev/null || {
	echo "SKIP: objdump is not installed"
	exit 77
}
failed=0
for file in "$@"; do
	case $file in
	/*) ;;
	*) file=$(c++ -print-file-name="$file" 2>/dev/null || echo "$file") ;;
	esac
	[ -r "$file" ] || {
		echo "not here: $file"
		continue
	}
	objdump -d -w --no-show-raw-insn "$file" | "$bin/text_check" "$file" || failed=1
	"$bin/text_report" "$file" || failed=1
done
exit "$failed"
