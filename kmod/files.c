// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * files.c - files whose pages the module owns, and how long.
 *
 * A file is owned while at least one mapping of it is taken over. That long its struct file
 * is held, so that neither inode nor mount can go, and it is closed to writers. With the last
 * mapping all of it goes back at once: a file system can be unmounted when its last process
 * has gone. The memory itself is freed when no request and no fault handler looks at it.
 */
#include <linux/file.h>
#include <linux/slab.h>
#include "own.h"

LIST_HEAD(owned_files);
DEFINE_SPINLOCK(registry);
DEFINE_MUTEX(requests);
DEFINE_SRCU(faults);
enum leave_state leave_state;

struct owned_file *file_find(struct inode *inode, const struct domain *domain)
{
	struct owned_file *file, *found = NULL;

	spin_lock(&registry);
	list_for_each_entry(file, &owned_files, list) {
		if (file->inode == inode && file->domain == domain) {
			file->n_held++;
			found = file;
			break;
		}
	}
	spin_unlock(&registry);
	return found;
}

struct owned_file *file_next(struct owned_file *after)
{
	struct owned_file *next = NULL;

	spin_lock(&registry);
	if (after)
		next = list_next_entry(after, list);
	else
		next = list_first_entry(&owned_files, struct owned_file, list);
	if (list_entry_is_head(next, &owned_files, list))
		next = NULL;
	else
		next->n_held++;
	spin_unlock(&registry);
	if (after)
		file_put(after);
	return next;
}

void file_hold(struct owned_file *file)
{
	spin_lock(&registry);
	file->n_held++;
	spin_unlock(&registry);
}

enum dynopt_kmod_status file_new(struct file *opened, struct domain *domain,
                                 const struct vm_operations_struct *original,
                                 struct owned_file **out)
{
	struct owned_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return DYNOPT_KMOD_MEMORY;
	if (deny_write_access(opened)) {
		kfree(file);
		return DYNOPT_KMOD_FILE_WRITTEN;
	}
	file->file = get_file(opened);
	file->mapping = opened->f_mapping;
	file->inode = file_inode(opened);
	file->domain = domain_hold(domain);
	file->original = original;
	mappings_init_ops(file);
	mutex_init(&file->gate);
	spin_lock_init(&file->lock);
	xa_init(&file->pages);
	INIT_LIST_HEAD(&file->patches);
	file->cache_first = ULONG_MAX;
	spin_lock(&registry);
	list_add(&file->list, &owned_files);
	file->n_held = 1;
	spin_unlock(&registry);
	count(DYNOPT_COUNTER_FILES, 1);
	*out = file;
	return DYNOPT_KMOD_OK;
}

static void file_free(struct rcu_head *rcu)
{
	struct owned_file *file = container_of(rcu, struct owned_file, rcu);
	struct patch *patch, *next;
	struct page *page;
	unsigned long index;

	xa_for_each(&file->pages, index, page) {
		put_page(page);
		count(DYNOPT_COUNTER_PAGES, -1);
	}
	domain_pages_sub(file->domain, file->n_pages);
	domain_put(file->domain);
	xa_destroy(&file->pages);
	list_for_each_entry_safe(patch, next, &file->patches, list)
		patch_free(patch);
	kfree(file);
	count(DYNOPT_COUNTER_FILES, -1);
}

void file_put(struct owned_file *file)
{
	bool last;

	spin_lock(&registry);
	last = !--file->n_held;
	if (last)
		list_del(&file->list);
	spin_unlock(&registry);
	if (!last)
		return;
	reading_drop(file);
	allow_write_access(file->file);
	fput(file->file);
	call_srcu(&faults, &file->rcu, file_free);
}
