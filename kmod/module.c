// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * module.c - in and out.
 *
 * A descriptor of the device holds the module; processes whose mappings are taken do not, so
 * it can be unloaded while they run. Unloading ends when every mapping has its own operations
 * again and every callback that could be in the module's text has been waited for: those
 * under the mmap lock by taking it, those without it by SRCU, the few instructions behind by
 * RCU tasks.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include "queue.h"
#include "reading.h"

static int __init dynopt_init(void)
{
	int error = processes_init();

	if (error)
		return error;
	error = cookie_init();
	if (error)
		goto no_cookie;
	error = observed_init();
	if (error)
		goto no_probe;
	error = traced_init();
	if (error)
		goto no_trace;
	error = readings_init();
	if (error)
		goto no_readings;
	error = queue_init();
	if (error)
		goto no_queue;
	error = device_init();
	if (error)
		goto no_device;
	if (!TAKES_OVER)
		pr_notice(
			"dynopt: this kernel has page faults without the mmap lock, so no process can be registered\n");
	return 0;

no_device:
	queue_exit();
no_queue:
	readings_exit();
no_readings:
	traced_exit();
no_trace:
	observed_exit();
no_probe:
	cookie_exit();
no_cookie:
	processes_exit();
	return error;
}

static void __exit dynopt_exit(void)
{
	device_exit();
	queue_exit();
	leave_all();
	readings_exit();
	traced_exit();
	observed_exit();
	leave_exit();
	processes_exit();
	srcu_barrier(&faults);
	synchronize_rcu_tasks();
	synchronize_rcu();
	cookie_exit();
	if (counters_settled())
		pr_info("dynopt: unloaded, nothing is left\n");
}

module_init(dynopt_init);
module_exit(dynopt_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Optimizes programs while they run: shared translations of their text");
