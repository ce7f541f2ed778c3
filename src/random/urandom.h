/* SPDX-License-Identifier: MIT */
/* urandom.h: random bytes from a device, for processes whose sandbox refuses the system call. */
#ifndef WEFT_RANDOM_URANDOM_H
#define WEFT_RANDOM_URANDOM_H

#include <stddef.h>

/* Fills buf from /dev/urandom, once the kernel's generator is ready; ends the process when it
 * cannot. */
void weft__urandom(void *buf, size_t len);

#endif
