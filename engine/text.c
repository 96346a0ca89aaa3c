/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * text.c - what a finished struct text answers: bytes, instructions, sites.
 *
 * Everything is read from marks and the file's bytes; nothing here changes them.
 */
#include "text_private.h"

const u8 *text_bytes(const struct text *text, u64 addr, u64 *size)
{
	const struct elf_view *view = text->view;
	u32 i;

	for (i = 0; i < view->n_loads; i++) {
		const struct elf_span *span = &view->loads[i];

		if (addr < span->addr || addr - span->addr >= span->size)
			continue;
		if (!(span->flags & ELF_VIEW_X) || !span->bytes)
			return NULL;
		*size = span->size - (addr - span->addr);
		return span->bytes + (addr - span->addr);
	}
	return NULL;
}

enum status text_insn(const struct text *text, u64 addr, void *scratch, struct insn *out,
                      struct failure *fail)
{
	u16 marks = text_marks(text, addr);
	const u8 *bytes;
	u64 size;

	if (!(marks & TEXT_INSN))
		return failed(fail, STATUS_TEXT_UNPROVEN, addr, 0);
	if (marks & TEXT_NO_TRANSLATE)
		return failed(fail, STATUS_TEXT_FORBIDDEN, addr, marks);
	bytes = text_bytes(text, addr, &size);
	return decode_insn(bytes, size, addr, scratch, out, fail);
}

enum status text_brief(const struct text *text, u64 addr, void *scratch, struct insn_brief *out,
                       struct failure *fail)
{
	const u8 *bytes;
	u64 size;

	if (!(text_marks(text, addr) & TEXT_INSN))
		return failed(fail, STATUS_TEXT_UNPROVEN, addr, 0);
	bytes = text_bytes(text, addr, &size);
	if (size >= INSN_MAX_LEN && text_quick_brief(bytes, addr, out))
		return STATUS_OK;
	return decode_brief(bytes, size, addr, scratch, out, fail);
}

#define LOCK 0xf0
/* Shorter instructions cannot hold a jump. */
#define SITE_LEN_MIN JMP_REL8_LEN

/* May the instruction at addr be overwritten by a jump, as far as the marks tell? */
static enum status site_marks(const struct text *text, u64 addr, struct failure *fail)
{
	u16 marks = text_marks(text, addr);

	if (!(marks & TEXT_INSN) || !(marks & TEXT_REACHED))
		return failed(fail, STATUS_TEXT_UNPROVEN, addr, 0);
	if (marks & (TEXT_NO_PATCH | TEXT_NO_TRANSLATE))
		return failed(fail, STATUS_TEXT_FORBIDDEN, addr, marks);
	return STATUS_OK;
}

static enum status site_inside(const struct text *text, u64 addr, u32 len, struct failure *fail)
{
	u64 size;
	const u8 *before = text_bytes(text, addr - 1, &size);
	u32 i;

	/* The same with a lock prefix begins one byte before. */
	if ((text_marks(text, addr - 1) & TEXT_INSN) && before && *before == LOCK)
		return failed(fail, STATUS_SITE_INTERIOR, addr, addr - 1);
	for (i = 1; i < len; i++) {
		u16 marks = text_marks(text, addr + i);

		if (marks & (TEXT_INTERIOR | TEXT_INSN))
			return failed(fail, STATUS_SITE_INTERIOR, addr, addr + i);
		if (marks & TEXT_NO_PATCH)
			return failed(fail, STATUS_TEXT_FORBIDDEN, addr, marks);
	}
	return STATUS_OK;
}

/* Does a slot lie in the instruction's bytes? NOPs of eight bytes can hold one; it would be written, too. */
static bool holds_slot(const struct text *text, u64 addr, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++) {
		if (text_marks(text, addr + i) & TEXT_FREE)
			return true;
	}
	return false;
}

/* Why this instruction is passed over; STATUS_OK: it is the site. */
static enum status site_passed(const struct text *text, u64 addr, const struct insn_brief *insn)
{
	if (text_marks(text, addr) & TEXT_FUNCTION)
		return STATUS_SITE_FUNCTION;
	if (insn->endbr)
		return STATUS_SITE_ENDBR;
	if (insn->len < SITE_LEN_MIN)
		return STATUS_SITE_SHORT;
	return holds_slot(text, addr, insn->len) ? STATUS_SITE_TAKEN : STATUS_OK;
}

static bool ends_block(u8 role)
{
	return role == ROLE_JMP || role == ROLE_JCC || role == ROLE_COUNT ||
	       role == ROLE_JMP_INDIRECT || role == ROLE_RET;
}

static enum status site_role(u8 role, u64 addr, struct failure *fail)
{
	if (role == ROLE_CALL || role == ROLE_CALL_INDIRECT)
		return failed(fail, STATUS_SITE_CALL, addr, 0);
	if (role == ROLE_SYSCALL || role == ROLE_TRAP || role == ROLE_SYSTEM)
		return failed(fail, STATUS_SITE_SYSTEM, addr, 0);
	return STATUS_OK;
}

enum status text_site(const struct text *text, u64 head, void *scratch, u64 *site, u32 *len,
                      struct failure *fail)
{
	struct insn_brief insn;
	enum status status, passed;
	u64 addr = head;

	for (;;) {
		status = site_marks(text, addr, fail);
		if (status)
			return status;
		status = text_brief(text, addr, scratch, &insn, fail);
		if (status == STATUS_OK)
			status = site_role(insn.role, addr, fail);
		if (status)
			return status;
		passed = site_passed(text, addr, &insn);
		if (passed == STATUS_OK)
			break;
		/* What comes next must belong to the same block. */
		if (ends_block(insn.role) || (text_marks(text, addr + insn.len) &
		                              (TEXT_TARGET | TEXT_FUNCTION | TEXT_RETURN)))
			return failed(fail, passed, addr, insn.len);
		addr += insn.len;
	}
	status = site_inside(text, addr, insn.len, fail);
	if (status)
		return status;
	*site = addr;
	*len = insn.len;
	return STATUS_OK;
}

enum status text_call(const struct text *text, u64 addr, void *scratch, u64 *target,
                      struct failure *fail)
{
	struct insn_brief insn;
	enum status status = site_marks(text, addr, fail);

	if (!status)
		status = text_brief(text, addr, scratch, &insn, fail);
	if (status)
		return status;
	if (insn.role != ROLE_CALL || insn.len != CALL_REL32_LEN)
		return failed(fail, STATUS_SITE_CALL, addr, insn.role);
	status = site_inside(text, addr, insn.len, fail);
	if (!status)
		*target = insn.target;
	return status;
}
