/* SPDX-License-Identifier: MIT */
/*
 * target.c - finds the program along PATH and follows `#!` lines to the ELF file that will run.
 *
 * The file may change between here and execve: then the program runs with a library that its loader ignores, or
 * without one, which is no harm. A script that execve does not know (no `#!`) is run by /bin/sh, as execvp does.
 */
#include "target.h"
#include "target_elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINE_LENGTH 256 /* the kernel reads so much of a `#!` line */
#define SCRIPTS 5       /* and follows so many */

const char *target_refusal_text(enum target_refusal refusal)
{
	static const char *const texts[] = {
#define X(name, text) text,
		TARGET_REFUSALS(X)
#undef X
	};

	return texts[refusal];
}

void target_free(struct target *t)
{
	free(t->path);
	free(t->argv);
	free(t->loads);
	free(t->first);
}

/* 0 if a regular file that may be executed, else errno. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

static int search(const char *name, char **path)
{
	char fallback[512];
	const char *at = getenv("PATH");
	int worst = ENOENT;

	if (strchr(name, '/')) {
		*path = base_printf("%s", name);
		return executable(name);
	}
	if (!at && confstr(_CS_PATH, fallback, sizeof(fallback)) > 0)
		at = fallback;
	while (at && *name) {
		size_t n = strcspn(at, ":");
		char *try = n ? base_printf("%.*s/%s", (int)n, at, name)
		              : base_printf("./%s", name);
		int error = executable(try);

		if (!error) {
			*path = try;
			return 0;
		}
		free(try);
		if (error == EACCES)
			worst = EACCES;
		at = at[n] ? at + n + 1 : NULL;
	}
	return worst;
}

static char **words(const char *first, const char *second, char **rest)
{
	size_t n = 0, at = 0;
	char **argv;

	while (rest[n])
		n++;
	argv = base_calloc(n + 3, sizeof(*argv));
	if (first)
		argv[at++] = (char *)first;
	if (second)
		argv[at++] = (char *)second;
	memcpy(argv + at, rest, n * sizeof(*rest));
	return argv;
}

/* Bits that the kernel will ignore make nothing privileged. */
static enum target_refusal privileges(int fd)
{
	struct statvfs fs;
	struct stat st;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || fstat(fd, &st) != 0 ||
	    (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOSUID)))
		return TARGET_NONE;
	if (((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
	    ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid()))
		return TARGET_PRIVILEGED;
	if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return TARGET_CAPABILITIES;
	return TARGET_NONE;
}

/* Splits "#! interpreter [argument]", cut as the kernel cuts it. */
static bool script_line(char *line, char **interpreter, char **argument)
{
	static const char blank[] = " \t";
	char *end;

	line[strcspn(line, "\n")] = 0;
	*interpreter = line + strspn(line, blank);
	end = *interpreter + strcspn(*interpreter, blank);
	*argument = end + strspn(end, blank);
	*end = 0;
	for (end = *argument + strlen(*argument); end > *argument && strchr(blank, end[-1]); end--)
		end[-1] = 0;
	return **interpreter != 0;
}

static bool is_env(const char *interpreter, const char *argument)
{
	return (strcmp(interpreter, "/usr/bin/env") == 0 || strcmp(interpreter, "/bin/env") == 0) &&
	       *argument && *argument != '-' && !strpbrk(argument, " \t=");
}

/*
 * Looks at t->loads; a script's interpreter takes its place (*again). 0 or errno.
 */
static int look(struct target *t, bool *again)
{
	char line[LINE_LENGTH + 1] = "", *interpreter, *argument;
	bool named = strcmp(t->loads, t->path) == 0; /* what the user named, not an interpreter */
	int fd = open(t->loads, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int error = 0;

	*again = false;
	if (fd < 0) {
		t->refusal = TARGET_UNREADABLE;
		return 0;
	}
	n = pread(fd, line, LINE_LENGTH, 0);
	if (n >= 2 && memcmp(line, "#!", 2) == 0 &&
	    script_line(line + 2, &interpreter, &argument)) {
		*again = true;
		free(t->loads);
		t->loads = NULL;
		if (named && is_env(interpreter, argument)) {
			char **argv;

			error = search(argument, &t->loads);
			/* env NAME SCRIPT ARGUMENT...: the script as env is given it */
			argv = words(base_printf("%s", argument), t->path, t->argv + 1);
			free(t->argv);
			t->argv = argv;
			t->path = base_printf("%s", error ? "" : t->loads);
		} else {
			t->loads = base_printf("%s", interpreter);
			error = executable(t->loads);
		}
	} else {
		t->refusal = target_elf_check(fd, &t->first);
		if (!t->refusal)
			t->refusal = privileges(fd);
	}
	close(fd);
	return error;
}

/* Neither ELF nor `#!`: a shell script of the old kind, unless a NUL in its first line says that it is data. */
static bool shell_script(const char *path)
{
	char text[LINE_LENGTH] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text), 0);
	size_t line = n > 0 ? strcspn(text, "\n") : 0;

	if (fd >= 0)
		close(fd);
	return n == 0 || (n > 0 && line < (size_t)n && text[line] == '\n');
}

int target_find(struct target *t, char **argv)
{
	bool again = true;
	int error;

	*t = (struct target){ .argv = words(NULL, NULL, argv) };
	error = search(argv[0], &t->path);
	if (error)
		return error;
	t->loads = base_printf("%s", t->path);
	for (int i = 0; again && i < SCRIPTS; i++) {
		error = look(t, &again);
		if (error)
			return error;
	}
	if (again)
		return ELOOP;
	if (t->refusal == TARGET_FORMAT && strcmp(t->loads, t->path) == 0 &&
	    shell_script(t->path)) {
		char **script = words(base_printf("/bin/sh"), t->path, t->argv + 1);

		free(t->argv);
		t->argv = script;
		t->path = base_printf("/bin/sh");
		free(t->loads);
		t->loads = base_printf("/bin/sh");
		t->refusal = TARGET_NONE;
		error = look(t, &again);
	}
	return error;
}
