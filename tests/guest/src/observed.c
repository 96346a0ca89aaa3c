// SPDX-License-Identifier: MIT
/*
 * observed.c - faults inside translations, as handlers and core dumps see them: the instruction, the address and all
 * general registers are those of the original.
 *
 *     observed             /t/observed.traces has the traces (grow_traces.c); run.sh compiles this program with the flag
 */
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include "traced.h"

#define EXE "/proc/self/exe"
#define CORE "/tmp/core"
#define VALUES (PAGE / sizeof(uint32_t))

/* ---- what faults, in loops ---- */

static uint32_t *values; /* a page, and behind it one that may not be read */
static volatile size_t far = 2 * VALUES, near = VALUES;

__attribute__((noinline)) uint64_t add_all(const uint32_t *from, size_t n, uint64_t sum);
uint64_t add_all(const uint32_t *from, size_t n, uint64_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + (from[i] ^ i);
	return sum;
}

__attribute__((noinline)) uint64_t divide_all(const uint32_t *by, size_t n, uint64_t sum);
uint64_t divide_all(const uint32_t *by, size_t n, uint64_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += 1000000007u / by[i] + i;
	return sum;
}

static void make_values(void)
{
	values = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(values != MAP_FAILED && mprotect((uint8_t *)values + PAGE, PAGE, PROT_NONE) == 0);
	for (uint32_t i = 0; i < VALUES; i++)
		values[i] = i * 2654435761u | 1;
	values[900] = 0;
}

/* ---- a process in which it does ---- */

enum what { READ, DIVIDE, DIE, WHAT_N };

struct seen {
	int signal;
	uint64_t addr, sum; /* sum: of what does not fault, so that it is known to be right */
	greg_t registers[REG_RIP + 1];
};

static struct seen seen;
static sigjmp_buf back;

static void on_fault(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;

	seen.signal = number;
	seen.addr = (uintptr_t)info->si_addr;
	memcpy(seen.registers, at->uc_mcontext.gregs, sizeof(seen.registers));
	siglongjmp(back, 1);
}

static void handle(bool with_handler)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO };

	if (with_handler)
		action.sa_sigaction = on_fault;
	check(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGFPE, &action, NULL) == 0);
}

static int serve(void)
{
	enum what what;

	make_values();
	while (read(RUN_ASK, &what, sizeof(what)) == sizeof(what)) {
		memset(&seen, 0, sizeof(seen));
		handle(what != DIE);
		if (sigsetjmp(back, 1) == 0) {
			if (what == DIVIDE)
				seen.sum = divide_all(values, near, 3);
			else
				seen.sum = add_all(values, far, 3);
		}
		seen.sum = add_all(values, near, 5) + divide_all(values, 900, 7);
		check(write(RUN_REPLY, &seen, sizeof(seen)) == sizeof(seen));
	}
	return 0;
}

static void ask(const struct run *run, enum what what)
{
	check(write(run->ask, &what, sizeof(what)) == sizeof(what));
}

static struct seen answer(const struct run *run)
{
	struct seen reply;

	check(read(run->reply, &reply, sizeof(reply)) == sizeof(reply));
	return reply;
}

static struct run start(void)
{
	struct run run = run_start(EXE, "observed");

	ask(&run, READ); /* it has been started now */
	answer(&run);
	return run;
}

/* ---- core dumps ---- */

static bool dumps_cores(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		printf("this kernel dumps no core: not tested\n");
		return false;
	}
	check(write(fd, CORE, strlen(CORE)) == (ssize_t)strlen(CORE));
	close(fd);
	check(setrlimit(RLIMIT_CORE, &all) == 0);
	return true;
}

/* The first thread's registers. */
static struct user_regs_struct core_registers(void)
{
	char *core = slurp(CORE, NULL);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)core;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(core + header->e_phoff);
	struct user_regs_struct registers;
	struct elf_prstatus status;

	for (int i = 0; i < header->e_phnum; i++) {
		const char *at = core + segments[i].p_offset, *end = at + segments[i].p_filesz;

		while (segments[i].p_type == PT_NOTE && at < end) {
			const Elf64_Nhdr *note = (const Elf64_Nhdr *)at;

			at += sizeof(*note) + (note->n_namesz + 3) / 4 * 4;
			if (note->n_type == NT_PRSTATUS) {
				memcpy(&status, at, sizeof(status));
				memcpy(&registers, &status.pr_reg, sizeof(registers));
				free(core);
				return registers;
			}
			at += (note->n_descsz + 3) / 4 * 4;
		}
	}
	guest_fail(__FILE__, __LINE__, "the core has a thread's registers");
}

/* It dies of the same fault; the core says what the handler was told. */
static void dumped(struct run *run, const struct seen *wanted)
{
	struct user_regs_struct r;
	int status;

	unlink(CORE);
	ask(run, DIE);
	check(waitpid(run->pid, &status, 0) == run->pid);
	check(WIFSIGNALED(status) && WCOREDUMP(status));
	check_is(WTERMSIG(status), SIGSEGV);
	r = core_registers();
	check_is(r.rip, wanted->registers[REG_RIP]);
	check_is(r.rsp, wanted->registers[REG_RSP]);
	check_is(r.rax, wanted->registers[REG_RAX]);
	check_is(r.rcx, wanted->registers[REG_RCX]);
	check_is(r.rdx, wanted->registers[REG_RDX]);
	check_is(r.rdi, wanted->registers[REG_RDI]);
	check_is(r.rsi, wanted->registers[REG_RSI]);
	check_is(r.r8, wanted->registers[REG_R8]);
	close(run->ask);
	close(run->reply);
	unlink(CORE);
}

static void same(const struct seen *now, const struct seen *wanted)
{
	int i;

	check_is(now->signal, wanted->signal);
	check_is(now->addr, wanted->addr);
	check_is(now->sum, wanted->sum);
	for (i = 0; i <= REG_RIP; i++) {
		if (now->registers[i] == wanted->registers[i])
			continue;
		printf("register %d: %#llx, not %#llx\n", i, now->registers[i],
		       wanted->registers[i]);
		guest_fail(__FILE__, __LINE__, "the registers of the original");
	}
}

static struct dynopt_ioc_report reports[TRACES_MAX];

int main(int argc, char **argv)
{
	static const int signals[] = { [READ] = SIGSEGV, [DIVIDE] = SIGFPE };
	struct seen plain[DIE];
	int device, file;
	enum what what;
	struct run run;
	bool cores;

	if (argc > 1 && !strcmp(argv[1], "run"))
		return serve();
	traces_read_from("/t/observed.traces");
	device = device_open_patient();
	file = open(EXE, O_RDONLY | O_CLOEXEC);
	cores = dumps_cores();
	run = start();
	for (what = READ; what < DIE; what++) {
		ask(&run, what);
		plain[what] = answer(&run);
		check_is(plain[what].signal, signals[what]);
	}
	check_is(call_register(device, run.pid), DYNOPT_KMOD_OK);
	printf("%u traces published\n", traced_submit_all(device, file, reports));
	for (what = READ; what < DIE; what++) {
		uint64_t turned = counter(device, DYNOPT_COUNTER_TURNED);
		struct seen now;

		ask(&run, what);
		now = answer(&run);
		/* It was in the translation. */
		check(counter(device, DYNOPT_COUNTER_TURNED) > turned);
		same(&now, &plain[what]);
	}
	if (cores) {
		uint64_t turned = counter(device, DYNOPT_COUNTER_TURNED);

		dumped(&run, &plain[READ]);
		check(counter(device, DYNOPT_COUNTER_TURNED) > turned);
	} else {
		run_end(&run);
	}
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
