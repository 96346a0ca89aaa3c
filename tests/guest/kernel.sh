#!/bin/sh
# SPDX-License-Identifier: MIT
#
# kernel.sh - fetches a kernel for the guest, with what modules are built against.
#
#     kernel.sh stock|debug|later   prints KIND, RELEASE, IMAGE, KDIR, MODULES as shell words
#     kernel.sh --have …            only if it is there already
#
# `stock` is Debian 12's cloud kernel of today, with its headers, unpacked from packages;
# nothing is installed. `debug` is the same source, built with debug.config on top of
# tinyconfig: sanitizers, lockdep, fault injection. That takes about 20 CPU minutes, once.
# `later` is the headers only of a kernel that the module builds for, but does little in (6.12).
# All stay in $DYNOPT_GUEST_CACHE (default: build/guest) for the next run.
#
# Exit code 77 with one line "SKIP: reason" when the kernel cannot be had.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
have=0
[ "${1:-}" != --have ] || {
	have=1
	shift
}
kind=${1:?stock or debug}
cache=${DYNOPT_GUEST_CACHE:-$here/../../build/guest}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
apt=$cache/apt

skip()
{
	echo "SKIP: $*" >&2
	exit 77
}

# The machine's own lists, in private state, so that no root is needed to refresh them.
apt_get()
{
	apt-get -q -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o Acquire::Languages=none -o Acquire::Retries=3 \
		-o APT::Sandbox::User="$(id -un)" "$@"
}

# Downloads packages of Debian 12 into a folder that is left with nothing else.
download() # FOLDER PACKAGE...
{
	folder=$1
	shift
	rm -rf "$folder"
	mkdir -p "$folder"
	(cd "$folder" && apt_get download "$@") >>"$cache/apt.log" 2>&1
}

update_lists()
{
	command -v apt-get >/dev/null 2>&1 || skip "no apt-get to fetch Debian's kernel with"
	command -v dpkg-deb >/dev/null 2>&1 || skip "dpkg-deb is missing"
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	apt_get update >"$cache/apt.log" 2>&1 || true
}

# The newest release that the archive's meta package names, "6.1.0-56-cloud-amd64".
newest_release()
{
	apt-cache -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/.*Depends: linux-image-\(6\.1\.[0-9.]*-[0-9]*-cloud-amd64\)$/\1/p' | tail -n 1
}

fetch_stock()
{
	update_lists
	release=$(newest_release)
	[ -n "$release" ] || skip "this machine's package lists have no Debian 12 cloud kernel (6.1)"
	download "$cache/deb-$kind" "linux-image-$release" "linux-headers-$release" \
		"linux-headers-${release%-cloud-amd64}-common" linux-kbuild-6.1 ||
		skip "Debian's kernel packages cannot be had: $(tail -n 1 "$cache/apt.log")"
	rm -rf "$cache/stock.new"
	for deb in "$cache/deb-$kind"/*.deb; do
		dpkg-deb -x "$deb" "$cache/stock.new"
	done
	rm -rf "$cache/deb-$kind" "$cache/stock"
	mv "$cache/stock.new" "$cache/stock"
	# The headers name their common part by its installed place.
	sed -i "s#/usr/src/#$cache/stock/usr/src/#" "$cache/stock/usr/src/linux-headers-$release/Makefile"
	echo "$release" >"$cache/stock/ready"
}

fetch_later()
{
	update_lists
	release=$(apt-cache -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		search --names-only '^linux-headers-6\.12\..*-cloud-amd64$' 2>/dev/null |
		sed 's/^linux-headers-\([^ ]*\) .*/\1/' | sort -V | tail -n 1)
	[ -n "$release" ] || skip "this machine's package lists have no headers of a 6.12 kernel (bookworm-backports)"
	download "$cache/deb-$kind" "linux-headers-$release" "linux-headers-${release%-cloud-amd64}-common" \
		"linux-kbuild-${release%-cloud-amd64}" ||
		skip "the headers of $release cannot be had: $(tail -n 1 "$cache/apt.log")"
	rm -rf "$cache/later"
	for deb in "$cache/deb-$kind"/*.deb; do
		dpkg-deb -x "$deb" "$cache/later"
	done
	rm -rf "$cache/deb-$kind"
	sed -i "s#/usr/src/#$cache/later/usr/src/#" "$cache/later/usr/src/linux-headers-$release/Makefile"
	echo "$release" >"$cache/later/ready"
}

build_debug()
{
	for tool in bc bison flex gcc make; do
		command -v $tool >/dev/null 2>&1 || skip "the debug kernel's build needs $tool"
	done
	update_lists
	download "$cache/deb-$kind" linux-source-6.1 ||
		skip "Debian's linux-source-6.1 cannot be had: $(tail -n 1 "$cache/apt.log")"
	rm -rf "$cache/debug"
	mkdir -p "$cache/debug"
	dpkg-deb --fsys-tarfile "$cache/deb-$kind"/*.deb | tar -xO ./usr/src/linux-source-6.1.tar.xz |
		tar -xJ -C "$cache/debug"
	rm -rf "$cache/deb-$kind"
	tree=$cache/debug/linux-source-6.1
	echo "==> building the debug kernel (about 20 CPU minutes; log in $cache/debug/build.log)" >&2
	(
		cd "$tree"
		make tinyconfig
		scripts/kconfig/merge_config.sh -m .config "$here/debug.config"
		make olddefconfig
		nice -n 19 make -j "${DYNOPT_GUEST_JOBS:-$(nproc)}" bzImage modules_prepare
		cp vmlinux.symvers Module.symvers
	) >"$cache/debug/build.log" 2>&1 || {
		tail -n 20 "$cache/debug/build.log" >&2
		echo "the debug kernel does not build" >&2
		exit 1
	}
	while read -r option; do
		case $option in
		CONFIG_*) grep -qx "$option" "$tree/.config" || {
			echo "the debug kernel lacks $option" >&2
			exit 1
		} ;;
		esac
	done <"$here/debug.config"
	make -s -C "$tree" kernelrelease >"$cache/debug/release"
	mv "$cache/debug/release" "$cache/debug/ready"
}

exec 9>"$cache/$kind.lock"
flock 9
if [ ! -e "$cache/$kind/ready" ]; then
	[ $have = 0 ] || skip "the $kind kernel is not there (${cache}/$kind)"
	case $kind in
	stock) fetch_stock ;;
	debug) build_debug ;;
	later) fetch_later ;;
	*) skip "no kernel is called $kind" ;;
	esac
fi
release=$(cat "$cache/$kind/ready")
case $kind in
stock)
	echo "KIND=stock RELEASE=$release IMAGE=$cache/stock/boot/vmlinuz-$release" \
		"KDIR=$cache/stock/usr/src/linux-headers-$release MODULES=$cache/stock/lib/modules/$release/kernel"
	;;
later)
	echo "KIND=later RELEASE=$release IMAGE= KDIR=$cache/later/usr/src/linux-headers-$release MODULES="
	;;
debug)
	tree=$cache/debug/linux-source-6.1
	echo "KIND=debug RELEASE=$release IMAGE=$tree/arch/x86/boot/bzImage KDIR=$tree MODULES="
	;;
esac
