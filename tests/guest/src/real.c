// SPDX-License-Identifier: MIT
/*
 * real.c - lua and sqlite, compiled with the flag, run from translations that `dynopt attach` had the module make: two
 * processes, then fifty of each, with the same outputs as alone, from the same physical pages. Files and mappings stay
 * what they were, and what it takes for each process is printed.
 *
 * /t/programs has them with their libraries, /t/scripts the scripts, /t/NAME.traces the traces of NAME.
 */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guest.h"

#define LUA "/t/programs/lua"
#define SQLITE "/t/programs/speedtest1"
#define MANY 50
/* Wait for a line on standard input: once everything is loaded, and when the script is done. */
#define BEFORE "io.write('ready\\n') io.flush() io.read()"
#define AFTER "io.stderr:write('x') io.read()"

struct started {
	pid_t pid;
	int in, out, error;
};

static struct started start(char *const argv[])
{
	int in[2], out[2], error[2];
	struct started s;

	check(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0 &&
	      pipe2(error, O_CLOEXEC) == 0);
	s.pid = fork();
	check(s.pid >= 0);
	if (!s.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		check(dup2(in[0], 0) == 0 && dup2(out[1], 1) == 1 && dup2(error[1], 2) == 2);
		execv(argv[0], argv);
		_exit(98);
	}
	close(in[0]);
	close(out[1]);
	close(error[1]);
	s.in = in[1];
	s.out = out[0];
	s.error = error[0];
	return s;
}

/* The first line it writes: it has come that far. */
static void read_line(const struct started *s)
{
	char c = 0;

	while (c != '\n')
		check(read(s->out, &c, 1) == 1);
}

/* The rest of its output, NUL-terminated, to be freed; times at ends of lines are no output. */
static char *finish(struct started *s)
{
	size_t room = 1 << 20, n = 0;
	char *text = malloc(room + 1), *to, *from;
	ssize_t got;

	check(text);
	while ((got = read(s->out, text + n, room - n)) > 0)
		n += got;
	check(n < room);
	text[n] = 0;
	close(s->in);
	close(s->out);
	close(s->error);
	wait_ok(s->pid);
	for (from = to = text; *from; from++) {
		char *end = from + strcspn(from, "\n"), *at;

		if (from != text && from[-1] != '\n') {
			*to++ = *from;
			continue;
		}
		for (at = end; at > from && (strchr("0123456789.s ", at[-1])); at--)
			;
		memmove(to, from, at - from);
		to += at - from;
		from = end;
		if (!*from)
			break;
		*to++ = '\n';
	}
	*to = 0;
	return text;
}

static struct started start_lua(const char *script)
{
	char run[64], *argv[] = { LUA, "-e", BEFORE, "-e", run, "-e", AFTER, NULL };
	struct started s;

	snprintf(run, sizeof(run), "arg = { '2' } dofile('%s')", script);
	s = start(argv);
	read_line(&s);
	return s;
}

/* Lets it run its script; then it waits again. */
static void run_script(const struct started *s)
{
	char c;

	check(write(s->in, "\n", 1) == 1);
	check(read(s->error, &c, 1) == 1);
	check_is(c, 'x');
}

static char *end_lua(struct started *s)
{
	check(write(s->in, "\n", 1) == 1);
	return finish(s);
}

static char *finish_lua(struct started *s)
{
	run_script(s);
	return end_lua(s);
}

/* As the administrator does; what the command says is shown. */
static void attach(pid_t pid, const char *traces)
{
	char number[16], option[64];
	char *with[] = { "/t/programs/dynopt", "attach", "--all", option, number, NULL };
	char *without[] = { "/t/programs/dynopt", "attach", number, NULL };
	pid_t child = fork();

	check(child >= 0);
	if (!child) {
		snprintf(number, sizeof(number), "%d", pid);
		snprintf(option, sizeof(option), "--traces=%s", traces ? traces : "");
		if (!traces)
			check(dup2(open("/dev/null", O_WRONLY), 1) == 1);
		execv(with[0], traces ? with : without);
		_exit(98);
	}
	wait_ok(child);
}

/* ---- what a process has of a program's text ---- */

struct text {
	uint64_t start, offset, end; /* of the executable mapping, exclusive */
	uint64_t cache; /* where the code cache begins in the file */
};

static char *proc_file(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return slurp(path, NULL);
}

static struct text find_text(pid_t pid, const char *path, const char *file)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + header->e_shoff);
	const char *names = file + sections[header->e_shstrndx].sh_offset;
	char *maps = proc_file(pid, "maps"), *line;
	struct text text = { 0 };

	for (int i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, ".dynopt.cache"))
			text.cache = sections[i].sh_offset;
	for (line = strtok(maps, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, path) && strstr(line, "r-xp"))
			check(sscanf(line, "%lx-%lx r-xp %lx", &text.start, &text.end,
			             &text.offset) == 3);
	check(text.cache && text.start);
	free(maps);
	return text;
}

#define PAGES_MAX 1024

/* Pages that read differently than the file does: where, in the file, and which physical ones. */
struct pages {
	uint32_t n, n_cache; /* all; in the code cache */
	uint64_t offset[PAGES_MAX], frame[PAGES_MAX];
};

static void find_pages(pid_t pid, const char *path, struct pages *pages)
{
	size_t bytes;
	char *file = slurp(path, &bytes), name[64], page[PAGE];
	struct text text = find_text(pid, path, file);
	int memory;

	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	memory = open(name, O_RDONLY | O_CLOEXEC);
	check(memory >= 0);
	pages->n = pages->n_cache = 0;
	for (uint64_t at = text.start; at < text.end; at += PAGE) {
		uint64_t offset = text.offset + at - text.start;
		size_t n = bytes - offset < PAGE ? bytes - offset : PAGE;

		check(pread(memory, page, PAGE, at) == (ssize_t)PAGE);
		if (!memcmp(page, file + offset, n))
			continue;
		check(pages->n < PAGES_MAX);
		pages->offset[pages->n] = offset;
		pages->frame[pages->n] = page_frame(pid, (void *)at);
		check(pages->frame[pages->n]);
		pages->n++;
		pages->n_cache += offset >= text.cache;
	}
	close(memory);
	free(file);
}

/* The same physical pages, patched text and code cache. */
static void shares(pid_t pid, const char *path, const struct pages *wanted)
{
	static struct pages pages;

	find_pages(pid, path, &pages);
	check_is(pages.n, wanted->n);
	for (uint32_t i = 0; i < pages.n; i++) {
		check_is(pages.offset[i], wanted->offset[i]);
		check_is(pages.frame[i], wanted->frame[i]);
	}
}

static void first_pages(pid_t pid, const char *path, struct pages *pages)
{
	find_pages(pid, path, pages);
	check(pages->n_cache > 0 && pages->n > pages->n_cache);
}

/* ---- what it takes ---- */

struct memory {
	long private_kb, tables_kb, slabs; /* of processes; the kernel's, in bytes */
};

static long value_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	check(at);
	return atol(at + strlen(key));
}

static long slab_bytes(void)
{
	char *text = slurp("/proc/slabinfo", NULL), *line;
	long active, all, size, sum = 0;

	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "%*s %ld %ld %ld", &active, &all, &size) == 3)
			sum += active * size;
	check(sum > 0);
	free(text);
	return sum;
}

static struct memory measure(const struct started *runs, int n)
{
	struct memory memory = { 0, 0, slab_bytes() };

	for (int i = 0; i < n; i++) {
		char *text = proc_file(runs[i].pid, "smaps_rollup");

		memory.private_kb +=
			value_of(text, "Private_Clean:") + value_of(text, "Private_Dirty:");
		free(text);
		text = proc_file(runs[i].pid, "status");
		memory.tables_kb += value_of(text, "VmPTE:");
		free(text);
	}
	return memory;
}

/* Fifty that wait are registered: the same mappings, and no page more for any of them. */
static void register_all(int device, const struct started *runs, const char *path,
                         const struct pages *pages)
{
	struct memory before, after;
	char *maps[MANY], *now;
	int i;

	/* All of the text is looked at before, too, so that page tables are there. */
	for (i = 0; i < MANY; i++) {
		static struct pages none;

		find_pages(runs[i].pid, path, &none);
		check_is(none.n, 0);
		maps[i] = proc_file(runs[i].pid, "maps");
	}
	before = measure(runs, MANY);
	for (i = 0; i < MANY; i++)
		check_is(call_register(device, runs[i].pid), DYNOPT_KMOD_OK);
	for (i = 0; i < MANY; i++)
		shares(runs[i].pid, path, pages);
	after = measure(runs, MANY);
	for (i = 0; i < MANY; i++) {
		now = proc_file(runs[i].pid, "maps");
		check(!strcmp(now, maps[i]));
		free(now);
		free(maps[i]);
	}
	check(after.private_kb <= before.private_kb);
	printf("%s: %u pages of text and %u of its cache shared by %d more processes; for each %ld bytes of kernel memory, "
	       "%.1f KB of page tables, no page of its own\n",
	       path, pages->n - pages->n_cache, pages->n_cache, MANY,
	       (after.slabs - before.slabs) / MANY,
	       (double)(after.tables_kb - before.tables_kb) / MANY);
	fflush(stdout);
}

/* Alone, two at once, and one that comes later. */
static void script(int device, const char *path, bool first)
{
	static struct pages pages;
	struct started alone = start_lua(path), a, b;
	char *wanted = finish_lua(&alone), *got;
	uint64_t patches;

	a = start_lua(path);
	b = start_lua(path);
	attach(a.pid, first ? "/t/lua.traces" : NULL);
	patches = counter(device, DYNOPT_COUNTER_PATCHES);
	check(patches > 100);
	attach(b.pid, NULL);
	first_pages(a.pid, LUA, &pages);
	shares(b.pid, LUA, &pages);
	got = finish_lua(&a);
	check(!strcmp(got, wanted));
	free(got);
	got = finish_lua(&b);
	check(!strcmp(got, wanted));
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), patches);
	printf("%s: %zu bytes of output, equal three times\n", path, strlen(wanted));
	free(got);
	free(wanted);
}

/* Fifty at work at once: the same pages for all, one translation each, and no memory but that. */
static void many(int device, const struct started *keeper, const char *path)
{
	static struct pages pages;
	struct started alone = start_lua(path), runs[MANY];
	char *wanted = finish_lua(&alone), *got;
	uint64_t own = counter(device, DYNOPT_COUNTER_PAGES);
	uint64_t patches = counter(device, DYNOPT_COUNTER_PATCHES);

	first_pages(keeper->pid, LUA, &pages);
	for (int i = 0; i < MANY; i++)
		runs[i] = start_lua(path);
	register_all(device, runs, LUA, &pages);
	for (int i = 0; i < MANY; i++)
		run_script(&runs[i]);
	for (int i = 0; i < MANY; i++) {
		shares(runs[i].pid, LUA, &pages);
		got = end_lua(&runs[i]);
		check(!strcmp(got, wanted));
		free(got);
	}
	check_is(counter(device, DYNOPT_COUNTER_PAGES), own);
	check_is(counter(device, DYNOPT_COUNTER_PATCHES), patches);
	free(wanted);
}

static struct started start_sqlite(void)
{
	char *argv[] = { SQLITE, "--size", "1", ":memory:", NULL };
	struct started s = start(argv);

	read_line(&s);
	return s;
}

/* It asks nothing, so it is stopped in the midst of its work. */
static struct started start_stopped(void)
{
	struct started s = start_sqlite();
	int status;

	check(kill(s.pid, SIGSTOP) == 0);
	check(waitpid(s.pid, &status, WUNTRACED) == s.pid && WIFSTOPPED(status));
	return s;
}

static void finish_stopped(struct started *s, const char *wanted)
{
	char *got;

	check(kill(s->pid, SIGCONT) == 0);
	got = finish(s);
	check(!strcmp(got, wanted));
	free(got);
}

/* Two, of which the first has its translations made; then fifty beside these. */
static void sqlite(int device)
{
	static struct pages pages;
	struct started alone = start_sqlite(), two[2], runs[MANY];
	char *wanted = finish(&alone), *file;
	uint64_t patches;
	size_t bytes;
	int i;

	file = slurp(SQLITE, &bytes);
	for (i = 0; i < 2; i++) {
		two[i] = start_stopped();
		attach(two[i].pid, i ? NULL : "/t/speedtest1.traces");
	}
	patches = counter(device, DYNOPT_COUNTER_PATCHES);
	check(patches > 100);
	first_pages(two[0].pid, SQLITE, &pages);
	shares(two[1].pid, SQLITE, &pages);
	for (i = 0; i < MANY; i++)
		runs[i] = start_stopped();
	register_all(device, runs, SQLITE, &pages);
	for (i = 0; i < 2; i++)
		finish_stopped(&two[i], wanted);
	for (i = 0; i < MANY; i++)
		finish_stopped(&runs[i], wanted);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	file_same(SQLITE, file, bytes);
	printf("sqlite: %llu translations, %zu bytes of output, equal %d times\n",
	       (unsigned long long)patches, strlen(wanted), MANY + 2);
	free(file);
	free(wanted);
}

int main(void)
{
	struct started keeper;
	size_t bytes;
	char *file;
	int device;

	if (access(LUA, X_OK))
		guest_skip("lua was not compiled with the flag (dynopt-clang, Debian's sources)");
	device = device_open_patient();
	file = slurp(LUA, &bytes);
	/* One process stays, so that the translations do. */
	keeper = start_lua("/t/scripts/objects.lua");
	attach(keeper.pid, NULL);
	script(device, "/t/scripts/objects.lua", true);
	script(device, "/t/scripts/control.lua", false);
	script(device, "/t/scripts/numbers.lua", false);
	script(device, "/t/scripts/strings.lua", false);
	many(device, &keeper, "/t/scripts/control.lua");
	free(finish_lua(&keeper));
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	file_same(LUA, file, bytes);
	if (!access(SQLITE, X_OK))
		sqlite(device);
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
