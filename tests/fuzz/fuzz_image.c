/* SPDX-License-Identifier: MIT */
/* fuzz_image.c: a container image: archives in archives, manifests, whiteouts. */
#include <sys/mman.h>
#include <unistd.h>

#include "cli/scan/scan.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan_options options = {.jobs = 1};
	char path[64];
	int fd = memfd_create("image", 0);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct scan *scan = weft__scan_new(&options);
	weft__scan_add_image(scan, path);
	weft__scan_run(scan);
	weft__scan_free(scan);
	close(fd);
	return 0;
}
