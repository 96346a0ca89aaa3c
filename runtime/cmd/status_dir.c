/* SPDX-License-Identifier: MIT */
/*
 * status_dir.c - a folder in /tmp may be somebody else's trap: a status folder is used only if this user owns
 * it, nobody else may enter it, and its name is no symbolic link.
 */
#include "status_dir.h"
#include "daemon_client.h"
#include "daemon_protocol.h"
#include "status_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *absolute(const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || !getcwd(here, sizeof(here)))
		return base_printf("%s", path);
	return base_printf("%s/%s", here, path);
}

char *status_dir_path(const char *given)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (given)
		return absolute(given);
	if (run && run[0] == '/' && stat(run, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid())
		return base_printf("%s/dynopt", run);
	return base_printf("/tmp/dynopt-%u", (unsigned)geteuid());
}

bool status_dir_check(const char *path, bool create, bool *missing, char **error)
{
	struct stat st;

	*missing = false;
	if (create && mkdir(path, 0700) != 0 && errno != EEXIST) {
		*error = base_printf("the status folder cannot be made: %s", strerror(errno));
		return false;
	}
	if (lstat(path, &st) != 0) {
		*missing = errno == ENOENT;
		*error = base_printf("the status folder cannot be used: %s", strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		*error = base_printf("the status folder is no folder");
	else if (st.st_uid != geteuid())
		*error = base_printf("the status folder belongs to another user");
	else if (st.st_mode & 077)
		*error = base_printf("the status folder is open to others (chmod 700 it)");
	else
		return true;
	return false;
}

/* "4711.dynopt" */
static bool parse_name(const char *name, u32 *pid)
{
	char *end;
	unsigned long value;

	if (name[0] < '1' || name[0] > '9')
		return false;
	value = strtoul(name, &end, 10);
	if (strcmp(end, STATUS_FILE_SUFFIX) != 0 || value > INT32_MAX)
		return false;
	*pid = (u32)value;
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct status_name *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void sort_names(struct status_names *names)
{
	if (names->v.n)
		qsort(names->v.at, names->v.n, sizeof(*names->v.at), by_pid);
}

/* `readable`: only what this user may read. */
static void add_names(const char *path, bool readable, struct status_names *names)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct stat st;
		u32 pid;

		if (!parse_name(entry->d_name, &pid) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(st.st_mode) || (readable && geteuid() != 0 && st.st_uid != geteuid()))
			continue;
		*vec_add(&names->v) = (struct status_name){
			.path = base_printf("%s/%s", path, entry->d_name),
			.pid = pid,
			.changed = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec,
		};
	}
	if (dir)
		closedir(dir);
}

void status_dir_list(const char *path, struct status_names *names)
{
	add_names(path, false, names);
	sort_names(names);
}

/* Root's, and nobody else writes there: then what is in it is the daemon's word. */
static void add_daemons(struct status_names *names)
{
	char *path = daemon_path(DAEMON_STATUS);
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 && !(st.st_mode & 022))
		add_names(path, true, names);
	free(path);
}

bool status_dir_list_all(const char *given, struct status_names *names)
{
	char *path = status_dir_path(given), *error = NULL;
	bool missing, good = status_dir_check(path, false, &missing, &error) || (missing && !given);

	if (!good)
		base_complain(path, "%s", error);
	else
		add_names(path, false, names);
	if (good && !given)
		add_daemons(names);
	sort_names(names);
	free(error);
	free(path);
	return good;
}

void status_names_free(struct status_names *names)
{
	for (size_t i = 0; i < names->v.n; i++)
		free(names->v.at[i].path);
	free(names->v.at);
}
