// SPDX-License-Identifier: MIT
/*
 * flagged.c - a program compiled with -fdynopt-jumpstations (run.sh does it, with dynopt-clang):
 * its own text jumps into the code cache that the linker put at the end of it. Two and then
 * fifty processes run it; each is original until it is registered. What was linked into another segment than the cache is left alone.
 */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "traced.h"

#define MANY 50
#define EXE "/proc/self/exe"
/* Of the code cache's section, whose end is filled up to a page and has the far pool: room for a few traces. */
#define LAST_BYTES (PAGE + 2048)

/* `mov $12345,%eax; ret` */
__attribute__((noinline)) int answer(void);
int answer(void)
{
	__asm__ volatile("");
	return 12345;
}

/* Two long instructions, as a function's first one is no site; in a segment of its own: run.sh says where. */
__attribute__((noinline, section("far_text"))) int far_answer(int x);
int far_answer(int x)
{
	return (x ^ 0x1234567) + 12345;
}

/* Or the compiler would know what they return. */
static int (*volatile call_answer)(void) = answer;
static int (*volatile call_far_answer)(int) = far_answer;

static size_t bytes;
static char *program;

static const Elf64_Ehdr *header(void)
{
	return (const Elf64_Ehdr *)program;
}

/* Where in the file the section ends, or 0. */
static uint64_t section_end(const char *name)
{
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(program + header()->e_shoff);
	const char *names = program + sections[header()->e_shstrndx].sh_offset;
	int i;

	for (i = 0; i < header()->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, name))
			return sections[i].sh_offset + sections[i].sh_size;
	return 0;
}

/* The file's offset of an address of this program, which is not position-independent. */
static uint64_t file_offset(uint64_t addr)
{
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(program + header()->e_phoff);
	int i;

	for (i = 0; i < header()->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD &&
		    addr - segments[i].p_vaddr < segments[i].p_filesz)
			return addr - segments[i].p_vaddr + segments[i].p_offset;
	return 0;
}

struct answer {
	long value;
	uint64_t site_frame, cache_frame;
};

static struct answer run_ask(const struct run *run, uint64_t cache)
{
	struct answer answer;

	check(write(run->ask, &cache, sizeof(cache)) == sizeof(cache));
	check(read(run->reply, &answer, sizeof(answer)) == sizeof(answer));
	return answer;
}

static int run_serve(void)
{
	uint64_t cache;
	struct answer said;

	while (read(RUN_ASK, &cache, sizeof(cache)) == sizeof(cache)) {
		said.value = call_answer();
		said.site_frame = page_frame(0, (void *)(uintptr_t)answer);
		said.cache_frame = page_frame(0, (void *)(uintptr_t)cache);
		check(write(RUN_REPLY, &said, sizeof(said)) == sizeof(said));
	}
	return 0;
}

static void same(const struct answer *a, const struct answer *b)
{
	check_is(b->value, a->value);
	check(a->site_frame && a->cache_frame);
	check_is(b->site_frame, a->site_frame);
	check_is(b->cache_frame, a->cache_frame);
}

/* Traces come behind all that was put into the cache by hand. */
static void full_cache(int device, int file)
{
	static struct dynopt_ioc_report reports[DYNOPT_SUBMIT_TRACES_MAX];
	struct dynopt_ioc_submit submit;
	uint32_t full = 0, i;

	traces_read_from("/t/flagged.traces");
	traced_fill(&submit, file, 0, DYNOPT_SUBMIT_TRACES_MAX);
	submit.reports = (uintptr_t)reports;
	check_is(call_raw(device, DYNOPT_IOC_SUBMIT, &submit), DYNOPT_KMOD_OK);
	for (i = 0; i < submit.n_traces; i++)
		full += !strcmp(reports[i].status, kmod_status_name(DYNOPT_KMOD_CACHE_FULL));
	printf("%u traces, %u published, %u found the cache full\n", submit.n_traces,
	       submit.published, full);
	check(full > 0 && (submit.advice & DYNOPT_ADVICE_ENOUGH));
}

/* The module knows places by their offsets in the file, which in another segment say nothing of the distance in memory. */
static void other_segment(int device, int file)
{
	struct dynopt_ioc_block block = { .start = (uintptr_t)call_far_answer,
		                          .parent = 0xffffffff };
	struct dynopt_ioc_trace trace = { .n_blocks = 1 };
	struct dynopt_ioc_report report;
	struct dynopt_ioc_submit submit = { .size = sizeof(submit),
		                            .fd = file,
		                            .flags = DYNOPT_SUBMIT_ALL,
		                            .n_traces = 1,
		                            .n_blocks = 1,
		                            .traces = (uintptr_t)&trace,
		                            .blocks = (uintptr_t)&block,
		                            .reports = (uintptr_t)&report };

	check_is(call_raw(device, DYNOPT_IOC_SUBMIT, &submit), DYNOPT_KMOD_OK);
	check_is(submit.published, 0);
	printf("in another segment: %s\n", report.status);
	check(!strcmp(report.status, kmod_status_name(DYNOPT_KMOD_SITE_SEGMENT)));
	check_is(call_far_answer(5), (5 ^ 0x1234567) + 12345);
}

int main(int argc, char **argv)
{
	struct site site = { .plain = 12345, .patched = 54321 };
	struct run runs[2 + MANY];
	struct answer first, other;
	uint64_t cache_addr;
	int device, file, i;

	if (argc > 1 && !strcmp(argv[1], "run"))
		return run_serve();
	program = slurp(EXE, &bytes);
	site.cache = section_end(".dynopt.cache");
	if (!site.cache)
		guest_skip("dynopt-clang was not built, so this program has no code cache");
	site.cache -= LAST_BYTES;
	site.offset = file_offset((uintptr_t)answer);
	cache_addr = (uintptr_t)answer - site.offset + site.cache;
	check_is(file_offset(cache_addr), site.cache);
	device = device_open_patient();
	file = open(EXE, O_RDONLY | O_CLOEXEC);

	for (i = 0; i < 2; i++) {
		runs[i] = run_start("/proc/self/exe", "flagged");
		check_is(run_ask(&runs[i], cache_addr).value, site.plain);
		check_is(call_register(device, runs[i].pid), DYNOPT_KMOD_OK);
	}
	check_is(call_patch(device, file, &site), DYNOPT_KMOD_OK);
	first = run_ask(&runs[0], cache_addr);
	check_is(first.value, site.patched);
	for (i = 2; i < 2 + MANY; i++) {
		runs[i] = run_start("/proc/self/exe", "flagged");
		check_is(run_ask(&runs[i], cache_addr).value, site.plain);
		check_is(call_register(device, runs[i].pid), DYNOPT_KMOD_OK);
	}
	for (i = 1; i < 2 + MANY; i++) {
		other = run_ask(&runs[i], cache_addr);
		same(&first, &other);
	}
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), 1);
	check_is(counter(device, DYNOPT_COUNTER_PAGES), 2);
	other_segment(device, file);
	full_cache(device, file);
	/* This process was not registered; and what reads the file sees the file. */
	check_is(call_answer(), site.plain);
	file_same(EXE, program, bytes);
	for (i = 0; i < 2 + MANY; i++)
		run_end(&runs[i]);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
