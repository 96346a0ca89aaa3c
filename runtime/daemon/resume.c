/* SPDX-License-Identifier: MIT */
/*
 * resume.c - see resume.h. The files are read once, and kept in memory.
 */
#include "resume.h"
#include "serve.h"
#include "status_dir.h"
#include "status_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct left {
	struct status_view view;
	u64 uid;
};

/* What holds of files as long as the process is there. Complete before the first process is attached; only read afterwards. */
static VEC(struct left) all;

static void read_one(const char *path)
{
	struct left left = { 0 };
	struct stat st;
	char *error = NULL;
	bool missing;

	if (stat(path, &st) != 0 || !status_read(&left.view, path, &missing, &error)) {
		free(error);
		return;
	}
	left.uid = st.st_uid;
	if (left.view.alive && left.view.head->state != STATUS_STATE_WITHDRAWN) {
		*vec_add(&all) = left;
		return;
	}
	if (!left.view.alive)
		unlink(path);
	status_free(&left.view);
}

void resume_attach(const char *folder)
{
	struct status_names names = { 0 };

	status_dir_list(folder, &names);
	for (size_t i = 0; i < names.v.n; i++)
		read_one(names.v.at[i].path);
	for (size_t i = 0; i < all.n; i++) {
		const struct status_head *head = all.at[i].view.head;
		const struct attach attach = { head->mode == 1 ? ATTACH_EAGER : ATTACH_SAMPLE,
			                       false };

		serve_attach((pid_t)head->pid, &attach, 0, -1);
	}
	status_names_free(&names);
}

static void take_all(const struct status_view *view, u32 module,
                     void (*take)(void *ctx, const struct status_translation *translation),
                     void *ctx)
{
	for (u32 i = 0; i < view->head->n_translations; i++)
		if (view->translations[i].module == module)
			take(ctx, &view->translations[i]);
}

void resume_translations(const char *path, u64 uid,
                         void (*take)(void *ctx, const struct status_translation *translation),
                         void *ctx)
{
	for (size_t i = 0; i < all.n; i++) {
		const struct status_view *view = &all.at[i].view;

		if (all.at[i].uid != uid || !serve_has((pid_t)view->head->pid))
			continue;
		for (u32 k = 0; k < view->head->n_modules; k++)
			if (strcmp(view->modules[k].path, path) == 0)
				take_all(view, k, take, ctx);
	}
}

static void note(void *ctx, const struct status_translation *translation)
{
	(void)translation;
	*(bool *)ctx = true;
}

bool resume_knows(const char *path, u64 uid)
{
	bool known = false;

	resume_translations(path, uid, note, &known);
	return known;
}
