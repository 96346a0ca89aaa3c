/* SPDX-License-Identifier: MIT */
/*
 * top_command.c - `dynopt top`: what the status files of living programs say, again and again, busiest first.
 *
 * A file that cannot be used is left out and counted: the view goes on.
 */
#include "runtime_commands.h"
#include "show.h"
#include "status_dir.h"
#include "top_screen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS 1000
#define INTERVAL_MOST_MS 3600000

struct options {
	bool json;
	const char *dir;
	unsigned interval_ms;
	unsigned long count; /* 0: until the user quits */
};

struct row {
	struct status_view view;
	char *path;
	u64 cpu_ms; /* of the program, so far */
	double busy; /* CPUs that it has used since the page before; over its life on the first */
};

struct page {
	VEC(struct row) v;
	size_t n_unusable;
	u64 at_ms;
};

enum { KEY_STATUS_DIR = 256, KEY_ONCE };

static const struct argp_option option_table[] = {
	{ "interval", 'i', "SECONDS", 0, "from page to page (default: 1)", 0 },
	{ "count", 'n', "N", 0, "quit after N pages", 0 },
	{ "once", KEY_ONCE, NULL, 0, "one page, as --count=1", 0 },
	{ "json", 'j', NULL, 0, "each page as one line of JSON with stable keys", 0 },
	{ "status-dir", KEY_STATUS_DIR, "DIR", 0,
	  "folder of the status files, as given to dynopt run", 0 },
	{ 0 },
};

static void read_interval(struct options *o, const char *argument, struct argp_state *state)
{
	char *end;
	double seconds = strtod(argument, &end);

	if (argument[0] < '0' || argument[0] > '9' || *end || !(seconds >= 0.01) ||
	    seconds * 1000 > INTERVAL_MOST_MS)
		argp_error(state, "--interval wants seconds from 0.01 to 3600, not '%s'", argument);
	o->interval_ms = (unsigned)(seconds * 1000);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 'i':
		read_interval(o, argument, state);
		return 0;
	case 'n':
		o->count = strtoul(argument, &end, 10);
		if (argument[0] < '1' || argument[0] > '9' || *end)
			argp_error(state, "--count wants a number, not '%s'", argument);
		return 0;
	case KEY_ONCE:
		o->count = 1;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case KEY_STATUS_DIR:
		o->dir = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is too much: there are no arguments", argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

HELP_WITH_EXITS(help, SHOW_EXITS);

static const struct argp argp = {
	.options = option_table,
	.parser = parse,
	.help_filter = help,
	.doc = "Shows the programs of this user that run under dynopt, busiest first, and goes on doing so; q or ^C quits."
	       "\v"
	       "CPU: of one processor, since the page before. INSIDE: samples in translations, of all; NOW: of those since "
	       "something was translated last. AGENT: its CPU time, of the program's. Samples are only taken in the mode sampled.\n\n"
	       "Example:\n"
	       "  $ dynopt top\n"
	       "  $ dynopt top --json --interval=0.2 | jq -c '[.processes[] | {pid, translated}]'"
};

/* User and system time of a process, fields 14 and 15 of /proc/PID/stat; 0: it has ended. */
static u64 cpu_ms(u32 pid)
{
	char path[64], text[1024];
	unsigned long long user, system;
	const char *at;
	size_t n;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	text[n] = 0;
	at = strrchr(text, ')');
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
	                  &system) != 2)
		return 0;
	return (user + system) * 1000 / (u64)sysconf(_SC_CLK_TCK);
}

static u64 now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/* How long the process has lived: by field 22 of its stat, which the status file keeps. */
static u64 life_ms(const struct status_head *head)
{
	u64 start = head->start_time * 1000 / (u64)sysconf(_SC_CLK_TCK);
	u64 now = now_ms(CLOCK_BOOTTIME);

	return now > start ? now - start : 1;
}

static const struct row *same(const struct page *before, const struct status_head *head)
{
	for (size_t i = 0; i < before->v.n; i++)
		if (before->v.at[i].view.head->pid == head->pid &&
		    before->v.at[i].view.head->start_time == head->start_time)
			return &before->v.at[i];
	return NULL;
}

static void measure(struct row *row, const struct page *page, const struct page *before)
{
	const struct row *old = same(before, row->view.head);
	u64 ms = old ? page->at_ms - before->at_ms : life_ms(row->view.head);
	u64 was = old ? old->cpu_ms : 0;

	row->cpu_ms = cpu_ms(row->view.head->pid);
	row->busy = ms && row->cpu_ms > was ? (double)(row->cpu_ms - was) / (double)ms : 0;
}

static int busiest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->busy != y->busy)
		return (x->busy < y->busy) - (x->busy > y->busy);
	return (x->view.head->pid > y->view.head->pid) - (x->view.head->pid < y->view.head->pid);
}

static void page_read(struct page *page, const struct page *before, const char *dir)
{
	struct status_names names = { 0 };

	*page = (struct page){ .at_ms = now_ms(CLOCK_MONOTONIC) };
	status_dir_list_all(dir, &names);
	for (size_t i = 0; i < names.v.n; i++) {
		struct row row = { 0 };
		char *error = NULL;
		bool missing;

		if (!status_read(&row.view, names.v.at[i].path, &missing, &error)) {
			page->n_unusable += !missing;
			free(error);
			continue;
		}
		if (!row.view.alive) {
			status_free(&row.view);
			continue;
		}
		row.path = base_printf("%s", names.v.at[i].path);
		measure(&row, page, before);
		*vec_add(&page->v) = row;
	}
	if (page->v.n)
		qsort(page->v.at, page->v.n, sizeof(*page->v.at), busiest_first);
	status_names_free(&names);
}

static void page_free(struct page *page)
{
	for (size_t i = 0; i < page->v.n; i++) {
		status_free(&page->v.at[i].view);
		free(page->v.at[i].path);
	}
	free(page->v.at);
}

/* "12.3", or "-" of nothing. */
static const char *percent(u64 part, u64 of, char buffer[16])
{
	if (of)
		snprintf(buffer, 16, "%.1f", 100.0 * (double)part / (double)of);
	else
		snprintf(buffer, 16, "-");
	return buffer;
}

static void print_row(const struct row *row, unsigned columns)
{
	const struct status_head *h = row->view.head;
	struct status_sums s = status_sum(&row->view);
	char inside[16], now[16], agent[16], line[512];
	const char *slash = strrchr(h->program, '/');

	snprintf(line, sizeof(line), "%8u %-9s %6.1f %7s %6s %6s %8llu %7.0f  %s%s%s", h->pid,
	         status_state_key(h->state), 100 * row->busy,
	         percent(h->samples_cache, h->samples, inside),
	         percent(h->recent_cache, h->recent, now),
	         percent(h->agent_cpu_ns / 1000000, row->cpu_ms, agent),
	         (unsigned long long)s.translated, (double)s.used / 1024,
	         slash ? slash + 1 : h->program, h->cause == STATUS_CAUSE_NONE ? "" : ": ",
	         status_cause_words(h->cause));
	printf("%.*s\n", columns && columns < sizeof(line) ? (int)columns : (int)sizeof(line),
	       line);
}

static void print_text(const struct page *page)
{
	unsigned lines, columns;
	size_t shown = page->v.n;

	screen_size(&lines, &columns);
	if (lines > 3 && shown > lines - 3)
		shown = lines - 3;
	screen_clear();
	printf("%zu program%s of this user under dynopt", page->v.n, page->v.n == 1 ? "" : "s");
	if (page->n_unusable)
		printf("; %zu status files cannot be used (dynopt status says why)",
		       page->n_unusable);
	printf("\n%8s %-9s %6s %7s %6s %6s %8s %7s  %s\n", "PID", "STATE", "CPU %", "INSIDE %",
	       "NOW %", "AGENT%", "TRANSL.", "KiB", "PROGRAM");
	for (size_t i = 0; i < shown; i++)
		print_row(&page->v.at[i], columns);
}

static void print_json(const struct page *page)
{
	struct json_object *root = json_object_new_object(), *array;

	json_number(root, "time_ms", page->at_ms);
	json_number(root, "unusable", page->n_unusable);
	array = json_list(root, "processes");
	for (size_t i = 0; i < page->v.n; i++) {
		const struct row *row = &page->v.at[i];
		struct json_object *item = json_item(array);

		show_status_json(&row->view, row->path, item);
		json_number(item, "cpu_ms", row->cpu_ms);
		json_number(item, "cpu_per_mille", (u64)(row->busy * 1000));
	}
	puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
	                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(root);
}

static void show_pages(const struct options *o, const char *dir)
{
	struct page before = { 0 }, page;
	unsigned long n = 0;
	bool more;

	screen_begin();
	do {
		page_read(&page, &before, dir);
		if (o->json)
			print_json(&page);
		else
			print_text(&page);
		page_free(&before);
		before = page;
		more = ++n != o->count && screen_wait(o->interval_ms);
	} while (more);
	page_free(&before);
	screen_end();
}

int command_top(int argc, char **argv)
{
	struct options o = { .interval_ms = INTERVAL_MS };
	struct status_names names = { 0 };
	bool good;

	if (argp_parse(&argp, argc, argv, 0, NULL, &o) != 0)
		return SHOW_EXIT_BAD;
	good = status_dir_list_all(o.dir, &names);
	status_names_free(&names);
	if (good)
		show_pages(&o, o.dir);
	return good ? SHOW_EXIT_DONE : SHOW_EXIT_BAD;
}
