// SPDX-License-Identifier: MIT
/*
 * guest.c - the library, the device and what is seen of memory; see guest.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "guest.h"

const struct site site_one = { LIB_ONE, LIB_CACHE, 1, 101, 0 };
const struct site site_two = { LIB_TWO, LIB_CACHE + 64, 2, 102, 0 };
/* What it returns makes its bytes on the second page others than those of the jump, whose distance is a small one: half a jump must show. */
const struct site site_cross = { LIB_CROSS, LIB_CACHE + 2 * PAGE - 5, 0x5a5a0003, 103, 0 };
const struct site site_four = { LIB_FOUR, LIB_CACHE + 4 * PAGE, 4, 104, 2000 };

void guest_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s (%s)\n", file, line, what, strerror(errno));
	_exit(1);
}

void guest_is(const char *file, int line, const char *what, long value, long wanted)
{
	if (value == wanted)
		return;
	fprintf(stderr, "%s:%d: %s is %ld, not %ld (%s)\n", file, line, what, value, wanted,
	        strerror(errno));
	_exit(1);
}

void guest_skip(const char *why)
{
	printf("SKIP: %s\n", why);
	fflush(stdout);
	_exit(77);
}

/* b8 imm32: mov $value,%eax */
static void put_move(uint8_t *at, int32_t value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, sizeof(value));
}

static void put_function(uint8_t *lib, const struct site *site)
{
	put_move(lib + site->offset, site->plain);
	lib[site->offset + 5] = 0xc3;
}

void lib_make(const char *path)
{
	uint8_t *lib = malloc(LIB_BYTES);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);

	check(lib && fd >= 0);
	memset(lib, 0x90, LIB_CACHE);
	memset(lib + LIB_CACHE, 0xcc, LIB_BYTES - LIB_CACHE);
	put_function(lib, &site_one);
	put_function(lib, &site_two);
	put_function(lib, &site_cross);
	put_function(lib, &site_four);
	check(write(fd, lib, LIB_BYTES) == (ssize_t)LIB_BYTES);
	check(close(fd) == 0);
	free(lib);
}

uint8_t *lib_map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *lib;

	check(fd >= 0);
	lib = mmap(NULL, LIB_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	check(lib != MAP_FAILED);
	close(fd);
	return lib;
}

int lib_call(const uint8_t *lib, const struct site *site)
{
	return ((int (*)(void))(uintptr_t)(lib + site->offset))();
}

int device_open(void)
{
	int fd = open(DYNOPT_DEVICE, O_RDWR | O_CLOEXEC);

	check(fd >= 0);
	return fd;
}

int device_open_patient(void)
{
	struct dynopt_ioc_policy policy = { .size = sizeof(policy),
		                            .flags = DYNOPT_POLICY_SET,
		                            .block_us = 0xffffffff };
	int device = device_open();

	check_is(call_raw(device, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_OK);
	return device;
}

static const struct {
	const char *name;
	int error;
} statuses[] = {
	{ "OK", 0 },
#define X(name, error, text) { #name, error },
#include "kmod_status.def"
#undef X
};

const char *kmod_status_name(uint32_t status)
{
	return status < DYNOPT_KMOD_STATUS_N ? statuses[status].name : "none that is known";
}

/* Size and status are every request's first members. */
uint32_t call_raw(int device, unsigned long command, void *request)
{
	uint32_t *head = request;
	int result, error;

	head[1] = 0xffffffff;
	do {
		result = ioctl(device, command, request);
		error = result ? errno : 0;
	} while (error == EINTR);
	if (head[1] >= DYNOPT_KMOD_STATUS_N || statuses[head[1]].error != error) {
		fprintf(stderr, "call %#lx: status %s, but %s\n", command,
		        kmod_status_name(head[1]), strerror(error));
		_exit(1);
	}
	return head[1];
}

uint32_t call_hello(int device, uint32_t min, uint32_t max, struct dynopt_ioc_hello *hello)
{
	*hello = (struct dynopt_ioc_hello){ .size = sizeof(*hello), .min = min, .max = max };
	return call_raw(device, DYNOPT_IOC_HELLO, hello);
}

uint32_t call_register(int device, pid_t pid)
{
	struct dynopt_ioc_process process = { .size = sizeof(process), .pid = pid };
	uint32_t status;

	do
		status = call_raw(device, DYNOPT_IOC_REGISTER, &process);
	while (status == DYNOPT_KMOD_LEAVING);
	return status;
}

uint32_t call_unregister(int device, pid_t pid)
{
	struct dynopt_ioc_process process = { .size = sizeof(process), .pid = pid };
	uint32_t status;

	do
		status = call_raw(device, DYNOPT_IOC_UNREGISTER, &process);
	while (status == DYNOPT_KMOD_LEAVING);
	return status;
}

void patch_fill(struct dynopt_ioc_patch *patch, int file, const struct site *site)
{
	uint8_t *move = patch->code;

	memset(patch, 0, sizeof(*patch));
	patch->size = sizeof(*patch);
	patch->fd = file;
	patch->kind = DYNOPT_PATCH_FIXED;
	patch->offset = site->offset;
	patch->cache_offset = site->cache;
	patch->old_len = 5;
	put_move(patch->old, site->plain);
	if (site->pauses) {
		/* mov $pauses,%ecx; 1: pause; dec %ecx; jnz 1b */
		patch->code[0] = 0xb9;
		memcpy(patch->code + 1, &site->pauses, 4);
		memcpy(patch->code + 5, "\xf3\x90\xff\xc9\x75\xfa", 6);
		move += 11;
	}
	put_move(move, site->patched);
	patch->code_len = move + 5 - patch->code;
}

uint32_t call_patch(int device, int file, const struct site *site)
{
	struct dynopt_ioc_patch patch;

	patch_fill(&patch, file, site);
	return call_raw(device, DYNOPT_IOC_PATCH, &patch);
}

uint32_t call_undo(int device, int file, const struct site *site)
{
	struct dynopt_ioc_undo undo = { .size = sizeof(undo), .fd = file, .offset = site->offset };

	return call_raw(device, DYNOPT_IOC_UNDO, &undo);
}

uint32_t call_patch_in_place(int device, int file, const struct site *site)
{
	struct dynopt_ioc_patch patch;

	patch_fill(&patch, file, site);
	patch.flags = DYNOPT_PATCH_COOKIE;
	return call_raw(device, DYNOPT_IOC_PATCH, &patch);
}

uint32_t call_undo_in_place(int device, int file, const struct site *site)
{
	struct dynopt_ioc_undo undo = { .size = sizeof(undo),
		                        .fd = file,
		                        .flags = DYNOPT_UNDO_COOKIE,
		                        .offset = site->offset };

	return call_raw(device, DYNOPT_IOC_UNDO, &undo);
}

uint32_t call_undo_all(int device, int file)
{
	struct dynopt_ioc_undo undo = { .size = sizeof(undo),
		                        .fd = file,
		                        .flags = DYNOPT_UNDO_ALL };

	return call_raw(device, DYNOPT_IOC_UNDO, &undo);
}

uint64_t counter(int device, enum dynopt_kmod_counter counter)
{
	uint64_t counters[DYNOPT_COUNTER_N];
	struct dynopt_ioc_query query = { .size = sizeof(query),
		                          .n = DYNOPT_COUNTER_N,
		                          .counters = (uintptr_t)counters };

	check_is(call_raw(device, DYNOPT_IOC_QUERY, &query), DYNOPT_KMOD_OK);
	check_is(query.n, DYNOPT_COUNTER_N);
	return counters[counter];
}

void module_load(void)
{
	int fd = open("/t/dynopt.ko", O_RDONLY | O_CLOEXEC);

	check(fd >= 0);
	check_is(syscall(SYS_finit_module, fd, "", 0), 0);
	close(fd);
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "dynopt", O_NONBLOCK) ? errno : 0;
}

uint64_t page_frame(pid_t pid, const void *addr)
{
	char path[64];
	uint64_t entry;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid ? pid : getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	check(fd >= 0);
	check(pread(fd, &entry, sizeof(entry), (uintptr_t)addr / PAGE * sizeof(entry)) ==
	      sizeof(entry));
	close(fd);
	/* Bit 63: present; bits 0 to 54: the frame (Documentation/admin-guide/mm/pagemap.rst). */
	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

char *slurp(const char *path, size_t *bytes)
{
	size_t room = 1 << 22, n = 0; /* larger files are none of the tests' */
	char *text = malloc(room + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	check(fd >= 0 && text);
	while ((got = read(fd, text + n, room - n)) > 0)
		n += got;
	check(got == 0 && n < room);
	close(fd);
	text[n] = 0;
	if (bytes)
		*bytes = n;
	return text;
}

void file_same(const char *path, const char *bytes, size_t n)
{
	size_t now;
	char *read_now = slurp(path, &now);

	check_is(now, n);
	check(memcmp(read_now, bytes, n) == 0);
	free(read_now);
}
