// SPDX-License-Identifier: MIT
/*
 * domains.c - users who do not trust one another, with the same file: each has pages of his own or the file's, whoever
 * takes all he can get, undoes what he can, changes his user, or comes from another user namespace. The system's domain is
 * shared by all who are put into it, and takes traces from the administrator only.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "traced.h"

#define GROUP 4242
#define ANNE 4001
#define BERT 4002
#define CARL 4003

static struct dynopt_ioc_report reports[TRACES_MAX];
static char *original; /* the traced program's bytes */
static size_t bytes;
static int device, file;

/* ---- what a user can do: each in a process of his own, which maps the program but does not run it ---- */

static const uint8_t *text;

/* Bytes that are not the file's. */
static long changed(void)
{
	long n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += text[i] != (uint8_t)original[i];
	return n;
}

static void enter(uid_t user)
{
	become(user, user ? GROUP : 0);
	check(prctl(PR_SET_DUMPABLE, 1) == 0);
	device = device_open();
	file = open(TRACED, O_RDONLY | O_CLOEXEC);
	text = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	check(file >= 0 && text != MAP_FAILED);
}

/* All traces; how many were published, or the status, negative. */
static long submit(int32_t domain, uint32_t first, uint32_t n)
{
	long published = 0;
	uint32_t i, k;

	for (i = first; i < first + n; i += k) {
		struct dynopt_ioc_submit request;
		uint32_t status;

		k = first + n - i < DYNOPT_SUBMIT_TRACES_MAX ? first + n - i
		                                             : DYNOPT_SUBMIT_TRACES_MAX;
		traced_fill(&request, file, i, k);
		request.domain = domain;
		request.reports = (uintptr_t)(reports + i);
		status = call_raw(device, DYNOPT_IOC_SUBMIT, &request);
		if (status)
			return -(long)status;
		published += request.published;
	}
	return published;
}

static uint32_t undo_all(int32_t domain, uint32_t *undone)
{
	struct dynopt_ioc_undo undo = {
		.size = sizeof(undo), .fd = file, .flags = DYNOPT_UNDO_ALL, .domain = domain
	};
	uint32_t status = call_raw(device, DYNOPT_IOC_UNDO, &undo);

	if (undone)
		*undone = undo.undone;
	return status;
}

static uint32_t register_in(pid_t pid, int32_t domain)
{
	struct dynopt_ioc_process process = { .size = sizeof(process),
		                              .pid = pid,
		                              .domain = domain };

	return call_raw(device, DYNOPT_IOC_REGISTER, &process);
}

/* Keeps the right to change its user. */
static void enter_mighty(uid_t user)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	check(prctl(PR_SET_KEEPCAPS, 1) == 0);
	enter(user);
	check(syscall(SYS_capget, &header, data) == 0);
	data[0].effective = 1u << CAP_SETUID;
	check(syscall(SYS_capset, &header, data) == 0);
	check(prctl(PR_SET_DUMPABLE, 1) == 0);
}

static long undone_by(int32_t domain)
{
	uint32_t undone;

	return undo_all(domain, &undone) == DYNOPT_KMOD_OK ? (long)undone : -1;
}

static long act(int letter, void *context)
{
	(void)context;
	switch (letter) {
	case 'R':
		return enter(0), 0;
	case 'A':
		return enter(ANNE), 0;
	case 'B':
		return enter(BERT), 0;
	case 'C':
		return enter(CARL), 0;
	case 'M':
		return enter_mighty(ANNE), 0;
	case '0': /* root again, or somebody else */
		return setresuid(0, 0, 0);
	case '1':
		return become(ANNE, GROUP), 0;
	case 'e': /* not one user's */
		check(seteuid(ANNE) == 0);
		return prctl(PR_SET_DUMPABLE, 1);
	case 'n':
		return unshare(CLONE_NEWUSER) ? errno : 0;
	case 'd':
		return prctl(PR_SET_DUMPABLE, 1);
	case 'r':
		return call_register(device, 0);
	case 'y':
		return register_in(0, DYNOPT_DOMAIN_SYSTEM);
	case 'l':
		return call_unregister(device, 0);
	case 's':
		return submit(DYNOPT_DOMAIN_OWN, 0, n_traces);
	case 'u':
		return undone_by(DYNOPT_DOMAIN_OWN);
	case 'p': /* what is not his to ask for */
		check_is(undo_all(DYNOPT_DOMAIN_SYSTEM, NULL), DYNOPT_KMOD_PERMISSION);
		check_is(undo_all(getppid(), NULL), DYNOPT_KMOD_PERMISSION);
		check_is(submit(DYNOPT_DOMAIN_SYSTEM, 0, 1), -DYNOPT_KMOD_PERMISSION);
		check_is(submit(getppid(), 0, 1), -DYNOPT_KMOD_PERMISSION);
		return 0;
	case 'c':
		return changed();
	case 'f': /* of another file, which it maps */
		file = open(LIB, O_RDONLY | O_CLOEXEC);
		return -submit(DYNOPT_DOMAIN_OWN, 0, 1);
	default:
		return -1;
	}
}

static struct child user(int letter)
{
	struct child child = child_start(act);

	check_is(child_ask(&child, letter), 0);
	return child;
}

static struct child registered(int letter)
{
	struct child child = user(letter);

	check_is(child_ask(&child, 'r'), DYNOPT_KMOD_OK);
	check_is(child_ask(&child, 'c'), 0);
	return child;
}

static struct dynopt_ioc_policy policy(struct dynopt_ioc_policy policy)
{
	policy.size = sizeof(policy);
	policy.flags |= DYNOPT_POLICY_SET;
	check_is(call_raw(device, DYNOPT_IOC_POLICY, &policy), DYNOPT_KMOD_OK);
	return policy;
}

/*
 * One takes all places there are: the others have as many as before. Nobody chooses what root executes, nobody undoes
 * anybody else's.
 */
static void apart(void)
{
	struct child anne = registered('A'), bert = registered('B'), root = registered('R');
	long published = child_ask(&anne, 's'), annes, berts, undone;

	check(published > 10);
	annes = child_ask(&anne, 'c');
	check(annes > 0);
	check_is(child_ask(&bert, 'c'), 0);
	check_is(child_ask(&root, 'c'), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 1);
	check_is(child_ask(&bert, 's'), published);
	berts = child_ask(&bert, 'c');
	check_is(berts, annes);
	check_is(child_ask(&root, 'c'), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 2);
	check_is(counter(device, DYNOPT_COUNTER_DOMAINS), 3);
	/* All is taken, for her; for him it is as it was. */
	check_is(child_ask(&anne, 's'), 0);
	check_is(child_ask(&bert, 'u'), published);
	undone = child_ask(&bert, 'c'); /* bytes in the cache stay */
	check(undone < berts);
	check_is(child_ask(&anne, 'c'), annes);
	check_is(child_ask(&bert, 'u'), 0);
	check_is(child_ask(&root, 'u'), 0);
	check_is(child_ask(&anne, 'p'), 0);
	check_is(child_ask(&anne, 'c'), annes);
	check_is(child_ask(&bert, 's'), published);
	check(child_ask(&bert, 'c') > undone);
	check_is(child_ask(&anne, 'c'), annes);
	child_end(&bert);
	child_end(&root);
	child_end(&anne);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
}

/* So many pages of the kernel's memory, and no more, whatever a user submits; others have theirs. */
static void pages(void)
{
	struct child anne = registered('A'), bert = registered('B');
	struct dynopt_ioc_policy before = policy((struct dynopt_ioc_policy){ 0 });

	policy((struct dynopt_ioc_policy){ .user_pages = 3 });
	check_is(child_ask(&anne, 's'), -DYNOPT_KMOD_DOMAIN_PAGES);
	check_is(child_ask(&anne, 'c'), 0);
	check(counter(device, DYNOPT_COUNTER_PAGES) <= 3);
	policy((struct dynopt_ioc_policy){ .user_pages = before.user_pages });
	check(child_ask(&bert, 's') > 10);
	check(child_ask(&anne, 's') > 10);
	child_end(&anne);
	child_end(&bert);
	check_is(counter(device, DYNOPT_COUNTER_PAGES), 0);
}

/* Who is another user now leaves before anything new comes, in both directions. */
static void changed_users(void)
{
	uint64_t before = counter(device, DYNOPT_COUNTER_CHANGED_USER);
	struct child root = registered('R'), child = registered('R');
	struct child anne = registered('A'), mighty = registered('M');
	long first;

	check(child_ask(&root, 's') > 10);
	first = child_ask(&child, 'c');
	check(first > 0);
	check_is(child_ask(&child, '1'), 0);
	check_is(child_ask(&child, 'r'), DYNOPT_KMOD_NOT_DUMPABLE);
	check_is(child_ask(&child, 'd'), 0);
	check_is(child_ask(&child, 'r'), DYNOPT_KMOD_DOMAIN);
	check_is(child_ask(&child, 'c'), first);
	check(child_ask(&root, 'u') > 0 && child_ask(&root, 's') > 10);
	check_is(counter(device, DYNOPT_COUNTER_CHANGED_USER), before + 1);
	check_is(child_ask(&child, 'c'), 0);
	check(child_ask(&root, 'c') > 10);
	check_is(child_ask(&child, 'r'), DYNOPT_KMOD_OK);

	check_is(child_ask(&mighty, '0'), 0);
	check(child_ask(&anne, 's') > 10);
	check_is(counter(device, DYNOPT_COUNTER_CHANGED_USER), before + 2);
	check_is(child_ask(&mighty, 'c'), 0);
	check(child_ask(&anne, 'c') > 0);
	check(child_ask(&child, 'c') > 0);
	child_end(&mighty);
	child_end(&anne);
	child_end(&child);
	child_end(&root);

	child = user('R');
	check_is(child_ask(&child, 'e'), 0);
	check_is(call_register(device, child.pid), DYNOPT_KMOD_DOMAIN);
	child_end(&child);
}

/* The same number in another user namespace is somebody else. */
static void namespaces(void)
{
	struct child root = registered('R'), inner = user('R');
	long error = child_ask(&inner, 'n');

	if (error) {
		printf("this kernel has no user namespaces (%s): not tested\n", strerror(error));
	} else {
		/* Its user ids are none there, but the kernel's numbers are the same. */
		check_is(child_ask(&inner, 'd'), 0);
		check_is(call_register(device, inner.pid), DYNOPT_KMOD_OK);
		check(child_ask(&root, 's') > 10);
		check(child_ask(&root, 'c') > 0);
		check_is(child_ask(&inner, 'c'), 0);
		check(submit(inner.pid, 0, n_traces) > 10);
		check(child_ask(&inner, 'c') > 0);
		check_is(counter(device, DYNOPT_COUNTER_FILES), 2);
	}
	child_end(&inner);
	child_end(&root);
}

/* Off at first; then the administrator's alone to fill, and shared. */
static void system_wide(void)
{
	struct child anne = user('A'), bert = user('B'), other = registered('A');
	long published, all;

	check_is(register_in(anne.pid, DYNOPT_DOMAIN_SYSTEM), DYNOPT_KMOD_DOMAIN_OFF);
	check_is(submit(DYNOPT_DOMAIN_SYSTEM, 0, 1), -DYNOPT_KMOD_DOMAIN_OFF);
	policy((struct dynopt_ioc_policy){ .flags = DYNOPT_POLICY_SYSTEM_ON });
	check_is(child_ask(&anne, 'y'), DYNOPT_KMOD_PERMISSION);
	check_is(register_in(anne.pid, DYNOPT_DOMAIN_SYSTEM), DYNOPT_KMOD_OK);
	check_is(register_in(bert.pid, DYNOPT_DOMAIN_SYSTEM), DYNOPT_KMOD_OK);
	check_is(register_in(other.pid, DYNOPT_DOMAIN_SYSTEM), DYNOPT_KMOD_DOMAIN);
	published = submit(DYNOPT_DOMAIN_SYSTEM, 0, n_traces);
	check(published > 10);
	all = child_ask(&anne, 'c');
	check(all > 0);
	check_is(child_ask(&bert, 'c'), all);
	check_is(child_ask(&other, 'c'), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 1);
	/* What she submits and undoes is her own. */
	check(child_ask(&anne, 's') > 10);
	check(child_ask(&other, 'c') > 0);
	check(child_ask(&anne, 'u') > 0);
	check_is(child_ask(&anne, 'p'), 0);
	check_is(child_ask(&anne, 'c'), all);
	check_is(child_ask(&bert, 'c'), all);
	policy((struct dynopt_ioc_policy){ .flags = DYNOPT_POLICY_SYSTEM_OFF });
	check_is(submit(DYNOPT_DOMAIN_SYSTEM, 0, 1), -DYNOPT_KMOD_DOMAIN_OFF);
	check_is(submit(bert.pid, 0, 1), -DYNOPT_KMOD_DOMAIN_OFF);
	check_is(child_ask(&bert, 'c'), all);
	check_is(undone_by(bert.pid), published);
	check(child_ask(&bert, 'c') < all);
	child_end(&anne);
	child_end(&bert);
	child_end(&other);
}

/* A file that is owned cannot be written to: a user may bring that about only where he could by executing it. */
static void not_executable(void)
{
	struct child carl = registered('C');
	int writer;

	check(chmod(LIB, 0644) == 0);
	check_is(child_ask(&carl, 'f'), DYNOPT_KMOD_NOT_EXECUTABLE);
	writer = open(LIB, O_WRONLY | O_CLOEXEC);
	check(writer >= 0);
	close(writer);
	check(chmod(LIB, 0755) == 0);
	check_is(child_ask(&carl, 'f'), DYNOPT_KMOD_FILE_TEXT); /* it is no program */
	child_end(&carl);
}

/* They run it, and compute the same; each from pages of his own. */
static void working(void)
{
	struct run anne = run_start_as(TRACED, "translate", ANNE);
	struct run bert = run_start_as(TRACED, "translate", BERT);
	uint64_t plain = traced_sum(&anne, 7), site, mine;
	uint32_t i;

	check_is(call_register(device, anne.pid), DYNOPT_KMOD_OK);
	check_is(call_register(device, bert.pid), DYNOPT_KMOD_OK);
	check_is(submit(DYNOPT_DOMAIN_OWN, 0, 1), -DYNOPT_KMOD_NOT_MAPPED);
	check(submit(anne.pid, 0, n_traces) > 10);
	for (i = 0; strcmp(reports[i].status, "OK"); i++)
		;
	site = reports[i].site;
	check_is(traced_sum(&anne, 7), plain);
	check_is(traced_sum(&bert, 7), plain);
	mine = page_frame(anne.pid, (void *)(uintptr_t)site);
	check(mine && mine != page_frame(bert.pid, (void *)(uintptr_t)site));
	check(submit(bert.pid, 0, n_traces) > 10);
	check_is(traced_sum(&anne, 7), plain);
	check_is(traced_sum(&bert, 7), plain);
	check_is(page_frame(anne.pid, (void *)(uintptr_t)site), mine);
	check(mine != page_frame(bert.pid, (void *)(uintptr_t)site));
	run_end(&anne);
	run_end(&bert);
}

int main(void)
{
	traces_read();
	device = device_open_patient();
	check(chown(DYNOPT_DEVICE, 0, GROUP) == 0);
	file = open(TRACED, O_RDONLY | O_CLOEXEC);
	original = slurp(TRACED, &bytes);
	lib_make(LIB); /* children want to map it */
	apart();
	pages();
	changed_users();
	namespaces();
	system_wide();
	not_executable();
	working();
	check(chown(DYNOPT_DEVICE, 0, 0) == 0);
	check_is(counter(device, DYNOPT_COUNTER_BLOCKS), 0);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
