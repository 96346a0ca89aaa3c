/* SPDX-License-Identifier: MIT */
/*
 * process.c - see process.h.
 *
 * Samples are taken each millisecond of its CPU time while they bring something new, each ten after a while, and not at all after
 * that, but for a short look now and then: it may have turned to something else.
 */
#include "process.h"

#include "policy.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000u
#define PERIOD_US 1000u
#define PERIOD_QUIET_US 10000u
#define QUIET_NS (5ull * SECOND_NS) /* without a batch, until then */
#define STOP_NS (30ull * SECOND_NS) /* and until nothing is sampled */
#define LOOK_AGAIN_NS (60ull * SECOND_NS) /* and until it is again */
#define ROUND_NS 50000000u
#define ROUND_QUIET_NS 200000000u
#define MAPS_NS SECOND_NS
#define YOUNG_NS (2ull * SECOND_NS) /* libraries come */
#define MAPS_YOUNG_NS 200000000u
#define STATUS_NS SECOND_NS
#define BUDGET 10 /* per mille */
#define CREDIT_NS 100000000u
#define SAMPLES_ROOM 1024
#define PROCESSES_MOST_MAPS 4096

u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * SECOND_NS + (u64)now.tv_nsec;
}

static u64 thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (u64)now.tv_sec * SECOND_NS + (u64)now.tv_nsec;
}

/* ---- who it is ---- */

/* Field 22 of /proc/PID/stat; 0: there is none. */
static u64 start_time_of(pid_t pid)
{
	char *path = base_printf("/proc/%d/stat", (int)pid), text[1024];
	FILE *in = fopen(path, "re");
	const char *at = NULL;

	free(path);
	if (!in)
		return 0;
	if (fgets(text, sizeof(text), in))
		at = strrchr(text, ')');
	fclose(in);
	for (int field = 2; field < 22 && at; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

static bool find_owner(struct process *p)
{
	char *path = base_printf("/proc/%d", (int)p->pid);
	char *space = base_printf("/proc/%d/ns/user", (int)p->pid);
	struct stat st, user;
	bool found = stat(path, &st) == 0 && stat(space, &user) == 0;

	if (found) {
		p->uid = st.st_uid;
		p->domain = (struct domain){ st.st_uid, user.st_ino };
	}
	free(path);
	free(space);
	return found;
}

static bool stat_program(pid_t pid, struct stat *st)
{
	char *link = base_printf("/proc/%d/exe", (int)pid);
	bool done = stat(link, st) == 0;

	free(link);
	return done;
}

static bool find_program(struct process *p)
{
	char *link = base_printf("/proc/%d/exe", (int)p->pid), path[STATUS_PATH_MAX];
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	struct stat st;

	free(link);
	if (n <= 0 || !stat_program(p->pid, &st))
		return false;
	path[n] = 0;
	p->program = base_printf("%s", path);
	p->program_dev = st.st_dev;
	p->program_ino = st.st_ino;
	return true;
}

/* Does this process, it or a child of it, run the program that it was when it was attached? */
static bool runs_the_same(const struct process *p, pid_t pid)
{
	struct stat st;

	return stat_program(pid, &st) && st.st_dev == p->program_dev && st.st_ino == p->program_ino;
}

/* The system's policy: the daemon is no user. */
static bool ask_policy(struct process *p, char **error)
{
	struct policy policy;
	bool good;

	policy_read(&policy, p->program);
	good = policy.enabled != 0;
	if (!good)
		*error = policy.wrong ? base_printf("%s", policy.wrong)
		                      : base_printf("%s says enabled = no", policy.no);
	if (good && policy.leave)
		good = policy_leave(policy.leave, p->program, &p->leave, error);
	if (policy.eager == 1)
		p->attach.mode = ATTACH_EAGER;
	p->budget = policy.budget >= 0 ? (u64)policy.budget : BUDGET;
	if (policy.modules)
		p->modules = base_printf("%s", policy.modules);
	policy_free(&policy);
	return good;
}

static bool identify(struct process *p, uid_t asker, char **error)
{
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	p->start_time = start_time_of(p->pid);
	if (p->pidfd < 0 || !p->start_time || !find_owner(p)) {
		*error = base_printf("no such process");
		return false;
	}
	if (asker && asker != p->uid) {
		*error = base_printf("it is another user's process");
		return false;
	}
	if (!find_program(p)) {
		*error = base_printf("it runs no program, or this daemon may not look at it");
		return false;
	}
	return ask_policy(p, error);
}

struct process *process_new(pid_t pid, const struct attach *attach, uid_t asker, int device,
                            u64 features, char **error)
{
	struct process *p = base_calloc(1, sizeof(*p));

	p->pid = pid;
	p->pidfd = -1;
	p->attach = p->asked = *attach;
	p->asker = asker;
	if (!identify(p, asker, error)) {
		process_free(p);
		return NULL;
	}
	p->work = (struct work){ .device = device,
		                 .domain = features & DYNOPT_FEATURE_DOMAINS ? (s32)pid
		                                                             : DYNOPT_DOMAIN_OWN,
		                 .all = attach->all,
		                 .leave = p->leave };
	p->started_ns = p->batch_ns = p->period_ns = now_ns();
	return p;
}

static void unmap_all(struct process *p)
{
	for (size_t i = 0; i < p->maps.n; i++)
		if (p->maps.at[i].binary)
			binaries_put(p->maps.at[i].binary);
	p->maps.n = 0;
}

void process_free(struct process *p)
{
	unmap_all(p);
	free(p->maps.at);
	free(p->children.at);
	free(p->born.at);
	if (p->pidfd >= 0)
		close(p->pidfd);
	free(p->program);
	free(p->leave);
	free(p->modules);
	free(p);
}

static bool has_ended(const struct process *p)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };

	return poll(&end, 1, 0) > 0;
}

/* ---- what it maps ---- */

static bool is_wanted(const struct process *p, const char *path)
{
	const char *name = strrchr(path, '/') + 1, *at = p->modules;
	size_t n = strlen(name);

	while (at && *at) {
		size_t word = strcspn(at, " \t");

		if (word == n && memcmp(at, name, n) == 0)
			return true;
		at += word;
		at += strspn(at, " \t");
	}
	return !p->modules;
}

/* "START-END r-xp OFFSET DEV INODE PATH" of a private executable mapping of a file. */
static bool parse_map(char *line, struct mapped *map, char **path)
{
	unsigned long long start, end, offset;
	char rights[5];

	if (sscanf(line, "%llx-%llx %4s %llx", &start, &end, rights, &offset) != 4 ||
	    rights[2] != 'x' || rights[3] != 'p')
		return false;
	*path = strchr(line, '/');
	if (!*path)
		return false;
	(*path)[strcspn(*path, "\n")] = 0;
	*map = (struct mapped){ .start = start, .end = end, .offset = offset };
	return true;
}

static struct binary *open_mapped(struct process *p, const struct mapped *map, const char *path)
{
	char *file = base_printf("/proc/%d/map_files/%llx-%llx", (int)p->pid,
	                         (unsigned long long)map->start, (unsigned long long)map->end);
	struct binary *b = is_wanted(p, path) ? binaries_get(file, path, &p->domain) : NULL;

	free(file);
	return b;
}

/* Is it what was known of this place? Then it is known again. */
static struct mapped *known(struct process *p, const struct mapped *map)
{
	for (size_t i = 0; i < p->maps.n; i++)
		if (p->maps.at[i].start == map->start && p->maps.at[i].end == map->end &&
		    p->maps.at[i].offset == map->offset)
			return &p->maps.at[i];
	return NULL;
}

/* Reads its memory map anew; true if something came or went. */
static bool read_maps(struct process *p)
{
	char *path = base_printf("/proc/%d/maps", (int)p->pid), *line = NULL, *name;
	FILE *maps = fopen(path, "re");
	VEC(struct mapped) fresh = { 0 };
	size_t room = 0, same = 0;
	struct mapped map, *old;
	bool changed;

	free(path);
	if (!maps)
		return false;
	while (getline(&line, &room, maps) > 0 && fresh.n < PROCESSES_MOST_MAPS) {
		if (!parse_map(line, &map, &name))
			continue;
		old = known(p, &map);
		same += old != NULL;
		if (old) {
			map.binary = old->binary;
			old->binary = NULL;
		} else {
			map.binary = open_mapped(p, &map, name);
		}
		*vec_add(&fresh) = map;
	}
	changed = same != fresh.n || same != p->maps.n;
	unmap_all(p);
	free(p->maps.at);
	p->maps.at = fresh.at;
	p->maps.n = fresh.n;
	p->maps.cap = fresh.cap;
	free(line);
	fclose(maps);
	return changed;
}

/* The children of one thread. */
static void read_children(struct process *p, const char *thread)
{
	char *path = base_printf("/proc/%d/task/%s/children", (int)p->pid, thread);
	FILE *in = fopen(path, "re");
	int child;

	free(path);
	while (in && fscanf(in, "%d", &child) == 1)
		*vec_add(&p->children) = (pid_t)child;
	if (in)
		fclose(in);
}

static bool is_among(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Children that came since the last look. The module has registered them; here they begin to be sampled. */
static void find_born(struct process *p)
{
	char *path = base_printf("/proc/%d/task", (int)p->pid);
	size_t n_before = p->children.n;
	pid_t *before = p->children.at;
	DIR *threads = opendir(path);
	struct dirent *thread;

	free(path);
	p->children.at = NULL;
	p->children.n = p->children.cap = 0;
	while (threads && (thread = readdir(threads)))
		if (thread->d_name[0] != '.')
			read_children(p, thread->d_name);
	if (threads)
		closedir(threads);
	for (size_t i = 0; i < p->children.n; i++) {
		pid_t child = p->children.at[i];

		if (!is_among(before, n_before, child) && runs_the_same(p, child))
			*vec_add(&p->born) = child;
	}
	free(before);
}

/* Not what it executes instead: for that, policy has to be asked first. */
static bool register_same(struct process *p, char **error)
{
	char *unused = NULL;

	p->executed = !runs_the_same(p, p->pid);
	if (!p->executed && !kernel_register(p->work.device, p->pid, error))
		return false;
	if (!p->executed && !runs_the_same(p, p->pid)) {
		p->executed = true;
		if (!kernel_unregister(p->work.device, p->pid, &unused))
			free(unused);
	}
	if (p->executed)
		*error = base_printf("it has just executed another program");
	return !p->executed;
}

/* Mappings that are new are taken over, and the module is told what is known of their files. */
static bool follow_maps(struct process *p, char **error)
{
	u64 now = now_ns(), pause = now - p->started_ns < YOUNG_NS ? MAPS_YOUNG_NS : MAPS_NS;

	if (p->mapped_ns && now - p->mapped_ns < pause)
		return true;
	p->mapped_ns = now;
	find_born(p);
	if (!read_maps(p) && p->registered)
		return true;
	if (!register_same(p, error))
		return false;
	p->registered = true;
	p->settled = false;
	for (size_t i = 0; i < p->maps.n; i++) {
		struct binary *b = p->maps.at[i].binary;

		if (b)
			binary_begin(b, &p->work);
	}
	p->status_due = true;
	return true;
}

/* ---- where it executes ---- */

static const struct mapped *map_at(const struct process *p, u64 ip)
{
	size_t low = 0, high = p->maps.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->maps.at[middle].end <= ip)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->maps.n && p->maps.at[low].start <= ip ? &p->maps.at[low] : NULL;
}

static void take_sample(struct process *p, u64 ip)
{
	bool inside = ip & DYNOPT_SAMPLE_INSIDE;
	const struct mapped *map = map_at(p, ip & ~DYNOPT_SAMPLE_INSIDE);

	p->samples++;
	p->recent++;
	p->samples_cache += inside;
	p->recent_cache += inside;
	p->cpu_ns += (u64)p->period_us * 1000;
	if (map && map->binary)
		binary_sample(map->binary, (ip & ~DYNOPT_SAMPLE_INSIDE) - map->start + map->offset,
		              inside);
}

static u32 read_samples(struct process *p)
{
	u64 ips[SAMPLES_ROOM];
	u32 n = SAMPLES_ROOM, status = DYNOPT_KMOD_OK;

	while (n == SAMPLES_ROOM && !status) {
		status = kernel_read_samples(p->work.device, p->pid, ips, &n, &p->lost);
		for (u32 i = 0; i < n; i++)
			take_sample(p, ips[i]);
		p->status_due |= n > 0;
	}
	return status;
}

static u32 set_period(struct process *p, u32 period_us)
{
	u32 status = DYNOPT_KMOD_OK;

	if (period_us == p->period_us)
		return status;
	status = kernel_sample(p->work.device, p->pid,
	                       period_us ? DYNOPT_SAMPLE_START : DYNOPT_SAMPLE_STOP, period_us);
	if (!status)
		p->period_us = period_us;
	p->period_ns = now_ns();
	return status;
}

static u32 adapt(struct process *p)
{
	u64 quiet = now_ns() - p->batch_ns, since = now_ns() - p->period_ns;

	if (!p->period_us && p->samples)
		return since >= LOOK_AGAIN_NS ? set_period(p, PERIOD_US) : DYNOPT_KMOD_OK;
	if (p->period_us == PERIOD_US && quiet >= QUIET_NS && since >= QUIET_NS)
		return set_period(p, PERIOD_QUIET_US);
	if (p->period_us == PERIOD_QUIET_US)
		return quiet < QUIET_NS   ? set_period(p, PERIOD_US)
		       : since >= STOP_NS ? set_period(p, 0)
		                          : DYNOPT_KMOD_OK;
	return p->period_us ? DYNOPT_KMOD_OK : set_period(p, PERIOD_US);
}

static void look(struct process *p)
{
	p->slowed = false;
	if (p->spent_ns > CREDIT_NS + p->cpu_ns / 1000 * p->budget)
		return;
	for (size_t i = 0; i < p->maps.n; i++) {
		if (!p->maps.at[i].binary || !binary_look(p->maps.at[i].binary, &p->work))
			continue;
		p->batches++;
		p->slowed |= binary_is_slowed(p->maps.at[i].binary);
		p->recent = p->recent_cache = 0;
		p->batch_ns = now_ns();
		p->status_due = true;
	}
}

/* ---- rounds ---- */

static void end(struct process *p)
{
	p->ended = true;
	status_write(p);
	unmap_all(p);
}

/* The module does not know it any more: it executes another program now, or somebody detached it, or traces it. Who is ending has no program. */
static void forgotten(struct process *p)
{
	struct stat st;

	if (stat_program(p->pid, &st)) {
		p->executed = !runs_the_same(p, p->pid);
		p->cause = STATUS_CAUSE_LEFT;
	}
	end(p);
}

static bool is_forgotten(u32 status)
{
	return status == DYNOPT_KMOD_NOT_SAMPLED || status == DYNOPT_KMOD_NO_PROCESS;
}

bool process_begin(struct process *p, char **error)
{
	u64 before = thread_cpu_ns();
	bool done = follow_maps(p, error);

	p->spent_ns += thread_cpu_ns() - before;
	if (done)
		status_write(p);
	return done;
}

static void sample_and_look(struct process *p)
{
	u32 status = p->period_us ? read_samples(p) : DYNOPT_KMOD_OK;

	if (is_forgotten(status)) {
		forgotten(p);
		return;
	}
	look(p);
	status = adapt(p);
	if (status && !is_forgotten(status)) {
		p->cause = STATUS_CAUSE_SAMPLER;
		p->status_due = true;
	}
}

/* Some more of its files; false: all is done. */
static bool eager_round(struct process *p)
{
	bool more = false;

	for (size_t i = 0; i < p->maps.n && !more; i++)
		more = p->maps.at[i].binary && binary_eager(p->maps.at[i].binary, &p->work);
	p->batches += more;
	p->status_due |= more;
	if (!more && !p->settled) {
		p->settled = true;
		status_write(p);
	}
	return more;
}

static u64 pause_of(const struct process *p)
{
	bool busy = p->period_us == PERIOD_US || now_ns() - p->started_ns < YOUNG_NS;

	return busy && !p->slowed ? ROUND_NS : ROUND_QUIET_NS;
}

u64 process_step(struct process *p)
{
	u64 before = thread_cpu_ns();
	bool more = false;
	char *error = NULL;

	if (has_ended(p)) {
		end(p);
		return 0;
	}
	if (!follow_maps(p, &error)) {
		forgotten(p);
		free(error);
		return 0;
	}
	if (p->attach.mode == ATTACH_SAMPLE)
		sample_and_look(p);
	else
		more = eager_round(p);
	p->spent_ns += thread_cpu_ns() - before;
	if (p->ended)
		return 0;
	if (p->status_due && now_ns() - p->status_ns >= STATUS_NS)
		status_write(p);
	return more ? now_ns() : now_ns() + pause_of(p);
}

/* What executes another program by now has left by that. */
bool process_leave(struct process *p, char **error)
{
	p->cause = STATUS_CAUSE_REQUEST;
	if (!kernel_unregister(p->work.device, p->pid, error)) {
		if (has_ended(p) || runs_the_same(p, p->pid))
			return false;
		free(*error);
		*error = NULL;
	}
	end(p);
	return true;
}

void process_let_go(struct process *p)
{
	if (p->period_us)
		set_period(p, 0);
}
