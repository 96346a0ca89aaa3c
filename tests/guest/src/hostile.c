// SPDX-License-Identifier: MIT
/*
 * hostile.c - requests that nobody should make: wrong sizes, pointers, versions, descriptors,
 * bytes, rights, each refused by its name. Random ones are fuzz.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

static uint64_t seen[DYNOPT_KMOD_STATUS_N];

static void expect(uint32_t status, uint32_t wanted, int line)
{
	if (status != wanted) {
		fprintf(stderr, "line %d: %s, not %s\n", line, kmod_status_name(status),
		        kmod_status_name(wanted));
		_exit(1);
	}
	seen[status]++;
}
#define refuses(status, wanted) expect(status, DYNOPT_KMOD_##wanted, __LINE__)

/* Sizes and addresses of the struct itself. */
static void shapes(int device)
{
	struct {
		struct dynopt_ioc_hello hello;
		uint8_t tail[64];
	} large = { { .size = sizeof(large), .min = 1, .max = 9 }, { 0 } };
	uint8_t *two =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct dynopt_ioc_hello *edge;

	refuses(call_raw(device, DYNOPT_IOC_HELLO, &large), OK);
	check_is(large.hello.version, 1);
	large.tail[63] = 1;
	refuses(call_raw(device, DYNOPT_IOC_HELLO, &large), BAD_SIZE);
	large.hello.size = sizeof(large.hello) - 1;
	refuses(call_raw(device, DYNOPT_IOC_HELLO, &large), BAD_SIZE);
	large.hello.size = 0;
	refuses(call_raw(device, DYNOPT_IOC_HELLO, &large), BAD_SIZE);
	large.hello.size = 0xffffffff;
	refuses(call_raw(device, DYNOPT_IOC_HELLO, &large), BAD_SIZE);

	check(two != MAP_FAILED && munmap(two + PAGE, PAGE) == 0);
	edge = (struct dynopt_ioc_hello *)(two + PAGE - 16);
	edge->size = sizeof(*edge);
	check(ioctl(device, DYNOPT_IOC_HELLO, edge) == -1 && errno == EFAULT);
	check(ioctl(device, DYNOPT_IOC_HELLO, NULL) == -1 && errno == EFAULT);
	check(ioctl(device, DYNOPT_IOC_PATCH, two + PAGE) == -1 && errno == EFAULT);
	check(ioctl(device, DYNOPT_IOC_QUERY, (void *)0xffffffff81000000ul) == -1 &&
	      errno == EFAULT);
	/* Read-only memory: there is no place for the answer. */
	*(struct dynopt_ioc_hello *)two =
		(struct dynopt_ioc_hello){ .size = 32, .min = 1, .max = 1 };
	check(mprotect(two, PAGE, PROT_READ) == 0);
	check(ioctl(device, DYNOPT_IOC_HELLO, two) == -1 && errno == EFAULT);
	seen[DYNOPT_KMOD_BAD_ADDRESS]++;
	munmap(two, PAGE);
	check(ioctl(device, _IOWR('D', 0x70, struct dynopt_ioc_hello), &large) == -1 &&
	      errno == ENOTTY);
	check(ioctl(device, _IOR('D', 0x60, struct dynopt_ioc_hello), &large) == -1 &&
	      errno == ENOTTY);
	check(ioctl(device, TIOCGWINSZ, &large) == -1 && errno == ENOTTY);
	seen[DYNOPT_KMOD_UNKNOWN_CALL]++;
}

static void versions(int device)
{
	struct dynopt_ioc_hello hello;
	struct dynopt_ioc_query query = { .size = sizeof(query), .n = 1, .counters = 8 };

	refuses(call_hello(device, 1, 1, &hello), OK);
	check_is(hello.n_counters, DYNOPT_COUNTER_N);
	check(hello.features & DYNOPT_FEATURE_GATE);
	check(hello.features & DYNOPT_FEATURE_TRACES);
	refuses(call_hello(device, 2, 1, &hello), BAD_REQUEST);
	refuses(call_hello(device, 2, 7, &hello), VERSION);
	refuses(call_hello(device, 0, 0, &hello), VERSION);
	refuses(call_raw(device, DYNOPT_IOC_QUERY, &query), BAD_ADDRESS);
	query.pad = 1;
	refuses(call_raw(device, DYNOPT_IOC_QUERY, &query), BAD_REQUEST);
}

/* One field of a good request is made bad. */
#define PATCH_WITH(assignment) \
	({ \
		struct dynopt_ioc_patch patch; \
		patch_fill(&patch, file, &site_one); \
		assignment; \
		call_raw(device, DYNOPT_IOC_PATCH, &patch); \
	})

static void fields(int device, int file)
{
	int pipes[2], directory = open(LIB_DIR, O_RDONLY | O_CLOEXEC);
	int writer = open(LIB_DIR "/other", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int path = open(LIB, O_PATH | O_CLOEXEC);
	struct dynopt_ioc_undo undo = { .size = sizeof(undo), .fd = file, .flags = 4 };

	check(pipe(pipes) == 0 && directory >= 0 && writer >= 0 && path >= 0);
	refuses(PATCH_WITH(patch.kind = 0), BAD_REQUEST);
	refuses(PATCH_WITH(patch.kind = 2), BAD_REQUEST);
	refuses(PATCH_WITH(patch.old_len = 4; patch.old[4] = 0), BAD_REQUEST);
	refuses(PATCH_WITH(patch.old_len = 16), BAD_REQUEST);
	refuses(PATCH_WITH(patch.old[7] = 1), BAD_REQUEST);
	refuses(PATCH_WITH(patch.code_len = 0), BAD_REQUEST);
	refuses(PATCH_WITH(patch.code_len = 97), BAD_REQUEST);
	refuses(PATCH_WITH(patch.code[95] = 1), BAD_REQUEST);
	refuses(PATCH_WITH(patch.pad[4] = 1), BAD_REQUEST);
	refuses(PATCH_WITH(patch.flags = 2), BAD_REQUEST);
	refuses(PATCH_WITH(patch.fd = -1), FILE);
	refuses(PATCH_WITH(patch.fd = 1000), FILE);
	refuses(PATCH_WITH(patch.fd = device), FILE);
	refuses(PATCH_WITH(patch.fd = directory), FILE);
	refuses(PATCH_WITH(patch.fd = pipes[0]), FILE);
	refuses(PATCH_WITH(patch.fd = writer), FILE);
	refuses(PATCH_WITH(patch.fd = path), FILE);
	refuses(PATCH_WITH(patch.offset = LIB_BYTES - 4), FILE_RANGE);
	refuses(PATCH_WITH(patch.offset = ~0ull), FILE_RANGE);
	refuses(PATCH_WITH(patch.offset = ~0ull - 4), FILE_RANGE);
	refuses(PATCH_WITH(patch.cache_offset = LIB_BYTES - 9), FILE_RANGE);
	refuses(PATCH_WITH(patch.cache_offset = ~0ull - 9), FILE_RANGE);
	refuses(PATCH_WITH(patch.cache_offset = patch.offset + 4), OVERLAP);
	refuses(PATCH_WITH(patch.old[1] = 9), MISMATCH);
	refuses(PATCH_WITH(patch.cache_offset = LIB_CACHE - 1), CACHE_BYTES);
	refuses(PATCH_WITH(patch.cache_offset = 0), CACHE_BYTES);
	refuses(call_undo(device, file, &site_one), NO_PATCH);
	refuses(call_undo_all(device, file), OK);
	refuses(call_raw(device, DYNOPT_IOC_UNDO, &undo), BAD_REQUEST);
	undo.flags = 0;
	undo.fd = -5;
	refuses(call_raw(device, DYNOPT_IOC_UNDO, &undo), FILE);
	/* Refused in the midst, and still to be had. */
	refuses(PATCH_WITH(), OK);
	refuses(PATCH_WITH(), OVERLAP);
	refuses(PATCH_WITH(patch.offset += 1; patch.old[0] = 1), OVERLAP);
	refuses(PATCH_WITH(patch.offset = LIB_TWO; patch.old[1] = 2), CACHE_TAKEN);
	refuses(PATCH_WITH(patch.offset = LIB_TWO; patch.old[1] = 2; patch.cache_offset += 9),
	        CACHE_TAKEN);
	/* A site on a page of the cache, a translation on a page with sites. */
	refuses(PATCH_WITH(patch.offset = LIB_CACHE + 32; memset(patch.old, 0xcc, 5);
	                   patch.cache_offset = LIB_CACHE + 3 * PAGE),
	        CACHE_TAKEN);
	refuses(call_undo_all(device, file), OK);
	close(pipes[0]);
	close(pipes[1]);
	close(directory);
	close(writer);
	close(path);
}

/* One trace of one block, and room for its report. */
struct suggestion {
	struct dynopt_ioc_trace trace;
	struct dynopt_ioc_block block;
	struct dynopt_ioc_report report;
	struct dynopt_ioc_submit submit;
};

static struct suggestion *suggest(int file)
{
	static struct suggestion s;

	s = (struct suggestion){ .trace = { 1, 0 },
		                 .block = { .start = LIB_ONE, .parent = 0xffffffff },
		                 .submit = { .size = sizeof(s.submit),
		                             .fd = file,
		                             .n_traces = 1,
		                             .n_blocks = 1,
		                             .traces = (uintptr_t)&s.trace,
		                             .blocks = (uintptr_t)&s.block,
		                             .reports = (uintptr_t)&s.report } };
	return &s;
}

#define SUBMIT_WITH(assignment) \
	({ \
		struct suggestion *s = suggest(file); \
		assignment; \
		call_raw(device, DYNOPT_IOC_SUBMIT, &s->submit); \
	})

/* The queue itself: queue.c. */
static void budgets(int device)
{
	struct dynopt_ioc_reports reports = { .size = sizeof(reports) };
	struct dynopt_ioc_policy policy = { .size = sizeof(policy) }, before;

	refuses(call_raw(device, DYNOPT_IOC_REPORTS, &reports), NO_REPORTS);
	reports.size--;
	refuses(call_raw(device, DYNOPT_IOC_REPORTS, &reports), BAD_SIZE);
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), OK);
	check(policy.block_us && policy.queue_blocks && policy.user_blocks &&
	      policy.process_blocks && policy.user_pages && policy.leave_ms);
	before = policy;
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), BAD_REQUEST);
	policy.flags = DYNOPT_POLICY_SET | DYNOPT_POLICY_SYSTEM_ON | DYNOPT_POLICY_SYSTEM_OFF;
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), BAD_REQUEST);
	policy.flags = 8;
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), BAD_REQUEST);
	policy = (struct dynopt_ioc_policy){ .size = sizeof(policy),
		                             .flags = DYNOPT_POLICY_SET,
		                             .block_us = 7 };
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), OK);
	check_is(policy.block_us, 7);
	check_is(policy.queue_blocks, before.queue_blocks);
	policy = (struct dynopt_ioc_policy){ .size = sizeof(policy), .pad = 1 };
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), BAD_REQUEST);
	/* Who was compiled before it had the last two members. */
	policy = (struct dynopt_ioc_policy){ .size = 32, .leave_ms = 5 };
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &policy), OK);
	check(policy.user_pages == before.user_pages && policy.leave_ms == 5);
	before.flags = DYNOPT_POLICY_SET;
	refuses(call_raw(device, DYNOPT_IOC_POLICY, &before), OK);
}

/* Translations themselves: translate.c. */
static void suggestions(int device, int file)
{
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int sparse = open(LIB_DIR "/sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0755);
	size_t bytes = 40ul << 20;
	uint8_t *large;

	refuses(SUBMIT_WITH(s->submit.flags = 4), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.flags = DYNOPT_SUBMIT_QUEUE), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.domain = -2), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.pad = 1), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.n_traces = 0), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.n_traces = s->submit.n_blocks = 257), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.n_traces = 0xffffffff), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.n_blocks = 0xffffffff), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.n_blocks = 16385), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.n_blocks = 2), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->trace.n_blocks = 0), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->trace.n_blocks = 0xffffffff), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->block.pad = 1), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->block.parent = 0), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->block.branch = 1002), BAD_REQUEST);
	refuses(SUBMIT_WITH(s->submit.traces = 8), BAD_ADDRESS);
	refuses(SUBMIT_WITH(s->submit.blocks = ~0ull - 7), BAD_ADDRESS);
	refuses(SUBMIT_WITH(s->submit.blocks = 0xffffffff81000000), BAD_ADDRESS);
	refuses(SUBMIT_WITH(s->submit.fd = -1), FILE);
	/* The library is no program, this program has no code cache, the third file is too large. */
	refuses(SUBMIT_WITH(), FILE_TEXT);
	refuses(SUBMIT_WITH(s->submit.reports = 8), BAD_ADDRESS);
	refuses(SUBMIT_WITH(s->submit.fd = exe), NO_CACHE);
	check(ftruncate(sparse, bytes) == 0);
	close(sparse);
	sparse = open(LIB_DIR "/sparse", O_RDONLY | O_CLOEXEC);
	large = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, sparse, 0);
	check(large != MAP_FAILED);
	refuses(SUBMIT_WITH(s->submit.fd = sparse), WORKSPACE);
	munmap(large, bytes);
	close(sparse);
	close(exe);
	unlink(LIB_DIR "/sparse");
}

static uint8_t *map_file(const char *path, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *at = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	check(fd >= 0 && at != MAP_FAILED);
	close(fd);
	return at;
}

static void other_files(int device)
{
	uint8_t *other;
	int file, i, result = 0;
	struct site far = { LIB_ONE, 3ull << 30, 1, 101, 0 };

	/* Shared memory is nobody's text. */
	lib_make("/tmp/lib");
	other = map_file("/tmp/lib", LIB_BYTES);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	file = open("/tmp/lib", O_RDONLY | O_CLOEXEC);
	refuses(call_patch(device, file, &site_one), FILE_SYSTEM);
	close(file);
	munmap(other, LIB_BYTES);
	unlink("/tmp/lib");

	/* A sparse file, its cache too far away; then mapped, but not where the cache is. */
	lib_make(LIB_DIR "/far");
	check(truncate(LIB_DIR "/far", (3ll << 30) + PAGE) == 0);
	file = open(LIB_DIR "/far", O_RDONLY | O_CLOEXEC);
	refuses(call_patch(device, file, &far), REACH);
	other = map_file(LIB_DIR "/far", LIB_CACHE);
	check_is(call_register(device, 0), DYNOPT_KMOD_OK);
	refuses(call_patch(device, file, &site_one), NOT_MAPPED);
	munmap(other, LIB_CACHE);
	close(file);
	unlink(LIB_DIR "/far");

	/* More pages than one file may have. */
	{
		size_t bytes = 1200 * PAGE;
		uint8_t *text = malloc(bytes);
		int writer = open(LIB_DIR "/many", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);

		check(text && writer >= 0);
		memset(text, 0xcc, bytes);
		for (i = 0; i < 1190; i++)
			memcpy(text + i * PAGE, "\xb8\1\0\0\0\xc3", 6);
		check(write(writer, text, bytes) == (ssize_t)bytes);
		close(writer);
		free(text);
		other = map_file(LIB_DIR "/many", bytes);
		check_is(call_register(device, 0), DYNOPT_KMOD_OK);
		file = open(LIB_DIR "/many", O_RDONLY | O_CLOEXEC);
		for (i = 0; i < 1190 && !result; i++) {
			struct site site = { i * PAGE, 1190 * PAGE + i * 16, 1, 2, 0 };

			result = call_patch(device, file, &site);
			if (!result && i % 100 == 0)
				check_is(lib_call(other, &site), 2);
		}
		refuses(result, LIMIT);
		check(i > 1000);
		check_is(call_undo_all(device, file), DYNOPT_KMOD_OK);
		munmap(other, bytes);
		close(file);
		unlink(LIB_DIR "/many");
	}
}

static void in_child(void (*run)(int device, int file), int device, int file)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		run(device, file);
		_exit(0);
	}
	wait_ok(pid);
}

/* The descriptor was opened by root, and gives no right by itself. */
static void as_nobody(int device, int file)
{
	struct dynopt_ioc_hello hello;
	struct dynopt_ioc_query query = { .size = sizeof(query) };
	struct dynopt_ioc_reports reports = { .size = sizeof(reports) };
	struct dynopt_ioc_policy policy = { .size = sizeof(policy) };

	check(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 &&
	      setresuid(65534, 65534, 65534) == 0);
	check_is(call_hello(device, 1, 1, &hello), DYNOPT_KMOD_OK);
	check_is(call_register(device, 0), DYNOPT_KMOD_PERMISSION);
	check_is(call_unregister(device, 0), DYNOPT_KMOD_PERMISSION);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_PERMISSION);
	check_is(call_undo_all(device, file), DYNOPT_KMOD_PERMISSION);
	check_is(SUBMIT_WITH(), DYNOPT_KMOD_PERMISSION);
	check_is(call_raw(device, DYNOPT_IOC_QUERY, &query), DYNOPT_KMOD_PERMISSION);
	check_is(call_raw(device, DYNOPT_IOC_REPORTS, &reports), DYNOPT_KMOD_PERMISSION);
	check_is(call_raw(device, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_PERMISSION);
	check(open(DYNOPT_DEVICE, O_RDWR | O_CLOEXEC) < 0 && errno == EACCES);
}

/* The device's group: itself, and looking. */
static void as_member(int device, int file)
{
	struct dynopt_ioc_query query = { .size = sizeof(query) };
	struct dynopt_ioc_policy policy = { .size = sizeof(policy) };
	int own;

	check(chown(DYNOPT_DEVICE, 0, 4242) == 0);
	check(setgroups(0, NULL) == 0 && setresgid(4242, 4242, 4242) == 0 &&
	      setresuid(65534, 65534, 65534) == 0);
	own = open(DYNOPT_DEVICE, O_RDWR | O_CLOEXEC);
	check(own >= 0);
	/* A process that changed its user is not dumpable until exec or prctl. */
	check_is(call_register(own, 0), DYNOPT_KMOD_NOT_DUMPABLE);
	check(prctl(PR_SET_DUMPABLE, 1) == 0);
	/* It was forked from a registered process of root's. */
	check_is(call_register(own, 0), DYNOPT_KMOD_DOMAIN);
	check_is(call_unregister(own, 0), DYNOPT_KMOD_OK);
	check_is(call_register(own, 0), DYNOPT_KMOD_OK);
	check_is(call_unregister(own, 0), DYNOPT_KMOD_OK);
	check_is(call_register(own, 1), DYNOPT_KMOD_PERMISSION);
	check_is(call_raw(own, DYNOPT_IOC_QUERY, &query), DYNOPT_KMOD_OK);
	check_is(call_raw(own, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_OK);
	policy = (struct dynopt_ioc_policy){ .size = sizeof(policy), .flags = DYNOPT_POLICY_SET };
	check_is(call_raw(own, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_PERMISSION);
	check_is(call_patch(own, file, &site_one), DYNOPT_KMOD_PERMISSION);
	(void)device;
}

static void undumpable(int device, int file)
{
	check(prctl(PR_SET_DUMPABLE, 0) == 0);
	check_is(call_register(device, 0), DYNOPT_KMOD_NOT_DUMPABLE);
	(void)file;
}

static void rights(int device, int file)
{
	struct dynopt_ioc_process process = { .size = sizeof(process), .domain = 1 };

	in_child(as_nobody, device, file);
	seen[DYNOPT_KMOD_PERMISSION]++;
	in_child(undumpable, device, file);
	in_child(as_member, device, file);
	seen[DYNOPT_KMOD_NOT_DUMPABLE]++;
	seen[DYNOPT_KMOD_DOMAIN]++;
	check(chown(DYNOPT_DEVICE, 0, 0) == 0);
	/* A kernel thread has no memory. */
	refuses(call_register(device, 2), NO_PROCESS);
	refuses(call_register(device, 0x7fffffff), NO_PROCESS);
	refuses(call_register(device, -7), BAD_REQUEST);
	refuses(call_raw(device, DYNOPT_IOC_REGISTER, &process), BAD_REQUEST);
	process.domain = 0;
	process.pad = 1;
	refuses(call_raw(device, DYNOPT_IOC_UNREGISTER, &process), BAD_REQUEST);
}

/* Provoked elsewhere, or by nothing that a test can do. */
static bool seen_elsewhere(uint32_t status)
{
	switch (status) {
	/* life, private, sample */
	case DYNOPT_KMOD_FILE_WRITTEN:
	case DYNOPT_KMOD_PRIVATE_PAGE:
	case DYNOPT_KMOD_NOT_SAMPLED:
	/* faults */
	case DYNOPT_KMOD_FILE_READ:
	case DYNOPT_KMOD_MEMORY:
	/* cookie */
	case DYNOPT_KMOD_PROCESS_BUSY:
	/* queue */
	case DYNOPT_KMOD_FIFO_FULL:
	case DYNOPT_KMOD_FIFO_QUOTA:
	case DYNOPT_KMOD_BLOCK_TIME:
	case DYNOPT_KMOD_REPORTS_ROOM:
	case DYNOPT_KMOD_INTERRUPTED:
	/* domains */
	case DYNOPT_KMOD_DOMAIN_OFF:
	case DYNOPT_KMOD_DOMAIN_PAGES:
	case DYNOPT_KMOD_NOT_EXECUTABLE:
	/* stuck, debugged */
	case DYNOPT_KMOD_LEAVING:
	case DYNOPT_KMOD_TRACED:
	/* of single traces: fuzz, flagged */
	case DYNOPT_KMOD_SITE_SLOT:
	case DYNOPT_KMOD_CACHE_FULL:
	case DYNOPT_KMOD_SITE_SEGMENT:
	/* never: on later kernels only; if the engine forgot what it has promised */
	case DYNOPT_KMOD_KERNEL:
	case DYNOPT_KMOD_NOT_EXACT:
		return true;
	}
	return false;
}

int main(void)
{
	int device = device_open(), file;
	uint8_t *lib;
	uint32_t i;

	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	shapes(device);
	versions(device);
	refuses(call_patch(device, file, &site_one), NOT_MAPPED);
	lib = lib_map(LIB);
	refuses(call_register(device, 0), OK);
	fields(device, file);
	budgets(device);
	suggestions(device, file);
	check_is(lib_call(lib, &site_one), site_one.plain);
	rights(device, file);
	other_files(device);
	for (i = 0; i < DYNOPT_KMOD_STATUS_N; i++) {
		printf("%s %llu\n", kmod_status_name(i), (unsigned long long)seen[i]);
		check(seen[i] || seen_elsewhere(i));
	}
	munmap(lib, LIB_BYTES);
	fflush(stdout);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
