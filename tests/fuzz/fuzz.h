/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h: what the fuzz targets share. Each target is one file with LLVMFuzzerTestOneInput; the
 * inputs are hostile files or parts of them, the sanitizers are the judges.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Judges `size` bytes as the scanner does a file. */
void fuzz_judge(const uint8_t *data, size_t size);
/*
 * Puts the input at `offset` of a small Go-like file (over what is there, cut at `room` bytes) and
 * judges that.
 */
void fuzz_part(const uint8_t *data, size_t size, size_t offset, size_t room);

#endif
