/* SPDX-License-Identifier: MIT */
/*
 * loader.c - a jump at _dl_debug_state.
 *
 * The loader calls that empty function, with its locks held, before and after it changes what is mapped: a
 * library is there but not yet relocated and none of it has run, or it is about to go. The function
 * is one `ret`, followed by padding up to 16 bytes; the jump takes the place of the `ret` and of four bytes of padding, which
 * nobody ever executed: so a thread about to execute the `ret` sees either.
 */
#include "loader.h"

#include "agent.h"
#include "gate.h"
#include "jump.h"
#include "modules.h"
#include "sys.h"

#include <elf.h>
#include <link.h>

/* Called by dynopt_loader_entry() in a thread of the program. */
static void __attribute__((used)) loader_event(void)
{
	if (_r_debug.r_state == RT_CONSISTENT)
		agent_ask(REQUEST_MODULES, STATUS_CAUSE_NONE, modules_read);
	else if (_r_debug.r_state == RT_DELETE)
		agent_pause();
}

/* An ordinary function for its caller; keeps every integer register all the same. */
__asm__(".pushsection .text\n"
        ".type dynopt_loader_entry, @function\n"
        "dynopt_loader_entry:\n"
        ".cfi_startproc\n"
        "push %rax; .cfi_adjust_cfa_offset 8\n"
        "push %rcx; .cfi_adjust_cfa_offset 8\n"
        "push %rdx; .cfi_adjust_cfa_offset 8\n"
        "push %rsi; .cfi_adjust_cfa_offset 8\n"
        "push %rdi; .cfi_adjust_cfa_offset 8\n"
        "push %r8; .cfi_adjust_cfa_offset 8\n"
        "push %r9; .cfi_adjust_cfa_offset 8\n"
        "push %r10; .cfi_adjust_cfa_offset 8\n"
        "push %r11; .cfi_adjust_cfa_offset 8\n"
        "call loader_event\n"
        "pop %r11; .cfi_adjust_cfa_offset -8\n"
        "pop %r10; .cfi_adjust_cfa_offset -8\n"
        "pop %r9; .cfi_adjust_cfa_offset -8\n"
        "pop %r8; .cfi_adjust_cfa_offset -8\n"
        "pop %rdi; .cfi_adjust_cfa_offset -8\n"
        "pop %rsi; .cfi_adjust_cfa_offset -8\n"
        "pop %rdx; .cfi_adjust_cfa_offset -8\n"
        "pop %rcx; .cfi_adjust_cfa_offset -8\n"
        "pop %rax; .cfi_adjust_cfa_offset -8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size dynopt_loader_entry, . - dynopt_loader_entry\n"
        ".popsection\n");
extern const char dynopt_loader_entry[] __attribute__((visibility("hidden")));

/* Is it `ret` and then nothing but padding to the next 16 bytes, at least four bytes of it? */
static bool as_expected(const u8 *at)
{
	static const u8 nops[][11] = {
		{ 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84 },
		{ 0x66, 0x2e, 0x0f, 0x1f, 0x84 },
		{ 0x2e, 0x0f, 0x1f, 0x84 },
		{ 0x0f, 0x1f, 0x84 },
		{ 0x0f, 0x1f, 0x80 },
		{ 0x0f, 0x1f, 0x44 },
		{ 0x0f, 0x1f, 0x40 },
		{ 0xcc, 0xcc, 0xcc, 0xcc },
		{ 0x90, 0x90, 0x90, 0x90 },
	};
	static const u8 lengths[] = { 6, 5, 4, 3, 3, 3, 3, 4, 4 };

	if (at[0] != 0xc3 || (((uintptr_t)at & 15) > 11))
		return false;
	for (u32 i = 0; i < sizeof(lengths); i++)
		if (memcmp(at + 1, nops[i], lengths[i]) == 0)
			return true;
	return false;
}

/* The loader's own file, and where in it the page of `site` is. -1 if that cannot be told. */
static int open_loader(u64 site, u64 *offset)
{
	const struct link_map *map = _r_debug.r_map;
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)(uintptr_t)_r_debug.r_ldbase;
	const Elf64_Phdr *load = (const void *)((const u8 *)header + header->e_phoff);
	u64 at = page_down(site) - _r_debug.r_ldbase;
	long fd;

	while (map && map->l_addr != _r_debug.r_ldbase)
		map = map->l_next;
	for (u32 i = 0; map && i < header->e_phnum; i++) {
		if (load[i].p_type != PT_LOAD || at < page_down(load[i].p_vaddr) ||
		    at >= load[i].p_vaddr + load[i].p_filesz)
			continue;
		*offset = at - load[i].p_vaddr + load[i].p_offset;
		fd = sys_open(map->l_name, 0, 0);
		return sys_failed(fd) ? -1 : (int)fd;
	}
	return -1;
}

void loader_hook(void)
{
	u64 site = _r_debug.r_brk, entry = (u64)(uintptr_t)dynopt_loader_entry;
	u64 distance = entry - (site + 5), offset = 0;
	struct gate gate;
	long result;
	int fd;

	world->cause = STATUS_CAUSE_LOADER;
	if (!site || !as_expected((const u8 *)(uintptr_t)site) ||
	    distance + 0x80000000u >= 0x100000000u)
		return;
	fd = open_loader(site, &offset);
	if (fd < 0)
		return;
	result = gate_open(&gate, page_down(site), PAGE_SIZE, fd, offset);
	if (!sys_failed(result)) {
		jump32(gate_at(&gate, site), site, entry);
		result = gate_publish(&gate);
	}
	sys_close(fd);
	world->cause = sys_failed(result) ? STATUS_CAUSE_GATE : STATUS_CAUSE_NONE;
}
