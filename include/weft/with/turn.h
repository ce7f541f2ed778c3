/* SPDX-License-Identifier: MIT */
/* weft/with/turn.h: a connection is used by one task at a time, until it is dead. For the adapters
 * beside this file; it is no interface of its own. */
#ifndef WEFT_WITH_TURN_H
#define WEFT_WITH_TURN_H

#include <errno.h>

struct weft_turn_ {
	int busy, dead;
};

/* Returns 0, -EBUSY, or -ENOTCONN. */
static inline int weft_turn_take_(struct weft_turn_ *turn)
{
	if (__atomic_exchange_n(&turn->busy, 1, __ATOMIC_ACQUIRE)) /* pairs with weft_turn_end_ */
		return -EBUSY;
	if (!turn->dead)
		return 0;
	__atomic_store_n(&turn->busy, 0, __ATOMIC_RELEASE); /* pairs with weft_turn_take_ */
	return -ENOTCONN;
}

static inline void weft_turn_end_(struct weft_turn_ *turn, int dead)
{
	turn->dead |= dead;
	__atomic_store_n(&turn->busy, 0, __ATOMIC_RELEASE); /* pairs with weft_turn_take_ */
}

#endif
