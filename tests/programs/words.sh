# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# words.sh - what the lines of programs.def are written in. Sourced by run.sh,
# which sets $src, $CC, $CXX, $CFLAGS, $LDFLAGS, $toolchain, $linking, $jobs.
#
# Each word works in the current folder and fails loudly: run.sh stops at the
# first command that does not succeed.

# Runs a command that is only worth reading when it fails.
quiet() # COMMAND...
{
	"$@" >quiet.log 2>&1 </dev/null || {
		code=$?
		echo "FAILED ($code): $*"
		tail -n 60 quiet.log
		return 1
	}
}

# For build systems that write into their sources.
copy_sources()
{
	cp -a "$src/." .
}

# With the toolchain file where one is under test, else with the plain compiler.
cmake_build() # SOURCE BUILD [OPTION...]
{
	from=$1
	to=$2
	shift 2
	if [ -n "$toolchain" ]; then
		set -- -DCMAKE_TOOLCHAIN_FILE="$toolchain" "$@"
	else
		set -- -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" "$@"
	fi
	quiet cmake -G Ninja -S "$from" -B "$to" -DCMAKE_BUILD_TYPE=Release "$@"
	quiet cmake --build "$to" -j "$jobs"
}

configure() # SOURCE [OPTION...]
{
	from=$1
	shift
	quiet "$from/configure" CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS" "$@"
}

# Compiles files one by one and links them:
# objects OUTPUT FILE... -- [-x NAME-TO-LEAVE-OUT | FLAG]... -- [LIBRARY]...
objects()
{
	output=$1
	shift
	inputs=
	while [ "$1" != -- ]; do
		inputs="$inputs $1"
		shift
	done
	shift
	flags=
	leave=
	while [ "$1" != -- ]; do
		if [ "$1" = -x ]; then
			leave="$leave $2"
			shift
		else
			flags="$flags $1"
		fi
		shift
	done
	shift
	mkdir -p "$output.obj"
	for file in $inputs; do
		case " $leave " in *" ${file##*/} "*) continue ;; esac
		echo "$file"
	done >"$output.list"
	# shellcheck disable=SC2086,SC2016 # lists of options; a script
	xargs -P "$jobs" -I{} sh -c 'o=$1/$(basename "$2").o; f=$2; shift 2; exec "$@" -c "$f" -o "$o"' \
		sh "$output.obj" {} $CC $CFLAGS $flags <"$output.list"
	# shellcheck disable=SC2086
	$CC $CFLAGS $LDFLAGS -o "$output" "$output.obj"/*.o "$@"
}

# The same command line, here and where the plain build is: same output, same
# exit code. Addresses that a program prints would differ; scripts print none.
equal() # COMMAND...
{
	compared=$((${compared:-0} + 1))
	code=0
	"$@" >out.flag 2>&1 </dev/null || code=$?
	code_plain=0
	(cd "$plain" && "$@" >out.plain 2>&1 </dev/null) || code_plain=$?
	if [ $code != $code_plain ] || ! cmp -s out.flag "$plain/out.plain"; then
		echo "FAILED: $* (exit $code, plain build $code_plain); differences:"
		diff "$plain/out.plain" out.flag | head -n 20
		return 1
	fi
}
