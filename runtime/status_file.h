/* SPDX-License-Identifier: MIT */
/*
 * status_file.h - what a program under dynopt says of itself to `dynopt status` and `report`.
 *
 * The agent writes a whole file and renames it over the old one, so readers see a consistent
 * state and still find the last one after the program has ended. Native layout, fixed
 * width, no pointers: one head, then modules, translations and functions. Readers check magic, version, sizes and counts
 * against the file's length and trust nothing else.
 *
 * Name: STATUS_DIR/PID.dynopt, mode 0600, in a folder of mode 0700.
 */
#ifndef DYNOPT_STATUS_FILE_H
#define DYNOPT_STATUS_FILE_H

#include "engine_status.h"
#include "hops.h"
#include "passes.h"

#include <stdint.h>

#define STATUS_FILE_MAGIC 0x31304f4e5944u /* "DYNO01", little-endian */
#define STATUS_FILE_VERSION 11
#define STATUS_FILE_SUFFIX ".dynopt"
#define STATUS_DISABLE_SUFFIX \
	".disable" /* such a file beside it asks the agent to withdraw everything */
#define STATUS_PATH_MAX 256
/* Counters of enum status, by number, and from STATUS_KMOD_FIRST on of the kernel module's (kmod_status.def); room for more of both. */
#define STATUS_REASONS 160
#define STATUS_KMOD_FIRST 96
_Static_assert(STATUS_N <= STATUS_KMOD_FIRST, "a counter for each status");
#define STATUS_PASSES 16 /* counters of enum pass_name, by number; room for more */
_Static_assert(PASS_N <= STATUS_PASSES, "a counter for each pass");

/* X(NAME, "text"): how far the runtime got in this process. */
#define STATUS_STATES(X) \
	X(STARTING, "reading modules") \
	X(RUNNING, "translations are live") \
	X(IDLE, "nothing was translated") \
	X(WITHDRAWN, "all translations were withdrawn: see the reason") \
	X(FAILED, "runs unoptimized: see the reason")
enum status_state {
#define X(name, text) STATUS_STATE_##name,
	STATUS_STATES(X)
#undef X
};

/* X(NAME, "text"): why a process runs without translations. Detail: an errno where one is known. */
#define STATUS_CAUSES(X) \
	X(NONE, "") \
	X(OPTIONS, "the options are damaged; start it with dynopt run") \
	X(MEMORY, "no memory for the agent") \
	X(CLONE, "the agent could not be started") \
	X(AGENT_DIED, "the agent was killed; what is translated stays, nothing follows") \
	X(OVERRUN, \
	  "the agent was at something that did not end, and has ended itself; what is translated stays, nothing follows") \
	X(TRACED, "a debugger is attached") \
	X(ASYNC_CANCEL, "the program uses asynchronous thread cancellation") \
	X(REQUEST, "asked to with dynopt disable") \
	X(TEXT_WRITTEN, "the program makes its own code writable") \
	X(SAMPLER, "nothing can be sampled, or no longer (dynopt doctor says why)") \
	X(TRACES, "the trace file cannot be read") \
	X(LOADER, \
	  "the dynamic loader has no hook that can be used, so libraries are not followed") \
	X(SAMPLES, "the file of samples cannot be read") \
	X(POLICY, "a policy file is wrong (dynopt doctor says where)") \
	X(FAULT, \
	  "a translation faulted where the original does not: none any more, until dynopt enable --program") \
	X(GATE, "the system lets no executable memory be replaced (dynopt doctor tries it)") \
	X(LEFT, \
	  "the kernel module has it no longer: it executes another program, or a debugger came")
enum status_cause {
#define X(name, text) STATUS_CAUSE_##name,
	STATUS_CAUSES(X)
#undef X
};

/*
 * X(name, "how"): the ways to find out where a program spends its time, best first: the first that works is used, or that of
 * `--sampler`.
 */
#define STATUS_SAMPLERS(X) \
	X(lbr, "branch stacks of the processor, and instruction addresses as ip") \
	X(walk, \
	  "instruction addresses as ip, and now and then the way on from there, worked out while the thread stands still") \
	X(ip, "instruction addresses by perf_event_open, each millisecond of CPU time") \
	X(timer, "instruction addresses by signal 63 of a CPU-time timer, at most 250 a second")
enum status_sampler {
	STATUS_SAMPLER_none,
#define X(name, how) STATUS_SAMPLER_##name,
	STATUS_SAMPLERS(X) STATUS_SAMPLER_N
#undef X
};

/* X(NAME, "text"): why samples were taken outside of translations. */
#define STATUS_HEAT_WHYS(X) \
	X(BESIDE, "on paths that its translations leave out, or not translated yet") \
	X(REFUSED, "its paths are refused") \
	X(NO_HEAD, "no path in it is hot by itself") \
	X(FEW, "too few samples to know its paths") \
	X(WAITS, "waits for the agent's budget") \
	X(UNPROVEN, "its instructions are not proven, or the notes say to leave it alone") \
	X(UNREAD, "too little time is spent in its module to read it") \
	X(MODULE, "its module is left alone") \
	X(NOWHERE, "in no module of the dynamic loader's")
enum status_heat_why {
#define X(name, text) STATUS_HEAT_##name,
	STATUS_HEAT_WHYS(X)
#undef X
		STATUS_HEAT_N
};

/* X(NAME, "text"): what is wrong with what a program is remembered by. Detail: an errno, or with LINE the line. */
#define STATUS_REMEMBER(X) \
	X(NONE, "") \
	X(FOLDER, "its folder cannot be opened (dynopt doctor)") \
	X(FOLDER_TRUST, \
	  "its folder belongs to another user, or others may write there (dynopt doctor)") \
	X(FILE, "the file cannot be read") \
	X(FILE_TRUST, "the file belongs to another user, or others may write it, or it is none") \
	X(LINE, "the file is damaged; the next run of some length writes it anew") \
	X(WRITE, "the file cannot be written")
enum status_remember {
#define X(name, text) STATUS_REMEMBER_##name,
	STATUS_REMEMBER(X)
#undef X
};

/* X(name, "text"): what the agent uses its CPU time for. */
#define STATUS_STAGES(X) \
	X(other, "looking whether something is to be done, and saying what was") \
	X(samples, "taking samples and keeping them") \
	X(walks, "walks from samples") \
	X(reading, "reading modules") \
	X(growing, "heads, counts and trees") \
	X(judging, "making translations to know what they would save") \
	X(proving, "making and proving those that are kept") \
	X(patching, "putting them in place")
enum status_stage {
#define X(name, text) STATUS_STAGE_##name,
	STATUS_STAGES(X) STATUS_STAGE_N
#undef X
};

/* X(NAME, "text"): what has become of the trees that an instruction is in (cover.h). */
#define STATUS_TREES(X) \
	X(NONE, "in no tree") \
	X(REFUSED, "in trees that were refused") \
	X(NO_GAIN, "in trees that would save nothing") \
	X(TRANSLATED, "in translated trees")
enum status_tree {
#define X(name, text) STATUS_TREE_##name,
	STATUS_TREES(X) STATUS_TREE_N
#undef X
};

#define STATUS_FUNCTIONS 32 /* in a file, at most */
#define STATUS_NO_MODULE 0xffffffffu

/* X(name): who translates: the library in the program, or the kernel module, for all processes at once. */
#define STATUS_BACKENDS(X) \
	X(embedded) \
	X(kernel)
enum status_backend {
#define X(name) STATUS_BACKEND_##name,
	STATUS_BACKENDS(X)
#undef X
};

/* With cause TRACES or SAMPLES, detail is an errno, or this and the line of the file that is wrong. */
#define STATUS_DETAIL_LINE 4096

/* All samples that are remembered: those in translations, and the others by enum status_heat_why; REFUSED ones by enum status, too. */
struct status_heat {
	uint64_t samples, samples_cache;
	uint64_t outside[STATUS_HEAT_N];
	uint64_t refused[STATUS_REASONS];
	uint64_t trees[STATUS_TREE_N]; /* all, by enum status_tree; without an agent only */
};

/* A function with many samples, or, where functions are not known, a module (UNREAD, MODULE), or an address. */
struct status_function {
	uint64_t start; /* module address; with STATUS_NO_MODULE a run-time address */
	uint32_t module; /* index, or STATUS_NO_MODULE */
	uint32_t samples, samples_cache; /* in translations */
	uint32_t n_heads, n_translated; /* heads tried */
	uint32_t why; /* enum status_heat_why */
	uint32_t status; /* enum status by which most heads were refused; 0: none */
	uint32_t wait_samples; /* of its samples: in a loop, behind one load; 0: none such */
	uint64_t wait_load; /* module address of that load */
};

struct status_head {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* of this struct */
	uint32_t module_size, translation_size; /* of theirs */
	uint32_t n_modules, n_translations;
	uint32_t function_size, n_functions; /* struct status_function, behind the translations */
	uint32_t pid, agent_pid;
	uint64_t start_time; /* field 22 of /proc/PID/stat: tells a process from a later one of the same number */
	uint32_t state, cause; /* enum status_state, enum status_cause */
	uint64_t detail;
	uint64_t eager_ns; /* wall time from start of the library to the program's main, agent's work included */
	uint64_t agent_cpu_ns; /* CPU time the agent has used */
	uint64_t stage_ns[STATUS_STAGE_N]; /* the same by enum status_stage */
	uint64_t cycles; /* undo/apply rounds done (option cycles) */
	uint64_t flips,
		flip_ns; /* page-run replacements in live text, and the time they took together */
	uint64_t samples, samples_cache; /* taken by the sampler; of these in the code cache */
	uint64_t recent, recent_cache; /* the same since the last batch */
	uint64_t batches; /* translated so far */
	uint64_t remembered; /* samples of earlier runs with which this one began */
	uint64_t remembered_left; /* and those that were left, as they are of other builds, or of what is not loaded */
	uint64_t remember_detail;
	uint64_t first_live_ns; /* from the library's start until the first translation was live; 0: none was */
	uint64_t first_live_cpu_ns; /* CPU time that the agent had used then */
	int64_t saved_ns; /* of the program's CPU time, by translations, as reckoned by their instructions */
	int64_t left_ns; /* of the budget, by earlier runs; less than 0: owed (lib/budget.h) */
	uint64_t phases; /* times that it began to do something else */
	uint64_t sample_ns; /* of its CPU time, that a sample is reckoned to take */
	uint64_t walks, walk_runs,
		walk_insns; /* from samples, worked out from their registers: straight runs and instructions in them */
	uint64_t walks_stood; /* of these, for how many a thread stood still (lib/still.h) */
	uint64_t walk_samples; /* that were taken for walks alone; not among `samples` */
	uint64_t walk_ns; /* CPU time that this took, reading of samples included */
	uint32_t mode; /* 0: off, 1: eager, 2: traces, 3: sampled */
	uint32_t sampler; /* enum status_sampler */
	uint32_t backend; /* enum status_backend */
	uint32_t remember_wrong; /* enum status_remember */
	struct status_heat heat;
	char program[STATUS_PATH_MAX]; /* cut if longer */
};

struct status_module {
	char path[STATUS_PATH_MAX];
	uint64_t base; /* load bias */
	uint64_t text_bytes; /* executable segments */
	uint64_t proven_bytes; /* of instructions with proven boundaries */
	uint64_t cache_reserved, cache_mapped,
		cache_used; /* bytes: linked in, mapped near, holding translations */
	uint32_t n_functions, n_heads; /* proven functions; heads found */
	uint32_t n_translated; /* of the heads */
	uint32_t n_slots; /* places for hops known */
	uint32_t hops[HOP_KINDS]; /* published sites by enum hop_kind */
	uint32_t refused[STATUS_REASONS]; /* heads and functions by enum status */
	uint64_t refused_at
		[STATUS_REASONS]; /* module address of the first head refused for it; 0: none */
	uint32_t live; /* 0: unloaded since, or withdrawn */
	uint32_t noted; /* has notes */
	uint32_t refusal; /* enum status: the module as a whole; 0: none */
	uint32_t n_replaced; /* translations whose place later ones have taken */
	uint32_t n_processes; /* backend kernel: attached ones that share its translations */
	uint32_t n_withdrawn; /* translations that later samples have shown to save nothing */
	uint64_t refusal_addr, refusal_detail;
	uint64_t build_ns, translate_ns, apply_ns; /* wall time by phase */
	uint64_t insns; /* original instructions in translations */
};

struct status_translation {
	uint64_t head, site, code; /* module addresses */
	uint32_t module; /* index */
	uint32_t size, n_insns; /* bytes and instructions in the code cache */
	uint16_t n_blocks;
	uint8_t hop; /* enum hop_kind */
	uint8_t pad;
	uint16_t passes[STATUS_PASSES]; /* how much each pass did (passes.def) */
};

#endif
