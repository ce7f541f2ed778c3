/* SPDX-License-Identifier: MIT */
/*
 * vdso.h: the kernel's getrandom in user space: where it is, and what its states look like.
 *
 * Everything is found once, by a constructor; afterwards `weft__vdso` is only read. Before the
 * constructor has run `draw` is NULL, and all draws are system calls.
 */
#ifndef WEFT_RANDOM_VDSO_H
#define WEFT_RANDOM_VDSO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Draws `len` bytes with the state at `state`; with len 0 and state_size ~0 it answers the query in
 * `state`. */
typedef ssize_t vdso_getrandom_fn(void *buf, size_t len, unsigned flags, void *state,
				  size_t state_size);

struct vdso {
	vdso_getrandom_fn *draw; /* NULL: there is none, and `why_not` says why */
	size_t state_size;	 /* of one state, as the kernel says */
	size_t stride;		 /* from one state to the next: whole cache lines */
	size_t page_size;	 /* no state may straddle a page */
	int map_prot, map_flags; /* how the kernel wants the states' pages mapped */
	const char *why_not;
};

extern struct vdso weft__vdso;

/* States per page: the number that one growth of the pool adds. 0 without vDSO getrandom. */
unsigned weft__vdso_per_page(void);

/* Fills *v from the running kernel's vDSO. */
void weft__vdso_probe(struct vdso *v);

/*
 * The address of getrandom in the ELF image that starts at `base`, of which at most `limit` bytes
 * may be read; NULL when it has none or is damaged. `machine` is what its header must say
 * (EM_X86_64...).
 */
const void *weft__vdso_lookup(const void *base, size_t limit, unsigned machine);

#endif
