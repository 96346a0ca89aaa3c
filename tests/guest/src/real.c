// SPDX-License-Identifier: MIT
/*
 * real.c - lua and sqlite, compiled with the flag, run from translations that `dynopt attach` had the module make: two
 * processes, then fifty, with the same outputs as alone, from the same physical pages.
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

/* The first page of a program's code cache, where a process has it. */
static void *cache_of(pid_t pid, const char *path)
{
	char name[64], *maps, *line, *text = slurp(path, NULL);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)text;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(text + header->e_shoff);
	const char *names = text + sections[header->e_shstrndx].sh_offset;
	unsigned long start = 0, offset = 0, cache = 0;

	for (int i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, ".dynopt.cache"))
			cache = sections[i].sh_offset;
	check(cache);
	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = slurp(name, NULL);
	for (line = strtok(maps, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, path) && strstr(line, "r-xp"))
			check(sscanf(line, "%lx-%*x r-xp %lx", &start, &offset) == 2);
	check(start);
	free(maps);
	free(text);
	return (void *)(start - offset + cache);
}

/* Alone, two at once, and one that comes later. */
static void script(int device, const char *path, bool first)
{
	struct started alone = start_lua(path), a, b;
	char *wanted = finish_lua(&alone), *got;
	uint64_t patches;

	a = start_lua(path);
	b = start_lua(path);
	attach(a.pid, first ? "/t/lua.traces" : NULL);
	patches = counter(device, DYNOPT_COUNTER_PATCHES);
	check(patches > 100);
	attach(b.pid, NULL);
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

/* Fifty at work at once: one page for all, one translation each, and no memory but that. */
static void many(int device, const char *path)
{
	struct started alone = start_lua(path), runs[MANY];
	char *wanted = finish_lua(&alone), *got;
	uint64_t pages = counter(device, DYNOPT_COUNTER_PAGES), frame = 0;

	for (int i = 0; i < MANY; i++) {
		runs[i] = start_lua(path);
		check_is(call_register(device, runs[i].pid), DYNOPT_KMOD_OK);
	}
	for (int i = 0; i < MANY; i++) {
		run_script(&runs[i]);
		frame = frame ? frame : page_frame(runs[i].pid, cache_of(runs[i].pid, LUA));
		check(frame);
		check_is(page_frame(runs[i].pid, cache_of(runs[i].pid, LUA)), frame);
	}
	for (int i = 0; i < MANY; i++) {
		got = end_lua(&runs[i]);
		check(!strcmp(got, wanted));
		free(got);
	}
	check_is(counter(device, DYNOPT_COUNTER_PAGES), pages);
	free(wanted);
	printf("%d processes, %llu pages of the module's\n", MANY, (unsigned long long)pages);
}

static struct started start_sqlite(void)
{
	char *argv[] = { SQLITE, "--size", "2", ":memory:", NULL };
	struct started s = start(argv);

	read_line(&s);
	return s;
}

/* It asks nothing, so it is stopped in the midst of its work. */
static void sqlite(void)
{
	struct started alone = start_sqlite(), s;
	char *wanted = finish(&alone), *got;
	int status;

	s = start_sqlite();
	check(kill(s.pid, SIGSTOP) == 0);
	check(waitpid(s.pid, &status, WUNTRACED) == s.pid && WIFSTOPPED(status));
	attach(s.pid, "/t/speedtest1.traces");
	check(kill(s.pid, SIGCONT) == 0);
	got = finish(&s);
	check(!strcmp(got, wanted));
	printf("sqlite: %zu bytes of output, equal\n", strlen(wanted));
	free(got);
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
	many(device, "/t/scripts/control.lua");
	free(finish_lua(&keeper));
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	file_same(LUA, file, bytes);
	if (!access(SQLITE, X_OK))
		sqlite();
	check_is(counter(device, DYNOPT_COUNTER_FILES), 0);
	return 0;
}
