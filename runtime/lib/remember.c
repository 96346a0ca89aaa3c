/* SPDX-License-Identifier: MIT */
/*
 * remember.c - see remember.h. What goes wrong is noted in the status (world->remember_wrong), and the run is as good as the first.
 */
#include "remember.h"

#include "budget.h"
#include "build.h"
#include "fault.h"
#include "kept.h"
#include "loaded.h"
#include "names.h"
#include "rate.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SUFFIX ".samples"
#define SUFFIX_FAULT ".fault"
#define SUFFIX_ROOM 12
#define NAME_MOST 100 /* of the program's */
#define NAME_ROOM (NAME_MOST + 1 + BUILD_ROOM + SUFFIX_ROOM)
#define SHARE 2 /* of samples, that is kept */
#define BYTES_MOST (4u << 20) /* of a file that is read */

static struct {
	char name[NAME_ROOM]; /* "": nothing is remembered */
	struct budget_past runs;
	bool found, taken; /* the file was there; it was read */
	bool more; /* modules were loaded since */
	u64 sample_ns; /* CPU time that each sample stands for, in the mean; 0: none was taken */
	struct kept_modules modules;
} past;

static void wrong(enum status_remember what, u64 detail)
{
	world->remember_wrong = what;
	world->remember_detail = detail;
}

/* ---- folder and file ---- */

static bool is_ours(int fd, u32 kind)
{
	struct stat st;

	return sys6(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) == 0 && (st.st_mode & S_IFMT) == kind &&
	       st.st_uid == (u64)sys6(SYS_geteuid, 0, 0, 0, 0, 0, 0) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* A descriptor, or -1. */
static int open_folder(void)
{
	long fd = sys_open(world->options.remember, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (sys_failed(fd)) {
		wrong(STATUS_REMEMBER_FOLDER, (u64)-fd);
		return -1;
	}
	if (is_ours((int)fd, S_IFDIR))
		return (int)fd;
	wrong(STATUS_REMEMBER_FOLDER_TRUST, 0);
	sys_close((int)fd);
	return -1;
}

/* The same; that it is not there is nothing wrong. */
static int open_file(int folder, int flags)
{
	long fd = sys6(SYS_openat, folder, (long)past.name,
	               flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, 0, 0);

	if (sys_failed(fd)) {
		if (fd != -ENOENT)
			wrong(STATUS_REMEMBER_FILE, (u64)-fd);
		return -1;
	}
	if (is_ours((int)fd, S_IFREG))
		return (int)fd;
	wrong(STATUS_REMEMBER_FILE_TRUST, 0);
	sys_close((int)fd);
	return -1;
}

static int open_both(int flags)
{
	int folder = open_folder(), file = folder < 0 ? -1 : open_file(folder, flags);

	if (folder >= 0)
		sys_close(folder);
	return file;
}

static bool read_runs(int file, struct budget_past *runs)
{
	char lines[BUDGET_LINES];
	long n = sys6(SYS_pread64, file, (long)lines, sizeof(lines), 0, 0, 0);

	return n == sizeof(lines) && budget_parse(lines, sizeof(lines), runs);
}

/* ---- its name ---- */

static char *put_text(char *out, const char *text, u32 most)
{
	while (*text && most-- > 0)
		*out++ = *text++;
	*out = 0;
	return out;
}

/* "NAME-BUILD", with a suffix; false: there is none. */
static bool find_name(const char *suffix, char out[NAME_ROOM])
{
	char build[BUILD_ROOM], path[OPTION_PATH_MAX];
	long n = sys6(SYS_readlink, (long)"/proc/self/exe", (long)path, sizeof(path) - 1, 0, 0, 0);

	build_of_file("", build);
	if (!build[0] || n <= 0)
		return false;
	path[n] = 0;
	out = put_text(out, names_file(path), NAME_MOST);
	out = put_text(out, "-", 1);
	out = put_text(out, build, BUILD_ROOM);
	put_text(out, suffix, SUFFIX_ROOM);
	return true;
}

/* ---- a translation that was wrong ---- */

bool remember_faulted(void)
{
	char name[NAME_ROOM];
	struct stat st;
	int folder = world->options.remember[0] && find_name(SUFFIX_FAULT, name) ? open_folder()
	                                                                         : -1;
	bool found;

	if (folder < 0)
		return false;
	found = sys6(SYS_newfstatat, folder, (long)name, (long)&st, AT_SYMLINK_NOFOLLOW, 0, 0) == 0;
	sys_close(folder);
	return found;
}

/* "SIGNAL MODULE 0xADDRESS": for people. */
static u64 describe(const struct fault *fault, char *out)
{
	const char *start = out;
	u64 end, addr = fault->origin - fault->base;
	const struct module *module = loaded_at(fault->origin, &end);
	bool leading = true;

	out = put_text(out, "signal ", 8);
	if (fault->sig >= 10)
		*out++ = (char)('0' + fault->sig / 10);
	*out++ = (char)('0' + fault->sig % 10);
	out = put_text(out, " in ", 4);
	out = put_text(out, module ? loaded_name(module) : "", NAME_MOST);
	out = put_text(out, " at 0x", 6);
	for (int shift = 60; shift >= 0; shift -= 4) {
		u32 digit = addr >> shift & 15;

		leading = leading && !digit && shift;
		if (!leading)
			*out++ = "0123456789abcdef"[digit];
	}
	*out++ = '\n';
	return (u64)(out - start);
}

void remember_fault(const struct fault *fault)
{
	char name[NAME_ROOM], text[NAME_MOST + 64];
	int folder = world->options.remember[0] && find_name(SUFFIX_FAULT, name) ? open_folder()
	                                                                         : -1;
	long fd;

	if (folder < 0)
		return;
	fd = sys6(SYS_openat, folder, (long)name,
	          O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600, 0, 0);
	if (!sys_failed(fd)) {
		(void)sys_write((int)fd, text, describe(fault, text));
		sys_close((int)fd);
	} else {
		wrong(STATUS_REMEMBER_WRITE, (u64)-fd);
	}
	sys_close(folder);
}

/* ---- samples ---- */

/* Samples of a file, or for one, are those of this run alone; without an agent there is nobody to take more. */
static bool wants_samples(void)
{
	const struct options *o = &world->options;

	return o->remember[0] && o->sample && o->agent && !o->samples[0] && !o->keep_samples[0];
}

void remember_begin(void)
{
	int file;

	if (!wants_samples())
		return;
	file = find_name(SUFFIX, past.name) ? open_both(O_RDONLY) : -1;
	if (file < 0)
		return;
	past.found = read_runs(file, &past.runs);
	if (!past.found)
		wrong(STATUS_REMEMBER_LINE, 1);
	world->left_ns = (s64)past.runs.left_us * 1000;
	sys_close(file);
}

u64 remember_expect(u64 cpu_ns)
{
	return budget_expect(&past.runs, cpu_ns);
}

s64 remember_left_ns(void)
{
	bool wanted = past.taken || world->options.samples[0];

	return wanted || world->left_ns < 0 ? world->left_ns : 0;
}

/* Lines do not say it, but how long the runs were. A sample stands for no less, and no more, than there is between two. */
static u64 sample_ns(u64 n)
{
	u64 ns = n ? budget_sampled_ns(&past.runs, SHARE) / n : 0;

	return ns < RATE_FIRST_NS ? RATE_FIRST_NS : ns < RATE_QUIET_NS ? ns : RATE_QUIET_NS;
}

static u64 take(int file, struct heat_table *heat, struct runs *runs)
{
	struct kept_sums sums = { 0, 0 };
	struct stat st;
	u32 line;
	long at = sys6(SYS_fstat, file, (long)&st, 0, 0, 0, 0);

	if (!at && st.st_size > BYTES_MOST)
		at = -EFBIG;
	if (!at && st.st_size)
		at = sys_mmap(0, (u64)st.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (sys_failed(at))
		wrong(STATUS_REMEMBER_FILE, (u64)-at);
	if (sys_failed(at) || !at)
		return 0;
	if (!kept_read((const char *)(uintptr_t)at, (u64)st.st_size, heat, runs, &sums,
	               &past.modules, &line))
		wrong(STATUS_REMEMBER_LINE, line);
	sys_munmap((u64)at, (u64)st.st_size);
	if (!past.sample_ns)
		past.sample_ns = sample_ns(sums.taken + sums.left);
	world->remembered += sums.taken;
	world->remembered_left = sums.left;
	return sums.taken;
}

u64 remember_sample_ns(void)
{
	return past.sample_ns;
}

void remember_more(void)
{
	past.more = true;
}

u64 remember_take(u64 cpu_ns, u64 worth_ns, struct heat_table *heat, struct runs *runs)
{
	u64 n = 0;
	int file;

	if (!past.found || (past.taken && !past.more) || remember_expect(cpu_ns) < worth_ns)
		return 0;
	past.taken = true;
	past.more = false;
	file = open_both(O_RDONLY);
	if (file >= 0) {
		n = take(file, heat, runs);
		sys_close(file);
	}
	return n;
}

/* What stands there now, as another run may have ended meanwhile. */
static void note_length(u64 cpu_ns, s64 change_ns)
{
	char lines[BUDGET_LINES];
	struct budget_past runs;
	int file = open_both(O_RDWR);
	long n;

	if (file < 0)
		return;
	if (read_runs(file, &runs)) {
		budget_add(&runs, cpu_ns, change_ns);
		budget_print(&runs, lines);
		n = sys6(SYS_pwrite64, file, (long)lines, sizeof(lines), 0, 0, 0);
		if (sys_failed(n))
			wrong(STATUS_REMEMBER_WRITE, (u64)-n);
	}
	sys_close(file);
}

static void write_anew(u64 cpu_ns, s64 change_ns, const struct heat_table *heat,
                       const struct runs *runs)
{
	static struct sample_file file;
	const struct kept_shares shares = { .samples = heat->samples < REMEMBER_PLENTY ? 1 : SHARE,
		                            .runs = ways_walks(runs) < WAYS_WALKS ? 1 : SHARE };
	char lines[BUDGET_LINES];
	int folder = open_folder(),
	    old = folder < 0 || !past.found ? -1 : open_file(folder, O_RDONLY);

	if (folder < 0)
		return;
	if (old >= 0) {
		(void)read_runs(old, &past.runs);
		sys_close(old);
	}
	budget_add(&past.runs, cpu_ns, change_ns);
	budget_print(&past.runs, lines);
	if (samples_create(&file, folder, past.name, 0600)) {
		samples_put_ran(&file, lines, sizeof(lines));
		kept_write(&file, heat, runs, &shares);
		samples_close(&file);
	}
	if (file.error)
		wrong(STATUS_REMEMBER_WRITE, file.error);
	sys_close(folder);
}

void remember_keep(u64 cpu_ns, s64 change_ns, bool enough, const struct heat_table *heat,
                   const struct runs *runs)
{
	if (!past.name[0])
		return;
	if (enough && (past.taken || !past.found))
		write_anew(cpu_ns, change_ns, heat, runs);
	else if (past.found)
		note_length(cpu_ns, change_ns);
}
