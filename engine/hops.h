/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * hops.h - how a site reaches its translation.
 *
 *     site of >= 5 bytes:  jmp rel32 -----------------------------> translation
 *     site of 2..4 bytes:  jmp rel8 -> slot: jmp rel32 -----------> translation
 *     cache out of reach:  ... -> far slot: jmp *0(%rip), address -> translation
 *
 * Many sites compete for slots. hops_plan() serves as many as can be served at all (a test compares with brute
 * force) if every far slot is in reach of every site and every site's whole window of slots on one side of the
 * reach to its target; else perhaps fewer. Each refusal says what was missing. A slot belongs to one site
 * until that site was undone and every thread was seen outside.
 */
#ifndef DYNOPT_ENGINE_HOPS_H
#define DYNOPT_ENGINE_HOPS_H

#include "engine_status.h"
#include "port.h"

enum hop_kind {
	HOP_NONE,     /* refused */
	HOP_DIRECT,   /* 5-byte jump at the site */
	HOP_SLOT,     /* 2-byte jump, slot */
	HOP_FAR,      /* 5-byte jump, far slot */
	HOP_SLOT_FAR, /* 2-byte jump, slot, far slot */
	HOP_CALL, /* no jump: a direct call in original text leads to the translation; none of hops_plan()'s */
	HOP_KINDS
};

/* In: a site and where it wants to go. Out: the chain. */
struct hop {
	u64 site; /* address of the instruction that is overwritten */
	u64 target; /* of the translation */
	u32 len; /* bytes of that instruction; below 2: STATUS_SITE_SHORT */
	u8 kind; /* out: HOP_... */
	enum status refusal; /* out, with HOP_NONE: STATUS_HOP_... or STATUS_SITE_... */
	u64 slot; /* out: HOP_SLOT..., address of JMP_REL32_LEN bytes */
	u64 far; /* out: HOP_..._FAR */
};

/* Places for hops; `taken` is parallel to slots and updated. */
struct hop_places {
	const u64 *slots; /* ascending, JMP_REL32_LEN bytes each, none of them in two */
	u8 *taken;
	u32 n_slots;
	const u64 *far; /* ascending, DYNOPT_FARSLOT_SIZE bytes each */
	u8 *far_taken;
	u32 n_far;
};

/*
 * `hops` ascending by site; one that overlaps its predecessor is refused. Marks places taken. Returns how many
 * were served.
 */
u32 hops_plan(struct hop *hops, u32 n, struct hop_places *places);

/* Gives a hop's places back; only when nobody can stand in them any more. */
void hops_release(const struct hop *hop, struct hop_places *places);

#endif
