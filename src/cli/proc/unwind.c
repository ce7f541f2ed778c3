/* SPDX-License-Identifier: MIT */
/*
 * unwind.c: frame pointers, and a look at the call instruction for the innermost frame (see the
 * header).
 */
#include "cli/proc/unwind.h"

#include <elf.h>
#include <string.h>

static bool read_word(const struct memory *m, uint64_t address, uint64_t *word)
{
	return m->read(m, address, word, sizeof(*word));
}

/* Does a direct call to `function` stand right before `ret`? */
static bool x86_call(const struct memory *m, uint64_t ret, uint64_t function)
{
	uint8_t code[5];
	int32_t distance;

	if (!m->read(m, ret - sizeof(code), code, sizeof(code)) || code[0] != 0xe8)
		return false;
	memcpy(&distance, code + 1, sizeof(distance));
	return ret + (uint64_t)(int64_t)distance == function;
}

static bool arm_call(const struct memory *m, uint64_t ret, uint64_t function)
{
	uint32_t code;

	if (!m->read(m, ret - sizeof(code), &code, sizeof(code)) || code >> 26 != 0x25)
		return false;
	int64_t distance = (int64_t)((uint64_t)code << 38) >> 36; /* imm26 words, sign extended */
	return ret - sizeof(code) + (uint64_t)distance == function;
}

static bool calls(const struct memory *m, const struct unwind_start *at, uint64_t ret)
{
	if (!at->function)
		return false;
	return at->machine == EM_AARCH64 ? arm_call(m, ret, at->function)
					 : x86_call(m, ret, at->function);
}

/* The return address of a function that has no frame of its own (yet); 0 when it has one. */
static uint64_t frameless_return(const struct memory *m, const struct unwind_start *at)
{
	uint64_t candidates[2] = {at->link, 0}, framed = 0, byte = 0;
	bool has_code = m->read(m, at->pc, &byte, 1);

	if (at->machine != EM_AARCH64) {
		if (!read_word(m, at->sp, &candidates[0]))
			return 0;
		read_word(m, at->sp + 8,
			  &candidates[1]); /* the frame pointer is pushed, not yet moved */
	}
	if (!has_code) /* a call through a bad pointer: it has only pushed the return address */
		return candidates[0];
	if (read_word(m, at->fp + 8, &framed) && calls(m, at, framed))
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		if (candidates[i] && calls(m, at, candidates[i]))
			return candidates[i];
	}
	return 0;
}

unsigned weft__watch_unwind(const struct memory *m, const struct unwind_start *at, uint64_t *pcs,
			    unsigned max)
{
	uint64_t frame[2], fp = at->fp, floor = at->sp;
	unsigned n = 0;

	if (n < max)
		pcs[n++] = at->pc;
	uint64_t frameless = frameless_return(m, at);
	if (frameless && n < max)
		pcs[n++] = frameless;
	while (n < max && fp >= floor && fp % 8 == 0) {
		if (!m->read(m, fp, frame, sizeof(frame)) || !frame[1])
			break;
		pcs[n++] = frame[1];
		floor = fp + sizeof(frame);
		fp = frame[0];
	}
	return n;
}
