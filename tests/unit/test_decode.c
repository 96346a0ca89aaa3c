/* SPDX-License-Identifier: MIT */
/*
 * test_decode.c - what decode.c says of single instructions, against rows worked out by hand from
 * the manual (decode_rows.def), and every way in which it refuses.
 *
 * A row's expectations are text, compared with the same text made of struct insn, so a
 * failure shows both. All instructions stand at ADDR.
 */
#include "decode.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define ADDR 0x1000u

static uint64_t scratch[1024];

struct row {
	const char *hex, *text;
	enum insn_role role;
	const char *use, *def, *full; /* registers; "*": all */
	const char *flags_use, *flags_def, *flags_undef; /* c p a z d s o */
	const char *flags; /* see flag_letters */
	const char *mem; /* r, w, size, f or g, [base+index*scale+disp] */
};
static const struct row rows[] = {
#define ROW(hex, text, role, use, def, full, flags_use, flags_def, flags_undef, flags, mem) \
	{ hex, text, ROLE_##role, use, def, full, flags_use, flags_def, flags_undef, flags, mem },
#include "decode_rows.def"
};

static const struct {
	char letter;
	u32 flag;
} flag_letters[] = {
	{ 'O', INSN_OPAQUE }, { 'L', INSN_LOAD },  { 'S', INSN_STORE }, { 'T', INSN_STACK },
	{ 'K', INSN_LOCKED }, { 'F', INSN_FENCE }, { 'R', INSN_REP },   { 'N', INSN_NOP },
	{ 'I', INSN_RIP },    { 'E', INSN_ENDBR }, { 'f', INSN_FLOAT }, { 'x', INSN_FAULTS },
};
static const char *const gpr_names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

static unsigned parse_hex(const char *hex, u8 *bytes)
{
	unsigned n = 0;

	while (n < 15 && sscanf(hex + 2 * n, "%2hhx", &bytes[n]) == 1)
		n++;
	return n;
}

static void add(char *out, const char *text)
{
	if (*out && text[0] != '[')
		strcat(out, " ");
	strcat(out, text);
}

static void add_numbered(char *out, char letter, u32 set)
{
	char name[8];

	for (unsigned i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), "%c%u", letter, i);
		if (set >> i & 1)
			add(out, name);
	}
}

static void set_text(const struct reg_set *set, char *out)
{
	*out = '\0';
	if (set->gpr == 0xffff && set->vec == 0xffffffff) {
		strcpy(out, "*");
		return;
	}
	if (set->vec == 0xffff)
		add(out, "low");
	else
		add_numbered(out, 'z', set->vec);
	add_numbered(out, 'k', set->mask);
	for (unsigned i = 0; i < 16; i++) {
		if (set->gpr >> i & 1)
			add(out, gpr_names[i]);
	}
	if (set->other & REGS_X87)
		add(out, "x87");
	if (set->other & REGS_MXCSR)
		add(out, "mx");
	if (set->other & REGS_FSGS)
		add(out, "fs");
	if (set->other & REGS_PKRU)
		add(out, "pkru");
}

/* Names of a set in any order. */
static bool same_names(const char *a, const char *b)
{
	char copy[256], *at = copy, *name;
	size_t length = 0;

	if (strlen(a) != strlen(b))
		return false;
	strcpy(copy, a);
	while ((name = strsep(&at, " "))) {
		const char *found = b;

		length = strlen(name);
		while ((found = strstr(found, name)) &&
		       ((found > b && found[-1] != ' ') || (found[length] && found[length] != ' ')))
			found++;
		if (!found)
			return false;
	}
	return true;
}

static void flags_text(u16 flags, char *out)
{
	static const char letters[] = "c p a zst do";

	for (unsigned i = 0; i < 12; i++) {
		if (flags >> i & 1)
			*out++ = letters[i];
	}
	*out = '\0';
}

static bool same_letters(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && strspn(a, b) == strlen(a);
}

static void insn_flags_text(u32 flags, char *out)
{
	for (unsigned i = 0; i < sizeof(flag_letters) / sizeof(flag_letters[0]); i++) {
		if (flags & flag_letters[i].flag)
			*out++ = flag_letters[i].letter;
	}
	*out = '\0';
}

static void mem_text(const struct insn *insn, char *out)
{
	*out = '\0';
	for (unsigned i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];
		bool rip = mem->base == MEM_NO_REG && (insn->flags & INSN_RIP);
		char text[96];
		int n;

		n = snprintf(text, sizeof(text), "%s%s%s%u%.*s[", mem->load ? "r" : "",
		             mem->store ? "w" : "", mem->load || mem->store ? "" : "-", mem->size,
		             mem->segment ? 1 : 0, (const char *)&mem->segment);
		if (mem->base != MEM_NO_REG)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s",
			              gpr_names[mem->base]);
		if (mem->index != MEM_NO_REG)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "+%s*%u",
			              gpr_names[mem->index], mem->scale);
		if (mem->disp)
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%+lld",
			              (long long)mem->disp);
		snprintf(text + n, sizeof(text) - (size_t)n, "]");
		add(out, text);
		if (rip)
			CU_ASSERT_EQUAL(insn->target, ADDR + insn->len + (u64)mem->disp);
	}
}

static bool check(const struct row *row, const char *what, bool same, const char *expected,
                  const char *got)
{
	if (!same)
		printf("\n  %s (%s): %s should be '%s', is '%s'", row->text, row->hex, what,
		       expected, got);
	CU_ASSERT_TRUE(same);
	return same;
}

static void check_names(const struct row *row, const char *what, const struct reg_set *set,
                        const char *expected)
{
	char text[256];

	set_text(set, text);
	check(row, what, same_names(text, expected), expected, text);
}

static void check_letters(const struct row *row, const char *what, u16 flags, const char *expected)
{
	char text[16];

	flags_text(flags, text);
	check(row, what, same_letters(text, expected), expected, text);
}

static void test_rows(void)
{
	char text[256];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct failure failure = { 0 };
		struct insn insn;
		u8 bytes[16];
		unsigned n = parse_hex(row->hex, bytes);
		enum status status = decode_insn(bytes, n, ADDR, scratch, &insn, &failure);

		if (!check(row, "status", status == STATUS_OK, "OK", status_name(status)))
			continue;
		CU_ASSERT_EQUAL(insn.len, n);
		CU_ASSERT_EQUAL(insn.addr, ADDR);
		snprintf(text, sizeof(text), "%d", insn.role);
		check(row, "role", insn.role == row->role, "the row's", text);
		check_names(row, "use", &insn.use, row->use);
		check_names(row, "def", &insn.def, row->def);
		check_names(row, "full", &insn.full, row->full);
		check_letters(row, "flags read", insn.flags_use, row->flags_use);
		check_letters(row, "flags written", insn.flags_def, row->flags_def);
		check_letters(row, "flags undefined", insn.flags_undef, row->flags_undef);
		insn_flags_text(insn.flags, text);
		check(row, "flags", same_letters(text, row->flags), row->flags, text);
		mem_text(&insn, text);
		check(row, "memory", !strcmp(text, row->mem), row->mem, text);
		if (strstr(row->text, "0x1010"))
			CU_ASSERT_EQUAL(insn.target, 0x1010);
	}
}

/* decode_brief() says the same in fewer words. */
static void test_brief(void)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct insn_brief brief;
		struct insn insn;
		u8 bytes[16];
		unsigned n = parse_hex(rows[i].hex, bytes);

		CU_ASSERT_EQUAL(decode_insn(bytes, n, ADDR, scratch, &insn, NULL), STATUS_OK);
		CU_ASSERT_EQUAL(decode_brief(bytes, n, ADDR, scratch, &brief, NULL), STATUS_OK);
		CU_ASSERT_EQUAL(brief.len, insn.len);
		CU_ASSERT_EQUAL(brief.role, insn.role);
		CU_ASSERT_EQUAL(brief.nop, !!(insn.flags & INSN_NOP));
		CU_ASSERT_EQUAL(brief.endbr, !!(insn.flags & INSN_ENDBR));
		CU_ASSERT_EQUAL(brief.target, insn.flags & INSN_RIP ? 0 : insn.target);
	}
}

static const struct refusal {
	const char *hex, *text;
	enum status status, brief;
} refusals[] = {
#define REFUSED(hex, text, status, brief) { hex, text, STATUS_##status, STATUS_##brief },
#include "decode_rows.def"
};

static void test_refusals(void)
{
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *row = &refusals[i];
		struct failure failure = { 0 };
		struct insn_brief brief = { 0 };
		struct insn insn, before;
		u8 bytes[16];
		unsigned n = parse_hex(row->hex, bytes);
		enum status status;

		memset(&insn, 0xa5, sizeof(insn));
		before = insn;
		status = decode_insn(bytes, n, ADDR, scratch, &insn, &failure);
		if (status != row->status)
			printf("\n  %s (%s): should be %s, is %s", row->text, row->hex,
			       status_name(row->status), status_name(status));
		CU_ASSERT_EQUAL(status, row->status);
		CU_ASSERT_EQUAL(failure.status, row->status);
		CU_ASSERT_EQUAL(failure.addr, ADDR);
		CU_ASSERT_FALSE(memcmp(&insn, &before, sizeof(insn)));
		CU_ASSERT_EQUAL(decode_brief(bytes, n, ADDR, scratch, &brief, NULL), row->brief);
		CU_ASSERT_EQUAL(brief.len, row->brief ? 0 : n);
	}
}

/* Where address fields and opcodes stand; the encoder relies on it. */
static void test_offsets(void)
{
	static const struct {
		const char *hex;
		u8 opcode_at, rip_at;
	} places[] = {
		{ "488b0510000000", 1, 3 }, /* mov rax, [rip+16] */
		{ "f20f100d10000000", 1, 4 }, /* movsd xmm1, [rip+16] */
		{ "c5fb100d10000000", 2, 4 }, /* vmovsd xmm1, [rip+16] */
		{ "c4e27d180d10000000", 3, 5 }, /* vbroadcastss ymm1, [rip+16] */
		{ "62f17c48100d10000000", 4, 6 }, /* vmovups zmm1, [rip+16] */
		{ "c7051000000007000000", 0, 2 }, /* mov dword ptr [rip+16], 7 */
		{ "ff2510000000", 0, 2 }, /* jmp [rip+16] */
		{ "660f1f8400000000", 1, 0 }, /* nop */
		{ "3ee90b000000", 1, 0 }, /* ds jmp */
	};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct insn insn = { 0 };
		u8 bytes[16];
		unsigned n = parse_hex(places[i].hex, bytes);

		if (n == 8 && !places[i].rip_at)
			bytes[n++] = 0;
		CU_ASSERT_EQUAL(decode_insn(bytes, n, ADDR, scratch, &insn, NULL), STATUS_OK);
		CU_ASSERT_EQUAL(insn.opcode_at, places[i].opcode_at);
		CU_ASSERT_EQUAL(insn.rip_at, places[i].rip_at);
		if (places[i].rip_at)
			CU_ASSERT_EQUAL(insn.target, ADDR + n + 16);
	}
}

/* Condition codes are those of the encoding, in both lengths. */
static void test_conditions(void)
{
	for (u8 cc = 0; cc < 16; cc++) {
		u8 shorter[] = { 0x70 | cc, 0xfe },
		   longer[] = { 0x0f, 0x80 | cc, 0xfa, 0xff, 0xff, 0xff };
		struct insn insn = { 0 };

		CU_ASSERT_EQUAL(decode_insn(shorter, sizeof(shorter), ADDR, scratch, &insn, NULL),
		                STATUS_OK);
		CU_ASSERT_EQUAL(insn.cc, cc);
		CU_ASSERT_EQUAL(insn.target, ADDR);
		CU_ASSERT_EQUAL(decode_insn(longer, sizeof(longer), ADDR, scratch, &insn, NULL),
		                STATUS_OK);
		CU_ASSERT_EQUAL(insn.cc, cc);
		CU_ASSERT_EQUAL(insn.target, ADDR);
	}
}

static void test_names(void)
{
	struct insn insn;
	const u8 add[] = { 0x01, 0xd8 };

	CU_ASSERT_EQUAL(decode_insn(add, sizeof(add), ADDR, scratch, &insn, NULL), STATUS_OK);
	CU_ASSERT_STRING_EQUAL(insn_mnemonic(insn.mnemonic), "add");
	CU_ASSERT_STRING_EQUAL(insn_mnemonic(0xffff), "unknown");
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "rows worked out by hand", test_rows },
		{ "the brief form agrees", test_brief },
		{ "refusals", test_refusals },
		{ "offsets of opcode and displacement", test_offsets },
		{ "condition codes", test_conditions },
		{ "names", test_names },
	};

	if (decode_scratch_size() > sizeof(scratch))
		return 1;
	return UNIT_RUN("decode", tests);
}
