/* SPDX-License-Identifier: MIT */
/*
 * status_read.c - reads a status file whole and checks it before anybody looks in: magic, version, sizes, counts against
 * the length, every text ends, every index and enum is in range. A file that lies is refused as a whole.
 */
#include "status_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT (256u << 20) /* bytes; more is no status file */

static const char *lookup(const char *const *words, size_t n, u32 index)
{
	return index < n && words[index] ? words[index] : "?";
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOOKUP(function, ...) \
	const char *function(u32 index) \
	{ \
		static const char *const words[] = { __VA_ARGS__ }; \
		return lookup(words, COUNT(words), index); \
	}
#define NAME(name, text) #name,
#define WORDS(name, text) text,

LOOKUP(status_state_key, STATUS_STATES(NAME))
LOOKUP(status_state_words, STATUS_STATES(WORDS))
LOOKUP(status_cause_key, STATUS_CAUSES(NAME))
LOOKUP(status_cause_words, STATUS_CAUSES(WORDS))
LOOKUP(status_mode_key, "off", "eager", "traces", "sampled")
#define NAME_ONLY(name) #name,
LOOKUP(status_backend_key, STATUS_BACKENDS(NAME_ONLY))
LOOKUP(status_sampler_key, "none", STATUS_SAMPLERS(NAME))
LOOKUP(status_sampler_words, "", STATUS_SAMPLERS(WORDS))
LOOKUP(status_remember_key, STATUS_REMEMBER(NAME))
LOOKUP(status_remember_words, STATUS_REMEMBER(WORDS))
LOOKUP(status_heat_key, STATUS_HEAT_WHYS(NAME))
LOOKUP(status_heat_words, STATUS_HEAT_WHYS(WORDS))
LOOKUP(status_stage_key, STATUS_STAGES(NAME))
LOOKUP(status_tree_key, STATUS_TREES(NAME))
LOOKUP(status_hop_key, "none", "direct", "slot", "far", "slot_far", "call")

static const struct {
	const char *name, *words, *counts;
} passes[PASS_N] = {
#define X(name, help, counts) { #name, help, counts },
#include "passes.def"
#undef X
};

const char *status_pass_key(u32 pass)
{
	return passes[pass].name;
}

const char *status_pass_words(u32 pass)
{
	return passes[pass].words;
}

const char *status_pass_counts(u32 pass)
{
	return passes[pass].counts;
}

struct reason {
	const char *name, *class, *words;
};

static const struct reason reasons[] = {
	{ "OK", "OK", "" },
#define X(name, class, detail, text) { #name, #class, text },
#include "engine_status.def"
#undef X
};

/* Behind STATUS_KMOD_FIRST. */
static const struct reason kernel_reasons[] = {
	{ "OK", "OK", "" },
#define X(name, error, text) { #name, "REFUSED", text },
#include "kmod_status.def"
#undef X
};

static const struct reason *reason_of(u32 status)
{
	static const struct reason unknown = { "?", "?",
		                               "a reason that this version does not know" };

	if (status < COUNT(reasons))
		return &reasons[status];
	if (status >= STATUS_KMOD_FIRST && status - STATUS_KMOD_FIRST < COUNT(kernel_reasons))
		return &kernel_reasons[status - STATUS_KMOD_FIRST];
	return &unknown;
}

const char *status_reason_name(u32 status)
{
	return reason_of(status)->name;
}

const char *status_reason_class(u32 status)
{
	return reason_of(status)->class;
}

const char *status_reason_words(u32 status)
{
	return reason_of(status)->words;
}

const char *status_detail_words(const struct status_head *head, char *buffer, size_t size)
{
	bool is_errno = head->cause == STATUS_CAUSE_MEMORY || head->cause == STATUS_CAUSE_CLONE ||
	                head->cause == STATUS_CAUSE_TRACES || head->cause == STATUS_CAUSE_SAMPLES;

	if (!head->detail || head->cause == STATUS_CAUSE_NONE)
		snprintf(buffer, size, "%s", "");
	else if (head->cause == STATUS_CAUSE_FAULT)
		snprintf(buffer, size, "at 0x%llx", (unsigned long long)head->detail);
	else if (head->cause == STATUS_CAUSE_POLICY)
		snprintf(buffer, size, "line %llu", (unsigned long long)head->detail);
	else if ((head->cause == STATUS_CAUSE_TRACES || head->cause == STATUS_CAUSE_SAMPLES) &&
	         head->detail >= STATUS_DETAIL_LINE)
		snprintf(buffer, size, "line %llu",
		         (unsigned long long)(head->detail - STATUS_DETAIL_LINE));
	else if (is_errno && head->detail < STATUS_DETAIL_LINE)
		snprintf(buffer, size, "%s", strerror((int)head->detail));
	else
		snprintf(buffer, size, "%llu", (unsigned long long)head->detail);
	return buffer;
}

const char *status_remember_detail(const struct status_head *head, char *buffer, size_t size)
{
	if (!head->remember_detail)
		snprintf(buffer, size, "%s", "");
	else if (head->remember_wrong == STATUS_REMEMBER_LINE)
		snprintf(buffer, size, "line %llu", (unsigned long long)head->remember_detail);
	else
		snprintf(buffer, size, "%s", strerror((int)head->remember_detail));
	return buffer;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

/* Length of the UTF-8 character at `at` (RFC 3629), 0 if it is none or a control character. */
static size_t character(const unsigned char *at)
{
	size_t n = *at < 0x80 ? 1 : *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;

	if (*at < 0x20 || *at == 0x7f || (*at >= 0x80 && *at < 0xc2) || *at > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* File names may hold anything; what a terminal or a JSON reader would trip over becomes '?'. */
static void clean(char *text)
{
	while (*text) {
		size_t n = character((unsigned char *)text);

		if (!n)
			*text = '?';
		text += n ? n : 1;
	}
}

static const char *check_items(const struct status_view *v, struct status_module *modules)
{
	for (u32 i = 0; i < v->head->n_modules; i++) {
		if (!ends(modules[i].path, sizeof(modules[i].path)))
			return "a module's name does not end";
		clean(modules[i].path);
	}
	for (u32 i = 0; i < v->head->n_translations; i++) {
		if (v->translations[i].module >= v->head->n_modules)
			return "a translation belongs to no module";
		if (v->translations[i].hop >= HOP_KINDS)
			return "a translation has an unknown kind of hop";
	}
	for (u32 i = 0; i < v->head->n_functions; i++) {
		const struct status_function *f = &v->functions[i];

		if (f->module >= v->head->n_modules && f->module != STATUS_NO_MODULE)
			return "a function belongs to no module";
		if (f->why >= STATUS_HEAT_N || f->samples_cache > f->samples ||
		    f->wait_samples > f->samples ||
		    (f->wait_samples && f->module == STATUS_NO_MODULE))
			return "a function's samples contradict each other";
	}
	return NULL;
}

/* NULL, or what is wrong. */
static const char *check(struct status_view *v, size_t size)
{
	struct status_head *h = v->bytes;
	u64 modules, translations, functions;

	if (size < sizeof(h->magic) + sizeof(h->version) || h->magic != STATUS_FILE_MAGIC)
		return "it is no status file of dynopt";
	if (h->version != STATUS_FILE_VERSION)
		return "it was written by another version of dynopt";
	if (size < sizeof(*h))
		return "it is cut off";
	if (h->size != sizeof(*h) || h->module_size != sizeof(struct status_module) ||
	    h->translation_size != sizeof(struct status_translation) ||
	    h->function_size != sizeof(struct status_function))
		return "its sizes are not those of this version";
	modules = (u64)h->n_modules * sizeof(struct status_module);
	translations = (u64)h->n_translations * sizeof(struct status_translation);
	functions = (u64)h->n_functions * sizeof(struct status_function);
	if (modules + translations + functions != size - sizeof(*h))
		return "its counts do not fit its length";
	if (!ends(h->program, sizeof(h->program)))
		return "the program's name does not end";
	if (h->pid == 0 || h->pid > INT32_MAX)
		return "it names no process";
	clean(h->program);
	v->head = h;
	v->modules = (const struct status_module *)((const char *)v->bytes + sizeof(*h));
	v->translations = (const struct status_translation *)((const char *)v->modules + modules);
	v->functions =
		(const struct status_function *)((const char *)v->translations + translations);
	return check_items(v, (struct status_module *)((char *)v->bytes + sizeof(*h)));
}

/* Field 22 of /proc/PID/stat, counted behind the last ')': a program's name may hold anything. */
static bool same_process(u32 pid, u64 start_time)
{
	char path[64], text[1024];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = 0;
	at = strrchr(text, ')');
	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return false;
	for (int field = 2; field < 22 && at; field++) {
		at = strchr(at + 1, ' ');
	}
	return at && strtoull(at + 1, NULL, 10) == start_time;
}

/* Whoever has killed the agent did not write that down. It may be a zombie, or another process may have its number. */
static bool agent_is_gone(const struct status_head *head)
{
	char path[64], text[128] = "", name[32], state = 'Z';
	FILE *in;

	if (!head->agent_pid)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/stat", head->agent_pid);
	in = fopen(path, "re");
	if (!in)
		return errno == ENOENT;
	if (!fgets(text, sizeof(text), in))
		text[0] = 0;
	fclose(in);
	return sscanf(text, "%*d (%31[^)]) %c", name, &state) != 2 ||
	       strcmp(name, "dynopt-agent") != 0 || state == 'Z' || state == 'X';
}

static bool load(struct status_view *v, int fd, size_t *size, char **error)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		*error = base_printf("cannot be used: it is no regular file");
		return false;
	}
	if (st.st_size > FILE_LIMIT) {
		*error = base_printf("cannot be used: it is no status file of dynopt");
		return false;
	}
	v->bytes = base_calloc(1, (size_t)st.st_size + 1);
	*size = 0;
	while (*size < (size_t)st.st_size) {
		ssize_t n = read(fd, (char *)v->bytes + *size, (size_t)st.st_size - *size);

		if (n <= 0)
			break;
		*size += (size_t)n;
	}
	return true;
}

bool status_read(struct status_view *view, const char *path, bool *missing, char **error)
{
	struct status_view v = { 0 };
	const char *wrong;
	size_t size;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*missing = fd < 0 && errno == ENOENT;
	if (fd < 0) {
		*error = base_printf("cannot be read: %s", strerror(errno));
		return false;
	}
	if (!load(&v, fd, &size, error)) {
		close(fd);
		return false;
	}
	close(fd);
	wrong = check(&v, size);
	if (wrong) {
		*error = base_printf("cannot be used: %s", wrong);
		free(v.bytes);
		return false;
	}
	v.alive = same_process(v.head->pid, v.head->start_time);
	if (v.alive && v.head->cause == STATUS_CAUSE_NONE && agent_is_gone(v.head))
		((struct status_head *)v.bytes)->cause = STATUS_CAUSE_AGENT_DIED;
	*view = v;
	return true;
}

void status_free(struct status_view *view)
{
	free(view->bytes);
}

struct status_sums status_sum(const struct status_view *view)
{
	struct status_sums s = { 0 };

	for (u32 i = 0; i < view->head->n_modules; i++) {
		const struct status_module *m = &view->modules[i];

		s.text += m->text_bytes;
		s.proven += m->proven_bytes;
		s.functions += m->n_functions;
		s.heads += m->n_heads;
		s.translated += m->n_translated;
		s.replaced += m->n_replaced;
		s.withdrawn += m->n_withdrawn;
		s.slots += m->n_slots;
		s.reserved += m->cache_reserved;
		s.mapped += m->cache_mapped;
		s.used += m->cache_used;
		s.insns += m->insns;
		s.build_ns += m->build_ns;
		s.translate_ns += m->translate_ns;
		s.apply_ns += m->apply_ns;
		for (int k = 0; k < HOP_KINDS; k++)
			s.hops[k] += m->hops[k];
		for (int k = 0; k < STATUS_REASONS; k++)
			s.refused[k] += m->refused[k];
	}
	for (u32 i = 0; i < view->head->n_translations; i++)
		for (u32 k = 0; k < PASS_N; k++)
			s.passes[k] += view->translations[i].passes[k];
	return s;
}

struct status_sharing status_share(const struct status_view *view)
{
	struct status_sharing s = { 0 };
	u32 most = 0;

	for (u32 i = 0; i < view->head->n_modules; i++) {
		const struct status_module *m = &view->modules[i];

		s.translations += m->n_translated;
		s.bytes += m->cache_used;
		if (m->n_translated > most) {
			most = m->n_translated;
			s.processes = m->n_processes;
		}
	}
	return s;
}

u64 status_reachable(const struct status_heat *heat)
{
	return heat->samples - heat->outside[STATUS_HEAT_UNPROVEN] -
	       heat->outside[STATUS_HEAT_MODULE] - heat->outside[STATUS_HEAT_NOWHERE];
}

struct status_reason status_top_reason(const struct status_heat *heat)
{
	struct status_reason top = { "NONE", "", 0 };

	for (u32 i = 0; i < STATUS_HEAT_N; i++)
		if (i != STATUS_HEAT_REFUSED && heat->outside[i] > top.samples)
			top = (struct status_reason){ status_heat_key(i), status_heat_words(i),
				                      heat->outside[i] };
	for (u32 i = 0; i < STATUS_REASONS; i++)
		if (heat->refused[i] > top.samples)
			top = (struct status_reason){ status_reason_name(i), status_reason_words(i),
				                      heat->refused[i] };
	return top;
}
