// SPDX-License-Identifier: MIT
/*
 * abi.cpp - the device's header is C++, too, and its sizes and numbers are those of version 1.
 */
#include "dynopt_ioctl.h"

static_assert(DYNOPT_IOC_HELLO == 0xc0204460, "HELLO");
static_assert(DYNOPT_IOC_REGISTER == 0xc0104461, "REGISTER");
static_assert(DYNOPT_IOC_UNREGISTER == 0xc0104462, "UNREGISTER");
static_assert(DYNOPT_IOC_PATCH == 0xc0984463, "PATCH");
static_assert(DYNOPT_IOC_UNDO == 0xc0204464, "UNDO");
static_assert(DYNOPT_IOC_QUERY == 0xc0184465, "QUERY");
static_assert(__builtin_offsetof(dynopt_ioc_patch, offset) == 16, "patch.offset");
static_assert(__builtin_offsetof(dynopt_ioc_patch, old) == 40, "patch.old");
static_assert(__builtin_offsetof(dynopt_ioc_patch, code) == 56, "patch.code");
static_assert(__builtin_offsetof(dynopt_ioc_undo, offset) == 16, "undo.offset");
static_assert(__builtin_offsetof(dynopt_ioc_query, counters) == 16, "query.counters");
static_assert(DYNOPT_KMOD_BAD_SIZE == 1 && DYNOPT_KMOD_INTERRUPTED == 24, "names go to the end");
static_assert(DYNOPT_COUNTER_PROCESSES == 0 && DYNOPT_COUNTER_REFUSED == 16, "names go to the end");
