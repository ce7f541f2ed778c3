/* SPDX-License-Identifier: MIT */
/* digest.h: SHA-256 (FIPS 180-4), by which images name their layers. */
#ifndef WEFT_CLI_SCAN_IMAGE_DIGEST_H
#define WEFT_CLI_SCAN_IMAGE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_TEXT (sizeof("sha256:") + 64)

struct digest {
	uint32_t state[8];
	uint64_t length; /* bytes so far */
	unsigned char block[64];
};

void weft__digest_start(struct digest *d);
void weft__digest_add(struct digest *d, const void *data, size_t size);
/* "sha256:" and 64 digits. Nothing can be added afterwards. */
void weft__digest_end(struct digest *d, char text[DIGEST_TEXT]);

#endif
