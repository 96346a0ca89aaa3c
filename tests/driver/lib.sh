# SPDX-License-Identifier: MIT
#
# lib.sh - a laboratory for the driver: a copy of dynopt-clang beside empty
# plugins, and compilers that only print how they were called.
#
# Invariant: nothing of the machine's own clang, lld or plugins is seen, so that
# the expected lines hold everywhere. Sourced by cases.sh; DRIVER is the
# dynopt-clang under test.

lab=$(mktemp -d)
trap 'rm -rf "$lab"' EXIT
hash=$("$DRIVER" -fdynopt-identity | sed 's/.* plugin \([0-9a-f]*\) .*/\1/')
failed=0
count=0

mkdir -p "$lab/bin" "$lab/lib/dynopt" "$lab/llvm-19/bin" "$lab/nolld/bin" "$lab/llvm-14/bin" \
	"$lab/linkers" "$lab/work" "$lab/cfg"
cp "$DRIVER" "$lab/bin/dynopt-clang"
ln -s dynopt-clang "$lab/bin/dynopt-clang++"
for file in libdynopt-fe-$hash.so libdynopt-pass-$hash.so dynopt.ld dynopt-lld.ld dynopt_far.o libdynopt.so; do
	: >"$lab/lib/dynopt/$file"
done

# Prints its name and arguments; those with blanks in brackets, and what an
# unnamed response file holds by its number of lines.
cat >"$lab/llvm-19/bin/clang" <<'EOF'
#!/bin/sh
printf '%s' "${0##*/}"
for arg; do
	case $arg in
	@/proc/self/fd/*) printf ' @%s' "$(wc -l <"${arg#@}")" ;;
	*' '* | '') printf ' [%s]' "$arg" ;;
	*) printf ' %s' "$arg" ;;
	esac
done
echo
EOF
chmod +x "$lab/llvm-19/bin/clang"
cp "$lab/llvm-19/bin/clang" "$lab/llvm-19/bin/clang++"
cp "$lab/llvm-19/bin/clang" "$lab/nolld/bin/clang"
cp "$lab/llvm-19/bin/clang" "$lab/llvm-14/bin/clang"
cp "$lab/llvm-19/bin/clang" "$lab/llvm-19/bin/ld.lld"
for name in ld.bfd ld.gold mold ld.lld; do
	cp "$lab/llvm-19/bin/clang" "$lab/linkers/$name"
done
mkdir "$lab/moldbin" "$lab/tools"
ln -s ../linkers/mold "$lab/moldbin/ld"
ln -s ../linkers/ld.bfd "$lab/tools/ld"
for tool in sh wc; do
	ln -s "$(command -v $tool)" "$lab/tools/$tool"
done
cd "$lab/work" || exit 1

# The words that keep the tables short.
shorten()
{
	sed -e "s,$lab/lib/dynopt,LIB,g" -e "s,$lab,LAB,g" -e "s,$hash,HASH,g" \
		-e 's,--start-no-unused-arguments,{,' -e 's,--end-no-unused-arguments,},' \
		-e 's,-fplugin=LIB/libdynopt-fe-HASH.so -fpass-plugin=LIB/libdynopt-pass-HASH.so -fplugin-arg-dynopt-hash=HASH,PLUGIN,' \
		-e 's,PLUGIN -fplugin-arg-dynopt-budget=300 -fplugin-arg-dynopt-cache=2000,PLUGIN300,' \
		-e 's,-fplugin=LIB/libdynopt-fe-HASH.so,FE,' \
		-e 's,-Xlinker --undefined-version,UNDEF,' \
		-e 's,-Xlinker --load-pass-plugin=LIB/libdynopt-pass-HASH.so -Xlinker -mllvm -Xlinker -print-bfi-func-name=dynopt-HASH,LTOPLUGIN,' \
		-e 's,-Xlinker LIB/dynopt_far.o,FAR,' \
		-e 's,-Xlinker --push-state -Xlinker --no-as-needed -Xlinker LIB/libdynopt.so -Xlinker --pop-state -Xlinker -rpath -Xlinker LIB,RUNTIME,' \
		-e 's,-Xlinker -T -Xlinker LIB/,SCRIPT:,' \
		-e 's,dynopt-clang: ,,'
}

# NAME EXPECTED ARGUMENTS...: the command line clang gets, then messages, then
# `exit N` unless 0. ENV holds settings; CC, the program's name, is dynopt-clang.
t()
{
	name=$1 expected=$2
	shift 2
	count=$((count + 1))
	got=$(env -i PATH="$lab/tools" DYNOPT_REAL_CC="$lab/llvm-19/bin/clang" \
		DYNOPT_REAL_CXX="$lab/llvm-19/bin/clang++" ${ENV-} \
		"$lab/bin/${CC-dynopt-clang}" "$@" 2>"$lab/err") || status=$?
	got=$({
		[ -z "$got" ] || printf '%s\n' "$got"
		grep -v '^ERROR: ld.so: object ' "$lab/err" || :
		[ -z "${status-}" ] || echo "exit $status"
	} | shorten)
	unset status
	[ "$got" = "$expected" ] && return
	failed=$((failed + 1))
	printf 'FAIL %s: %s\n--- expected\n%s\n--- got\n%s\n' "$name" "$*" "$expected" "$got"
}

summary()
{
	echo "$count cases, $failed failed"
	[ "$failed" = 0 ]
}
