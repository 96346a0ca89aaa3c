// SPDX-License-Identifier: MIT
/*
 * abi.cpp - the device's header is C++, too, and sizes and numbers stay; the module looks at a struct's own size, not at the one in a call's number.
 */
#include "dynopt_ioctl.h"

static_assert(DYNOPT_IOC_HELLO == 0xc0204460, "HELLO");
static_assert(DYNOPT_IOC_REGISTER == 0xc0184461, "REGISTER");
static_assert(DYNOPT_IOC_UNREGISTER == 0xc0184462, "UNREGISTER");
static_assert(DYNOPT_IOC_PATCH == 0xc0984463, "PATCH");
static_assert(DYNOPT_IOC_UNDO == 0xc0204464, "UNDO");
static_assert(DYNOPT_IOC_QUERY == 0xc0184465, "QUERY");
static_assert(DYNOPT_IOC_SUBMIT == 0xc0484466, "SUBMIT");
static_assert(DYNOPT_IOC_SAMPLE == 0xc0284467, "SAMPLE");
static_assert(DYNOPT_IOC_REPORTS == 0xc0404468, "REPORTS");
static_assert(DYNOPT_IOC_POLICY == 0xc0284469, "POLICY");
static_assert(__builtin_offsetof(dynopt_ioc_process, domain) == 16, "process.domain");
static_assert(__builtin_offsetof(dynopt_ioc_submit, id) == 56, "submit.id");
static_assert(__builtin_offsetof(dynopt_ioc_reports, waited_us) == 40, "reports.waited_us");
static_assert(__builtin_offsetof(dynopt_ioc_patch, offset) == 16, "patch.offset");
static_assert(__builtin_offsetof(dynopt_ioc_patch, old) == 40, "patch.old");
static_assert(__builtin_offsetof(dynopt_ioc_patch, code) == 56, "patch.code");
static_assert(__builtin_offsetof(dynopt_ioc_undo, offset) == 16, "undo.offset");
static_assert(__builtin_offsetof(dynopt_ioc_query, counters) == 16, "query.counters");
static_assert(DYNOPT_KMOD_BAD_SIZE == 1 && DYNOPT_KMOD_INTERRUPTED == 24, "names go to the end");
static_assert(DYNOPT_COUNTER_PROCESSES == 0 && DYNOPT_COUNTER_REFUSED == 16, "names go to the end");
