/* SPDX-License-Identifier: MIT */
/*
 * world.h - everything the runtime knows in one process.
 *
 *     options -> modules -> images -> translations -> mappings -> live text
 *
 * An image is a set of translations of one file, with their hops and origins in module addresses, made once and kept until
 * the process ends, so that a library loaded again costs no second translation. The first of a file is its record (image.h). A mapping is
 * one loading of an image at a base. Threads of the program ("host") read mappings in signal wrappers and
 * write the mailbox under its lock; everything else belongs to the agent alone.
 *
 * The world lives in one private anonymous mapping made before the agent starts: a forked child inherits a copy
 * that is complete as far as translations are concerned, and has no agent: what is undone there, the thread that asks undoes.
 */
#ifndef DYNOPT_WORLD_H
#define DYNOPT_WORLD_H

#include "engine_status.h"
#include "hops.h"
#include "options.h"
#include "sampler_timer.h"
#include "status_file.h"
#include "store.h"
#include "walker.h"

#define PAGE_SIZE 4096u
#define PAGE_MASK (~(u64)(PAGE_SIZE - 1))

#define WORLD_PATH_MAX 512
#define WORLD_MODULES 1024
#define IMAGE_AREAS 2 /* the reservation, and one mapped near */
#define IMAGE_SEGMENTS 4

/* What the loader has mapped, as told by the host. */
struct module {
	u64 base; /* load bias */
	char path[WORLD_PATH_MAX]; /* "" is the program itself */
};

/* From offset `at` of its area up to the next entry: module address text_start + origin, and image.states[state]. */
struct origin {
	u32 at, origin, state;
};

/* A jump in a translation that leads into another one, or back into its own: undo makes it lead to original text. */
struct link {
	u32 at; /* offset of its 32-bit field in its area */
	s32 linked, original; /* values of the field */
};

/*
 * An entry of a jump table's shadow (code.h): 8 bytes that hold the run-time address of where it leads, `linked` as long as image
 * `image` is live at the same loading, else `original`. Set when a later image has a translation for it.
 */
struct entry {
	u64 linked, original; /* module addresses */
	u32 at; /* offset in its area */
	u32 image; /* index of that to which it is linked */
};

struct translation {
	u64 site; /* module address of the first instruction, where the patch is */
	u32 at, size; /* in its area */
	u32 n_insns;
	u16 n_blocks;
	u8 area;
	u16 passes[PASS_N]; /* how much each did */
	s16 saves; /* instructions for each 1000 that it executes, as reckoned; those on the way in counted */
	bool retired; /* replaced or withdrawn: nothing leads here any more */
};

/* Where translations stand. Bytes beyond `used` are 0xCC. */
struct area {
	u64 start, end; /* module addresses */
	u64 used;
	u8 *staging; /* the bytes as published, links included, entries not; what a mapping gets copied */
	struct origin *origins;
	struct link *links;
	struct entry *entries;
	u32 n_origins, n_links, n_entries;
	u64 reserved; /* run-time address where a place is held for it, until it is used; 0: none */
	bool mapped; /* made near the module by us; else part of its text */
};

/* One published site with all that its undo needs. `new` like `old`: it is not to be patched any more. */
struct site {
	struct hop hop; /* site, target, len, kind, slot, far */
	u8 old[5], new[5]; /* bytes at the site; hop.len or 5 of them count, see site_patch_len() */
	bool retired; /* of a retired translation: `new` is to be like `old` */
};

struct segment {
	u64 addr, size, offset; /* of an executable PT_LOAD, widened to pages; file offset */
};

enum image_notes { IMAGE_NOTES_UNKNOWN, IMAGE_NOTES, IMAGE_NO_NOTES };

struct image {
	u32 record; /* index of the file's first image (image.h): itself, or another; the following up to text_start are the record's alone */
	bool wanted, was_read; /* options.modules; text was built once */
	u8 notes; /* enum image_notes */
	char path[WORLD_PATH_MAX];
	u64 ino, size, mtime_ns; /* of the file, to know it again */
	u64 text_start;
	struct segment segments[IMAGE_SEGMENTS];
	u32 n_segments;
	struct area areas[IMAGE_AREAS];
	u32 n_areas;
	struct ir_state *states; /* states[0] is exact; pendings are indices into the image's */
	struct ir_pending *pendings;
	struct translation *translations;
	u32 n_translations;
	struct site *sites; /* by address of the site */
	u32 *by_slot; /* indices of sites with slots, by slot address */
	u32 n_sites, n_slots;
	bool renewed; /* sites were retired or links changed that live text does not know of yet */
	u64 keep, keep_size; /* the memory that holds all this */
	struct status_module status; /* of the file: the record's */
};

enum mapping_state { MAPPING_FREE, MAPPING_DARK, MAPPING_LIVE, MAPPING_LEFT };
/* DARK: nothing published. LIVE: sites lead into translations. LEFT: sites restored, bytes still there. */

struct mapping {
	u32 state; /* enum mapping_state; readers in signal handlers load it with acquire */
	u32 image;
	u64 base;
	bool area_there[IMAGE_AREAS];
};

enum request {
	REQUEST_NONE,
	REQUEST_MODULES,
	REQUEST_WITHDRAW,
	REQUEST_SITE,
	REQUEST_STATUS,
	REQUEST_FAULT
};

struct mailbox {
	u32 lock; /* of who asks, and of the agent when it acts unasked: 0 free, 1 held, 2 held and waited for */
	u32 paused; /* the lock is held on by the thread that unloads something */
	u32 asked, answered; /* sequence numbers; a request is open while they differ */
	u32 request; /* enum request */
	u64 argument; /* enum status_cause with REQUEST_WITHDRAW, run-time address with REQUEST_SITE, of a struct fault with REQUEST_FAULT */
};

struct world {
	struct options options;
	int host_pid;
	int agent_pid; /* 0: none */
	bool forked; /* a child's copy: nothing new is translated, nothing reported */
	u32 agent_tid; /* the same, until the kernel clears it */
	u64 host_tid; /* address of the first thread's number, which the kernel clears; 0: unknown */
	u32 state, cause; /* enum status_state, enum status_cause */
	u64 detail, start_ns, ready_ns, start_time;
	u64 cycles, flips, flip_ns;
	/* options.sample: taken, of these in the code cache; since the last batch; batches translated */
	u64 samples, samples_cache, recent, recent_cache, batches;
	u64 remembered, remembered_left, remember_detail; /* status_file.h */
	u32 remember_wrong; /* enum status_remember */
	s64 left_ns; /* of the budget, by earlier runs */
	s64 saved_ns; /* by translations, as reckoned: of the program's CPU time */
	u64 first_live_cpu_ns; /* what the agent had used then */
	u64 first_live_ns; /* when the first translation went live; 0: none did */
	u64 phases; /* times that it began to do something else */
	u64 sample_ns; /* of the program's CPU time, that a sample takes (sampler.h) */
	u32 sampler; /* enum status_sampler */
	struct walker_sums walks; /* from samples outside of translations */
	u32 stage; /* enum status_stage: what the agent is at (stages.h) */
	u64 stage_ns[STATUS_STAGE_N];
	struct sampler_timer timer;
	u64 status_ns; /* when the status file was written last */
	bool status_due;
	char program[STATUS_PATH_MAX]; /* as the program was called */
	u64 agent_stack;
	char preload[OPTION_PATH_MAX +
	             16]; /* the user's LD_PRELOAD entry, as the environment has it */
	const char *traces; /* text of options.traces */
	u64 traces_size;
	struct mailbox mailbox;
	struct module modules[WORLD_MODULES]; /* as told last */
	u32 n_modules;
	struct image images[WORLD_MODULES];
	u32 n_images;
	struct mapping mappings[WORLD_MODULES];
	u32 n_mappings; /* slots of mappings[] ever used; published with release */
};

/* NULL where the library was loaded without options: then it does nothing at all. */
extern struct world *world;

static inline u64 page_down(u64 addr)
{
	return addr & PAGE_MASK;
}

static inline u64 page_up(u64 addr)
{
	return (addr + PAGE_SIZE - 1) & PAGE_MASK;
}

/* Bytes that are written at a site. */
static inline u32 site_patch_len(const struct site *site)
{
	return site->hop.kind == HOP_SLOT || site->hop.kind == HOP_SLOT_FAR ? 2 : 5;
}

#endif
