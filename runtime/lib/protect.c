/* SPDX-License-Identifier: MIT */
/*
 * protect.c - a program that makes its own text writable is about to change it: translations of what it
 * was would go on running. So before the protection changes, everything is withdrawn (rule 8).
 *
 * Interposed: mprotect, pkey_mprotect. A program that calls the kernel itself is not seen.
 */
#include "host.h"
#include "sys.h"
#include "world.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define EXPORT __attribute__((visibility("default")))

/* Does [addr, addr + size) touch text from which there are translations? */
static bool touches_text(u64 addr, u64 size)
{
	u32 n = world ? __atomic_load_n(&world->n_mappings, __ATOMIC_ACQUIRE) : 0;

	for (u32 i = 0; i < n; i++) {
		const struct mapping *mapping = &world->mappings[i];
		const struct image *image = &world->images[mapping->image];
		u32 state = __atomic_load_n(&mapping->state, __ATOMIC_ACQUIRE);

		if (state != MAPPING_LIVE)
			continue;
		for (u32 k = 0; k < image->n_segments; k++) {
			u64 start = mapping->base + image->segments[k].addr;

			if (addr < start + image->segments[k].size && start < addr + size)
				return true;
		}
	}
	return false;
}

static int result_of(long result)
{
	if (!sys_failed(result))
		return (int)result;
	errno = (int)-result;
	return -1;
}

EXPORT int mprotect(void *addr, size_t size, int prot)
{
	if ((prot & PROT_WRITE) && touches_text((u64)(uintptr_t)addr, size))
		host_withdraw(STATUS_CAUSE_TEXT_WRITTEN);
	return result_of(sys_mprotect((u64)(uintptr_t)addr, size, prot));
}

EXPORT int pkey_mprotect(void *addr, size_t size, int prot, int pkey)
{
	if ((prot & PROT_WRITE) && touches_text((u64)(uintptr_t)addr, size))
		host_withdraw(STATUS_CAUSE_TEXT_WRITTEN);
	if (pkey == -1)
		return result_of(sys_mprotect((u64)(uintptr_t)addr, size, prot));
	return result_of(sys6(SYS_pkey_mprotect, (long)addr, (long)size, prot, pkey, 0, 0));
}
