/* SPDX-License-Identifier: MIT */
/*
 * resume.c - see resume.h.
 */
#include "resume.h"
#include "serve.h"
#include "status_dir.h"
#include "status_read.h"

#include <stdlib.h>
#include <unistd.h>

static void resume_one(const char *path)
{
	struct status_view view = { 0 };
	char *error = NULL;
	bool missing;

	if (!status_read(&view, path, &missing, &error)) {
		free(error);
		return;
	}
	if (!view.alive)
		unlink(path);
	else if (view.head->state != STATUS_STATE_WITHDRAWN)
		serve_attach((pid_t)view.head->pid,
		             &(struct attach){ view.head->mode == 1 ? ATTACH_EAGER : ATTACH_SAMPLE,
		                               false, false },
		             0, -1);
	status_free(&view);
}

void resume_attach(const char *folder)
{
	struct status_names names = { 0 };

	status_dir_list(folder, &names);
	for (size_t i = 0; i < names.v.n; i++)
		resume_one(names.v.at[i].path);
	status_names_free(&names);
}
