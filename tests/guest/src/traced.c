// SPDX-License-Identifier: MIT
/*
 * traced.c - see traced.h.
 */
#include <elf.h>
#include <string.h>
#include <unistd.h>
#include "traced.h"

struct dynopt_ioc_trace traces[TRACES_MAX];
struct dynopt_ioc_block blocks[TRACES_MAX * 16];
uint32_t n_traces;

void traces_read(void)
{
	traces_read_from("/t/translate.traces");
	check(n_traces > 20);
}

void traces_read_from(const char *path)
{
	FILE *in = fopen(path, "r");
	unsigned long start;
	char line[256];
	uint32_t n = 0;

	if (!in)
		guest_skip("dynopt-clang was not built, so there are no traces");
	while (fgets(line, sizeof(line), in)) {
		uint32_t parent = 0xffffffff;

		if (strstr(line, "trace ") == line) {
			check(n_traces < TRACES_MAX);
			traces[n_traces++].n_blocks = 0;
		} else if (sscanf(line, " block %lx after %u", &start, &parent) >= 1) {
			check(n < sizeof(blocks) / sizeof(blocks[0]));
			blocks[n++] = (struct dynopt_ioc_block){ .start = start, .parent = parent };
			traces[n_traces - 1].n_blocks++;
		}
	}
	fclose(in);
	check(n_traces > 0);
}

uint32_t traces_blocks(uint32_t trace)
{
	uint32_t n = 0, i;

	for (i = 0; i < trace; i++)
		n += traces[i].n_blocks;
	return n;
}

void traced_fill(struct dynopt_ioc_submit *submit, int file, uint32_t first, uint32_t n)
{
	uint32_t block = traces_blocks(first);

	if (n > n_traces - first)
		n = n_traces - first;
	*submit = (struct dynopt_ioc_submit){ .size = sizeof(*submit),
		                              .fd = file,
		                              .flags = DYNOPT_SUBMIT_ALL,
		                              .n_traces = n,
		                              .n_blocks = traces_blocks(first + n) - block,
		                              .traces = (uintptr_t)(traces + first),
		                              .blocks = (uintptr_t)(blocks + block) };
}

uint64_t traced_offset(const char *program, uint64_t addr)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)program;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(program + header->e_phoff);
	int i;

	for (i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD &&
		    addr - segments[i].p_vaddr < segments[i].p_filesz)
			return addr - segments[i].p_vaddr + segments[i].p_offset;
	guest_fail(__FILE__, __LINE__, "the address is in the file");
}

uint32_t traced_submit_all(int device, int file, struct dynopt_ioc_report reports[TRACES_MAX])
{
	uint32_t published = 0, i;

	for (i = 0; i < n_traces; i += DYNOPT_SUBMIT_TRACES_MAX) {
		struct dynopt_ioc_submit submit;

		traced_fill(&submit, file, i, DYNOPT_SUBMIT_TRACES_MAX);
		submit.reports = (uintptr_t)(reports + i);
		check_is(call_raw(device, DYNOPT_IOC_SUBMIT, &submit), DYNOPT_KMOD_OK);
		published += submit.published;
	}
	return published;
}

void traced_spoil(struct dynopt_ioc_block *trace, uint32_t *n, uint32_t (*below)(uint32_t n))
{
	struct dynopt_ioc_block *victim = &trace[below(*n)];

	switch (below(6)) {
	case 0:
		victim->start += below(64) - 32;
		break;
	case 1:
		victim->start = blocks[below(2000)].start;
		break;
	case 2:
		victim->start = (uint64_t)below(0xffffffff) << below(32);
		break;
	case 3:
		victim->parent = below(*n + 1);
		break;
	case 4:
		victim->weight = below(0xffffffff);
		victim->branch = below(1003);
		break;
	default:
		*n = 1 + below(*n);
	}
}

static void read_all(int fd, void *to, size_t n)
{
	ssize_t got;

	for (char *at = to; n; at += got, n -= got) {
		got = read(fd, at, n);
		check(got > 0);
	}
}

void traced_ask(const struct run *run, uint64_t seed, uint64_t rounds, uint64_t ticks,
                uint64_t frame_of)
{
	struct traced_question q = { seed, rounds, ticks, frame_of };

	check(write(run->ask, &q, sizeof(q)) == sizeof(q));
}

struct traced_reply traced_answer(const struct run *run)
{
	struct traced_reply r;

	read_all(run->reply, &r, sizeof(r));
	return r;
}

uint64_t traced_sum(const struct run *run, uint64_t seed)
{
	traced_ask(run, seed, 1, 0, 0);
	return traced_answer(run).sum;
}

uint64_t traced_frame(const struct run *run, uint64_t addr)
{
	traced_ask(run, 1, 1, 0, addr);
	return traced_answer(run).frame;
}

struct run traced_start(const char *path)
{
	struct run run = run_start(path, "translate");

	traced_sum(
		&run,
		1); /* it has been started now: what is registered is not what was there before */
	return run;
}
