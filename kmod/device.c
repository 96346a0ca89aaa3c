// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * device.c - /dev/dynopt: copies requests in, checks who asks, answers.
 *
 * Every call copies its struct once and works on the copy. Who asks is looked at in each
 * call, not at open: a descriptor that was handed on gives no rights. Requests run one at a
 * time, but for those that queue traces, read reports, or wait until a process has left: what takes long holds up nobody. Answers: a
 * negative errno, and the status by name in the struct.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include "policy.h"
#include "queue.h"
#include "request.h"

union request {
	struct {
		u32 size, status;
	};
	struct dynopt_ioc_hello hello;
	struct dynopt_ioc_process process;
	struct dynopt_ioc_patch patch;
	struct dynopt_ioc_undo undo;
	struct dynopt_ioc_query query;
	struct dynopt_ioc_sample sample;
	struct dynopt_ioc_submit submit;
	struct dynopt_ioc_reports reports;
	struct dynopt_ioc_policy policy;
};

static enum dynopt_kmod_status do_hello(struct file *device, union request *request)
{
	struct dynopt_ioc_hello *hello = &request->hello;

	if (hello->min > hello->max)
		return DYNOPT_KMOD_BAD_REQUEST;
	if (hello->max < DYNOPT_ABI_MIN || hello->min > DYNOPT_ABI_MAX)
		return DYNOPT_KMOD_VERSION;
	hello->version = min_t(u32, hello->max, DYNOPT_ABI_MAX);
	hello->n_counters = DYNOPT_COUNTER_N;
	if (!TAKES_OVER)
		return DYNOPT_KMOD_OK;
	hello->features = DYNOPT_FEATURE_FIXED_PATCH | DYNOPT_FEATURE_GATE | DYNOPT_FEATURE_TRACES |
	                  DYNOPT_FEATURE_COOKIE | DYNOPT_FEATURE_SAMPLES | DYNOPT_FEATURE_QUEUE |
	                  DYNOPT_FEATURE_DOMAINS;
	return DYNOPT_KMOD_OK;
}

/* The device's group may do what concerns itself; all else is the administrator's. */
static bool is_member(struct file *device)
{
	kgid_t group = file_inode(device)->i_gid;

	return capable(CAP_SYS_ADMIN) || (!gid_eq(group, GLOBAL_ROOT_GID) && in_group_p(group));
}

/* To be put; 0 is the caller. */
static enum dynopt_kmod_status find_process(s32 number, struct task_struct **out)
{
	struct task_struct *task;
	struct pid *pid;

	if (number < 0)
		return DYNOPT_KMOD_BAD_REQUEST;
	if (number && !capable(CAP_SYS_ADMIN))
		return DYNOPT_KMOD_PERMISSION;
	pid = number ? find_get_pid(number) : get_pid(task_tgid(current));
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return DYNOPT_KMOD_NO_PROCESS;
	*out = task;
	return DYNOPT_KMOD_OK;
}

/* Of a member's own process, or of any. */
static enum dynopt_kmod_status memory_of(struct file *device, s32 number, struct mm_struct **out)
{
	enum dynopt_kmod_status status;
	struct task_struct *task;

	if (!is_member(device))
		return DYNOPT_KMOD_PERMISSION;
	status = find_process(number, &task);
	if (status)
		return status;
	*out = get_task_mm(task);
	put_task_struct(task);
	return *out ? DYNOPT_KMOD_OK : DYNOPT_KMOD_NO_PROCESS;
}

/* Who a process is, looked at after its memory: a program that it has started since has other memory. */
static enum dynopt_kmod_status user_domain_of(s32 number, struct domain **out)
{
	enum dynopt_kmod_status status;
	struct task_struct *task;
	const struct cred *cred;

	status = find_process(number, &task);
	if (status)
		return status;
	cred = get_task_cred(task);
	put_task_struct(task);
	status = domain_of(cred, out);
	put_cred(cred);
	return status;
}

static enum dynopt_kmod_status domain_of_registered(struct file *device, s32 number,
                                                    struct domain **out)
{
	enum dynopt_kmod_status status;
	struct mm_struct *mm;

	status = memory_of(device, number, &mm);
	if (status)
		return status;
	*out = process_domain(mm);
	mmput(mm);
	return *out ? DYNOPT_KMOD_OK : DYNOPT_KMOD_NO_PROCESS;
}

/* Whose translations a request is about; held. */
static enum dynopt_kmod_status domain_named(struct file *device, s32 number, struct domain **out)
{
	if (!is_member(device))
		return DYNOPT_KMOD_PERMISSION;
	if (number == DYNOPT_DOMAIN_OWN)
		return domain_of(current_cred(), out);
	if (!capable(CAP_SYS_ADMIN))
		return DYNOPT_KMOD_PERMISSION;
	return number == DYNOPT_DOMAIN_SYSTEM ? domain_of_system(out)
	                                      : domain_of_registered(device, number, out);
}

static enum dynopt_kmod_status register_memory(struct mm_struct *mm, struct domain *domain)
{
	enum dynopt_kmod_status status;
	struct owned_file *file;

	if (!domain_is_on(domain))
		return DYNOPT_KMOD_DOMAIN_OFF;
	status = traced_is(mm) ? DYNOPT_KMOD_TRACED : process_register(mm, domain);
	if (status)
		return status;
	for (file = file_next(NULL); file; file = file_next(file))
		process_adopt(mm, file);
	/* Who begins to trace it from now on finds it registered. */
	if (!traced_is(mm))
		return DYNOPT_KMOD_OK;
	leave_begin(mm);
	return DYNOPT_KMOD_TRACED;
}

static enum dynopt_kmod_status do_register(struct file *device, union request *request)
{
	struct dynopt_ioc_process *process = &request->process;
	enum dynopt_kmod_status status;
	struct domain *domain;
	struct mm_struct *mm;

	status = memory_of(device, process->pid, &mm);
	if (status)
		return status;
	status = request_process(process);
	if (!status && get_dumpable(mm) != SUID_DUMP_USER)
		status = DYNOPT_KMOD_NOT_DUMPABLE;
	if (!status)
		status = process->domain == DYNOPT_DOMAIN_OWN
		                 ? user_domain_of(process->pid, &domain)
		                 : domain_named(device, process->domain, &domain);
	if (!status) {
		status = register_memory(mm, domain);
		domain_put(domain);
	}
	mmap_write_lock(mm);
	process->mappings = mappings_count(mm);
	mmap_write_unlock(mm);
	mmput(mm);
	return status;
}

static enum dynopt_kmod_status do_unregister(struct file *device, union request *request)
{
	enum dynopt_kmod_status status;
	struct mm_struct *mm;

	status = memory_of(device, request->process.pid, &mm);
	if (status)
		return status;
	status = request_process(&request->process);
	if (!status)
		status = leave_process(mm);
	request->process.mappings = 0;
	mmput(mm);
	return status;
}

static enum dynopt_kmod_status do_sample(struct file *device, union request *request)
{
	struct mm_struct *mm;
	enum dynopt_kmod_status status;

	status = memory_of(device, request->sample.pid, &mm);
	if (status)
		return status;
	status = sample_run(mm, &request->sample, device);
	mmput(mm);
	return status;
}

static enum dynopt_kmod_status do_patch(struct file *device, union request *request)
{
	enum dynopt_kmod_status status;
	struct domain *domain;

	if (!capable(CAP_SYS_ADMIN))
		return DYNOPT_KMOD_PERMISSION;
	status = domain_of(current_cred(), &domain);
	if (status)
		return status;
	status = patch_apply(&request->patch, domain);
	domain_put(domain);
	return status;
}

static enum dynopt_kmod_status do_undo(struct file *device, union request *request)
{
	struct dynopt_ioc_undo *undo = &request->undo;
	enum dynopt_kmod_status status;
	struct domain *domain;

	undo->undone = 0;
	if (!is_member(device))
		return DYNOPT_KMOD_PERMISSION;
	status = request_undo(undo);
	if (!status)
		status = domain_named(device, undo->domain, &domain);
	if (status)
		return status;
	status = patch_undo(undo, domain, &undo->undone);
	domain_put(domain);
	return status;
}

static enum dynopt_kmod_status do_submit(struct file *device, union request *request)
{
	struct dynopt_ioc_submit *submit = &request->submit;
	enum dynopt_kmod_status status;
	struct domain *domain;

	submit->published = 0;
	submit->id = 0;
	submit->advice = 0;
	if (!is_member(device))
		return DYNOPT_KMOD_PERMISSION;
	status = request_submit(submit);
	if (!status)
		status = domain_named(device, submit->domain, &domain);
	if (status)
		return status;
	status = domain_is_on(domain) ? block_submit(device->private_data, domain, submit)
	                              : DYNOPT_KMOD_DOMAIN_OFF;
	domain_put(domain);
	return status;
}

static enum dynopt_kmod_status do_reports(struct file *device, union request *request)
{
	return is_member(device) ? block_read(device->private_data, &request->reports)
	                         : DYNOPT_KMOD_PERMISSION;
}

static enum dynopt_kmod_status do_policy(struct file *device, union request *request)
{
	if (request->policy.flags ? !capable(CAP_SYS_ADMIN) : !is_member(device))
		return DYNOPT_KMOD_PERMISSION;
	return policy_run(&request->policy);
}

/* Memory of files and processes that have gone is freed a little later: not before an answer. */
static enum dynopt_kmod_status do_query(struct file *device, union request *request)
{
	struct dynopt_ioc_query *query = &request->query;
	u64 __user *to = u64_to_user_ptr(query->counters);
	u32 i;

	if (!is_member(device))
		return DYNOPT_KMOD_PERMISSION;
	if (query->pad)
		return DYNOPT_KMOD_BAD_REQUEST;
	srcu_barrier(&faults);
	query->n = min_t(u32, query->n, DYNOPT_COUNTER_N);
	for (i = 0; i < query->n; i++)
		if (put_user(counted(i), to + i))
			return DYNOPT_KMOD_BAD_ADDRESS;
	return DYNOPT_KMOD_OK;
}

/* A row for each call: its struct, which has grown since version 1 if that had `first` bytes. */
static const struct call {
	u32 command, size, first;
	bool alone; /* with other such calls one at a time */
	enum dynopt_kmod_status (*run)(struct file *device, union request *request);
} calls[] = {
	{ DYNOPT_IOC_HELLO, sizeof(struct dynopt_ioc_hello), 0, true, do_hello },
	{ DYNOPT_IOC_REGISTER, sizeof(struct dynopt_ioc_process), 16, true, do_register },
	{ DYNOPT_IOC_UNREGISTER, sizeof(struct dynopt_ioc_process), 16, false, do_unregister },
	{ DYNOPT_IOC_PATCH, sizeof(struct dynopt_ioc_patch), 0, true, do_patch },
	{ DYNOPT_IOC_UNDO, sizeof(struct dynopt_ioc_undo), 0, true, do_undo },
	{ DYNOPT_IOC_QUERY, sizeof(struct dynopt_ioc_query), 0, true, do_query },
	{ DYNOPT_IOC_SAMPLE, sizeof(struct dynopt_ioc_sample), 0, true, do_sample },
	{ DYNOPT_IOC_SUBMIT, sizeof(struct dynopt_ioc_submit), 56, false, do_submit },
	{ DYNOPT_IOC_REPORTS, sizeof(struct dynopt_ioc_reports), 0, false, do_reports },
	{ DYNOPT_IOC_POLICY, sizeof(struct dynopt_ioc_policy), 32, true, do_policy },
};

/* The number says which call; the size in it is the caller's, as is the one in the struct. */
static const struct call *find_call(u32 command)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (_IOC_NR(command) == _IOC_NR(calls[i].command) &&
		    _IOC_TYPE(command) == _IOC_TYPE(calls[i].command) &&
		    _IOC_DIR(command) == _IOC_DIR(calls[i].command))
			return &calls[i];
	return NULL;
}

static enum dynopt_kmod_status copy_in(const struct call *call, void __user *from,
                                       union request *request)
{
	u32 size;
	int error;

	if (get_user(size, (u32 __user *)from))
		return DYNOPT_KMOD_BAD_ADDRESS;
	if (request_size(size, call->first ?: call->size, PAGE_SIZE))
		return DYNOPT_KMOD_BAD_SIZE;
	error = copy_struct_from_user(request, call->size, from, size);
	if (error == -EFAULT)
		return DYNOPT_KMOD_BAD_ADDRESS;
	if (error)
		return DYNOPT_KMOD_BAD_SIZE;
	/* The caller may have written another size since. */
	request->size = size;
	return DYNOPT_KMOD_OK;
}

static enum dynopt_kmod_status run(const struct call *call, struct file *device,
                                   union request *request)
{
	enum dynopt_kmod_status status;

	if (!call->alone)
		return call->run(device, request);
	if (mutex_lock_interruptible(&requests))
		return DYNOPT_KMOD_INTERRUPTED;
	status = call->run(device, request);
	mutex_unlock(&requests);
	return status;
}

/* What was not understood gets its status only: its other members are not where they should be. */
static bool copy_out(const struct call *call, void __user *to, const union request *request,
                     bool understood)
{
	if (!understood)
		return !put_user(request->status, (u32 __user *)to + 1);
	return !copy_to_user(to, request, min(call->size, request->size));
}

static long device_ioctl(struct file *device, unsigned int command, unsigned long arg)
{
	const struct call *call = find_call(command);
	void __user *user = (void __user *)arg;
	union request request = {};
	enum dynopt_kmod_status status = DYNOPT_KMOD_UNKNOWN_CALL;
	bool understood;

	if (call) {
		status = copy_in(call, user, &request);
		understood = !status;
		if (understood)
			status = run(call, device, &request);
		request.status = status;
		if (!copy_out(call, user, &request, understood))
			status = DYNOPT_KMOD_BAD_ADDRESS;
	}
	if (status)
		count(DYNOPT_COUNTER_REFUSED, 1);
	return status_errno(status);
}

static int device_open(struct inode *inode, struct file *device)
{
	device->private_data = client_new();
	return device->private_data ? 0 : -ENOMEM;
}

static int device_release(struct inode *inode, struct file *device)
{
	samplers_close(device);
	client_free(device->private_data);
	return 0;
}

static __poll_t device_poll(struct file *device, poll_table *table)
{
	return client_poll(device->private_data, device, table);
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.poll = device_poll,
	.unlocked_ioctl = device_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dynopt",
	.fops = &operations,
	.mode = 0660,
};

int device_init(void)
{
	return misc_register(&device);
}

void device_exit(void)
{
	misc_deregister(&device);
}
