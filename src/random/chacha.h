/* SPDX-License-Identifier: MIT */
/* chacha.h: ChaCha20 as a generator of many bytes from one key. */
#ifndef WEFT_RANDOM_CHACHA_H
#define WEFT_RANDOM_CHACHA_H

#include <stddef.h>
#include <stdint.h>

enum { CHACHA_KEY_WORDS = 8, CHACHA_BLOCK = 64 };

/* Writes `groups` times `lanes` blocks. */
typedef void chacha_fn(unsigned char *out, size_t groups, const uint32_t *key, uint32_t counter);

struct chacha {
	const char *name;
	unsigned lanes;
	chacha_fn *fill;
};

/* All that this processor can run, fastest first; *count says how many. Chosen once, by a
 * constructor. */
const struct chacha *weft__chacha_all(unsigned *count);

/*
 * Fills `out` from `key`. The bytes are those of RFC 8439 with nonce 0 and the counter from 0 on,
 * in another order: chacha.c says which. The key is good for one call: the caller wipes it.
 */
void weft__chacha_expand(unsigned char *out, size_t len, const uint32_t *key);

#endif
