/* SPDX-License-Identifier: MIT */
/*
 * signals_copy.c - see signals_copy.h.
 */
#include "signals_copy.h"
#include "world.h"

#include "store.h"

#include <string.h>
#include <sys/mman.h>

struct world *world; /* no runtime here */

__asm__(".globl originals, originals_end, at_ud2, at_int3, behind_int3, at_load, at_div, at_x87, behind_x87, at_spin\n"
        ".globl original_ud2, original_int3, original_load, original_div, original_x87, original_spin\n"
        ".text\n.balign 64\n"
        "originals:\n.cfi_startproc\n"
        "original_ud2: mov $1, %eax\nat_ud2: ud2\nadd $1, %eax\nret\n"
        "original_int3: mov $1, %eax\nat_int3: int3\nbehind_int3: add $1, %eax\nret\n"
        "original_load: xor %ecx, %ecx\nmov $1, %eax\nat_load: mov (%rcx), %rdx\nadd $1, %eax\nret\n"
        "original_div: xor %ecx, %ecx\nxor %edx, %edx\nmov $1, %eax\nat_div: div %rcx\nadd $1, %eax\nret\n"
        "original_x87: mov $1, %eax\nfldz\nfld1\nat_x87: fdivp\nbehind_x87: fwait\nadd $1, %eax\nret\n"
        "original_spin: mov $1, %eax\nat_spin: pause\ncmpl $0, (%rdi)\nje at_spin\nadd $1, %eax\nret\n"
        "original_owed: call 1f\nbehind_owed: add $1, %eax\nret\n1: mov $1, %eax\nat_owed: ud2\nret\n"
        ".cfi_endproc\n"
        "originals_end:\n");

__asm__(".globl at_owed, behind_owed, owed_start, owed_ud2, owed_store, owed_back, owed_end, owed_elsewhere\n"
        ".text\n.balign 16\n"
        "owed_start: mov $1, %eax\nowed_ud2: ud2\nmov $100, %eax\nret\n"
        "owed_elsewhere: mov %rsp, %rsi\nmov %rdi, %rsp\n"
        "owed_store: mov %rax, -16(%rsp)\nowed_back: mov %rsi, %rsp\nmov $7, %eax\nret\n"
        "owed_end:\n");
char *copy;
atomic_ulong n_withdrawn, shown_original;
bool fault_is_to_be_ours;
struct fault fault_seen;
enum status_cause withdrawn_cause;

size_t copy_size(void)
{
	return (uintptr_t)originals_end - (uintptr_t)originals;
}

static bool find_owed(u64 rip, struct store_hit *hit)
{
	static const struct ir_state state = { .rsp = -8, .n = 1 };
	static struct ir_pending pending = { .kind = PENDING_RETURN, .at = -8 };

	if (rip != (u64)owed_ud2 && rip != (u64)owed_store)
		return false;
	pending.value = (u64)behind_owed;
	*hit = (struct store_hit){ .origin = (u64)at_owed, .state = &state, .pendings = &pending };
	return true;
}

bool store_find(u64 rip, struct store_hit *hit)
{
	if (find_owed(rip, hit))
		return true;
	if (rip - (u64)copy >= copy_size())
		return false;
	*hit = (struct store_hit){ .origin = (u64)originals + (rip - (u64)copy) };
	return true;
}

bool store_origin(u64 rip, u64 *origin)
{
	struct store_hit hit;

	if (!store_find(rip, &hit))
		return false;
	*origin = hit.origin;
	return true;
}

bool host_active(void)
{
	return true;
}

void host_withdraw(enum status_cause cause)
{
	withdrawn_cause = cause;
	n_withdrawn++;
}

void host_show_original(u64 rip)
{
	shown_original = rip;
}

bool host_fault_is_ours(struct fault *fault)
{
	fault_seen = *fault;
	return fault_is_to_be_ours;
}

void make_copy(void)
{
	static const char add[] = { (char)0x83, (char)0xc0, 1 }; /* add $1, %eax */

	copy = mmap(NULL, copy_size(), PROT_READ | PROT_WRITE | PROT_EXEC,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(copy, originals, copy_size());
	for (size_t i = 0; i + sizeof(add) <= copy_size(); i++)
		if (memcmp(copy + i, add, sizeof(add)) == 0)
			copy[i + 2] = 100;
}

char *copied(const void *original)
{
	return copy + ((const char *)original - originals);
}

/* The copy has no type information in front, which UBSan would look at. */
__attribute__((no_sanitize("undefined"))) long call_with(const void *original,
                                                         volatile int *argument)
{
	return ((long (*)(volatile int *))(uintptr_t)copied(original))(argument);
}

long call(long (*original)(void))
{
	return call_with((const void *)(uintptr_t)original, NULL);
}
