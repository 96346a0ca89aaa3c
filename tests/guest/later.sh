#!/bin/sh
# SPDX-License-Identifier: MIT
#
# later.sh BUILD - builds the module for a later kernel (6.12), whose headers kernel.sh fetches.
# All symbols must be exported there; it is not run. In BUILD/guest/module.later, so what did not change
# is not built again.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
DYNOPT_GUEST_CACHE=${DYNOPT_GUEST_CACHE:-$build/guest}
export DYNOPT_GUEST_CACHE
mkdir -p "$build/guest"
facts=$("$here/kernel.sh" later 2>"$build/guest/why.later") || {
	cat "$build/guest/why.later"
	exit 77
}
eval "$facts"
rm -f "$build/guest/module.later/dynopt.ko"
"$here/../../kmod/build.sh" "$here/../../kmod" "$KDIR" "$build/guest/module.later"
[ -s "$build/guest/module.later/dynopt.ko" ]
echo "builds for $RELEASE"
