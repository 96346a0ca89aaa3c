/* SPDX-License-Identifier: MIT */
/*
 * show.h - a status file for people and as JSON; `dynopt report` and `dynopt run --report` print the same.
 */
#ifndef DYNOPT_RUNTIME_SHOW_H
#define DYNOPT_RUNTIME_SHOW_H

#include "json.h"
#include "status_read.h"

void show_report(const struct status_view *view, bool translations, FILE *out);
struct json_object *show_report_json(const struct status_view *view, bool translations);

/* The same and sums over the modules, of the status file at `path`. */
void show_status_json(const struct status_view *view, const char *path, struct json_object *to);
/* What is known of the process as a whole, into `to`. */
void show_head_json(const struct status_view *view, struct json_object *to);

/* show_names.c: names for module addresses; opens a file when it is first asked for one of its. */
struct show_names;
struct show_names *show_names_new(const struct status_view *view);
void show_names_free(struct show_names *names);
/* "function+0x12", or "0x1234" where the file has no symbol for it, in buffer; returns buffer. */
const char *show_name(struct show_names *names, u32 module, u64 addr, char *buffer, size_t size);

#endif
