/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * own.h - what the module's parts share: files whose pages it owns, and processes.
 *
 * An owned file has pages of the module's own, by page index, and the mappings of registered
 * processes have its vm_ops, which hand them out. A page that a process may have mapped is
 * written only under the cookie; else code changes by putting another page in its place.
 *
 * Locks, outer to inner:
 *   requests        mutex, one request at a time; never in a callback of a mapping
 *   mmap_lock       of a process; callbacks of mappings are entered with it. All at once only
 *                   by trying (processes_lock_all)
 *   file->gate      mutex: who puts pages in and changes what they hold
 *   page lock       of owned pages in index order; fault handlers take one
 *   i_mmap_rwsem    of the file, inside unmap_mapping_range() and to look for private copies
 *   registry        spinlock: lists of files and processes, numbers of mappings
 *   file->lock      spinlock: one look into file->pages
 * `faults` (SRCU) is held by every callback that may sleep without the mmap lock.
 */
#ifndef DYNOPT_KMOD_OWN_H
#define DYNOPT_KMOD_OWN_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "compat.h"
#include "dynopt_ioctl.h"

#define JMP_REL32_LEN 5
#define JMP_REL32 0xe9
#define JMP_REL8_LEN 2
#define JMP_REL8 0xeb
#define INT3 0xcc

#define FILE_PAGES_MAX 1024
#define FILE_PATCHES_MAX 4096

enum leave_state {
	LEAVE_NOT,
	LEAVE_SITES, /* everybody is on the way out: sites are original for all */
	LEAVE_MAPPINGS, /* nobody is inside any more: mappings go back as they come */
};

/* Whose pages and translations: those of one user's processes, or of the system's. */
struct domain {
	struct list_head list; /* in domains; registry */
	refcount_t held;
	struct user_namespace *ns; /* NULL: the system's */
	kuid_t uid;
	atomic_t n_pages; /* of the module's own, in all its files */
};

struct owned_file {
	struct list_head list; /* in owned_files: one for an inode and domain */
	struct rcu_head rcu;
	unsigned long n_held; /* registry: taken mappings, and requests that look at it */
	struct file *file; /* held, and closed to writers */
	struct address_space *mapping;
	struct inode *inode;
	struct domain *domain; /* held */
	const struct vm_operations_struct *original;
	struct vm_operations_struct ops; /* what taken mappings have */
	struct mutex gate;
	spinlock_t lock;
	struct xarray pages; /* page index -> struct page; PAGE_CACHE marks those of the code cache */
	unsigned int n_pages; /* gate */
	unsigned int n_patches; /* requests */
	struct list_head patches; /* requests; readers under `faults` */
	pgoff_t cache_first, cache_last; /* of pages marked PAGE_CACHE; requests */
	u64 cache_next; /* offset: translations were put up to here; requests */
	u64 text_bytes; /* that its text needs (reading.c), 0: not known yet; the worker */
	struct reading *reading; /* kept; NULL: none; reading.c */
};
#define PAGE_CACHE XA_MARK_0
#define PAGE_TRANSLATED XA_MARK_1 /* translations stand for code of this page */

/* A 4-byte field of a jump in a translation: into another one, or back to a loop's head. */
struct patch_link {
	u32 at; /* from cache_offset; no field lies in two pages */
	s32 linked, original;
	struct patch *to; /* who must be live for it to be linked; NULL: it is not */
	bool loop; /* leads back into its own translation */
};

/* From `at` on, counted from cache_offset, the state is the original's at file offset `origin`. */
struct patch_origin {
	u32 at, origin;
};

/* What the engine made of a trace. */
struct made {
	u64 digest; /* of the trace */
	u32 insns; /* of the original */
	u64 cost_original, cost; /* engine/cost.h */
	u32 n_links, n_origins;
	struct patch_link *links;
	struct patch_origin *origins; /* by .at; the first is at 0 */
};

/*
 * A site shorter than JMP_REL32_LEN jumps to a slot on its own page, which jumps on. Both are written in one step; what is in the slot
 * stays, as the bytes of the code cache do: a thread may stand there, where the state is the original's at the site.
 */
struct slot {
	u64 offset; /* 0: there is none */
	bool written;
	u8 old[JMP_REL32_LEN], jump[JMP_REL32_LEN];
};

struct patch {
	struct list_head list;
	u64 offset, cache_offset;
	u32 cache_len;
	u8 old_len, code_len, jump_len;
	bool live, suspended;
	u8 old[DYNOPT_OLD_MAX];
	u8 jump[JMP_REL32_LEN];
	struct slot slot;
	u8 code[DYNOPT_CODE_MAX + JMP_REL32_LEN]; /* bytes that were given, with the jump back */
	struct made *made; /* NULL: bytes that were given */
};

struct process {
	struct mmu_notifier notifier; /* has the mm */
	struct mmu_interval_notifier end;
	struct work_struct removal; /* of `end`, which takes sleep */
	refcount_t watched; /* by `notifier`, by `end` */
	struct sampler *sampler; /* registry; NULL: it is not sampled */
	struct hlist_node node; /* in the registry */
	struct domain *domain; /* held */
	bool leaving; /* its sites are original, and stay so */
};

extern struct mutex requests;
extern spinlock_t registry;
extern struct list_head owned_files;
extern struct srcu_struct faults;
extern enum leave_state leave_state; /* changed under `requests` */

/* counters.c */
void count(enum dynopt_kmod_counter counter, long n);
u64 counted(enum dynopt_kmod_counter counter);
/* Says what is left, at the end; true if nothing is. */
bool counters_settled(void);
int status_errno(enum dynopt_kmod_status status);

/* domain.c */
/* Whose processes with these credentials are, held. DOMAIN: their user ids differ. */
enum dynopt_kmod_status domain_of(const struct cred *cred, struct domain **out);
enum dynopt_kmod_status domain_of_system(struct domain **out);
struct domain *domain_hold(struct domain *domain);
void domain_put(struct domain *domain);
bool domain_has(const struct domain *domain, const struct cred *cred);
/* Processes may come in, and traces be submitted. */
bool domain_is_on(const struct domain *domain);
/* One more page of the module's own; false: it has as many as it may. */
bool domain_pages_add(struct domain *domain);
void domain_pages_sub(struct domain *domain, unsigned int n);

/* files.c: who finds or makes a file holds it until file_put() */
struct owned_file *file_find(struct inode *inode, const struct domain *domain);
/* The first, or the next one, for which the hold on `after` is given up; NULL: no more. */
struct owned_file *file_next(struct owned_file *after);
enum dynopt_kmod_status file_new(struct file *file, struct domain *domain,
                                 const struct vm_operations_struct *original,
                                 struct owned_file **out);
void file_hold(struct owned_file *file);
/* When nobody holds it any more, the file is no longer owned. */
void file_put(struct owned_file *file);

/* reading.c: of a file that nobody holds any more */
void reading_drop(struct owned_file *file);

/* pages.c */
struct page *page_get(struct owned_file *file, pgoff_t index, bool *cache);
bool page_is_current(struct owned_file *file, pgoff_t index, struct page *page);
enum dynopt_kmod_status pages_take(struct owned_file *file, pgoff_t index, bool cache);
/* Of a page that is owned: from now on a process that gets a copy of its own leaves. True: it was marked before. */
bool pages_mark_translated(struct owned_file *file, pgoff_t index);
/* One change of bytes. */
struct edit {
	u64 offset;
	const u8 *before, *after;
	u32 len;
};
/*
 * All in one step. One edit may cover two pages; several lie in one. `together`: refused where a process
 * has a private copy of one of the pages.
 */
enum dynopt_kmod_status pages_edit(struct owned_file *file, const struct edit *edits, u32 n,
                                   bool together);
enum dynopt_kmod_status pages_write(struct owned_file *file, u64 offset, const u8 *before,
                                    const u8 *after, u32 len, bool together);
/* A site's jump, or its bytes again, in place under the cookie if asked, or if there is no memory for pages. */
enum dynopt_kmod_status pages_write_site(struct owned_file *file, const struct edit *edit,
                                         bool together, bool in_place);
enum dynopt_kmod_status pages_read_file(struct owned_file *file, u64 offset, u8 *bytes, u32 len);
/* Takes pages out of all page tables: those of the cache, then all sites in one step. */
void pages_unmap_cache(struct owned_file *file);
void pages_unmap_sites(struct owned_file *file);

/* mappings.c; all with the process's mmap lock held for writing */
void mappings_init_ops(struct owned_file *file);
bool mapping_is_taken(const struct vm_area_struct *vma);
struct owned_file *mapping_file(const struct vm_area_struct *vma);
u32 mappings_count(struct mm_struct *mm);
/* Takes what is not taken, and all owned pages out of page tables then; how many it took. */
u32 mappings_take(struct mm_struct *mm, struct owned_file *file);
u32 mappings_restore(struct mm_struct *mm);
/* Has it taken mappings of files of which code was translated? Takes the mmap lock. */
bool mappings_translated(struct mm_struct *mm);
/* The operations that a registered process's executable mapping of the inode has now. */
const struct vm_operations_struct *mappings_operations(struct mm_struct *mm, struct inode *inode);

/* private.c: pages that a process has a copy of its own of */
bool private_in_process(struct mm_struct *mm, struct owned_file *file);
bool private_anywhere(struct owned_file *file, pgoff_t index);
void private_mend_half(struct owned_file *file, u64 offset, const u8 *before, const u8 *after,
                       u32 len);
void private_mend_breakpoint(struct vm_area_struct *vma, unsigned long addr);
/* Has the process a copy of a page with a jump in it? Its mmap lock is held for writing. */
bool private_has_sites(struct mm_struct *mm);
/* With all mmap locks: they read as the file has them. */
void private_restore(struct mm_struct *mm);

/* cookie.c; with all mmap locks: where the site's bytes are, and what they become */
void cookie_write(struct owned_file *file, u64 offset, u8 *const *site, const u8 *bytes, u32 len);
int cookie_init(void);
void cookie_exit(void);

/* processes.c */
enum dynopt_kmod_status process_register(struct mm_struct *mm, struct domain *domain);
/* For a mapping that a fork or a split brings; with the mmap lock held for writing. */
bool process_join(struct mm_struct *mm, struct domain *domain);
/* Held; NULL if it is not registered. */
struct domain *process_domain(struct mm_struct *mm);
/* A process in the domain of which a thread is not the domain's user's, grabbed; NULL: none. */
struct mm_struct *process_find_stranger(const struct domain *domain);
/* One of which a thread is traced. */
struct mm_struct *process_find_traced(const struct domain *domain);
bool process_is_registered(struct mm_struct *mm);
bool process_is_leaving(struct mm_struct *mm);
void process_set_leaving(struct mm_struct *mm);
void process_forget(struct mm_struct *mm);
/* Takes the file's mappings there, if it is of the file's domain, and none of its owned pages is private. */
void process_adopt(struct mm_struct *mm, struct owned_file *file);
/* All registered memory maps of a domain (NULL: of all), each grabbed; NULL-terminated; NULL if there is no memory. */
struct mm_struct **processes_all(const struct domain *domain);
void processes_drop(struct mm_struct **all);
bool processes_empty(void);
/*
 * All registered memory maps' mmap locks for writing. Nobody registers, forks, faults or ends then.
 * If `killable`, false: a signal that kills, or some process is always in the midst of a change.
 */
bool processes_lock_all(bool killable);
void processes_unlock_all(void);
/* The one before; or `sampler`, if the process is not registered. */
struct sampler *process_swap_sampler(struct mm_struct *mm, struct sampler *sampler);
/* Held, or NULL. */
struct sampler *process_get_sampler(struct mm_struct *mm);
int processes_init(void);
/* Waits until nothing of the module is asked when a process ends. */
void processes_exit(void);

/* patch.c */
enum dynopt_kmod_status patch_apply(const struct dynopt_ioc_patch *request, struct domain *domain);
enum dynopt_kmod_status patch_undo(const struct dynopt_ioc_undo *request,
                                   const struct domain *domain, u32 *undone);
/* Who is not the domain's user any more leaves, before something new comes. */
void patch_part_with_strangers(const struct domain *domain);
/* The same for who is traced. */
void patch_part_with_traced(const struct domain *domain);
/* A regular file that is open for reading, or one with .file NULL. */
struct file *patch_open_file(s32 fd);
/* The owned file, held; made if it is mapped by registered processes of the domain. */
enum dynopt_kmod_status patch_find_or_make(struct file *opened, struct domain *domain,
                                           struct owned_file **out);
/* Does a patch or its slot, or what remains of them, stand in [offset, end) of the text, or a patch in that of the code cache? */
bool patch_overlaps(struct owned_file *file, u64 offset, u64 end);
bool patch_overlaps_cache(struct owned_file *file, u64 offset, u64 end);
/* The offset behind everything that was put into the code cache at [start, end). */
u64 patch_cache_next(struct owned_file *file, u64 start, u64 end);
/* The live one whose site is at this offset; NULL: none. */
struct patch *patch_at(struct owned_file *file, u64 offset);
/*
 * What was made of the same trace for the same site, and undone; NULL: nothing. Then patch_revive() brings it back: bytes of the code
 * cache are written once, so there is no other room for it.
 */
struct patch *patch_undone(struct owned_file *file, u64 offset, u64 digest);
enum dynopt_kmod_status patch_revive(struct owned_file *file, struct patch *patch);
/* What patch_publish() takes: with old, site, slot, cache and made filled in. */
struct patch *patch_alloc(void);
void patch_free(struct patch *patch);
/*
 * Publishes patches whose code follows one another in the code cache from `at` on: `code`, `len` bytes. All of them are
 * the file's then, and live, but those that say in statuses[] why not; or none is.
 */
enum dynopt_kmod_status patch_publish(struct owned_file *file, struct patch **patches, u32 n,
                                      u64 at, const u8 *code, u32 len,
                                      enum dynopt_kmod_status *statuses);
/* Sites across two pages, for the time in which processes' views of pages change. */
void patch_suspend_crossing(struct owned_file *file);
void patch_resume_crossing(struct owned_file *file);
/* Where a thread that is at this place of the code cache, or in a slot, would be in the original; 0: nowhere. */
u64 patch_origin(struct owned_file *file, u64 offset);
bool patch_inside(struct owned_file *file, u64 offset);

/* sample.c; may sleep, but for the hold */
/* `owner`: the device as the caller has opened it. */
enum dynopt_kmod_status sample_run(struct mm_struct *mm, struct dynopt_ioc_sample *request,
                                   const struct file *owner);
/* It is closed: what was started by it samples no more. */
void samplers_close(const struct file *owner);
void sampler_hold(struct sampler *sampler);
void sampler_end(struct sampler *sampler);

/* leave.c */
/*
 * With `requests`: the process executes originals from now on. LEAVING: a thread is still inside, and what is left to do is done when it
 * is not.
 */
enum dynopt_kmod_status leave_begin(struct mm_struct *mm);
/* The same, and waits a while for the rest; without `requests`. */
enum dynopt_kmod_status leave_process(struct mm_struct *mm);
void leave_all(void);
/* When no process is registered any more. */
void leave_exit(void);

/* observed.c */
/* A task work or worker of the module's is on its way: unloading waits for its end. */
void callback_begin(void);
void callback_end(void);
/* It is debugged. With `requests`. */
void observed_leave_now(struct mm_struct *mm);
/* Soon, and not in the callback from which this is called. */
void observed_leave(struct mm_struct *mm);
/* A thread that stands in a translation is to go on in the original, where its place has one; also one that sleeps in a fault. */
void observed_turn(struct task_struct *thread);
int observed_init(void);
void observed_exit(void);

/* traced.c */
bool traced_is(struct mm_struct *mm);
int traced_init(void);
void traced_exit(void);

/* device.c */
int device_init(void);
void device_exit(void);

#endif
