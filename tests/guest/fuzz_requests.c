/* SPDX-License-Identifier: MIT */
/*
 * fuzz_requests - what the module makes of requests (kmod/request.c), in user space under AddressSanitizer and UBSan.
 *
 *     fuzz_requests [COUNT [SEED]]
 *
 * Arrays have exactly the size that the request says and that the module copies. Rules that must hold of whatever is
 * accepted are stated here a second time. Prints how often each status came; each that a request can have must.
 * Exit codes: 0 nothing found, 1 found something.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

static u64 state, now;

static u32 below(u32 n)
{
	/* xorshift64*, Vigna 2016 */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (u32)((state * 0x2545f4914f6cdd1dull) >> 32) % n;
}

static void require(bool good, const char *rule)
{
	if (good)
		return;
	fprintf(stderr, "fuzz_requests: case %llu: broken rule: %s\n", (unsigned long long)now,
	        rule);
	exit(1);
}

/* Mostly small numbers and those at the limits. */
static u32 some_number(u32 limit)
{
	switch (below(8)) {
	case 0:
		return below(0xffffffff);
	case 1:
		return limit + below(3) - 1;
	case 2:
		return 0;
	default:
		return 1 + below(8);
	}
}

static void fill_random(void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((u8 *)bytes)[i] = (u8)below(256);
}

static enum dynopt_kmod_status one_patch(void)
{
	struct dynopt_ioc_patch patch = { .kind = 1, .old_len = 5, .code_len = 1 };
	enum dynopt_kmod_status status;
	u8 *bytes = (u8 *)&patch;

	for (u32 i = below(4); i > 0; i--)
		bytes[8 + below(sizeof(patch) - 8)] = (u8)below(256);
	status = request_patch(&patch);
	if (status)
		return status;
	require(patch.old_len >= 5 && patch.old_len <= 15 && patch.code_len &&
	                patch.code_len <= DYNOPT_CODE_MAX && patch.kind == DYNOPT_PATCH_FIXED,
	        "lengths of a patch");
	for (u32 i = patch.old_len; i < sizeof(patch.old); i++)
		require(!patch.old[i], "what follows the instruction is zero");
	for (u32 i = patch.code_len; i < sizeof(patch.code); i++)
		require(!patch.code[i], "what follows the code is zero");
	return status;
}

static enum dynopt_kmod_status one_undo(void)
{
	struct dynopt_ioc_undo undo = { .flags = below(8), .domain = (s32)below(5) - 3 };
	enum dynopt_kmod_status status = request_undo(&undo);

	require(!status ==
	                (undo.flags <= (DYNOPT_UNDO_ALL | DYNOPT_UNDO_COOKIE) && undo.domain >= -1),
	        "flags of undo");
	return status;
}

static enum dynopt_kmod_status one_process(void)
{
	struct dynopt_ioc_process process = { .pid = (s32)below(0xffffffff),
		                              .domain = below(4) ? -(s32)below(2)
		                                                 : (s32)below(0xffffffff),
		                              .pad = !below(8) };
	enum dynopt_kmod_status status = request_process(&process);

	require(!status == (process.pid >= 0 && !process.pad &&
	                    (process.domain == 0 || process.domain == -1)),
	        "a process goes into its own domain or the system's");
	return status;
}

static enum dynopt_kmod_status one_policy(void)
{
	struct dynopt_ioc_policy policy = { .flags = below(16) ? below(8) : below(0xffffffff),
		                            .block_us = below(3) ? 0 : below(0xffffffff),
		                            .user_pages = below(3) ? 0 : some_number(8192) };
	enum dynopt_kmod_status status = request_policy(&policy);

	require(status || policy.flags < 6, "flags of a policy");
	require(status || (policy.flags & DYNOPT_POLICY_SET) ||
	                (!policy.flags && !policy.block_us && !policy.user_pages),
	        "who only asks says nothing");
	return status;
}

static enum dynopt_kmod_status one_sample(void)
{
	struct dynopt_ioc_sample sample = { .flags = below(16) ? below(4) : below(0xffffffff),
		                            .period_us = below(2) ? 0 : some_number(1000),
		                            .n = below(2) ? 0 : some_number(4096) };
	enum dynopt_kmod_status status = request_sample(&sample);

	require(status || sample.flags <= 2, "flags of samples");
	require(status || (sample.flags == 1) == (sample.period_us >= 1000),
	        "a period where it starts");
	require(status || sample.flags != 1 || !sample.n, "who starts reads nothing");
	return status;
}

static enum dynopt_kmod_status one_size(void)
{
	u32 size = some_number(4096), known = 16 + below(128);
	enum dynopt_kmod_status status = request_size(size, known, 4096);

	require(!status == (size >= known && size <= 4096), "size");
	return status;
}

static void make_arrays(const struct dynopt_ioc_submit *submit, struct dynopt_ioc_trace *traces,
                        struct dynopt_ioc_block *blocks)
{
	u32 used = 0;

	for (u32 i = 0; i < submit->n_traces; i++) {
		u32 left = submit->n_blocks - used;
		u32 n = i == submit->n_traces - 1 ? left : left ? 1 + below(left) : 0;

		traces[i] = (struct dynopt_ioc_trace){ n, 0 };
		for (u32 k = 0; k < n; k++)
			blocks[used + k] =
				(struct dynopt_ioc_block){ .start = below(0xffffffff),
				                           .parent = k ? below(k) : TRACE_NO_PARENT,
				                           .branch = below(1002) };
		used += n;
	}
	if (below(2))
		((u8 *)traces)[below(submit->n_traces * sizeof(*traces))] = (u8)below(256);
	if (below(3) == 0)
		((u8 *)blocks)[below(submit->n_blocks * sizeof(*blocks))] = (u8)below(256);
	if (below(16) == 0)
		fill_random(traces, submit->n_traces * sizeof(*traces));
}

static void check_accepted(const struct dynopt_ioc_submit *submit, const struct trace *traces,
                           const struct trace_block *blocks)
{
	u64 used = 0;

	for (u32 i = 0; i < submit->n_traces; i++) {
		require(traces[i].blocks == blocks + used && traces[i].n_blocks,
		        "a trace's blocks follow those of the one before");
		for (u32 k = 0; k < traces[i].n_blocks; k++)
			require(k ? blocks[used + k].parent < k
			          : blocks[used].parent == TRACE_NO_PARENT,
			        "parents precede");
		used += traces[i].n_blocks;
	}
	require(used == submit->n_blocks, "all blocks belong to a trace");
}

static enum dynopt_kmod_status one_submit(void)
{
	struct dynopt_ioc_submit submit = { .flags = below(16) ? below(4) : below(0xffffffff),
		                            .reports = below(2),
		                            .domain = below(16) ? 0 : (s32)below(9) - 4 };
	struct dynopt_ioc_trace *traces;
	struct dynopt_ioc_block *blocks;
	struct trace_block *out;
	struct trace *out_traces;
	enum dynopt_kmod_status status;

	submit.n_traces = some_number(DYNOPT_SUBMIT_TRACES_MAX);
	submit.n_blocks = below(4) ? submit.n_traces + below(32)
	                           : some_number(DYNOPT_SUBMIT_BLOCKS_MAX);
	status = request_submit(&submit);
	if (status)
		return status;
	require(!(submit.flags & DYNOPT_SUBMIT_QUEUE) || !submit.reports,
	        "who does not wait gets no reports");
	require(submit.n_traces && submit.n_traces <= DYNOPT_SUBMIT_TRACES_MAX &&
	                submit.n_blocks <= DYNOPT_SUBMIT_BLOCKS_MAX &&
	                submit.n_blocks >= submit.n_traces,
	        "counts");
	traces = malloc(submit.n_traces * sizeof(*traces));
	blocks = malloc(submit.n_blocks * sizeof(*blocks));
	out = malloc(request_blocks_size(&submit));
	out_traces = malloc(request_traces_size(&submit));
	require(traces && blocks && out && out_traces, "memory");
	make_arrays(&submit, traces, blocks);
	status = request_traces(&submit, traces, blocks, out, out_traces);
	if (!status)
		check_accepted(&submit, out_traces, out);
	free(traces);
	free(blocks);
	free(out);
	free(out_traces);
	return status;
}

static const struct {
	const char *name;
	enum dynopt_kmod_status (*run)(void), refusal;
} kinds[] = {
	{ "patch", one_patch, DYNOPT_KMOD_BAD_REQUEST },
	{ "undo", one_undo, DYNOPT_KMOD_BAD_REQUEST },
	{ "size", one_size, DYNOPT_KMOD_BAD_SIZE },
	{ "submit", one_submit, DYNOPT_KMOD_BAD_REQUEST },
	{ "process", one_process, DYNOPT_KMOD_BAD_REQUEST },
	{ "sample", one_sample, DYNOPT_KMOD_BAD_REQUEST },
	{ "policy", one_policy, DYNOPT_KMOD_BAD_REQUEST },
};
#define KINDS_N (sizeof(kinds) / sizeof(kinds[0]))

int main(int argc, char **argv)
{
	u64 count = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000000;
	u64 good[KINDS_N] = { 0 }, bad[KINDS_N] = { 0 };

	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 7;
	for (now = 0; now < count; now++) {
		u32 kind = (u32)(now % KINDS_N);
		enum dynopt_kmod_status status = kinds[kind].run();

		require(status == DYNOPT_KMOD_OK || status == kinds[kind].refusal,
		        "no other status");
		(status ? bad : good)[kind]++;
	}
	for (u32 i = 0; i < KINDS_N; i++) {
		printf("%s: %llu accepted, %llu refused\n", kinds[i].name,
		       (unsigned long long)good[i], (unsigned long long)bad[i]);
		require(count < 1000 || (good[i] && bad[i]), "both answers are seen");
	}
	return 0;
}
