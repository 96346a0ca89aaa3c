// SPDX-License-Identifier: MIT
/*
 * canary.c - a module that does wrong on purpose, so that a test can see that the guest finds
 * it: what=warn and what=bug on any kernel; what=kasan (a read behind a buffer) and what=lockdep (two locks
 * in both orders) where the kernel looks for such things.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>

static char *what = "";
module_param(what, charp, 0);

static DEFINE_MUTEX(one);
static DEFINE_MUTEX(other);

static void lock_both_ways(void)
{
	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);
	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
}

static void read_behind(void)
{
	char *buffer = kmalloc(24, GFP_KERNEL);
	volatile size_t behind = 24;

	if (buffer)
		pr_info("canary: read %d\n", READ_ONCE(buffer[behind]));
	kfree(buffer);
}

static int __init canary_init(void)
{
	BUG_ON(!strcmp(what, "bug"));
	WARN_ON(!strcmp(what, "warn"));
	if (!strcmp(what, "kasan"))
		read_behind();
	if (!strcmp(what, "lockdep"))
		lock_both_ways();
	return 0;
}

static void __exit canary_exit(void) {}

module_init(canary_init);
module_exit(canary_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Does wrong on purpose, to be found");
