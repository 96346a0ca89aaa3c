/* SPDX-License-Identifier: MIT */
/*
 * main.c - dynopt-clang and dynopt-clang++.
 *
 * Clang's driver rejects flags it does not know before it loads any plugin, so
 * this program takes ours out of the command line, adds what they mean, and
 * becomes clang by exec: no process is added to a compile. Without the flag the
 * command line reaches clang as it came. One binary serves both names.
 */
#define _GNU_SOURCE
#include "../facts.h"
#include "linker.h"
#include "options.h"
#include "plan.h"
#include "plugin_hash.h"
#include "say.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_cxx(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strstr(slash ? slash : path, "++");
}

static const char *compiler_name(bool cxx)
{
	const char *name = getenv(cxx ? "DYNOPT_REAL_CXX" : "DYNOPT_REAL_CC");

	if (name && *name)
		return name;
	return cxx ? "clang++-" DYNOPT_LLVM_MAJOR : "clang-" DYNOPT_LLVM_MAJOR;
}

static void __attribute__((noreturn)) become(const char *file, const char *name, char **argv,
                                             bool cxx)
{
	argv[0] = (char *)name;
	if (file)
		execv(file, argv);
	fail(EXIT_NO_COMPILER,
	     "cannot run %s: %s; install clang " DYNOPT_LLVM_MAJOR " or set DYNOPT_REAL_%s", name,
	     file ? strerror(errno) : "not found", cxx ? "CXX" : "CC");
}

static enum wanted wanted_by_default(void)
{
	const char *value = getenv("DYNOPT_CC_DEFAULT");

	if (!value || !*value || !strcmp(value, "0"))
		return WANTED_NO;
	if (strcmp(value, "1"))
		fail(1, "bad value '%s' of DYNOPT_CC_DEFAULT; expected 0 or 1", value);
	return WANTED_BY_DEFAULT;
}

/* Directory of a path whose links are resolved. */
static char *directory(const char *path)
{
	char *dir = text_format("%s", path);

	*strrchr(dir, '/') = '\0';
	return dir;
}

static void read_first(struct args *config, const char *const dirs[3], const char *name)
{
	for (size_t i = 0; i < 3; i++)
		if (dirs[i] && args_read_config(config, text_format("%s/%s", dirs[i], name)))
			return;
}

/*
 * Config files may choose target, linker and flags: look into those clang will
 * read, in its order. What they say comes before the command line.
 */
static void read_configs(struct args *config, const struct request *r, const char *file,
                         const char *clang_dir)
{
	const char *const dirs[3] = { r->config_user_dir, r->config_system_dir, clang_dir };
	const char *mode = is_cxx(file) ? "clang++" : "clang";

	if (!r->no_default_config && !getenv("CLANG_NO_DEFAULT_CONFIG")) {
		read_first(config, dirs, text_format("%s.cfg", mode));
		read_first(config, dirs, text_format("x86_64-pc-linux-gnu-%s.cfg", mode));
		read_first(config, dirs, "x86_64-pc-linux-gnu.cfg");
	}
	if (r->config_file && strchr(r->config_file, '/'))
		args_read_config(config, r->config_file);
	else if (r->config_file)
		read_first(config, dirs, r->config_file);
}

static const char *own_lib_dir(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0 || self[0] != '/')
		fail(1, "cannot find the plugin: /proc is not mounted");
	self[n] = '\0';
	return text_format("%s/lib/dynopt", directory(directory(self)));
}

static bool is_self(const char *file)
{
	struct stat own, other;

	return !stat("/proc/self/exe", &own) && !stat(file, &other) && own.st_dev == other.st_dev &&
	       own.st_ino == other.st_ino;
}

static void request_read(struct request *r, struct args *args, const char *file,
                         const char *clang_dir)
{
	const struct request fresh = { .wanted = wanted_by_default(),
		                       .budget_permyriad = FACTS_BUDGET_DEFAULT,
		                       .cache_permyriad = FACTS_CACHE_DEFAULT };
	struct args config = { 0 };

	*r = fresh;
	request_scan(r, args);
	if (r->help || r->identity || !clang_dir)
		return;
	read_configs(&config, r, file, clang_dir);
	if (!config.n)
		return;
	*r = fresh;
	request_scan(r, &config);
	request_scan(r, args);
}

int main(int argc, char **argv)
{
	bool cxx = is_cxx(argv[0]);
	const char *name = compiler_name(cxx);
	char *file = strchr(name, '/') ? text_format("%s", name) : path_find(getenv("PATH"), name);
	char *clang = file ? realpath(file, NULL) : NULL;
	struct args args = { 0 };
	struct strings out = { 0 };
	struct request r;
	bool opened;

	if (file && is_self(file))
		fail(1, "%s is this wrapper itself, not a compiler", name);
	if (argc > 1 && !strncmp(argv[1], "-cc1", 4))
		become(file, name, argv, cxx);
	args_expand(&args, argc, argv);
	request_read(&r, &args, file, clang ? directory(clang) : NULL);
	if (r.help)
		options_help();
	if (r.identity)
		printf("dynopt-clang " DYNOPT_VERSION " plugin " DYNOPT_PLUGIN_HASH " default %d\n",
		       wanted_by_default() != WANTED_NO);
	if (r.help || r.identity)
		return 0;
	strings_add(&out, name);
	if (r.wanted == WANTED_NO)
		plan_nothing(&r);
	else if (clang)
		plan_make(&r, &(struct installation){ own_lib_dir(), directory(clang), clang },
		          &out);
	opened = args_compose(&args, argc, argv, &out);
	if (opened)
		args_shrink(&out, 1);
	become(file, name, out.v, cxx);
}
