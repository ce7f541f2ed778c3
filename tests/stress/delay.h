/* SPDX-License-Identifier: MIT */
/*
 * delay.h: included by force before every source of the library weft-delayed: a thread may be held
 * up before any atomic operation of the runtime. What lies between two of them takes nanoseconds
 * otherwise, and what another thread does meanwhile is hardly ever seen.
 */
#ifndef TESTS_STRESS_DELAY_H
#define TESTS_STRESS_DELAY_H

#ifndef __ASSEMBLER__
/* In one case of some sixty, waits for up to some ten microseconds. */
void weft__delay_point(void);

#define __atomic_load_n(...) (weft__delay_point(), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) (weft__delay_point(), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) (weft__delay_point(), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_fetch_add(...) (weft__delay_point(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) (weft__delay_point(), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_or(...) (weft__delay_point(), __atomic_fetch_or(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) \
	(weft__delay_point(), __atomic_compare_exchange_n(__VA_ARGS__))
#endif

#endif
