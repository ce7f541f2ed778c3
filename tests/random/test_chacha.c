/* SPDX-License-Identifier: MIT */
/*
 * test_chacha.c: each width of ChaCha20 against RFC 8439.
 *
 * The reference below is written from the RFC, one block at a time, and checked with the RFC's own
 * vectors first. Nonce 0 and counter 0 and 1 with the zero key are the vectors of appendix A.1.
 */
#include <string.h>

#include "base/attr.h"
#include "random/chacha.h"
#include "random_test.h"

static uint32_t rotate(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *s, int a, int b, int c, int d)
{
	s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

static void reference_block(uint32_t out[16], const uint32_t key[8], uint32_t counter,
			    const uint32_t nonce[3])
{
	uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	memcpy(start + 4, key, 32);
	start[12] = counter;
	memcpy(start + 13, nonce, 12);
	memcpy(out, start, 64);
	for (int i = 0; i < 10; i++) {
		for (int c = 0; c < 4; c++)
			quarter(out, c, 4 + c, 8 + c, 12 + c);
		for (int c = 0; c < 4; c++)
			quarter(out, c, 4 + (c + 1) % 4, 8 + (c + 2) % 4, 12 + (c + 3) % 4);
	}
	for (int i = 0; i < 16; i++)
		out[i] += start[i];
}

static const uint32_t no_nonce[3];

TEST("the reference gives the vectors of rfc 8439")
{
	/* section 2.3.2: key 00 01 .. 1f, nonce 00 00 00 09 00 00 00 4a 00 00 00 00, counter 1 */
	static const uint32_t key[8] = {0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
					0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c};
	static const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
	static const uint32_t want[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
					  0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
					  0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
					  0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
	uint32_t got[16];
	reference_block(got, key, 1, nonce);
	expect_mem_eq(got, want, sizeof(want));
}

TEST("every width gives the first two blocks of the zero key")
{
	/* appendix A.1, test vectors 1 and 2: the first words of each block */
	static const uint32_t want[2][4] = {{0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653},
					    {0xbee7079f, 0x7a385155, 0x7c97ba98, 0x0d082d73}};
	static const uint32_t key[8];
	unsigned count;
	const struct chacha *c = weft__chacha_all(&count);
	expect_ge(count, 1);
	for (; count > 0; count--, c++) {
		uint32_t group[8 * 16];
		c->fill((unsigned char *)group, 1, key, 0);
		for (unsigned block = 0; block < 2; block++)
			for (unsigned word = 0; word < 4; word++)
				expect_that(group[word * c->lanes + block] == want[block][word],
					    "%s: block %u word %u", c->name, block, word);
	}
}

TEST("every width gives rfc 8439 through its permutation")
{
	enum { GROUPS = 5 };
	static const uint32_t key[8] = {1, 0x80000000, 3, 0xffffffff, 5, 6, 7, 0x12345678};
	unsigned count;
	const struct chacha *c = weft__chacha_all(&count);
	for (; count > 0; count--, c++) {
		uint32_t got[GROUPS * 8 * 16], want[16];
		c->fill((unsigned char *)got, GROUPS, key, 7);
		for (unsigned b = 0; b < GROUPS * c->lanes; b++) {
			const uint32_t *group = got + b / c->lanes * c->lanes * 16;
			reference_block(want, key, 7 + b, no_nonce);
			for (unsigned word = 0; word < 16; word++)
				expect_that(group[word * c->lanes + b % c->lanes] == want[word],
					    "%s: block %u word %u", c->name, b, word);
		}
	}
}

TEST("every length and alignment is a prefix and nothing beyond is touched")
{
	enum { MOST = 1100 };
	static unsigned char whole[MOST], part[MOST + 32];
	static const uint32_t key[8] = {42};
	weft__chacha_expand(whole, sizeof(whole), key);
	for (size_t len = 0; len < MOST; len++) {
		unsigned char *at = part + 8 + len % 8;
		memset(part, 0xa5, sizeof(part));
		weft__chacha_expand(at, len, key);
		expect_mem_eq(at, whole, len);
		for (size_t i = 0; i < 8; i++) {
			expect_eq(at[-1 - (int)i], 0xa5);
			expect_eq(at[len + i], 0xa5);
		}
	}
}
