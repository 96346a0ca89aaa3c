/* SPDX-License-Identifier: MIT */
/*
 * init.c - what happens between the loading of the library and the program's main().
 *
 *   1 options: from dynopt run, by the environment, which is then as the program would have found it without us; else the policy is asked
 *   2 the world, the signal layer, the agent
 *   3 in eager mode: the agent translates what is loaded while this thread waits
 *
 * Every failure leaves a program that runs as it would have without the library; the status file says why.
 * Nothing is printed, nothing exits.
 */
#include "agent.h"
#include "ask.h"
#include "fault.h"
#include "host.h"
#include "jitdump.h"
#include "modules.h"
#include "names.h"
#include "signals.h"
#include "status_write.h"
#include "sys.h"

#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>

struct world *world;

static const char preload_name[] = "LD_PRELOAD=", options_name[] = "DYNOPT_OPTIONS=";

static bool begins(const char *text, const char *with)
{
	while (*with && *text == *with)
		text++, with++;
	return !*with;
}

/*
 * The environment is edited where it lies: some programs (shells) bring a getenv and an unsetenv of their own,
 * which know nothing yet, and would be called instead of libc's.
 */
static void restore_environment(const struct options *options, char **environment)
{
	char **keep = environment;

	if (options->children)
		return;
	for (; *environment; environment++) {
		if (begins(*environment, options_name))
			continue;
		if (begins(*environment, preload_name)) {
			if (!options->preload[0])
				continue;
			memcpy(world->preload, preload_name, sizeof(preload_name) - 1);
			memcpy(world->preload + sizeof(preload_name) - 1, options->preload,
			       OPTION_PATH_MAX);
			*keep++ = world->preload;
			continue;
		}
		*keep++ = *environment;
	}
	*keep = NULL;
}

static const char *find_options(char **environment)
{
	for (; *environment; environment++)
		if (begins(*environment, options_name))
			return *environment + sizeof(options_name) - 1;
	return NULL;
}

/* Field 22 of /proc/self/stat; the second field is a name in parentheses that may hold anything. */
static u64 start_time(void)
{
	char text[1024];
	long n = sys_read_file("/proc/self/stat", text, sizeof(text) - 1), at = n;
	u64 value = 0;

	if (n <= 0)
		return 0;
	text[n] = 0;
	while (at > 0 && text[at] != ')')
		at--;
	for (int field = 2; field < 22 && text[at]; at++)
		field += text[at] == ' ';
	for (; text[at] >= '0' && text[at] <= '9'; at++)
		value = value * 10 + (u64)(text[at] - '0');
	return value;
}

static bool make_world(const char *text, const char *program)
{
	long memory = sys_mmap(0, page_up(sizeof(struct world)), PROT_READ | PROT_WRITE,
	                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (sys_failed(memory))
		return false;
	world = (struct world *)memory;
	world->start_ns = sys_now_ns();
	world->host_pid = (int)sys_getpid();
	world->start_time = start_time();
	for (u32 i = 0; i < sizeof(world->program) - 1 && program[i]; i++)
		world->program[i] = program[i];
	if (options_parse(text, &world->options))
		return true;
	world->state = STATUS_STATE_FAILED;
	world->cause = STATUS_CAUSE_OPTIONS;
	return false;
}

/* dl_iterate_phdr() holds the loader's lock while it calls back; once is enough. */
static int with_loader_still(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)info;
	(void)size;
	(void)data;
	agent_ask(REQUEST_MODULES, STATUS_CAUSE_NONE, modules_read);
	return 1;
}

/* Options may name the programs that are meant; all others only hand them on. */
static bool wanted_program(void)
{
	char path[OPTION_PATH_MAX];
	long n = sys6(SYS_readlink, (long)"/proc/self/exe", (long)path, sizeof(path) - 1, 0, 0, 0);

	if (sys_failed(n))
		n = 0;
	path[n] = 0;
	return names_hold(world->options.programs, names_file(path));
}

/* Nothing is done for who gains privileges by being started: who starts it may have chosen the library. */
static bool is_privileged(void)
{
	return getauxval(AT_SECURE) != 0;
}

/* Says in the status file why nothing will happen. */
static void give_up(void)
{
	world->state = STATUS_STATE_FAILED;
	status_write();
}

static void __attribute__((constructor)) start(int argc, char **argv, char **environment)
{
	const char *text = is_privileged() ? "" : find_options(environment);
	bool asked = !text;

	if (asked)
		text = ask_policy(environment);
	if (!*text || !make_world(text, argc > 0 ? argv[0] : ""))
		return;
	if (!wanted_program())
		return;
	if (!asked)
		restore_environment(&world->options, environment);
	if (world->options.policy_line) {
		world->cause = STATUS_CAUSE_POLICY;
		world->detail = world->options.policy_line;
		give_up();
		return;
	}
	if (!world->options.eager && !world->options.traces[0] && !world->options.sample)
		return;
	signals_start();
	jitdump_start();
	pthread_atfork(NULL, NULL, agent_forked);
	if (agent_start())
		dl_iterate_phdr(with_loader_still, NULL);
	else
		give_up();
	sampler_timer_begin();
}

/* What the agent has not written yet would go with it. */
static void __attribute__((destructor)) finish(void)
{
	if (world && !world->forked && (world->status_due || world->samples))
		agent_ask(REQUEST_STATUS, STATUS_CAUSE_NONE, NULL);
}

bool host_active(void)
{
	return world && (world->state == STATUS_STATE_RUNNING ||
	                 (world->options.sample && world->state == STATUS_STATE_IDLE));
}

void host_withdraw(enum status_cause cause)
{
	if (host_active())
		agent_ask(REQUEST_WITHDRAW, cause, NULL);
}

bool host_fault_is_ours(struct fault *fault)
{
	return agent_ask(REQUEST_FAULT, (u64)(uintptr_t)fault, NULL) && fault->ours;
}

void host_show_original(u64 rip)
{
	if (store_patched(rip))
		agent_ask(REQUEST_SITE, rip, NULL);
}
