// SPDX-License-Identifier: MIT
/*
 * memory.c - what a program does to its mappings: madvise, mprotect, mremap, munmap, mlockall,
 * mapping the file once more, beside and over the old place.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "guest.h"

static int device, file;
static uint8_t *lib;

static void sees(const uint8_t *at, bool patched)
{
	check_is(lib_call(at, &site_one), patched ? site_one.patched : site_one.plain);
	check_is(lib_call(at, &site_cross), patched ? site_cross.patched : site_cross.plain);
	check_is(lib_call(at, &site_four), patched ? site_four.patched : site_four.plain);
}

static void patch_all(void)
{
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_cross), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_four), DYNOPT_KMOD_OK);
	sees(lib, true);
}

/* Dropped, reread, made unreadable and back: the pages come again. */
static void drops(void)
{
	int caches = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	check(madvise(lib, LIB_BYTES, MADV_DONTNEED) == 0);
	sees(lib, true);
	check(madvise(lib + LIB_CACHE, PAGE, MADV_DONTNEED) == 0);
	sees(lib, true);
	check(caches >= 0 && write(caches, "3", 1) == 1);
	close(caches);
	sees(lib, true);
	check(mlockall(MCL_CURRENT) == 0);
	sees(lib, true);
	check_is(call_undo(device, file, &site_four), DYNOPT_KMOD_OK);
	check_is(lib_call(lib, &site_four), site_four.plain);
	check_is(call_patch(device, file, &site_four), DYNOPT_KMOD_OK);
	check(munlockall() == 0);
	sees(lib, true);
}

/* Mappings are split and would merge again. */
static void splits(void)
{
	uint64_t mappings = counter(device, DYNOPT_COUNTER_MAPPINGS);
	int i;

	for (i = 0; i < 8; i++) {
		check(mprotect(lib + PAGE * (i + 1), PAGE, PROT_READ) == 0);
		check(mprotect(lib + LIB_CACHE + PAGE * i, PAGE, PROT_NONE) == 0);
		check(mprotect(lib + LIB_CACHE + PAGE * i, PAGE, PROT_READ | PROT_EXEC) == 0);
		check(mprotect(lib + PAGE * (i + 1), PAGE, PROT_READ | PROT_EXEC) == 0);
		sees(lib, true);
	}
	check(counter(device, DYNOPT_COUNTER_MAPPINGS) > mappings);
	/* Reading the cache where it may not be executed must not leave the file's int3 there. */
	check(mprotect(lib + LIB_CACHE, 16 * PAGE, PROT_READ) == 0);
	check(madvise(lib + LIB_CACHE, 16 * PAGE, MADV_DONTNEED) == 0);
	check(lib[LIB_CACHE] != 0xcc);
	check(mprotect(lib + LIB_CACHE, 16 * PAGE, PROT_READ | PROT_EXEC) == 0);
	sees(lib, true);
}

/*
 * A mapping of the file that comes later, in front, with what makes the kernel merge: the
 * module has to see it coming, or a taken mapping would vanish without a word.
 */
static void neighbours(void)
{
	uint8_t *room = mmap(NULL, LIB_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *other;

	check(room != MAP_FAILED);
	/* Taken over: the second half; then the first half, in front of it, not taken. */
	other = mmap(room + LIB_BYTES / 2, LIB_BYTES / 2, PROT_READ | PROT_EXEC,
	             MAP_PRIVATE | MAP_FIXED, file, LIB_BYTES / 2);
	check(other != MAP_FAILED);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	other = mmap(room, LIB_BYTES / 2, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	check(other != MAP_FAILED);
	check(mprotect(room + LIB_BYTES / 2, LIB_BYTES / 2, PROT_READ) == 0);
	check(mprotect(room, LIB_BYTES, PROT_READ | PROT_EXEC) == 0);
	sees(room, true);
	check(munmap(room, LIB_BYTES) == 0);
	sees(lib, true);
}

/* Text that is moved away from its cache is original text. */
static void moves(void)
{
	uint8_t *second = lib_map(LIB), *to, *page;

	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	sees(second, true);
	to = mmap(NULL, LIB_BYTES + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(to != MAP_FAILED);
	/* All of it: still beside its cache. */
	check(mremap(second, LIB_BYTES, LIB_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	sees(to, true);
	/* One page, elsewhere. */
	page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(mremap(to + (LIB_FOUR & ~(PAGE - 1)), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
	             page) == page);
	check_is(((int (*)(void))(uintptr_t)(page + (LIB_FOUR & (PAGE - 1))))(), site_four.plain);
	check_is(lib_call(to, &site_one), site_one.patched);
	/* Without its cache. */
	check(munmap(to + LIB_CACHE, LIB_BYTES - LIB_CACHE) == 0);
	check_is(lib_call(to, &site_one), site_one.plain);
	check_is(lib_call(to, &site_cross), site_cross.plain);
	check(munmap(to, LIB_CACHE) == 0);
	check(munmap(page, PAGE) == 0);
	sees(lib, true);
}

/* A reader of the file by mmap sees the file. */
static void readers(void)
{
	uint8_t *shared = mmap(NULL, LIB_BYTES, PROT_READ, MAP_SHARED, file, 0);
	uint8_t *data = mmap(NULL, LIB_CACHE, PROT_READ, MAP_PRIVATE, file, 0);

	check(shared != MAP_FAILED && data != MAP_FAILED);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	check_is(shared[LIB_ONE], 0xb8);
	check_is(shared[LIB_CACHE], 0xcc);
	check_is(data[LIB_ONE], 0xb8);
	check_is(lib[LIB_ONE], 0xe9);
	check(munmap(shared, LIB_BYTES) == 0 && munmap(data, LIB_CACHE) == 0);
}

int main(void)
{
	device = device_open();
	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	lib = lib_map(LIB);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	patch_all();
	drops();
	splits();
	neighbours();
	moves();
	readers();
	check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
	sees(lib, false);
	check(munmap(lib, LIB_BYTES) == 0);
	check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
