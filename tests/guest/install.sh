#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install.sh BUILD - what `cmake --install BUILD --component module` installs: all that Kbuild
# names is there, systemd takes the daemon's unit, and DKMS takes the module (`dkms add`, in folders of its own; it is built by no test).

set -eu
build=$1
root=$build/guest/installed
rm -rf "$root"
mkdir -p "$root/dkms"
DESTDIR=$root cmake --install "$build" --prefix /usr --component module >"$root/log" 2>&1 || {
	cat "$root/log"
	grep -q 'source package\|headers' "$root/log" || exit 1
	echo "SKIP: the sources of Zydis are not there"
	exit 77
}
sources=$(echo "$root"/usr/src/dynopt-*)
version=${sources##*/dynopt-}
fail()
{
	echo "$*"
	exit 1
}

objects=$(sed -n 's/^dynopt-y .*= //p' "$sources/Kbuild" | tr ' ' '\n')
n=0
for object in $objects; do
	case $object in
	*.o)
		[ -e "$sources/${object%.o}.c" ] || fail "Kbuild names $object, which has no source"
		n=$((n + 1))
		;;
	esac
done
[ "$n" -gt 10 ] || fail "only $n objects in Kbuild"
decoder=$(sed -n 's/^zydis := //p' "$sources/Kbuild")
for object in $decoder; do
	[ -e "$sources/zydis/$object.c" ] || fail "zydis/$object.c is missing"
done
for folder in engine elf-notes; do
	for file in "$(dirname "$0")/../../$folder"/*.[ch]; do
		cmp -s "$file" "$sources/$folder/${file##*/}" || fail "$folder/${file##*/} is missing"
	done
done
grep -qx 'KERNEL=="dynopt", SUBSYSTEM=="misc", GROUP="dynopt", MODE="0660"' \
	"$root/usr/lib/udev/rules.d/70-dynopt.rules" || fail "no rule for the device"
grep -qx 'g dynopt -' "$root/usr/lib/sysusers.d/dynopt.conf" || fail "no group for the device"
unit=$root/usr/lib/systemd/system/dynoptd.service
grep -qx 'ExecStart=/usr/sbin/dynoptd --foreground' "$unit" || fail "the unit names another program"
[ -x "$root/usr/sbin/dynoptd" ] || fail "dynoptd is not installed"
if command -v systemd-analyze >/dev/null 2>&1; then
	mkdir -p "$root/unit"
	sed "s|=/usr/sbin/|=$root/usr/sbin/|" "$unit" >"$root/unit/dynoptd.service"
	systemd-analyze verify --recursive-errors=no "$root/unit/dynoptd.service" >"$root/log" 2>&1 || {
		cat "$root/log"
		fail "systemd does not take the unit"
	}
	[ ! -s "$root/log" ] || {
		cat "$root/log"
		fail "systemd says something of the unit"
	}
else
	echo "systemd-analyze is not installed: the unit was not parsed"
fi

PATH=$PATH:/usr/sbin
command -v dkms >/dev/null 2>&1 || {
	echo "dkms is not installed: its file was not parsed"
	exit 0
}
dkms add "dynopt/$version" --dkmstree "$root/dkms" --sourcetree "$root/usr/src" >"$root/log" 2>&1 || {
	cat "$root/log"
	fail "dkms does not take it"
}
dkms status --dkmstree "$root/dkms" | grep -qx "dynopt/$version: added" || fail "dkms has not added it"
