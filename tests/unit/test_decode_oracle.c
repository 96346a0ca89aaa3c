/* SPDX-License-Identifier: MIT */
/*
 * test_decode_oracle.c - decode.c's definitions and uses against the processor.
 *
 * Every encoding that the decoder accepts as modelled, with registers or with memory, is executed
 * on a random state. What it is said not to write must keep its value; then each thing it is said
 * not to read is changed alone and nothing it writes may differ. Undefined flags are left out.
 * What it is said to write or read without doing so is not found: that errs on the safe side.
 *
 *     test_decode_oracle [--seed N] [--share N] [--bytes HEX]
 *
 * --share N executes one encoding in N (default 16), --bytes one instruction alone.
 */
#include "decode.h"
#include "oracle_forms.h"
#include "oracle_machine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MNEMONICS 4096
#define FAILURES_SHOWN 20
#define STATES 3 /* for each encoding */
#define MEM_FIRST 1024 /* operands lie this far apart in oracle_mem */
#define FX_XMM 160
#define FX_ST 32
#define FX_ST_SIZE 128
#define RSP 4
#define FX_WORDS 5 /* control, status and tag word */
#define FX_MXCSR 24
#define MXCSR_MASKED 0x1f80u
#define MXCSR_FREE 0xe07fu /* rounding, flush, denormals, sticky flags */
#define FLAGS_FIXED 0x202u
#define ALL_FLAGS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_DF | FLAG_OF)

enum kind { KIND_GPR, KIND_VEC, KIND_MASK, KIND_FLAG, KIND_MXCSR, KIND_X87, KIND_MEM, KINDS };
static const struct {
	const char *name;
	unsigned n;
} kinds[KINDS] = {
	[KIND_GPR] = { "gpr", 16 },   [KIND_VEC] = { "vec", 32 },    [KIND_MASK] = { "k", 8 },
	[KIND_FLAG] = { "flag", 12 }, [KIND_MXCSR] = { "mxcsr", 1 }, [KIND_X87] = { "x87", 1 },
	[KIND_MEM] = { "memory", 1 },
};

/* All that an instruction can see. */
struct world {
	struct oracle_state state;
	uint8_t mem[ORACLE_MEM_SIZE];
};

static struct {
	bool wide;
	uint64_t seed, state_seed;
	unsigned long tested, runs, faulted, failures;
	bool seen[MNEMONICS], failed[MNEMONICS];
} oracle;

static uint64_t next_random(void)
{
	return oracle_random(&oracle.state_seed);
}

static void fill_random(void *at, size_t size)
{
	uint8_t *p = at;

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)next_random();
}

/* ---- what decode says ---- */

static bool in_set(const struct reg_set *set, enum kind kind, unsigned i)
{
	switch (kind) {
	case KIND_GPR:
		return set->gpr >> i & 1;
	case KIND_VEC:
		return set->vec >> i & 1;
	case KIND_MASK:
		return set->mask >> i & 1;
	case KIND_MXCSR:
		return set->other & REGS_MXCSR;
	case KIND_X87:
		return set->other & REGS_X87;
	default:
		return false;
	}
}

static bool uses(const struct insn *insn, enum kind kind, unsigned i)
{
	if (kind == KIND_FLAG)
		return insn->flags_use >> i & 1;
	return in_set(&insn->use, kind, i);
}

static bool defines(const struct insn *insn, enum kind kind, unsigned i)
{
	if (kind == KIND_FLAG)
		return insn->flags_def >> i & 1;
	if (kind == KIND_MEM)
		return insn->flags & INSN_STORE;
	return in_set(&insn->def, kind, i);
}

static uint64_t address(const struct insn_mem *mem, const struct oracle_state *state)
{
	uint64_t at = (uint64_t)mem->disp;

	if (mem->base != MEM_NO_REG)
		at += state->gpr[mem->base];
	if (mem->index != MEM_NO_REG)
		at += state->gpr[mem->index] * mem->scale;
	return at - (uint64_t)(uintptr_t)oracle_mem;
}

/* Marks the bytes that operands read or write; false if an operand does not say which. */
static bool mark_bytes(const struct insn *insn, const struct oracle_state *state, bool store,
                       bool marks[ORACLE_MEM_SIZE])
{
	memset(marks, 0, ORACLE_MEM_SIZE);
	for (unsigned i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];
		uint64_t at = address(mem, state);

		if (!(store ? mem->store : mem->load))
			continue;
		if (!mem->size || at > ORACLE_MEM_SIZE - mem->size)
			return false;
		memset(marks + at, true, mem->size);
	}
	return true;
}

/* ---- states ---- */

static void random_vector(uint8_t vec[ORACLE_VEC_SIZE])
{
	uint64_t way = next_random() % 4;
	float f = (float)(int64_t)next_random() / 1e15f;
	double d = (double)(int64_t)next_random() / 1e15;

	fill_random(vec, ORACLE_VEC_SIZE);
	for (unsigned i = 0; way == 1 && i < ORACLE_VEC_SIZE; i += sizeof(f))
		memcpy(vec + i, &f, sizeof(f));
	for (unsigned i = 0; way == 2 && i < ORACLE_VEC_SIZE; i += sizeof(d))
		memcpy(vec + i, &d, sizeof(d));
}

/* Zero and small numbers are where bit scans, shifts and divisions do something else. */
static uint64_t random_gpr(void)
{
	uint64_t value = next_random();

	switch (value >> 60 & 7) {
	case 0:
		return 0;
	case 1:
		return value & 0x3f;
	default:
		return value;
	}
}

static void random_x87(uint8_t fx[ORACLE_FX_SIZE])
{
	const uint16_t control = 0x37f;
	uint16_t status = next_random() & 0x7f00;

	memcpy(fx, &control, sizeof(control));
	memcpy(fx + 2, &status, sizeof(status));
	fx[4] = (uint8_t)next_random();
	for (unsigned i = 0; i < 8; i++)
		fill_random(fx + FX_ST + 16 * i, 10);
}

static void random_world(struct world *world)
{
	const uint32_t mxcsr = MXCSR_MASKED;

	memset(world, 0, sizeof(*world));
	for (unsigned i = 0; i < ORACLE_GPRS; i++)
		world->state.gpr[i] = random_gpr();
	world->state.gpr[RSP] = oracle_rsp(world->state.gpr[RSP]);
	for (unsigned i = 0; i < ORACLE_MASKS; i++)
		world->state.mask[i] = next_random();
	for (unsigned i = 0; i < ORACLE_VECS; i++)
		random_vector(world->state.vec[i]);
	random_x87(world->state.fx);
	memcpy(world->state.fx + FX_MXCSR, &mxcsr, sizeof(mxcsr));
	world->state.flags = FLAGS_FIXED | (next_random() & ALL_FLAGS);
	world->state.mxcsr = MXCSR_MASKED | (next_random() & MXCSR_FREE);
	fill_random(world->mem, sizeof(world->mem));
}

/*
 * An operand that its address does not place, by a bit offset or a vector of indices: keep it
 * near.
 */
static void keep_near(struct oracle_state *state)
{
	for (unsigned i = 0; i < ORACLE_GPRS; i++)
		state->gpr[i] &= 0xff;
	for (unsigned i = 0; i < ORACLE_VECS; i++) {
		for (unsigned b = 0; b < ORACLE_VEC_SIZE; b++)
			state->vec[i][b] &= b % 8 ? 0 : 0x3f;
	}
}

/* Points the operands' registers into oracle_mem; false if that cannot be done. */
static bool place_operands(const struct insn *insn, struct oracle_state *state)
{
	if (insn->n_mem && !insn->mem[0].size && !(insn->flags & INSN_REP) &&
	    (insn->mem[0].load || insn->mem[0].store))
		keep_near(state);
	for (unsigned i = 0; i < insn->n_mem; i++) {
		const struct insn_mem *mem = &insn->mem[i];

		if (mem->base == MEM_NO_REG || mem->segment || mem->base == mem->index)
			return false;
		if (mem->index != MEM_NO_REG)
			state->gpr[mem->index] = next_random() % 2 ? next_random() % 32 : 0;
	}
	for (unsigned i = 0; i < insn->n_mem; i++)
		state->gpr[insn->mem[i].base] =
			(uint64_t)(uintptr_t)(oracle_mem + MEM_FIRST * (i + 1));
	if (insn->flags & INSN_REP)
		state->gpr[1] = next_random() % 9;
	return true;
}

/* Executes; `out` is the world afterwards. */
static int run(const struct world *in, struct world *out)
{
	int signal;

	oracle_in = in->state;
	for (unsigned i = 0; !oracle.wide && i < 16; i++)
		memcpy(oracle_in.fx + FX_XMM + 16 * i, in->state.vec[i], 16);
	memcpy(oracle_mem, in->mem, ORACLE_MEM_SIZE);
	oracle.runs++;
	signal = oracle_run();
	out->state = oracle_out;
	memcpy(out->mem, oracle_mem, ORACLE_MEM_SIZE);
	if (oracle.wide)
		return signal;
	memcpy(out->state.vec, in->state.vec, sizeof(out->state.vec));
	memcpy(out->state.mask, in->state.mask, sizeof(out->state.mask));
	for (unsigned i = 0; i < 16; i++)
		memcpy(out->state.vec[i], oracle_out.fx + FX_XMM + 16 * i, 16);
	return signal;
}

static void change(struct oracle_state *state, enum kind kind, unsigned i)
{
	switch (kind) {
	case KIND_GPR:
		state->gpr[i] ^= random_gpr() | 1;
		if (i == RSP)
			state->gpr[i] = oracle_rsp(state->gpr[i]);
		break;
	case KIND_VEC:
		random_vector(state->vec[i]);
		break;
	case KIND_MASK:
		state->mask[i] = next_random();
		break;
	case KIND_FLAG:
		state->flags ^= 1u << i;
		break;
	case KIND_MXCSR:
		state->mxcsr ^= (next_random() & MXCSR_FREE) | 0x2000;
		break;
	case KIND_X87:
		random_x87(state->fx);
		break;
	default:
		break;
	}
}

static bool equal(const struct oracle_state *a, const struct oracle_state *b, enum kind kind,
                  unsigned i)
{
	switch (kind) {
	case KIND_GPR:
		return a->gpr[i] == b->gpr[i];
	case KIND_VEC:
		return !memcmp(a->vec[i], b->vec[i], ORACLE_VEC_SIZE);
	case KIND_MASK:
		return a->mask[i] == b->mask[i];
	case KIND_FLAG:
		return (a->flags >> i & 1) == (b->flags >> i & 1);
	case KIND_MXCSR:
		return a->mxcsr == b->mxcsr;
	case KIND_X87:
		return !memcmp(a->fx, b->fx, FX_WORDS) &&
		       !memcmp(a->fx + FX_ST, b->fx + FX_ST, FX_ST_SIZE);
	default:
		return true;
	}
}

/* ---- checks ---- */

static void fail(const struct insn *insn, const char *what, enum kind kind, unsigned i)
{
	oracle.failures++;
	if (oracle.failed[insn->mnemonic % MNEMONICS])
		return;
	oracle.failed[insn->mnemonic % MNEMONICS] = true;
	if (oracle.failures > FAILURES_SHOWN * 100)
		return;
	printf("%s: %s %s %u; repeat: test_decode_oracle --seed %llu --bytes ",
	       insn_mnemonic(insn->mnemonic), what, kinds[kind].name, i,
	       (unsigned long long)oracle.seed);
	for (unsigned b = 0; b < insn->len; b++)
		printf("%02x", insn->bytes[b]);
	printf("\n");
}

static bool is_flag(unsigned i)
{
	return ALL_FLAGS >> i & 1;
}

static bool is_undefined(const struct insn *insn, enum kind kind, unsigned i)
{
	return kind == KIND_FLAG && (!is_flag(i) || (insn->flags_undef >> i & 1));
}

static void check_sets(const struct insn *insn)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (unsigned i = 0; i < kinds[kind].n; i++) {
			if (kind == KIND_FLAG || kind == KIND_MEM)
				continue;
			if (in_set(&insn->full, kind, i) && !defines(insn, kind, i))
				fail(insn, "in full but not in def", kind, i);
			if (defines(insn, kind, i) && !in_set(&insn->full, kind, i) &&
			    !uses(insn, kind, i))
				fail(insn, "partly written but not in use", kind, i);
		}
	}
	if (insn->flags_undef & ~insn->flags_def)
		fail(insn, "undefined but not in def", KIND_FLAG, 0);
}

static void check_kept(const struct insn *insn, const struct world *in, const struct world *out)
{
	static bool stored[ORACLE_MEM_SIZE];

	for (enum kind kind = 0; kind < KIND_MEM; kind++) {
		for (unsigned i = 0; i < kinds[kind].n; i++) {
			if (!defines(insn, kind, i) && !equal(&in->state, &out->state, kind, i) &&
			    (kind != KIND_FLAG || is_flag(i)))
				fail(insn, "writes", kind, i);
		}
	}
	if (!mark_bytes(insn, &in->state, true, stored))
		return;
	for (unsigned i = 0; i < ORACLE_MEM_SIZE; i++) {
		if (!stored[i] && in->mem[i] != out->mem[i]) {
			fail(insn, "writes", KIND_MEM, i);
			return;
		}
	}
}

/* `out` and `other` came of worlds that differ in (changed, at) only. */
static void check_same(const struct insn *insn, const struct world *out, const struct world *other,
                       enum kind changed, unsigned at)
{
	for (enum kind kind = 0; kind < KIND_MEM; kind++) {
		for (unsigned i = 0; i < kinds[kind].n; i++) {
			if (is_undefined(insn, kind, i) ||
			    (kind == changed && i == at && !defines(insn, kind, i)))
				continue;
			if (!equal(&out->state, &other->state, kind, i)) {
				fail(insn, "reads", changed, at);
				return;
			}
		}
	}
	if (changed != KIND_MEM && memcmp(out->mem, other->mem, sizeof(out->mem)))
		fail(insn, "reads", changed, at);
}

static void check_unread_memory(const struct insn *insn, const struct world *in,
                                const struct world *out)
{
	static bool loaded[ORACLE_MEM_SIZE];
	static struct world changed, other;

	if (!insn->n_mem || !mark_bytes(insn, &in->state, false, loaded))
		return;
	changed = *in;
	for (unsigned i = 0; i < ORACLE_MEM_SIZE; i++)
		changed.mem[i] = loaded[i] ? in->mem[i] : (uint8_t)next_random();
	if (!run(&changed, &other))
		check_same(insn, out, &other, KIND_MEM, 0);
}

static void check_unread(const struct insn *insn, const struct world *in, const struct world *out)
{
	static struct world changed, other;

	for (enum kind kind = 0; kind < KIND_MEM; kind++) {
		for (unsigned i = 0; i < kinds[kind].n; i++) {
			if (uses(insn, kind, i) || (kind == KIND_FLAG && !is_flag(i)) ||
			    (!oracle.wide && (kind == KIND_MASK || (kind == KIND_VEC && i > 15))))
				continue;
			changed = *in;
			change(&changed.state, kind, i);
			if (run(&changed, &other))
				fail(insn, "faults because of", kind, i);
			else
				check_same(insn, out, &other, kind, i);
		}
	}
	check_unread_memory(insn, in, out);
}

static bool testable(const struct insn *insn)
{
	return insn->role == ROLE_PLAIN && !(insn->flags & (INSN_OPAQUE | INSN_RIP)) &&
	       (oracle.wide || (insn->bytes[insn->opcode_at] != 0xc4 && insn->bytes[0] != 0xc4 &&
	                        insn->bytes[0] != 0x62 && insn->bytes[0] != 0xc5));
}

static void test_insn(const struct insn *insn)
{
	static struct world in, out;

	check_sets(insn);
	random_world(&in);
	if (!place_operands(insn, &in.state))
		return;
	oracle_set_insn(insn->bytes, insn->len);
	if (run(&in, &out)) {
		oracle.faulted++;
		return;
	}
	oracle.tested++;
	oracle.seen[insn->mnemonic % MNEMONICS] = true;
	check_kept(insn, &in, &out);
	check_unread(insn, &in, &out);
}

static void test_form(const uint8_t *bytes, unsigned size)
{
	static uint64_t scratch[1024];
	struct failure failure;
	struct insn insn;

	if (decode_scratch_size() > sizeof(scratch))
		abort();
	if (decode_insn(bytes, size, 0, scratch, &insn, &failure) != STATUS_OK || !testable(&insn))
		return;
	for (unsigned i = 0; i < STATES; i++)
		test_insn(&insn);
}

static void test_hex(const char *hex)
{
	uint8_t bytes[FORM_SIZE];
	unsigned n = 0;

	for (; n < FORM_SIZE && sscanf(hex + 2 * n, "%2hhx", &bytes[n]) == 1; n++)
		;
	for (unsigned i = 0; i < 1000; i++)
		test_form(bytes, n);
}

static void test_all(unsigned long share)
{
	uint32_t n = oracle_n_forms(!oracle.wide);
	uint64_t seed = oracle.seed;
	uint8_t bytes[FORM_SIZE];

	for (uint32_t i = 0; i < n; i++) {
		if (oracle_random(&seed) % share)
			continue;
		oracle_form(i, &seed, bytes);
		test_form(bytes, FORM_SIZE);
	}
}

static unsigned n_mnemonics(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MNEMONICS; i++)
		n += oracle.seen[i];
	return n;
}

int main(int argc, char **argv)
{
	unsigned long share = 16;
	const char *hex = NULL;

	oracle.seed = 1;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seed"))
			oracle.seed = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--share"))
			share = strtoul(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--bytes"))
			hex = argv[i + 1];
	}
	oracle.state_seed = oracle.seed;
	oracle.wide = oracle_init();
	if (hex)
		test_hex(hex);
	else
		test_all(share ? share : 1);
	printf("%lu states of encodings of %u mnemonics, %lu executions, %lu faulted%s; %lu contradictions\n",
	       oracle.tested, n_mnemonics(), oracle.runs, oracle.faulted,
	       oracle.wide ? "" : " (no AVX-512: legacy encodings only)", oracle.failures);
	if (!hex && n_mnemonics() < 200) {
		printf("too few instructions were executed to say anything\n");
		return 1;
	}
	return oracle.failures != 0;
}
