// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * submit.c - from traces that somebody suggests to translations in the text of all who map the file.
 *
 *     traces, copied once -> the file's text -> sites -> trees -> proven code -> code cache -> sites
 *
 * Nothing of what is asked is believed: boundaries, paths and facts come from the file, and what cannot be proven to do the
 * same is refused by name, trace by trace. What is shared must be right for everybody, so translations here are exact: at
 * each instruction the machine's state is the original's at one place of the original (dead flags apart), and they name
 * nothing but their own module, relative to themselves (translate_exact()).
 *
 * While it is translated, requests go on: `requests` is held to look at what there is, and to publish. What was looked at is
 * looked at again before that.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include "cache.h"
#include "limits.h"
#include "queue.h"
#include "reading.h"
#include "translate.h"

/* One trace that became code. */
struct making {
	struct patch *patch;
	u64 *targets; /* parallel to patch->made->links: file offsets of where they lead */
	u32 trace;
};

/* One trace whose code is there, made before and undone. */
struct revival {
	u64 site, digest;
	u32 len, trace;
};

struct submission {
	struct block *block;
	struct dynopt_ioc_report *reports; /* the block's */
	struct reading *reading;
	struct owned_file *file;
	void *decoder;
	struct making *makings;
	struct patch **patches; /* those of makings */
	enum dynopt_kmod_status *statuses;
	u32 n;
	struct revival *revivals;
	u32 n_revivals;
	u64 at; /* offset of the first one's code */
	u8 *code;
	u32 len, room;
};

static const char *const names[] = {
	"OK",
#define X(name, error, text) #name,
#include "kmod_status.def"
#undef X
};

static void say(struct dynopt_ioc_report *report, const char *name)
{
	memset(report->status, 0, sizeof(report->status));
	strscpy(report->status, name, sizeof(report->status));
}

/* Refused by the engine, or by the module. */
struct refusal {
	enum status engine;
	enum dynopt_kmod_status module;
};

static const char *refusal_name(const struct refusal *refusal)
{
	return refusal->module ? names[refusal->module] : status_name(refusal->engine);
}

static bool by_engine(struct refusal *refusal, enum status status)
{
	refusal->engine = status;
	return false;
}

static bool by_module(struct refusal *refusal, enum dynopt_kmod_status status)
{
	refusal->module = status;
	return false;
}

/* The instruction at addr goes on to the next one, whatever happens. */
static bool is_plain(const struct submission *s, u64 addr)
{
	struct insn_brief insn;
	u64 size;
	const u8 *bytes = text_bytes(&s->reading->text, addr, &size);

	return bytes && !decode_brief(bytes, size, addr, s->decoder, &insn, NULL) &&
	       insn.role == ROLE_PLAIN;
}

/* Where a trace is entered: an instruction, by its file offset. Shorter than JMP_REL32_LEN, it needs a slot. */
struct site {
	u64 offset, slot;
	u32 len;
};

/*
 * The first instruction of five bytes in the block, if there is one behind addr, where it begins, and the way there has no other entry.
 * A loop's head stays where it is, as its back-edge leads there.
 */
static bool find_long(const struct submission *s, u64 head, u64 *addr, u32 *len)
{
	const u16 others = TEXT_TARGET | TEXT_FUNCTION | TEXT_RETURN | TEXT_LOOP;
	const struct text *text = &s->reading->text;

	while (*len < JMP_REL32_LEN) {
		u64 next = *addr + *len;

		if ((text_marks(text, head) & TEXT_LOOP) || !is_plain(s, *addr) ||
		    (text_marks(text, next) & others) ||
		    text_site(text, next, s->decoder, addr, len, NULL))
			return false;
	}
	return true;
}

/* Without a slot yet. */
static bool find_site(const struct submission *s, u64 head, struct site *site,
                      struct refusal *refusal)
{
	u32 len;
	u64 addr, far;
	enum status status = text_site(&s->reading->text, head, s->decoder, &addr, &len, NULL);

	if (status)
		return by_engine(refusal, status);
	*site = (struct site){ .offset = addr - s->reading->bias, .len = len };
	far = addr;
	if (find_long(s, head, &far, &len))
		*site = (struct site){ .offset = far - s->reading->bias, .len = len };
	if (site->offset < s->reading->segment ||
	    site->offset + site->len > s->reading->segment_end)
		return by_module(refusal, DYNOPT_KMOD_SITE_SEGMENT);
	if (site->len > DYNOPT_OLD_MAX)
		return by_module(refusal, DYNOPT_KMOD_BAD_REQUEST);
	return true;
}

static bool needs_slot(const struct site *site)
{
	return site->len < JMP_REL32_LEN;
}

/* Two traces with the same digest are taken for the same: whoever makes one such loses nothing but his own. */
static u64 digest_of(const struct trace *trace)
{
	u64 digest = 0xcbf29ce484222325;
	u32 i;

	for (i = 0; i < trace->n_blocks; i++) {
		digest = (digest ^ trace->blocks[i].start) * 0x100000001b3;
		digest = (digest ^ trace->blocks[i].parent) * 0x100000001b3;
	}
	return digest;
}

static bool overlaps(u64 a, u32 a_len, u64 b, u32 b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* By a trace of this block. */
static bool is_taken_here(const struct submission *s, u64 site, u32 len)
{
	u32 i;

	for (i = 0; i < s->n; i++) {
		const struct patch *patch = s->patches[i];

		if (overlaps(patch->offset, patch->old_len, site, len) ||
		    (patch->slot.offset && overlaps(patch->slot.offset, JMP_REL32_LEN, site, len)))
			return true;
	}
	for (i = 0; i < s->n_revivals; i++)
		if (overlaps(s->revivals[i].site, s->revivals[i].len, site, len))
			return true;
	return false;
}

enum found { FREE, TAKEN, UNDONE };

static enum found look_up(const struct submission *s, u64 site, u32 len, u64 digest)
{
	enum found found = FREE;

	if (is_taken_here(s, site, len))
		return TAKEN;
	mutex_lock(&requests);
	if (patch_overlaps(s->file, site, site + len))
		found = TAKEN;
	else if (patch_undone(s->file, site, digest))
		found = UNDONE;
	mutex_unlock(&requests);
	return found;
}

/* The first of the text's slots that is not below addr. */
static u32 first_slot(const struct text *text, u64 addr)
{
	u32 low = 0, high = text->n_slots;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (text->slots[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Site and slot change in one step, so they lie on one page, and a copy of it has both or neither. */
static bool on_one_page(u64 site, u64 slot)
{
	return slot >> PAGE_SHIFT == site >> PAGE_SHIFT &&
	       offset_in_page(slot) + JMP_REL32_LEN <= PAGE_SIZE &&
	       offset_in_page(site) + JMP_REL8_LEN <= PAGE_SIZE;
}

/* The lowest free one that a two-byte jump reaches. */
static bool find_slot(const struct submission *s, struct site *site)
{
	const struct text *text = &s->reading->text;
	u64 from = site->offset + JMP_REL8_LEN;
	u32 i;

	for (i = first_slot(text, from + s->reading->bias - 128); i < text->n_slots; i++) {
		u64 slot = text->slots[i].addr - s->reading->bias;

		if ((s64)(slot - from) > 127)
			return false;
		if (text->slots[i].size < JMP_REL32_LEN || !on_one_page(site->offset, slot) ||
		    look_up(s, slot, JMP_REL32_LEN, 0) == TAKEN)
			continue;
		site->slot = slot;
		return true;
	}
	return false;
}

/*
 * Nothing is owed anywhere, and nothing is named that differs from process to process. translate_exact() makes nothing else, so no test
 * comes to NOT_EXACT: this keeps a pass that forgot it out of everybody's text.
 */
static bool is_exact(const struct code *code)
{
	u32 i;

	for (i = 0; i < code->n_origins; i++)
		if (code->origins[i].state)
			return false;
	for (i = 0; i < code->n_fixups; i++)
		if (code->fixups[i].kind == FIXUP_TABLE)
			return false;
	return true;
}

static bool keep_origins(struct made *made, const struct code *code, u64 bias)
{
	u32 i;

	made->origins = kvcalloc(code->n_origins, sizeof(*made->origins), GFP_KERNEL_ACCOUNT);
	if (!made->origins)
		return false;
	made->n_origins = code->n_origins;
	for (i = 0; i < code->n_origins; i++)
		made->origins[i] = (struct patch_origin){ code->origins[i].at,
			                                  code->origins[i].origin - bias };
	return true;
}

/* Fields that may be linked, or cut: `original` is what undo makes of them. */
static bool keep_links(struct making *making, const struct code *code, u64 addr, u64 bias)
{
	struct made *made = making->patch->made;
	u32 i;

	made->links = kvcalloc(code->n_fixups + 1, sizeof(*made->links), GFP_KERNEL_ACCOUNT);
	making->targets = kvcalloc(code->n_fixups + 1, sizeof(*making->targets), GFP_KERNEL);
	if (!made->links || !making->targets)
		return false;
	for (i = 0; i < code->n_fixups; i++) {
		const struct code_fixup *fixup = &code->fixups[i];
		struct patch_link *link = &made->links[made->n_links];

		if (fixup->kind != FIXUP_EXIT && fixup->kind != FIXUP_BACK)
			continue;
		*link = (struct patch_link){ .at = fixup->at };
		memcpy(&link->linked, code->bytes + fixup->at, sizeof(link->linked));
		link->original = fixup->target - (addr + fixup->end);
		if (fixup->kind == FIXUP_BACK) {
			link->to = making->patch;
			link->loop = true;
			if (fixup->cut)
				link->original = fixup->cut - fixup->end;
		}
		making->targets[made->n_links++] = fixup->target - bias;
	}
	return true;
}

static bool keep_code(struct submission *s, struct making *making, struct code *code, u64 offset)
{
	struct patch *patch = making->patch;
	u32 start = offset - s->at;

	memset(s->code + s->len, INT3, start - s->len);
	memcpy(s->code + start, code->bytes, code->size);
	s->len = start + code->size;
	patch->cache_offset = offset;
	patch->cache_len = code->size;
	patch->made = kzalloc(sizeof(*patch->made), GFP_KERNEL_ACCOUNT);
	return patch->made && keep_origins(patch->made, code, s->reading->bias) &&
	       keep_links(making, code, offset + s->reading->bias, s->reading->bias);
}

static void making_drop(struct making *making)
{
	if (making->patch)
		patch_free(making->patch);
	kvfree(making->targets);
	*making = (struct making){};
}

static void keep_site(const struct submission *s, struct patch *patch, const struct site *site)
{
	patch->offset = site->offset;
	patch->old_len = site->len;
	memcpy(patch->old, s->reading->bytes + site->offset, site->len);
	patch->slot.offset = site->slot;
	if (site->slot)
		memcpy(patch->slot.old, s->reading->bytes + site->slot, JMP_REL32_LEN);
}

static bool place(struct submission *s, u32 trace, const struct site *site, u64 digest,
                  struct code *code, struct refusal *refusal)
{
	struct making *making = &s->makings[s->n];
	u64 offset = s->at + round_up(s->len, CACHE_ALIGN);
	u32 before = s->len;
	enum status status;

	if (code->size > s->room || offset - s->at > s->room - code->size)
		return by_module(refusal, DYNOPT_KMOD_CACHE_FULL);
	status = code_place(code, offset + s->reading->bias, NULL);
	if (status)
		return by_engine(refusal, status);
	making->patch = patch_alloc();
	if (!making->patch || !keep_code(s, making, code, offset)) {
		making_drop(making);
		s->len = before;
		return by_module(refusal, DYNOPT_KMOD_MEMORY);
	}
	making->trace = trace;
	making->patch->made->digest = digest;
	making->patch->made->insns = code->n_insns;
	making->patch->made->cost_original = code->cost_original;
	making->patch->made->cost = code->cost;
	keep_site(s, making->patch, site);
	s->patches[s->n++] = making->patch;
	return true;
}

/* With the arena as it is; the caller releases it. */
static bool translate_trace(struct submission *s, u32 i, struct refusal *refusal)
{
	struct dynopt_ioc_report *report = &s->reports[i];
	struct arena *arena = &s->reading->scratch;
	struct trace trace = s->block->traces[i];
	struct trace_block *blocks = s->block->blocks + (trace.blocks - s->block->blocks);
	struct code code;
	enum status status;
	u64 digest = digest_of(&trace), entry = COST_ENTRY;
	struct site site;

	if (!find_site(s, blocks->start, &site, refusal))
		return false;
	switch (look_up(s, site.offset, site.len, digest)) {
	case TAKEN:
		return by_module(refusal, DYNOPT_KMOD_OVERLAP);
	case UNDONE:
		s->revivals[s->n_revivals++] = (struct revival){ site.offset, digest, site.len, i };
		return true;
	case FREE:
		break;
	}
	if (needs_slot(&site)) {
		if (!find_slot(s, &site))
			return by_module(refusal, DYNOPT_KMOD_SITE_SLOT);
		entry *= 2;
	}
	blocks->start = site.offset + s->reading->bias;
	status = translate_exact(&s->reading->text, &trace, arena, &code, NULL);
	if (status)
		return by_engine(refusal, status);
	report->insns = code.n_insns;
	report->bytes = code.size;
	report->cost_original = code.cost_original;
	report->cost = code.cost;
	if (!is_exact(&code))
		return by_module(refusal, DYNOPT_KMOD_NOT_EXACT);
	/* One jump leads to it, or two. */
	if (!(s->block->flags & DYNOPT_SUBMIT_ALL) && code.cost_original <= code.cost + entry)
		return by_engine(refusal, STATUS_COST_GAIN);
	return place(s, i, &site, digest, &code, refusal);
}

/* What the helper is to change, after this. */
static u32 advice_of(enum dynopt_kmod_status status)
{
	switch (status) {
	case DYNOPT_KMOD_BLOCK_TIME:
		return DYNOPT_ADVICE_SMALLER;
	case DYNOPT_KMOD_CACHE_FULL:
	case DYNOPT_KMOD_LIMIT:
	case DYNOPT_KMOD_DOMAIN_PAGES:
	case DYNOPT_KMOD_WORKSPACE:
	case DYNOPT_KMOD_NO_CACHE:
	case DYNOPT_KMOD_FILE_TEXT:
	case DYNOPT_KMOD_FILE_SYSTEM:
		return DYNOPT_ADVICE_ENOUGH;
	case DYNOPT_KMOD_NOT_MAPPED:
		return DYNOPT_ADVICE_GONE;
	default:
		return 0;
	}
}

static void translate_all(struct submission *s)
{
	u32 i;

	for (i = 0; i < s->block->n_traces && queue_goes_on(s->block); i++) {
		u64 mark = arena_mark(&s->reading->scratch);
		struct refusal refusal = {};

		if (!queue_has_time(s->block))
			by_module(&refusal, DYNOPT_KMOD_BLOCK_TIME);
		else
			translate_trace(s, i, &refusal);
		if (refusal.engine || refusal.module)
			say(&s->reports[i], refusal_name(&refusal));
		s->block->advice |= advice_of(refusal.module);
		arena_release(&s->reading->scratch, mark);
		cond_resched();
	}
}

/* Exits lead to where translations are entered: those of this submission, and earlier ones. */
static struct patch *target_of(struct submission *s, u64 offset)
{
	u32 i;

	for (i = 0; i < s->n; i++)
		if (s->patches[i]->offset == offset)
			return s->patches[i];
	return patch_at(s->file, offset);
}

static void link_all(struct submission *s)
{
	u32 i, k;

	for (i = 0; i < s->n; i++) {
		struct patch *patch = s->patches[i];

		for (k = 0; k < patch->made->n_links; k++) {
			struct patch_link *link = &patch->made->links[k];
			struct patch *to = link->to ? NULL : target_of(s, s->makings[i].targets[k]);

			if (!to || !to->made)
				continue;
			link->to = to;
			link->linked = to->cache_offset - (patch->cache_offset + link->at + 4);
			memcpy(s->code + (patch->cache_offset - s->at) + link->at, &link->linked,
			       sizeof(link->linked));
		}
	}
}

static void report_made(struct submission *s, const struct patch *patch, u32 trace)
{
	struct dynopt_ioc_report *report = &s->reports[trace];

	report->insns = patch->made->insns;
	report->bytes = patch->cache_len;
	report->cost_original = patch->made->cost_original;
	report->cost = patch->made->cost;
	report->site = patch->offset + s->reading->bias;
	s->block->published++;
}

static void publish_revivals(struct submission *s)
{
	u32 i;

	for (i = 0; i < s->n_revivals; i++) {
		const struct revival *revival = &s->revivals[i];
		struct patch *patch = patch_undone(s->file, revival->site, revival->digest);
		enum dynopt_kmod_status status = DYNOPT_KMOD_OVERLAP;

		if (patch && !patch_overlaps(s->file, revival->site, revival->site + revival->len))
			status = patch_revive(s->file, patch);
		say(&s->reports[revival->trace], names[status]);
		if (!status)
			report_made(s, patch, revival->trace);
	}
}

/* Behind all that was put there before. */
static u64 next_room(const struct submission *s)
{
	return round_up(patch_cache_next(s->file, s->reading->cache, s->reading->cache_end),
	                CACHE_ALIGN);
}

/* Has somebody patched by hand meanwhile? */
static enum dynopt_kmod_status look_again(const struct submission *s)
{
	u32 i;

	if (next_room(s) != s->at)
		return DYNOPT_KMOD_CACHE_TAKEN;
	for (i = 0; i < s->n; i++) {
		const struct patch *patch = s->patches[i];
		u64 slot = patch->slot.offset;

		if (patch_overlaps(s->file, patch->offset, patch->offset + patch->old_len) ||
		    (slot && patch_overlaps(s->file, slot, slot + JMP_REL32_LEN)))
			return DYNOPT_KMOD_OVERLAP;
	}
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status publish_new(struct submission *s)
{
	enum dynopt_kmod_status status = look_again(s);
	u32 i;

	if (!status) {
		link_all(s);
		status = patch_publish(s->file, s->patches, s->n, s->at, s->code, s->len,
		                       s->statuses);
	}
	for (i = 0; i < s->n; i++) {
		struct making *making = &s->makings[i];
		enum dynopt_kmod_status here = status ? status : s->statuses[i];

		say(&s->reports[making->trace], names[here]);
		if (!here)
			report_made(s, making->patch, making->trace);
		if (!status)
			making->patch = NULL; /* it is the file's */
	}
	return status;
}

static enum dynopt_kmod_status publish(struct submission *s)
{
	enum dynopt_kmod_status status = DYNOPT_KMOD_INTERRUPTED;

	mutex_lock(&requests);
	if (queue_commits(s->block)) {
		patch_part_with_strangers(s->file->domain);
		patch_part_with_traced(s->file->domain);
		status = s->n ? publish_new(s) : DYNOPT_KMOD_OK;
		if (!status)
			publish_revivals(s);
	}
	mutex_unlock(&requests);
	return status;
}

static bool take_tables(struct submission *s)
{
	u32 n = s->block->n_traces;

	s->makings = kvcalloc(n, sizeof(*s->makings), GFP_KERNEL);
	s->patches = kvcalloc(n, sizeof(struct patch *), GFP_KERNEL);
	s->statuses = kvcalloc(n, sizeof(*s->statuses), GFP_KERNEL);
	s->revivals = kvcalloc(n, sizeof(*s->revivals), GFP_KERNEL);
	s->code = s->room ? kvmalloc(s->room, GFP_KERNEL) : NULL;
	s->decoder = arena_alloc(&s->reading->scratch, 1, decode_scratch_size());
	return s->makings && s->patches && s->statuses && s->revivals && (s->code || !s->room) &&
	       s->decoder;
}

static void drop_tables(struct submission *s)
{
	u32 i;

	for (i = 0; s->makings && i < s->n; i++)
		making_drop(&s->makings[i]);
	kvfree(s->makings);
	kvfree(s->patches);
	kvfree(s->statuses);
	kvfree(s->revivals);
	kvfree(s->code);
}

static void find_room(struct submission *s)
{
	mutex_lock(&requests);
	s->at = next_room(s);
	mutex_unlock(&requests);
	if (s->at < s->reading->cache_end)
		s->room = min_t(u64, s->reading->cache_end - s->at,
		                (u64)s->block->n_traces * (LIMIT_CODE_BYTES + CACHE_ALIGN));
}

/* Of all traces, as long as nothing else is known of them. */
static void say_all(struct submission *s, const char *name)
{
	u32 i;

	for (i = 0; i < s->block->n_traces; i++) {
		s->reports[i].head = s->block->traces[i].blocks->start;
		say(&s->reports[i], name);
	}
}

static enum dynopt_kmod_status translate_file(struct submission *s)
{
	struct failure fail = {};
	enum dynopt_kmod_status status = reading_open(s->file, &s->reading, &fail);

	say_all(s, status == DYNOPT_KMOD_FILE_TEXT ? status_name(fail.status) : names[status]);
	if (status)
		return status;
	find_room(s);
	status = DYNOPT_KMOD_MEMORY;
	if (take_tables(s)) {
		translate_all(s);
		status = publish(s);
	}
	drop_tables(s);
	reading_close(s->reading);
	return status;
}

static enum dynopt_kmod_status find_file(struct submission *s)
{
	enum dynopt_kmod_status status;

	mutex_lock(&requests);
	status = patch_find_or_make(s->block->opened, s->block->domain, &s->file);
	mutex_unlock(&requests);
	return status;
}

void submit_block(struct block *block)
{
	struct submission s = { .block = block, .reports = block->reports };

	block->status = find_file(&s);
	if (block->status) {
		say_all(&s, names[block->status]);
	} else {
		block->status = translate_file(&s);
		file_put(s.file);
	}
	block->advice |= advice_of(block->status);
}
