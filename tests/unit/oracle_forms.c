/* SPDX-License-Identifier: MIT */
/*
 * oracle_forms.c - a form's number is a mixed-radix number of its fields: encoding family, opcode
 * map, prefix, width, opcode, memory or register, and for legacy encodings the reg field, which
 * selects in groups.
 */
#include "oracle_forms.h"

#define OPCODES 256
#define LEGACY_MAPS 4
#define LEGACY_PREFIXES 4
#define LEGACY_FORMS (OPCODES * LEGACY_MAPS * LEGACY_PREFIXES * 2 * 2 * 8)
#define VEX_MAPS 3
#define VEX_FORMS (OPCODES * VEX_MAPS * 4 * 2 * 2 * 2 * 2)
#define EVEX_MAPS 5
#define EVEX_FORMS (OPCODES * EVEX_MAPS * 4 * 2 * 3 * 4)

struct out {
	uint8_t *bytes;
	unsigned n;
};

uint64_t oracle_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t take(uint32_t *number, uint32_t radix)
{
	uint32_t digit = *number % radix;

	*number /= radix;
	return digit;
}

static void put(struct out *out, uint32_t byte)
{
	out->bytes[out->n++] = (uint8_t)byte;
}

/*
 * ModRM (and sometimes SIB) with a zero displacement for memory, so that operands can be aligned.
 */
static void put_modrm(struct out *out, bool memory, uint32_t reg, uint64_t random)
{
	uint32_t rm = random & 7;

	if (!memory) {
		put(out, 0xc0 | reg << 3 | rm);
		return;
	}
	put(out, 0x40 | reg << 3 | rm);
	if (rm == 4)
		put(out, random >> 8);
	put(out, 0);
}

static void legacy_form(uint32_t number, uint64_t *seed, struct out *out)
{
	static const uint8_t prefixes[LEGACY_PREFIXES] = { 0, 0x66, 0xf3, 0xf2 };
	uint32_t opcode = take(&number, OPCODES), map = take(&number, LEGACY_MAPS);
	uint32_t prefix = take(&number, LEGACY_PREFIXES), w = take(&number, 2);
	bool memory = take(&number, 2);
	uint64_t random = oracle_random(seed);

	if (memory && random >> 60 == 0)
		put(out, 0xf0);
	if (prefix)
		put(out, prefixes[prefix]);
	if (w || random >> 62)
		put(out, 0x40 | w << 3 | (random >> 16 & 7));
	if (map)
		put(out, 0x0f);
	if (map >= 2)
		put(out, map == 2 ? 0x38 : 0x3a);
	put(out, opcode);
	put_modrm(out, memory, take(&number, 8), random);
}

static void vex_form(uint32_t number, uint64_t *seed, struct out *out)
{
	uint32_t opcode = take(&number, OPCODES), map = take(&number, VEX_MAPS) + 1;
	uint32_t pp = take(&number, 4), w = take(&number, 2), l = take(&number, 2);
	bool memory = take(&number, 2);
	uint64_t random = oracle_random(seed);
	uint32_t vvvv = take(&number, 2) ? 0xf : random >> 20 & 0xf;

	put(out, 0xc4);
	put(out, (random >> 16 & 7) << 5 | map);
	put(out, w << 7 | vvvv << 3 | l << 2 | pp);
	put(out, opcode);
	put_modrm(out, memory, random >> 24 & 7, random);
}

static void evex_form(uint32_t number, uint64_t *seed, struct out *out)
{
	static const uint8_t maps[EVEX_MAPS] = { 1, 2, 3, 5, 6 };
	uint32_t opcode = take(&number, OPCODES), map = maps[take(&number, EVEX_MAPS)];
	uint32_t pp = take(&number, 4), w = take(&number, 2), l = take(&number, 3);
	uint32_t variant = take(&number, 4);
	uint64_t random = oracle_random(seed);
	bool memory = variant & 1;
	uint32_t vvvv = random >> 33 & 1 ? 0xf : random >> 20 & 0xf;
	uint32_t aaa = random >> 36 & 1 ? 0 : random >> 37 & 7;
	uint32_t v2 = vvvv == 0xf ? 1 : random >> 40 & 1;
	uint32_t z = aaa ? random >> 41 & 1 : 0;

	put(out, 0x62);
	put(out, (random >> 16 & 0xf) << 4 | map);
	put(out, w << 7 | vvvv << 3 | 4 | pp);
	put(out, z << 7 | l << 5 | (variant >> 1) << 4 | v2 << 3 | aaa);
	put(out, opcode);
	put_modrm(out, memory, random >> 24 & 7, random);
}

uint32_t oracle_n_forms(bool legacy_only)
{
	return LEGACY_FORMS + (legacy_only ? 0 : VEX_FORMS + EVEX_FORMS);
}

void oracle_form(uint32_t number, uint64_t *seed, uint8_t bytes[FORM_SIZE])
{
	struct out out = { bytes, 0 };

	if (number < LEGACY_FORMS)
		legacy_form(number, seed, &out);
	else if (number < LEGACY_FORMS + VEX_FORMS)
		vex_form(number - LEGACY_FORMS, seed, &out);
	else
		evex_form(number - LEGACY_FORMS - VEX_FORMS, seed, &out);
	while (out.n < FORM_SIZE)
		put(&out, (uint32_t)oracle_random(seed) & 0xff);
}
