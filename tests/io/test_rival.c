/* SPDX-License-Identifier: MIT */
/*
 * test_rival.c: between poll(2) and the call that it allows somebody else may be faster, with a
 * terminal or a named pipe, which have no flag for not blocking (api/reopen.c). The deadline holds
 * nevertheless.
 *
 * The rival acts inside of the library's ppoll: each time that it finds something.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/attr.h"
#include "io_test.h"

static int watched = -1, rival = -1; /* a file, and the rival's own opening of it */
static bool no_flags;		     /* preadv2 and pwritev2 are refused, as by a sandbox */
static char bytes[512];
static size_t longest; /* piece that a write to the watched file might have waited with */

long __real_weft__syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f);

static void be_faster(const struct pollfd *p)
{
	if (p->revents & POLLIN)
		while (read(rival, bytes, sizeof(bytes)) > 0)
			;
	if (p->revents & POLLOUT)
		while (write(rival, bytes, sizeof(bytes)) > 0)
			;
}

long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (no_flags && (number == SYS_preadv2 || number == SYS_pwritev2))
		return -EPERM;
	if ((number == SYS_writev || (number == SYS_pwritev2 && !(f & RWF_NOWAIT))) && a == watched)
		longest = max_of(longest, ((struct iovec *)b)->iov_len);
	long result = __real_weft__syscall(number, a, b, c, d, e, f);
	if (number == SYS_ppoll && result > 0 && ((struct pollfd *)a)->fd == watched)
		be_faster((struct pollfd *)a);
	return result;
}

/* Nobody but the rival ever takes what is written, or puts in what is read. */
static void keep_deadlines(int in, int out)
{
	char c;
	watched = in;
	expect_eq(weft_read(in, &c, 1, 0), -EAGAIN);
	expect_eq(weft_read(in, &c, 1, weft_after(5 * MS)), -ETIMEDOUT);
	watched = out;
	expect_eq(weft_write(out, bytes, 100, weft_after(5 * MS)), 100);
}

TASK_TEST("a terminal whose line another reader takes")
{
	int keyboard = posix_openpt(O_RDWR | O_NOCTTY);
	if (keyboard < 0 || grantpt(keyboard) < 0 || unlockpt(keyboard) < 0)
		skip("there are no terminals here");
	int terminal = open(ptsname(keyboard), O_RDWR | O_NOCTTY);
	rival = open(ptsname(keyboard), O_RDWR | O_NOCTTY | O_NONBLOCK);
	expect_eq(write(keyboard, "a\n", 2), 2);
	keep_deadlines(terminal, terminal);
	close(rival);
	close(terminal);
	close(keyboard);
}

TASK_TEST("a named pipe whose bytes another reader takes")
{
	char name[64];
	snprintf(name, sizeof(name), "/tmp/weft-rival-%d", (int)getpid());
	expect_eq(mkfifo(name, 0600), 0);
	rival = open(name, O_RDWR | O_NONBLOCK);
	int in = open(name, O_RDONLY), out = open(name, O_WRONLY);
	unlink(name);
	no_flags = true;
	expect_eq(write(rival, "a", 1), 1);
	keep_deadlines(in, out);
	close(rival);
	close(in);
	close(out);
}

/* It has no second opening: it is asked first, and what is written is what surely fits. */
TASK_TEST("a keyboard keeps deadlines and gets small pieces")
{
	enum { SURELY_FITS = 32 };
	watched = posix_openpt(O_RDWR | O_NOCTTY);
	if (watched < 0 || grantpt(watched) < 0 || unlockpt(watched) < 0)
		skip("there are no terminals here");
	longest = 0;
	expect_eq(weft_read(watched, bytes, 1, 0), -EAGAIN);
	expect_eq(weft_read(watched, bytes, 1, weft_after(5 * MS)), -ETIMEDOUT);
	expect_eq(weft_write(watched, bytes, 100, soon()), 100);
	expect_eq(longest, SURELY_FITS);
	close(watched);
}
