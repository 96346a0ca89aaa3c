/* SPDX-License-Identifier: MIT */
/*
 * linker.c - finds out which linker clang will run, without running anything.
 *
 * The user's choice is never changed: -fuse-ld=, --ld-path=, an `ld` under a -B
 * prefix or COMPILER_PATH, `mold -run`, and a linker script written for the
 * default linker all count as a choice. Where there is none, our clang's own lld
 * is taken if it is installed.
 */
#define _GNU_SOURCE
#include "linker.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *path_find(const char *list, const char *name)
{
	size_t n;
	char *path;

	for (; list; list = list[n] ? list + n + 1 : NULL) {
		n = strcspn(list, ":");
		path = text_format("%.*s%s%s", (int)n, list, n ? "/" : "", name);
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	return NULL;
}

static const char *basename_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static enum linker_kind kind_of_name(const char *name)
{
	if (strstr(name, "lld"))
		return LINKER_LLD;
	if (strstr(name, "gold"))
		return LINKER_GOLD;
	if (strstr(name, "mold"))
		return LINKER_MOLD;
	return strstr(name, "bfd") ? LINKER_BFD : LINKER_OTHER;
}

/* Linkers hide behind links like ld -> x86_64-linux-gnu-ld -> ld.bfd. */
static enum linker_kind kind_of_file(const char *path)
{
	char real[PATH_MAX];
	enum linker_kind kind = kind_of_name(basename_of(path));

	if (kind == LINKER_OTHER && realpath(path, real))
		kind = kind_of_name(basename_of(real));
	return kind;
}

static bool is_same_llvm(const char *name, const char *clang_dir)
{
	static const char suffix[] = "-" DYNOPT_LLVM_MAJOR;
	char real[PATH_MAX];
	size_t n = strlen(name), m = strlen(clang_dir);

	if (n > strlen(suffix) && !strcmp(name + n - strlen(suffix), suffix))
		return true;
	if (name[0] == '/')
		return realpath(name, real) && !strncmp(real, clang_dir, m) && real[m] == '/';
	return !strcmp(name, "lld") && !access(text_format("%s/ld.lld", clang_dir), X_OK);
}

static char *prefixed_ld(const struct request *r)
{
	char *path;

	for (size_t i = 0; i < r->prefixes.n; i++) {
		path = path_find(r->prefixes.v[i], "ld"); /* -B<dir> */
		if (path)
			return path;
		path = text_format("%sld", r->prefixes.v[i]); /* -B<dir/prefix-> */
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	return path_find(getenv("COMPILER_PATH"), "ld");
}

static void linker_named(struct linker *l, const char *name, const char *clang_dir)
{
	l->name = name;
	l->kind = name[0] == '/' ? kind_of_file(name) : kind_of_name(name);
	l->same_llvm = l->kind == LINKER_LLD && is_same_llvm(name, clang_dir);
}

void linker_find(const struct request *r, const char *clang_dir, struct linker *l)
{
	const char *preload = getenv("LD_PRELOAD");
	bool named = r->fuse_ld && r->fuse_ld[0];
	char *path;

	*l = (struct linker){ .kind = LINKER_OTHER, .name = "ld" };
	if (preload && strstr(preload, "mold-wrapper")) {
		linker_named(l, "mold", clang_dir);
	} else if (r->ld_path) {
		path = strchr(r->ld_path, '/') ? NULL : path_find(getenv("PATH"), r->ld_path);
		linker_named(l, path ? path : r->ld_path, clang_dir);
	} else if (named && strcmp(r->fuse_ld, "ld")) {
		linker_named(l, r->fuse_ld, clang_dir);
	} else if ((path = prefixed_ld(r))) {
		linker_named(l, path, clang_dir);
	} else if (!named && (r->lto || !(r->own_script || r->relocatable)) &&
	           (!access(text_format("%s/ld.lld", clang_dir), X_OK) ||
	            path_find(getenv("PATH"), "ld.lld-" DYNOPT_LLVM_MAJOR))) {
		l->choice = access(text_format("%s/ld.lld", clang_dir), X_OK)
		                    ? "lld-" DYNOPT_LLVM_MAJOR
		                    : "lld";
		linker_named(l, l->choice, clang_dir);
		l->same_llvm = true;
	} else {
		path = path_find(text_format("%s:%s", clang_dir,
		                             getenv("PATH") ? getenv("PATH") : ""),
		                 "ld");
		linker_named(l, path ? path : "ld", clang_dir);
	}
}
