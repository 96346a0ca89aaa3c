// SPDX-License-Identifier: MIT
// What a program sees of itself: name, command line, folder, limits, environment, signal
// masks and dispositions in /proc/self/status, mappings of its file, umask, and times;
// all printed, so that both runs must agree.
#include "t_proc.h"
#include <sys/prctl.h>
#include <sys/resource.h>

static void status_lines(void)
{
	static const char *const keys[] = { "Name:",    "Umask:",      "State:",  "TracerPid:",
		                            "FDSize:",  "Threads:",    "SigPnd:", "ShdPnd:",
		                            "SigBlk:",  "SigIgn:",     "SigCgt:", "NoNewPrivs:",
		                            "Seccomp:", "THP_enabled:" };
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (!strncmp(line, keys[i], strlen(keys[i])))
				printf("%s", line);
	fclose(f);
}

static void whole_file(const char *path)
{
	char text[4096];
	FILE *f = fopen(path, "re");
	size_t n;

	CHECK(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = '|';
	text[n] = '\0';
	printf("%s: %s\n", path, text);
}

/* The file is mapped where it always is: in its segments' order, text not writable. */
static void own_mappings(void)
{
	char line[512];
	int n_text = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		char flags[8];

		CHECK(sscanf(line, "%*s %7s", flags) == 1);
		CHECK(!(flags[1] == 'w' && flags[2] == 'x'));
		if (strstr(line, "/program\n") && flags[2] == 'x')
			n_text++;
	}
	fclose(f);
	CHECK(n_text >= 1);
}

int main(int argc, char **argv)
{
	char folder[4096], name[16];
	struct rlimit limit;
	uint64_t sum = t_hot(100);

	printf("%d %s\n", argc, argv[0]);
	CHECK(getcwd(folder, sizeof(folder)));
	printf("%s\n", folder);
	status_lines();
	whole_file("/proc/self/comm");
	whole_file("/proc/self/cmdline");
	own_mappings();
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		CHECK(!getrlimit((__rlimit_resource_t)i, &limit));
		printf("limit %d: %llx %llx\n", i, (unsigned long long)limit.rlim_cur,
		       (unsigned long long)limit.rlim_max);
	}
	CHECK(!prctl(PR_GET_NAME, name));
	printf("%s %d %d\n", name, prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "_=", 2))
			printf("%s\n", *e);
	t_descriptors();
	printf("%d threads\n", t_threads());
	return t_ok(sum);
}
