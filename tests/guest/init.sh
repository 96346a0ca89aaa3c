#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: MIT
#
# init.sh - the guest's first process: runs the tests that the kernel's command line names.
#
# Each test finds the module freshly loaded, and after it the module must unload and leave
# nothing. A test passes if its program does, the module goes, and the kernel logged nothing
# at the level of a warning or above. One line each on the console, after its output:
#     @@ NAME PASS|FAIL|SKIP REASON (SECONDS)
# and at the end "@@ end". Then the machine halts by isa-debug-exit.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
# debugfs and tracefs have what fault injection and uprobes want
mount -t debugfs debug /sys/kernel/debug 2>/dev/null
mount -t tracefs trace /sys/kernel/tracing 2>/dev/null
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk overlay; do
	[ ! -e /modules/$module.ko ] || insmod /modules/$module.ko
done
mkdir -p /t /u
if ! mount -t ext4 -o ro /dev/vda /t || ! mount -t ext4 /dev/vdb /u; then
	echo "the disks cannot be mounted"
	/halt 2
fi
# programs that are linked dynamically
mkdir -p /lib /lib64
ln -s /t/lib /lib/x86_64-linux-gnu
ln -s /t/lib/ld-linux-x86-64.so.2 /lib64/
ip link set lo up 2>/dev/null

# What the kernel said since the last call, at level 4 (warning) or more urgent, but for what
# every module outside the tree makes it say, and for a host that is busy. Where allocations
# fail on purpose, the kernel warns of each; then only what is no such warning counts.
reports()
{
	if [ "$name" = faults ] || [ "$name" = oom ]; then
		dmesg -c | grep -E 'BUG|WARNING|KASAN|UBSAN|Oops|INFO:|possible |suspicious |inconsistent |Bad |dynopt: left' |
			grep -v 'memory used\|Mem-Info'
		return
	fi
	dmesg -r -c | sed -n 's/^<[0-4]>\(.*\)/\1/p' |
		grep -vE 'loading out-of-tree module taints kernel|module verification failed' |
		grep -vE 'hrtimer: interrupt took|clocksource: (timekeeping watchdog|Long readout)'
}

uptime_seconds()
{
	sed 's/\..*//' /proc/uptime
}

# Runs /t/bin/NAME, which ends at a hyphen; sets verdict and reason.
run_test() # NAME SECONDS MODULE ARGUMENTS...
{
	name=$1
	seconds=$2
	module=$3
	shift 3
	verdict=PASS
	reason=
	reports >/dev/null
	option=
	[ "$module" != canary ] || option=what=$1
	if [ "$module" != - ] && ! insmod /t/$module.ko $option; then
		verdict=FAIL
		reason="the module does not load"
		return
	fi
	timeout -s KILL "$seconds" "/t/bin/${name%%-*}" "$@"
	result=$?
	case $result in
	0) ;;
	77)
		verdict=SKIP
		reason="see above"
		;;
	*)
		verdict=FAIL
		reason="exit code $result"
		;;
	esac
	if [ "$module" != - ]; then
		if ! rmmod $module; then
			verdict=FAIL
			reason="$reason; the module does not unload"
		elif [ $module = dynopt ] && ! dmesg | grep -q 'dynopt: unloaded, nothing is left'; then
			verdict=FAIL
			reason="$reason; the module left something behind"
		fi
	fi
	if [ -n "$(reports | tee /tmp/reports)" ]; then
		cat /tmp/reports
		verdict=FAIL
		reason="$reason; the kernel reported something"
	fi
}

while read -r name seconds module arguments; do
	# The firmware leaves the cursor anywhere.
	echo
	echo "@@ $name BEGIN"
	begin=$(uptime_seconds)
	# shellcheck disable=SC2086 # a list of words
	run_test "$name" "$seconds" "$module" $arguments
	echo "@@ $name $verdict ${reason#; } ($(($(uptime_seconds) - begin)) s)"
done </t/tests
umount /u
sync
echo "@@ end"
/halt 0
