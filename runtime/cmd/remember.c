/* SPDX-License-Identifier: MIT */
/*
 * remember.c - see remember.h.
 */
#include "remember.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".samples"
#define SUFFIX_FAULT ".fault"
#define ABANDONED_S \
	86400 /* a file in the making ("…samples~…") is somebody's who was killed, after a day */

char *remember_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (cache && cache[0] == '/')
		return base_printf("%s/dynopt", cache);
	return home && home[0] == '/' ? base_printf("%s/.cache/dynopt", home) : NULL;
}

struct file {
	char *name;
	long long changed; /* ns */
};

static int oldest_first(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->changed > y->changed) - (x->changed < y->changed);
}

/* What is behind the last SUFFIX in it; NULL: there is none. */
static const char *behind(const char *name)
{
	const char *found = NULL;

	while ((name = strstr(name, SUFFIX)) != NULL) {
		name += strlen(SUFFIX);
		found = name;
	}
	return found;
}

/* Takes the ones that count; those that are abandoned are gone. */
static void list(DIR *dir, struct file **files, size_t *n)
{
	VEC(struct file) v = { 0 };
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		const char *rest = behind(entry->d_name);
		struct stat st;

		if (!rest || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (*rest == '~' && st.st_mtim.tv_sec < time(NULL) - ABANDONED_S)
			unlinkat(dirfd(dir), entry->d_name, 0);
		if (*rest)
			continue;
		*vec_add(&v) =
			(struct file){ base_printf("%s", entry->d_name),
			               st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec };
	}
	*files = v.at;
	*n = v.n;
}

static void make_room(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct file *files;
	size_t n;

	if (!dir)
		return;
	list(dir, &files, &n);
	if (n > REMEMBER_FILES)
		qsort(files, n, sizeof(*files), oldest_first);
	for (size_t i = 0; i < n; i++) {
		if (i + REMEMBER_FILES < n)
			unlinkat(dirfd(dir), files[i].name, 0);
		free(files[i].name);
	}
	free(files);
	closedir(dir);
}

void remember_prepare(const char *folder)
{
	char *above = base_printf("%.*s", (int)(strrchr(folder, '/') - folder), folder);

	(void)!mkdir(above, 0700);
	(void)!mkdir(folder, 0700);
	make_room(folder);
	free(above);
}

bool remember_check(const char *folder, char **error)
{
	struct stat st;

	if (lstat(folder, &st) != 0) {
		if (errno == ENOENT)
			return true;
		*error = base_printf("%s", strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		*error = base_printf("is no folder");
	else if (st.st_uid != geteuid())
		*error = base_printf("belongs to another user");
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		*error = base_printf("can be written by others (chmod go-w it)");
	else if (access(folder, W_OK) != 0)
		*error = base_printf("cannot be written: %s", strerror(errno));
	else
		return true;
	return false;
}

size_t remember_faults(const char *folder, char ***names)
{
	DIR *dir = opendir(folder);
	VEC(char *) v = { 0 };
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		size_t n = strlen(entry->d_name), m = strlen(SUFFIX_FAULT);

		if (n > m && strcmp(entry->d_name + n - m, SUFFIX_FAULT) == 0)
			*vec_add(&v) = base_printf("%.*s", (int)(n - m), entry->d_name);
	}
	if (dir)
		closedir(dir);
	*names = v.at;
	return v.n;
}

bool remember_forgive(const char *folder, const char *program, size_t *n, char **error)
{
	char *pattern = base_printf("%s-*", program), **names;
	size_t n_names = remember_faults(folder, &names);
	bool good = true;

	*n = 0;
	for (size_t i = 0; i < n_names; i++) {
		char *path = base_printf("%s/%s" SUFFIX_FAULT, folder, names[i]);

		if (good && fnmatch(pattern, names[i], 0) == 0) {
			good = unlink(path) == 0;
			if (good)
				++*n;
			else
				*error = base_printf("%s: %s", path, strerror(errno));
		}
		free(path);
		free(names[i]);
	}
	free(names);
	free(pattern);
	return good;
}
