/* SPDX-License-Identifier: MIT */
/*
 * doctor_needs.c - tries, on memory and processes of its own, each thing that the library does in a program:
 * load, start an agent, put a page in the place of another.
 */
#include "doctor.h"
#include "glibc.h"
#include "launch.h"
#include "policy.h"
#include "remember.h"
#include "status_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static void look_library(struct findings_list *list)
{
	char *path = NULL, *error = NULL;

	if (launch_library(&path, &error)) {
		finding_add(list, "library", LEVEL_OK, path, NULL);
		return;
	}
	finding_add(list, "library", LEVEL_MISSING, base_printf("libdynopt.so %s", error),
	            "install it beside the command, or name it in DYNOPT_LIBRARY");
	free(path);
	free(error);
}

static void look_system(struct findings_list *list)
{
	char *version = glibc_version();
	struct utsname u;
	int major = 0, minor = 0;
	bool fits;

	uname(&u);
	fits = strcmp(u.sysname, "Linux") == 0 && strcmp(u.machine, "x86_64") == 0;
	finding_add(list, "kernel", fits ? LEVEL_OK : LEVEL_MISSING,
	            base_printf("%s %s on %s", u.sysname, u.release, u.machine),
	            fits ? NULL : "dynopt is for Linux on x86-64");
	if (version)
		sscanf(version, "%d.%d", &major, &minor);
	fits = major > 2 || (major == 2 && minor >= 34);
	finding_add(list, "libc",
	            fits      ? LEVEL_OK
	            : version ? LEVEL_WARN
	                      : LEVEL_MISSING,
	            version ? base_printf("glibc %s", version)
	                    : base_printf("no loader of glibc's answers"),
	            fits ? NULL
	            : version
	                    ? "tested with 2.36; before 2.34 threads live in a library of their own"
	                    : "the library needs glibc, and programs that are linked to it");
	free(version);
}

static void look_maps(struct findings_list *list)
{
	bool works = access("/proc/self/maps", R_OK) == 0 && access("/proc/self/stat", R_OK) == 0;

	finding_add(list, "proc", works ? LEVEL_OK : LEVEL_MISSING,
	            base_printf("/proc/self/maps and stat %s",
	                        works ? "can be read" : "cannot be read"),
	            works ? NULL : "mount /proc");
}

/* The two ways to a page that is executable and holds what we want (runtime/lib/gate.c). */
static bool may_become_executable(void)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool works = page != MAP_FAILED && mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0;

	if (page != MAP_FAILED)
		munmap(page, PAGE);
	return works;
}

static bool may_be_written_by_force(void)
{
	static const char byte = (char)0xc3;
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	bool works = page != MAP_FAILED && fd >= 0 &&
	             pwrite(fd, &byte, 1, (off_t)(uintptr_t)page) == 1 && page[0] == byte;

	if (fd >= 0)
		close(fd);
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	return works;
}

static bool may_be_moved_over_text(void)
{
	int self = open("/bin/sh", O_RDONLY | O_CLOEXEC); /* any file's pages */
	char *live = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, 0);
	char *edited = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, self, 0);
	bool works = live != MAP_FAILED && edited != MAP_FAILED &&
	             mremap(edited, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, live) == live;

	if (live != MAP_FAILED)
		munmap(live, PAGE);
	if (!works && edited != MAP_FAILED)
		munmap(edited, PAGE);
	if (self >= 0)
		close(self);
	return works;
}

static void look_gate(struct findings_list *list)
{
	if (!may_be_moved_over_text())
		finding_add(
			list, "gate", LEVEL_MISSING,
			base_printf("a text page cannot be replaced by another"),
			"a security module or a seccomp filter forbids to map or to move executable pages");
	else if (may_become_executable())
		finding_add(list, "gate", LEVEL_OK,
		            base_printf("a text page can be replaced in one step"), NULL);
	else if (may_be_written_by_force())
		finding_add(list, "gate", LEVEL_OK,
		            base_printf(
				    "a text page can be replaced in one step, written by "
				    "/proc/self/mem: what was writable may not become executable"),
		            NULL);
	else
		finding_add(
			list, "gate", LEVEL_MISSING,
			base_printf("what was writable may not become executable, and "
		                    "/proc/self/mem cannot be written"),
			"see MemoryDenyWriteExecute= of the service and proc_mem.force_override= of the kernel");
}

static int agent(void *unused)
{
	(void)unused;
	syscall(SYS_exit, 7);
	return 0;
}

/* A process that shares the memory, ends without a signal and waits for nobody. */
static void look_agent(struct findings_list *list)
{
	size_t size = 16 * PAGE;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 0, error = ENOMEM;
	pid_t pid = -1;
	bool works;

	if (stack != MAP_FAILED) {
		pid = clone(agent, stack + size, CLONE_VM | CLONE_UNTRACED | CLONE_VFORK, NULL);
		error = errno;
	}
	works = pid > 0 && waitpid(pid, &status, __WCLONE) == pid && WIFEXITED(status) &&
	        WEXITSTATUS(status) == 7;
	finding_add(list, "agent", works ? LEVEL_OK : LEVEL_MISSING,
	            works ? base_printf("a process that shares memory can be started")
	                  : base_printf("a process that shares memory cannot be started: %s",
	                                strerror(error)),
	            works ? NULL : "see ulimit -u, and seccomp filters on clone");
	if (stack != MAP_FAILED)
		munmap(stack, size);
}

static void look_status_dir(struct findings_list *list)
{
	char *path = status_dir_path(NULL), *error = NULL;
	bool missing;

	if (status_dir_check(path, true, &missing, &error))
		finding_add(list, "status-dir", LEVEL_OK, base_printf("%s", path), NULL);
	else
		finding_add(list, "status-dir", LEVEL_WARN, base_printf("%s: %s", path, error),
		            "programs run without status files; use --status-dir");
	free(path);
	free(error);
}

static void look_remember(struct findings_list *list)
{
	char *folder = remember_folder(), *error = NULL, **names = NULL;

	if (!folder)
		finding_add(list, "remember", LEVEL_WARN,
		            base_printf("neither XDG_CACHE_HOME nor HOME is set"),
		            "runs begin cold: there is no place to remember earlier ones");
	else if (remember_check(folder, &error))
		finding_add(list, "remember", LEVEL_OK, base_printf("%s", folder), NULL);
	else
		finding_add(list, "remember", LEVEL_WARN, base_printf("%s %s", folder, error),
		            "runs begin cold, or nothing is kept for later ones");
	for (size_t i = 0, n = folder ? remember_faults(folder, &names) : 0; i < n; i++) {
		finding_add(
			list, "fault", LEVEL_WARN,
			base_printf("%s: a translation faulted where the original does not",
		                    names[i]),
			"it runs as it is until dynopt enable --program=NAME; please report it, with the .fault file");
		free(names[i]);
	}
	free(names);
	free(error);
	free(folder);
}

static void look_policy(struct findings_list *list)
{
	struct policy policy;
	char *user = policy_user_file();

	policy_read(&policy, "");
	finding_add(list, "policy", policy.wrong || policy.enabled == 0 ? LEVEL_WARN : LEVEL_OK,
	            policy.wrong ? base_printf("%s", policy.wrong)
	            : policy.no  ? base_printf("%s says enabled = no", policy.no)
	                         : base_printf(POLICY_SYSTEM " and %s are in order, or not there",
                                              user ? user : "no file of the user's"),
	            policy.wrong ? "mend it: until then no program is translated"
	            : policy.enabled == 0
	                    ? "programs are translated only where [program NAME] says yes"
	                    : NULL);
	policy_free(&policy);
	free(user);
}

void doctor_needs(struct findings_list *list)
{
	look_library(list);
	look_system(list);
	look_maps(list);
	look_gate(list);
	look_agent(list);
	look_status_dir(list);
	look_remember(list);
	look_policy(list);
}
