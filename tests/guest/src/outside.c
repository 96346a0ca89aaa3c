// SPDX-License-Identifier: MIT
/*
 * outside.c - registered processes that are not alone in the world: seccomp, another user, a
 * set-uid program, overlayfs whose lower files several mounts share, a file that is written in
 * place, copied up or replaced, a library that is closed and opened again.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define LOWER LIB_DIR "/lower"
#define OVER_A "/tmp/a"
#define OVER_B "/tmp/b"

static uint8_t *again;

static long answer(int letter, void *context)
{
	int fd;

	switch (letter) {
	case '1':
		return lib_call(context, &site_one);
	case 's': /* read, write and exit of a thread are all that is left to it */
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) ? errno : 0;
	case 'u':
		return setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		       setresuid(65534, 65534, 65534);
	case 'a': /* the library as each overlay has it */
	case 'b':
		again = lib_map(letter == 'a' ? OVER_A "/lib" : OVER_B "/lib");
		return 0;
	case 'm': /* closed and opened again */
		if (again)
			munmap(again, LIB_BYTES);
		fd = open(LIB, O_RDONLY | O_CLOEXEC);
		again = mmap(NULL, LIB_BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
		close(fd);
		return again == MAP_FAILED;
	case '2':
		return lib_call(again, &site_one);
	default:
		return -1;
	}
}

/* The module asks nothing of the process: it needs no system calls. */
static void confined(int device, int file)
{
	struct child a = child_start(answer);
	long error;

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	error = child_ask(&a, 's');
	if (error) {
		check_is(error, EINVAL);
		printf("this kernel has no seccomp: not tested\n");
	}
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.plain);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(call_unregister(device, a.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.plain);
	child_kill(&a);
}

/* Who gives up its user stays what it was, and is not taken again; what it starts is not. */
static void other_user(int device, int file)
{
	struct child a = child_start(answer);

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, 'u'), 0);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_NOT_DUMPABLE);
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.plain);
	check_is(call_unregister(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_NOT_DUMPABLE);
	child_end(&a);
}

#define SUID LIB_DIR "/suid"

/* This program, owned by another user and with his rights, says when it runs. */
static void set_uid(int device)
{
	int to[2], from[2], in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out;
	char bytes[65536], ready;
	ssize_t n;
	pid_t pid;

	out = open(SUID, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0700);
	check(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		check(write(out, bytes, n) == n);
	check(fchown(out, 4243, 4243) == 0 && fchmod(out, 04755) == 0);
	close(out);
	close(in);
	check(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		check(dup2(to[0], 0) == 0 && dup2(from[1], 1) == 1);
		close(to[1]);
		close(device);
		check(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
		execl(SUID, "outside", "suid", NULL);
		_exit(98);
	}
	close(from[1]);
	check(read(from[0], &ready, 1) == 1);
	check_is(ready, 's');
	check_is(call_register(device, pid), DYNOPT_KMOD_NOT_DUMPABLE);
	close(to[1]);
	close(to[0]);
	wait_ok(pid);
	close(from[0]);
	unlink(SUID);
}

static int run_suid(void)
{
	char byte;

	check_is(geteuid(), 4243);
	check(write(1, "s", 1) == 1);
	return read(0, &byte, 1) == 0 ? 0 : 1;
}

static bool overlay(const char *at, const char *name)
{
	char upper[64], work[64], options[256];

	snprintf(upper, sizeof(upper), LIB_DIR "/upper%s", name);
	snprintf(work, sizeof(work), LIB_DIR "/work%s", name);
	check(mkdir(at, 0755) == 0 && mkdir(upper, 0755) == 0 && mkdir(work, 0755) == 0);
	snprintf(options, sizeof(options), "lowerdir=" LOWER ",upperdir=%s,workdir=%s", upper,
	         work);
	if (mount("overlay", at, "overlay", 0, options) == 0)
		return true;
	check_is(errno, ENODEV);
	printf("this kernel has no overlayfs: not tested\n");
	return false;
}

/*
 * Two mounts over one lower file, as containers have them, map the same inode: registered, they
 * share its pages. The overlays' own inodes are mapped by nobody. A copy that one of them
 * writes to is another file.
 */
static void overlays(int device)
{
	struct child a = child_start(answer), b = child_start(answer), c = child_start(answer);
	int lower, upper;

	check(mkdir(LOWER, 0755) == 0);
	lib_make(LOWER "/lib");
	if (!overlay(OVER_A, "a"))
		return;
	check(overlay(OVER_B, "b"));
	child_ask(&a, 'a');
	child_ask(&b, 'b');
	lower = open(LOWER "/lib", O_RDONLY | O_CLOEXEC);
	upper = open(OVER_A "/lib", O_RDONLY | O_CLOEXEC);
	check(lower >= 0 && upper >= 0);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, upper, &site_one), DYNOPT_KMOD_NOT_MAPPED);
	check_is(call_patch(device, lower, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '2'), site_one.patched);
	check_is(child_ask(&b, '2'), site_one.patched);
	check(open(LOWER "/lib", O_WRONLY | O_CLOEXEC) < 0 && errno == ETXTBSY);
	close(upper);
	/* Copied up, in one of them. */
	upper = open(OVER_A "/lib", O_WRONLY | O_CLOEXEC);
	check(upper >= 0);
	check(pwrite(upper, "\xb8\x58", 2, LIB_ONE) == 2);
	close(upper);
	child_ask(&c, 'a');
	check_is(call_register(device, c.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&c, '2'), 0x58);
	check_is(child_ask(&a, '2'), site_one.patched);
	check_is(child_ask(&b, '2'), site_one.patched);
	check_is(call_undo_all(device, lower), DYNOPT_KMOD_OK);
	check_is(child_ask(&b, '2'), site_one.plain);
	close(lower);
	child_end(&a);
	child_end(&b);
	child_end(&c);
	check(umount(OVER_A) == 0 && umount(OVER_B) == 0);
}

/* `cp` over a library that is mapped, but not owned: what is patched is what is there then. */
static void written(int device, int file)
{
	struct child a = child_start(answer);
	int writer = open(LIB, O_WRONLY | O_CLOEXEC);

	check(writer >= 0);
	check_is(child_ask(&a, '1'), site_one.plain);
	check(pwrite(writer, "\xb8\x58", 2, LIB_ONE) == 2);
	close(writer);
	check_is(child_ask(&a, '1'), 0x58);
	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_MISMATCH);
	check_is(child_ask(&a, '1'), 0x58);
	check_is(call_patch(device, file, &site_two), DYNOPT_KMOD_OK);
	check(open(LIB, O_WRONLY | O_TRUNC | O_CLOEXEC) < 0 && errno == ETXTBSY);
	child_end(&a);
	lib_make(LIB);
}

/* As a package manager does it: another file under the name. Who has the old one keeps its translations; the new one is new. */
static void replaced(int device, int file)
{
	struct child a = child_start(answer), b;
	int now;

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	lib_make(LIB ".new");
	check(rename(LIB ".new", LIB) == 0);
	b = child_start(answer);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(child_ask(&b, '1'), site_one.plain);
	now = open(LIB, O_RDWR | O_CLOEXEC);
	check(now >= 0);
	check_is(call_undo(device, now, &site_one), DYNOPT_KMOD_NO_PATCH);
	check_is(child_ask(&a, '1'), site_one.patched);
	check_is(call_undo(device, file, &site_one), DYNOPT_KMOD_OK);
	check_is(child_ask(&a, '1'), site_one.plain);
	close(now);
	child_end(&a);
	child_end(&b);
}

static void opened_again(int device)
{
	struct child a = child_start(answer), b = child_start(answer);
	int file = open(LIB, O_RDONLY | O_CLOEXEC), i;

	check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, b.pid), DYNOPT_KMOD_OK);
	check_is(call_patch(device, file, &site_one), DYNOPT_KMOD_OK);
	for (i = 0; i < 20; i++) {
		check_is(child_ask(&a, 'm'), 0);
		check_is(child_ask(&a, '2'), site_one.plain);
		check_is(call_register(device, a.pid), DYNOPT_KMOD_OK);
		check_is(child_ask(&a, '2'), site_one.patched);
	}
	check_is(counter(device, DYNOPT_COUNTER_MAPPINGS), 3);
	child_end(&a);
	child_end(&b);
	close(file);
}

int main(int argc, char **argv)
{
	int device, file;

	if (argc > 1 && !strcmp(argv[1], "suid"))
		return run_suid();
	device = device_open();
	lib_make(LIB);
	file = open(LIB, O_RDONLY | O_CLOEXEC);
	confined(device, file);
	other_user(device, file);
	set_uid(device);
	overlays(device);
	written(device, file);
	opened_again(device);
	replaced(device, file);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	check_is(counter(device, DYNOPT_COUNTER_PROCESSES), 0);
	return 0;
}
