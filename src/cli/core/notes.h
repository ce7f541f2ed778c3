/* SPDX-License-Identifier: MIT */
/* notes.h: the notes of a core file: which process died, of what signal, with which registers. */
#ifndef WEFT_CLI_CORE_NOTES_H
#define WEFT_CLI_CORE_NOTES_H

#include "cli/core/core.h"

/*
 * Takes what it knows from [offset, offset + size) of the view; stops without complaint where the
 * notes are broken.
 */
void weft__core_notes(struct core *core, uint64_t offset, uint64_t size);

#endif
