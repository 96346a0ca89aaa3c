// SPDX-License-Identifier: MIT
// Code made by the program itself: in RWX memory that is rewritten all the time, in
// memory that is writable and executable in turns, behind two mappings of one file, and
// calls from there into hot functions and back.
#include "t.h"
#include <sys/mman.h>

typedef uint64_t (*function)(uint64_t);

/* mov rax, imm64; add rax, rdi; ret */
static void emit_add(unsigned char *p, uint64_t value)
{
	memcpy(p, "\x48\xb8", 2);
	memcpy(p + 2, &value, 8);
	memcpy(p + 10, "\x48\x01\xf8\xc3", 4);
}

/* sub rsp, 8; mov rax, imm64; call rax; add rsp, 8; ret */
static void emit_call(unsigned char *p, function f)
{
	memcpy(p, "\x48\x83\xec\x08\x48\xb8", 6);
	memcpy(p + 6, &f, 8);
	memcpy(p + 14, "\xff\xd0\x48\x83\xc4\x08\xc3", 7);
}

static T_NOINLINE uint64_t hot_target(uint64_t x)
{
	for (unsigned i = 0; i < 8; i++)
		x = t_switch(x, (unsigned)(x >> 2) & 7);
	return x;
}

static function as_function(void *p)
{
	function f;

	memcpy(&f, &p, sizeof(f));
	return f;
}

int main(void)
{
	unsigned char *rwx = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC,
	                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *turns =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *writable, *executable;
	uint64_t sum = t_hot(50);
	int fd = memfd_create("jit", MFD_CLOEXEC);

	CHECK(rwx != MAP_FAILED && turns != MAP_FAILED && fd >= 0 && !ftruncate(fd, 4096));
	writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	executable = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	CHECK(writable != MAP_FAILED && executable != MAP_FAILED);
	for (uint64_t i = 0; i < 20000; i++) {
		emit_add(rwx, i);
		CHECK(as_function(rwx)(5) == i + 5);
		emit_call(rwx + 4090, hot_target); /* over the page border */
		CHECK(as_function(rwx + 4090)(i) == hot_target(i));
		if (i % 16)
			continue;
		emit_add(writable, i * 3);
		CHECK(as_function(executable)(7) == i * 3 + 7);
		CHECK(!mprotect(turns, 4096, PROT_READ | PROT_WRITE));
		emit_call(turns, hot_target);
		CHECK(!mprotect(turns, 4096, PROT_READ | PROT_EXEC));
		sum = t_mix(sum, as_function(turns)(i));
	}
	/* The same place: unmapped, mapped again, other code. */
	for (uint64_t i = 0; i < 500; i++) {
		void *again;

		CHECK(!munmap(turns, 4096));
		again = mmap(turns, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(again == turns);
		emit_add(turns, i);
		CHECK(as_function(turns)(i) == 2 * i);
	}
	return t_ok(sum);
}
