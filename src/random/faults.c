/* SPDX-License-Identifier: MIT */
/* faults.c: see faults.h. Compiled into the weft command only. */
#include "random/faults.h"

#include <string.h>
#include <sys/mman.h>

#include "base/fatal.h"
#include "base/sys.h"

struct weft__random_faults weft__random_faults;
struct faulty_list weft__faulty_list;

storm_frame void list_grow(struct faulty_list *l)
{
	struct slot **bigger = weft__random_faults.grow_alloc(2 * l->cap * sizeof(struct slot *));
	memcpy(bigger, l->slots, l->len * sizeof(struct slot *));
	l->slots = bigger; /* the old array is kept: it may be part of the first page */
	l->cap *= 2;
}

/* This happens while a state is taken and the caller holds a processor: any allocator would do
 * here. */
static void reserve_first_page(struct faulty_list *l)
{
	size_t size = weft__vdso_per_page() * sizeof(struct slot *);
	l->slots = sys_mmap(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	check(!sys_map_error(l->slots));
	l->cap = weft__vdso_per_page();
}

void weft__faulty_list_add(struct faulty_list *l, struct slot *first)
{
	faulty_list_lock(l);
	if (!l->slots)
		reserve_first_page(l);
	for (struct slot *next; first; first = next) {
		next = first->next;
		if (l->len == l->cap)
			list_grow(l);
		l->slots[l->len++] = first;
	}
	faulty_list_unlock(l);
}

struct slot *weft__faulty_list_take(struct faulty_list *l)
{
	faulty_list_lock(l);
	struct slot *slot = l->len > 0 ? l->slots[--l->len] : NULL;
	faulty_list_unlock(l);
	return slot;
}

static ssize_t draw_by_system_call(void *buf, size_t len, unsigned flags, void *state,
				   size_t state_size)
{
	return sys_getrandom(buf, len, flags);
}

void weft__random_stand_in(void)
{
	weft__vdso.draw = draw_by_system_call;
	weft__vdso.why_not = "stand-in states in ordinary memory, drawn with by system call";
	weft__vdso.state_size = 144;
	weft__vdso.stride = 192;
	weft__vdso.map_prot = PROT_READ | PROT_WRITE;
	weft__vdso.map_flags = MAP_PRIVATE | MAP_ANONYMOUS;
}
