// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * domain.c - whose translations: processes of one user in one user namespace, or the system's, have theirs.
 *
 * A file has pages of the module's own for each domain whose processes map it, so nobody executes, undoes or crowds out
 * what another user had made. A process is in one domain for as long as it is registered.
 */
#include <linux/cred.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include "own.h"
#include "policy.h"

static LIST_HEAD(domains); /* registry */

static struct domain *domain_find(const struct user_namespace *ns, kuid_t uid)
{
	struct domain *domain;

	lockdep_assert_held(&registry);
	list_for_each_entry(domain, &domains, list)
		if (domain->ns == ns && uid_eq(domain->uid, uid) &&
		    refcount_inc_not_zero(&domain->held))
			return domain;
	return NULL;
}

/* Held; NULL if there is no memory. */
static struct domain *domain_get(struct user_namespace *ns, kuid_t uid)
{
	struct domain *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT), *domain;

	spin_lock(&registry);
	domain = domain_find(ns, uid);
	if (!domain && fresh) {
		refcount_set(&fresh->held, 1);
		fresh->ns = ns ? get_user_ns(ns) : NULL;
		fresh->uid = uid;
		list_add(&fresh->list, &domains);
		count(DYNOPT_COUNTER_DOMAINS, 1);
		swap(domain, fresh);
	}
	spin_unlock(&registry);
	kfree(fresh);
	return domain;
}

struct domain *domain_hold(struct domain *domain)
{
	refcount_inc(&domain->held);
	return domain;
}

void domain_put(struct domain *domain)
{
	if (!refcount_dec_and_lock(&domain->held, &registry))
		return;
	list_del(&domain->list);
	spin_unlock(&registry);
	if (domain->ns)
		put_user_ns(domain->ns);
	kfree(domain);
	count(DYNOPT_COUNTER_DOMAINS, -1);
}

bool domain_has(const struct domain *domain, const struct cred *cred)
{
	return !domain->ns || (cred->user_ns == domain->ns && uid_eq(cred->uid, domain->uid) &&
	                       uid_eq(cred->euid, domain->uid) && uid_eq(cred->suid, domain->uid) &&
	                       uid_eq(cred->fsuid, domain->uid));
}

enum dynopt_kmod_status domain_of(const struct cred *cred, struct domain **out)
{
	struct domain *domain = domain_get(cred->user_ns, cred->uid);

	if (!domain)
		return DYNOPT_KMOD_MEMORY;
	if (!domain_has(domain, cred)) {
		domain_put(domain);
		return DYNOPT_KMOD_DOMAIN;
	}
	*out = domain;
	return DYNOPT_KMOD_OK;
}

enum dynopt_kmod_status domain_of_system(struct domain **out)
{
	struct domain *domain = domain_get(NULL, INVALID_UID);

	if (!domain)
		return DYNOPT_KMOD_MEMORY;
	*out = domain;
	return DYNOPT_KMOD_OK;
}

bool domain_is_on(const struct domain *domain)
{
	return domain->ns || READ_ONCE(policy.system);
}

/* Pages cannot be swapped out, so a user may have only so many. */
bool domain_pages_add(struct domain *domain)
{
	if (atomic_inc_return(&domain->n_pages) <= READ_ONCE(policy.user_pages))
		return true;
	atomic_dec(&domain->n_pages);
	return false;
}

void domain_pages_sub(struct domain *domain, unsigned int n)
{
	atomic_sub(n, &domain->n_pages);
}
