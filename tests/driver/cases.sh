#!/bin/sh
# SPDX-License-Identifier: MIT
#
# cases.sh - what the driver makes of a command line, case by case.
#
# `t NAME EXPECTED ARGUMENTS...`: see lib.sh for the short words in EXPECTED
# ({ ... } is what was added). Usage: cases.sh DYNOPT_CLANG
set -eu
DRIVER=$1
. "$(dirname "$0")/lib.sh"

F=-fdynopt-jumpstations
C='{ PLUGIN300 }'
LINK='-fuse-ld=lld UNDEF LTOPLUGIN FAR SCRIPT:dynopt-lld.ld'
CL="{ PLUGIN300 $LINK }"
L="{ $LINK }"

# --- without the flag: the command line as it came
t plain 'clang -c x.c -o x.o' -c x.c -o x.o
t plain-link 'clang x.c' x.c
t plain-nothing 'clang'
t plain-empty 'clang [] [a b]' '' 'a b'
CC=dynopt-clang++ t plain-c++ 'clang++ -c x.cc' -c x.cc
t off 'clang -c x.c' -fno-dynopt-jumpstations -c x.c
for flag in -fdynopt-report -fdynopt-cache-size=3 -fdynopt-disable-object -fdynopt-runtime -fplugin-arg-dynopt-report; do
	t "in-vain $flag" "clang -c x.c
warning: $flag has no effect without -fdynopt-jumpstations" $flag -c x.c
	t "in-vain-quiet $flag" 'clang -w -c x.c' $flag -w -c x.c
	t "in-vain-off $flag" 'clang -c x.c' $flag $F -fno-dynopt-jumpstations -c x.c
	t "in-vain-no-inputs $flag" 'clang --version' $flag --version
done
t version 'clang --version' --version
t help 'clang --help' --help
t cc1 'clang -cc1 -fdynopt-jumpstations x.c' -cc1 $F x.c
t target-plain 'clang -m32 -c x.c' -m32 -c x.c

# --- compiling
t compile "clang $C -c x.c" $F -c x.c
t last-wins "clang -c x.c" $F -fno-dynopt-jumpstations -c x.c
t last-wins-2 "clang $C -c x.c" -fno-dynopt-jumpstations $F -c x.c
t anywhere "clang $C -c x.c -o x.o" -c x.c $F -o x.o
CC=dynopt-clang++ t c++ "clang++ $C -c x.cc" $F -c x.cc
t preprocess "clang $C -E x.c" $F -E x.c
t dependencies "clang $C -MM x.c" $F -MM x.c
t dependencies-too "clang $C -MD -MF x.d -c x.c" $F -MD -MF x.d -c x.c
t syntax "clang $C -fsyntax-only x.c" $F -fsyntax-only x.c
t precompile "clang $C -x c-header x.h" $F -x c-header x.h
t header-by-name "clang $C x.h" $F x.h
t stdin "clang $C -x c -c -" $F -x c -c -
t stdin-preprocess "clang $C -E -" $F -E -
t many "clang $C -c x.c y.c z.s" $F -c x.c y.c z.s
t assembler 'clang -c x.s' $F -c x.s
t assembler-S 'clang -c x.S' $F -c x.S
t assembler-x 'clang -c -x assembler x.c' $F -c -x assembler x.c
t language-none "clang $C -c -x assembler a -x none x.c" $F -c -x assembler a -x none x.c
t language-joined "clang $C -c -xc++ x" $F -c -xc++ x
t language-other 'clang -c -x cuda x.cu' $F -c -x cuda x.cu
t ir "clang $C -c x.ll" $F -c x.ll
t budget 'clang { PLUGIN -fplugin-arg-dynopt-budget=250 -fplugin-arg-dynopt-cache=2000 } -c x.c' \
	$F=budget:2.5 -c x.c
t budget-percent 'clang { PLUGIN -fplugin-arg-dynopt-budget=10000 -fplugin-arg-dynopt-cache=2000 } -c x.c' \
	$F=budget:100% -c x.c
t budget-zero 'clang { PLUGIN -fplugin-arg-dynopt-budget=0 -fplugin-arg-dynopt-cache=2000 } -c x.c' \
	$F=budget:0 -c x.c
t budget-last "clang $C -c x.c" $F=budget:1 $F -c x.c
t cache 'clang { PLUGIN -fplugin-arg-dynopt-budget=300 -fplugin-arg-dynopt-cache=1234 } -c x.c' \
	$F -fdynopt-cache-size=12.34% -c x.c
t report "clang { PLUGIN300 -fplugin-arg-dynopt-report=1 -fplugin-arg-dynopt-disable-object=1 } -c x.c" \
	$F -fdynopt-report -fdynopt-disable-object -c x.c
t other-spelling 'clang { PLUGIN -fplugin-arg-dynopt-budget=200 -fplugin-arg-dynopt-cache=700 -fplugin-arg-dynopt-report=1 } -c x.c' \
	-fplugin-arg-dynopt-jumpstations=budget:2 -fplugin-arg-dynopt-cache-size=7 -fplugin-arg-dynopt-report -c x.c
t other-spelling-off 'clang -c x.c' $F -fplugin-arg-dynopt-no-jumpstations -c x.c
t raw-plugin-args 'clang -fplugin-arg-dynopt-report=1 -fplugin-arg-other-x -c x.c' \
	-fplugin-arg-dynopt-report=1 -fplugin-arg-other-x -c x.c

# --- values that look like flags
t value-o "clang $C -c x.c -o -fdynopt-report" $F -c x.c -o -fdynopt-report
t value-xclang "clang -Xclang -fdynopt-jumpstations -c x.c" -Xclang $F -c x.c
t value-I "clang $CL -I -c x.c" $F -I -c x.c
t value-D "clang $C -D -E -c x.c" $F -D -E -c x.c
t value-MF "clang $C -MD -MF -S -c x.c" $F -MD -MF -S -c x.c
t value-include "clang $C -include -fno-dynopt-jumpstations -c x.c" $F -include -fno-dynopt-jumpstations -c x.c
t value-multi "clang $C -c -segprot -S -E -M x.c" $F -c -segprot -S -E -M x.c
t value-xarch "clang $C -Xarch_host -S -c x.c" $F -Xarch_host -S -c x.c
t value-last "clang $C -c x.c -o" $F -c x.c -o
t double-dash "clang $C -c -- -fdynopt-report.c" $F -c -- -fdynopt-report.c
t double-dash-link "clang $CL -- x.c" $F -- x.c

# --- calls without inputs
t no-inputs 'clang -v' $F -v
t no-inputs-version 'clang --version' $F --version
t no-inputs-hashes 'clang -###' $F '-###'
t print-prog 'clang -print-prog-name=ld' $F -print-prog-name=ld
t hashes "clang $CL -### x.c" $F '-###' x.c
t verbose "clang $CL -v x.c" $F -v x.c

# --- linking
t link "clang $CL x.c -o x" $F x.c -o x
t link-objects "clang $L x.o y.o -o x" $F x.o y.o -o x
t link-x "clang $CL -x c x" $F -x c x
t shared "clang $L -shared x.o" $F -shared x.o
t runtime "clang { -fuse-ld=lld UNDEF LTOPLUGIN FAR RUNTIME SCRIPT:dynopt-lld.ld } x.o" -fdynopt-runtime $F x.o
t runtime-shared "clang $L -shared x.o" -fdynopt-runtime $F -shared x.o
t runtime-compile "clang $C -c x.c" -fdynopt-runtime $F -c x.c
t runtime-static "clang $L -static x.o
warning: -fdynopt-runtime has no effect with -static: no library can be loaded" -fdynopt-runtime $F -static x.o
t static "clang $L -static x.o" $F -static x.o
t relocatable "clang -r x.o y.o" $F -r x.o y.o
t relocatable-Wl "clang -nostdlib -Wl,-r x.o" $F -nostdlib -Wl,-r x.o
t relocatable-Xlinker "clang -nostdlib -Xlinker --relocatable x.o" $F -nostdlib -Xlinker --relocatable x.o
t relocatable-source "clang $C -r x.c" $F -r x.c
t archive "clang --emit-static-lib x.o" $F --emit-static-lib x.o
t use-lld "clang { LTOPLUGIN FAR SCRIPT:dynopt-lld.ld } -fuse-ld=lld x.o" $F -fuse-ld=lld x.o
t use-lld-19 "clang { LTOPLUGIN FAR SCRIPT:dynopt-lld.ld } -fuse-ld=lld-19 x.o" $F -fuse-ld=lld-19 x.o
t use-lld-14 "clang { FAR SCRIPT:dynopt-lld.ld } -fuse-ld=lld-14 x.o" $F -fuse-ld=lld-14 x.o
t use-bfd "clang { FAR SCRIPT:dynopt.ld } -fuse-ld=bfd x.o" $F -fuse-ld=bfd x.o
t use-gold "clang { FAR } -fuse-ld=gold x.o" $F -fuse-ld=gold x.o
t use-mold "clang { FAR } -fuse-ld=mold x.o" $F -fuse-ld=mold x.o
t use-unknown "clang { FAR } -fuse-ld=wild x.o" $F -fuse-ld=wild x.o
t use-last "clang { FAR } -fuse-ld=lld -fuse-ld=gold x.o" $F -fuse-ld=lld -fuse-ld=gold x.o
t use-ld "clang { FAR SCRIPT:dynopt.ld } -fuse-ld=ld x.o" $F -fuse-ld=ld x.o
t use-default "clang $L -fuse-ld= x.o" $F -fuse-ld= x.o
t use-path "clang { FAR SCRIPT:dynopt.ld } -fuse-ld=LAB/linkers/ld.bfd x.o" $F -fuse-ld="$lab/linkers/ld.bfd" x.o
t ld-path "clang { FAR } --ld-path=LAB/linkers/ld.gold x.o" $F --ld-path="$lab/linkers/ld.gold" x.o
t ld-path-lld "clang { LTOPLUGIN FAR SCRIPT:dynopt-lld.ld } --ld-path=LAB/llvm-19/bin/ld.lld x.o" \
	$F --ld-path="$lab/llvm-19/bin/ld.lld" x.o
t ld-path-foreign-lld "clang { FAR SCRIPT:dynopt-lld.ld } --ld-path=LAB/linkers/ld.lld x.o" \
	$F --ld-path="$lab/linkers/ld.lld" x.o
t prefix-dir "clang { FAR } -BLAB/moldbin x.o" $F -B"$lab/moldbin" x.o
t prefix-dir-apart "clang { FAR } -B LAB/moldbin x.o" $F -B "$lab/moldbin" x.o
t prefix-without-ld "clang $L -BLAB/work x.o" $F -B"$lab/work" x.o
ENV="COMPILER_PATH=$lab/moldbin" t compiler-path "clang { FAR } x.o" $F x.o
ENV="LD_PRELOAD=$lab/linkers/mold-wrapper.so" t mold-run "clang { FAR } x.o" $F x.o
ENV="DYNOPT_REAL_CC=$lab/nolld/bin/clang" t no-lld "clang { FAR SCRIPT:dynopt.ld } x.o" $F x.o
own="{ FAR }"
t script "clang $own -T s.ld x.o" $F -T s.ld x.o
t script-joined "clang $own -Ts.ld x.o" $F -Ts.ld x.o
t script-Wl "clang $own -Wl,-z,now,-T,s.ld x.o" $F -Wl,-z,now,-T,s.ld x.o
t script-Wl-long "clang $own -Wl,--script=s.ld x.o" $F -Wl,--script=s.ld x.o
t script-Xlinker "clang $own -Xlinker -T -Xlinker s.ld x.o" $F -Xlinker -T -Xlinker s.ld x.o
t script-with-lld "clang { LTOPLUGIN FAR } -fuse-ld=lld -T s.ld x.o" $F -fuse-ld=lld -T s.ld x.o
t no-script-Ttext "clang $L -Wl,-Ttext=0x1000 x.o" $F -Wl,-Ttext=0x1000 x.o
t no-script-Ttext-2 "clang $L -Ttext 0x1000 x.o" $F -Ttext 0x1000 x.o

# --- LTO
t lto-compile "clang { PLUGIN300 -fplugin-arg-dynopt-lto=1 } -flto -c x.c" $F -flto -c x.c
t lto-thin "clang { PLUGIN300 -fplugin-arg-dynopt-lto=1 } -flto=thin -c x.c" $F -flto=thin -c x.c
t lto-off "clang $C -flto -fno-lto -c x.c" $F -flto -fno-lto -c x.c
t lto-thin-backend "clang $C -flto=thin -fthinlto-index=i -c -x ir x.o" $F -flto=thin -fthinlto-index=i -c -x ir x.o
t lto-link "clang $L -flto x.o" $F -flto x.o
t lto-link-script "clang { -fuse-ld=lld UNDEF LTOPLUGIN FAR } -flto -T s.ld x.o" $F -flto -T s.ld x.o
t lto-report "clang { -fuse-ld=lld UNDEF LTOPLUGIN-report FAR SCRIPT:dynopt-lld.ld } -flto x.o" $F -fdynopt-report -flto x.o
t lto-relocatable "clang { -fuse-ld=lld UNDEF LTOPLUGIN } -flto -r x.o" $F -flto -r x.o
t lto-foreign-lld "clang { LTOPLUGIN FAR SCRIPT:dynopt-lld.ld } -flto -fuse-ld=lld-14 x.o" $F -flto -fuse-ld=lld-14 x.o
t lto-gold "clang { FAR } -flto -fuse-ld=gold x.o
warning: LTO through gold: no jumpstations in what is compiled at link time; only lld can load the plugin (-fuse-ld=lld)" \
	$F -flto -fuse-ld=gold x.o
t lto-emit-llvm "clang { PLUGIN300 -fplugin-arg-dynopt-lto=1 } -flto -emit-llvm -S x.c" $F -flto -emit-llvm -S x.c
t emit-llvm "clang $C -emit-llvm -c x.c" $F -emit-llvm -c x.c

# --- past the object streamer: ordinary text and a warning
bypassed='no jumpstations in what is compiled here; they need clang'\''s integrated assembler to write the object'
# What marks the source has must be understood all the same (FE: that plugin alone).
t dash-S "clang { FE } -S x.c
warning: -S: $bypassed" $F -S x.c
t dash-S-werror "clang { FE } -Werror -S x.c
warning: -S: $bypassed" $F -Werror -S x.c
t dash-S-quiet "clang { FE } -w -S x.c" $F -w -S x.c
t save-temps "clang { FE $LINK } -save-temps=obj x.c
warning: -save-temps: $bypassed" $F -save-temps=obj x.c
t save-temps-link "clang $L -save-temps x.o" $F -save-temps x.o
t external-as "clang { FE } -fno-integrated-as -c x.c
warning: -fno-integrated-as: $bypassed" $F -fno-integrated-as -c x.c
t external-as-last "clang $C -fno-integrated-as -fintegrated-as -c x.c" $F -fno-integrated-as -fintegrated-as -c x.c
t external-as-assembler "clang -fno-integrated-as -c x.s" $F -fno-integrated-as -c x.s
ENV=DYNOPT_CC_DEFAULT=1 t dash-S-default "clang { FE } -S x.c" -S x.c

# --- what is refused
refused()
{
	name=$1 what=$2
	shift 2
	t "$name" "error: -fdynopt-jumpstations supports only x86_64 Linux, not $what
exit 1" $F "$@" -c x.c
	ENV=DYNOPT_CC_DEFAULT=1 t "$name-default" "clang $* -c x.c" "$@" -c x.c
	t "$name-off" "clang $* -c x.c" $F -fno-dynopt-jumpstations "$@" -c x.c
}
refused m32 -m32 -m32
refused mx32 -mx32 -mx32
refused arm aarch64-linux-gnu --target=aarch64-linux-gnu
refused arm-apart aarch64-linux-gnu -target aarch64-linux-gnu
refused bpf bpf --target=bpf
refused windows x86_64-pc-windows-msvc --target=x86_64-pc-windows-msvc
refused x32 x86_64-linux-gnux32 --target=x86_64-linux-gnux32
refused cl clang-cl --driver-mode=cl
t m64 "clang $C -m32 -m64 -c x.c" $F -m32 -m64 -c x.c
t i686-m64 "clang $C --target=i686-linux-gnu -m64 -c x.c" $F --target=i686-linux-gnu -m64 -c x.c
t musl "clang $C --target=x86_64-unknown-linux-musl -c x.c" $F --target=x86_64-unknown-linux-musl -c x.c
aligned()
{
	t "aligned $*" "error: -fdynopt-jumpstations cannot be combined with $1: it would undo the alignment of branches
exit 1" $F -c x.c $2 "$1"
	ENV=DYNOPT_CC_DEFAULT=1 t "aligned-default $*" "clang -c x.c${2:+ $2} $1" -c x.c $2 "$1"
}
aligned -mbranches-within-32B-boundaries ''
aligned -malign-branch=jcc ''
aligned -malign-branch-boundary=32 ''
aligned -Wa,-malign-branch=jcc ''
aligned -x86-align-branch=jcc -mllvm
aligned -mllvm=-x86-align-branch=jcc ''
aligned -x86-branches-within-32B-boundaries -Xclang
aligned -Wl,-mllvm,-x86-align-branch=jcc ''

# --- bad values
t bad-key "error: unknown option 'colour' in -fdynopt-jumpstations=; known is budget:PERCENT
exit 1" $F=colour -c x.c
t bad-key-empty "error: unknown option '' in -fdynopt-jumpstations=; known is budget:PERCENT
exit 1" $F= -c x.c
for value in x 101 -1 1.234 1. .5 '' 1e2 99999999999 %; do
	t "bad-budget $value" "error: bad budget '$value' in -fdynopt-jumpstations=; expected 0 to 100 percent, like budget:2.5
exit 1" $F=budget:$value -c x.c
done
for value in '' 1001 4M 20%%; do
	t "bad-cache $value" "error: bad value '$value' of -fdynopt-cache-size=; expected 0 to 1000 percent of the text, like 20%
exit 1" $F -fdynopt-cache-size=$value -c x.c
done
t no-value "error: -fdynopt-cache-size needs a value: -fdynopt-cache-size=PERCENT
exit 1" -fdynopt-cache-size -c x.c
t takes-none "error: -fdynopt-report takes no value
exit 1" -fdynopt-report=2 -c x.c
t unknown "error: unknown option '-fdynopt-jumpstation'; see dynopt-clang -fdynopt-help
exit 1" -fdynopt-jumpstation -c x.c
t unknown-no "error: unknown option '-fno-dynopt-report'; see dynopt-clang -fdynopt-help
exit 1" -fno-dynopt-report -c x.c

# --- the environment
ENV=DYNOPT_CC_DEFAULT=1 t default "clang $C -c x.c" -c x.c
ENV=DYNOPT_CC_DEFAULT=1 t default-off "clang -c x.c" -fno-dynopt-jumpstations -c x.c
ENV=DYNOPT_CC_DEFAULT=0 t default-0 "clang -c x.c" -c x.c
ENV=DYNOPT_CC_DEFAULT= t default-empty "clang -c x.c" -c x.c
ENV=DYNOPT_CC_DEFAULT=yes t default-bad "error: bad value 'yes' of DYNOPT_CC_DEFAULT; expected 0 or 1
exit 1" -c x.c
ENV=DYNOPT_REAL_CC= t no-clang "error: cannot run clang-19: not found; install clang 19 or set DYNOPT_REAL_CC
exit 127" -c x.c
CC=dynopt-clang++ ENV=DYNOPT_REAL_CXX= t no-clang++ \
	"error: cannot run clang++-19: not found; install clang 19 or set DYNOPT_REAL_CXX
exit 127" $F -c x.c
ENV=DYNOPT_REAL_CC=/none/cc t no-such-clang \
	"error: cannot run /none/cc: No such file or directory; install clang 19 or set DYNOPT_REAL_CC
exit 127" $F -c x.c
ENV="DYNOPT_REAL_CC=$lab/llvm-14/bin/clang" t other-clang \
	"error: LAB/llvm-14/bin/clang is clang 14; the plugin is for clang 19
exit 1" $F -c x.c
ENV="DYNOPT_REAL_CC=$lab/llvm-14/bin/clang" t other-clang-plain "clang -c x.c" -c x.c
mkdir -p "$lab/custom/bin" "$lab/custom/lib/clang/17"
cp "$lab/llvm-19/bin/clang" "$lab/custom/bin"
ENV="DYNOPT_REAL_CC=$lab/custom/bin/clang" t other-clang-headers \
	"error: LAB/custom/bin/clang is another clang (LAB/custom/bin/../lib/clang has no 19); the plugin is for clang 19
exit 1" $F -c x.c
mkdir "$lab/custom/lib/clang/19"
ENV="DYNOPT_REAL_CC=$lab/custom/bin/clang" t own-clang-headers "clang $C -c x.c" $F -c x.c
ENV="DYNOPT_REAL_CC=$lab/bin/dynopt-clang" t itself \
	"error: LAB/bin/dynopt-clang is this wrapper itself, not a compiler
exit 1" -c x.c

# --- response files and config files
printf -- "-c 'a b.c' -DX=\\\\\"y\\\\\" \"-I some dir\"\n" >plain.rsp
t response-untouched "clang $C @plain.rsp" $F @plain.rsp
printf -- '-c x.c\n-fdynopt-jumpstations -o "a b.o"\n' >flag.rsp
t response-flag "clang $C -Wall -c x.c -o [a b.o]" -Wall @flag.rsp
printf '@flag.rsp -g\n' >nested.rsp
t response-nested "clang $C -c x.c -o [a b.o] -g" @nested.rsp
printf 'x.c @loop.rsp\n' >loop.rsp
t response-loop "clang $C -c @loop.rsp" $F -c @loop.rsp
t response-missing "clang $L @none.rsp" $F @none.rsp
printf 'x.c -fno-dynopt-jumpstations -c' >off.rsp
t response-off "clang x.c -c" $F @off.rsp
{ printf -- '-fdynopt-jumpstations -c x.c\n'; seq -f '-DA%06.0f="a b"' 9000; } >long.rsp
t response-long "clang @9009" @long.rsp
printf '# a comment -m32\n-fplugin-arg-dynopt-jumpstations \\\n  -fuse-ld=gold\n' >"$lab/cfg/on.cfg"
t config-flag "clang { FAR } --config=LAB/cfg/on.cfg x.o" --config="$lab/cfg/on.cfg" x.o
t config-by-name "clang { FAR } --config-user-dir=LAB/cfg --config on.cfg -fuse-ld=mold x.o" \
	--config-user-dir="$lab/cfg" --config on.cfg -fuse-ld=mold x.o
t config-overridden "clang --config=LAB/cfg/on.cfg x.o" --config="$lab/cfg/on.cfg" -fno-dynopt-jumpstations x.o
printf -- '-fuse-ld=bfd\n' >"$lab/cfg/clang.cfg"
t config-default "clang { FAR SCRIPT:dynopt.ld } --config-user-dir=LAB/cfg x.o" $F --config-user-dir="$lab/cfg" x.o
t config-no-default "clang $L --no-default-config --config-user-dir=LAB/cfg x.o" \
	$F --no-default-config --config-user-dir="$lab/cfg" x.o

# --- an incomplete installation
rm "$lab/lib/dynopt/libdynopt-fe-$hash.so"
t no-plugin "error: LIB/libdynopt-fe-HASH.so is missing: install dynopt again
exit 1" $F -c x.c
t no-plugin-plain "clang -c x.c" -c x.c
rm "$lab/lib/dynopt/dynopt_far.o"
t no-farpool "error: LIB/dynopt_far.o is missing: install dynopt again
exit 1" $F x.o

summary
