/* SPDX-License-Identifier: MIT */
/*
 * chacha_lanes.h: the body of one ChaCha20, included by chacha.c once for each width.
 *
 * Needs: LANES, blocks worked on side by side; TARGET, the processor's features as an attribute;
 * FILL, the name. No include guard, by intent.
 */
#define VECTOR CHACHA_JOIN(FILL, _vector)
#define UNALIGNED CHACHA_JOIN(FILL, _unaligned)

typedef uint32_t VECTOR __attribute__((vector_size(4 * LANES)));
typedef VECTOR UNALIGNED __attribute__((aligned(1), may_alias));

TARGET static void FILL(unsigned char *out, size_t groups, const uint32_t *key, uint32_t counter)
{
	VECTOR start[16], x[16], lane;
	CHACHA_EACH(i, LANES)
	lane[i] = i;
	CHACHA_EACH(i, 16)
	start[i] = (VECTOR){0} + (i < 4 ? sigma[i] : i < 12 ? key[i - 4] : 0);
	for (; groups > 0; groups--, counter += LANES, out += LANES * CHACHA_BLOCK) {
		start[12] = lane + counter;
		CHACHA_EACH(i, 16)
		x[i] = start[i];
		for (unsigned i = 0; i < 10; i++)
			CHACHA_DOUBLE_ROUND(x);
		CHACHA_EACH(i, 16)
		((UNALIGNED *)out)[i] = x[i] + start[i];
	}
}

#undef VECTOR
#undef UNALIGNED
#undef LANES
#undef TARGET
#undef FILL
