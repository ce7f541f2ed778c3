/* SPDX-License-Identifier: MIT */
/* test_file.c: weft_open, weft_pread, weft_pwrite, weft_fsync. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io_test.h"

static char folder[] = "/tmp/weft-file-XXXXXX", path[64];

static const char *name_in_folder(const char *name)
{
	if (folder[strlen(folder) - 1] == 'X')
		expect_ne(mkdtemp(folder), NULL);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void folder_clear(void)
{
	unlink(path);
	rmdir(folder);
}

static int new_file(void)
{
	int fd = weft_open(name_in_folder("file"), O_RDWR | O_CREAT | O_EXCL, 0640, soon());
	expect_ge(fd, 0);
	return fd;
}

/* Everything that the calls promise without a wait; from whatever thread. */
static void write_and_read(void)
{
	char buf[16];
	struct stat st;
	int fd = new_file();
	expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	expect_eq(fstat(fd, &st), 0);
	expect_eq(st.st_mode & 0777 & ~0640, 0);
	expect_eq(weft_pwrite(fd, "world", 5, 6, soon()), 5);
	expect_eq(weft_pwrite(fd, "hello ", 6, 0, soon()), 6);
	expect_eq(weft_pwrite(fd, "", 0, 0, soon()), 0);
	expect_eq(lseek(fd, 0, SEEK_CUR), 0);
	expect_eq(weft_fsync(fd, soon()), 0);
	expect_eq(weft_pread(fd, buf, sizeof(buf), 0, soon()), 11);
	expect_mem_eq(buf, "hello world", 11);
	expect_eq(weft_pread(fd, buf, 3, 6, soon()), 3);
	expect_mem_eq(buf, "wor", 3);
	expect_eq(weft_pread(fd, buf, 3, 11, soon()), 0);
	expect_eq(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	folder_clear();
}

TASK_TEST("files are written and read at a place, which moves nothing")
{
	write_and_read();
}

TEST("files need no runtime")
{
	write_and_read();
}

TASK_TEST("what is ready is delivered: to the cancelled, the late, and those who cannot wait")
{
	char c;
	int fd = new_file();
	weft_cancel(weft_self());
	expect_eq(weft_pwrite(fd, "abc", 3, 0, soon()), 3);
	expect_eq(weft_fsync(fd, soon()), 0);
	weft_cancel_clear();
	expect_eq(weft_pread(fd, &c, 1, 0, 0), 1);
	expect_eq(weft_pread(fd, &c, 1, 1, weft_now() - 1), 1);
	expect_eq(c, 'b');
	close(fd);
	folder_clear();
}

TASK_TEST("the errors are those of the system calls")
{
	char c;
	int fd[2];
	expect_eq(weft_open("/nowhere/at/all", O_RDONLY, 0, soon()), -ENOENT);
	expect_eq(weft_open("/", O_WRONLY, 0, soon()), -EISDIR);
	expect_eq(weft_open(NULL, O_RDONLY, 0, soon()), -EINVAL);
	expect_eq(weft_pread(-1, &c, 1, 0, soon()), -EBADF);
	expect_eq(weft_pwrite(-1, "x", 1, 0, soon()), -EBADF);
	expect_eq(weft_fsync(-1, soon()), -EBADF);
	expect_eq(pipe(fd), 0);
	expect_eq(weft_pread(fd[0], &c, 1, 0, soon()), -ESPIPE);
	expect_eq(weft_pwrite(fd[1], "x", 1, 0, soon()), -ESPIPE);
	expect_eq(weft_fsync(fd[0], soon()), -EINVAL);
	close(fd[0]);
	close(fd[1]);
}

TASK_TEST("a write that finds a limit in its middle returns what went, then the error")
{
	struct rlimit limit = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
	char text[1500] = {0};
	int fd = new_file();
	signal(SIGXFSZ, SIG_IGN);
	expect_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	expect_eq(weft_pwrite(fd, text, sizeof(text), 0, soon()), 1000);
	expect_eq(weft_pwrite(fd, text, sizeof(text), 1000, soon()), -EFBIG);
	close(fd);
	folder_clear();
}

static int open_reader(void *arg)
{
	return weft_open(arg, O_RDONLY, 0, WEFT_FOREVER);
}

TASK_TEST("others run while a file is being opened")
{
	if (getenv("WEFT_SIM"))
		skip("a plain call that blocks stops the one thread of the deterministic mode");
	const char *name = name_in_folder("pipe");
	expect_eq(mkfifo(name, 0600), 0);
	/* Opens when somebody opens the other side: on one processor only the lease allows it. */
	struct weft_task *task = tasks_start(open_reader, (void *)name);
	int writer = weft_open(name, O_WRONLY, 0, soon());
	int reader = tasks_join(task);
	expect_ge(writer, 0);
	expect_ge(reader, 0);
	close(writer);
	close(reader);
	folder_clear();
}
