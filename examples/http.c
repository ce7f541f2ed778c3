/* SPDX-License-Identifier: MIT */
/*
 * http.c PORT FOLDER: an HTTP/1.1 server: GET and HEAD of the folder's files, POST /echo.
 *
 * A task for each connection, written as the protocol reads: keep-alive is a loop, pipelining is
 * what is left in the buffer, a slow client is a deadline. Files are read by plain calls that may
 * block.
 * Port 0: the system chooses; the port is printed. SIGTERM ends it: no new connections; those that
 * wait for a request are closed at once, and what is being answered is finished: weft_stop cancels
 * every task, and an answer masks that, for a time that a client cannot prolong by reading slowly.
 *
 *     http 8080 /usr/share/doc      curl http://localhost:8080/weft/README.md
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft/weft.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

enum { HEAD_MAX = 8 * 1024, CHUNK = 16 * 1024, BODY_MAX = 1 << 20 };
enum { IDLE = 60, REQUEST = 10, ANSWER = 30, DRAIN = 10 }; /* seconds */

static int folder;
static int64_t drained_by = INT64_MAX; /* no answer goes on beyond it */

/* A deadline within an answer. */
static int64_t within(int seconds)
{
	int64_t last = __atomic_load_n(&drained_by, __ATOMIC_RELAXED),
		deadline = weft_after(SECONDS(seconds));
	return deadline < last ? deadline : last;
}

struct request {
	char buf[HEAD_MAX]; /* the head, then what has come behind it */
	size_t have, used;
	char *method, *path;
	size_t length; /* of the body */
	int keep_alive;
};

static int send_all(int fd, const void *data, size_t len)
{
	return weft_write(fd, data, len, within(ANSWER)) == (ssize_t)len ? 0 : -EPIPE;
}

static int send_head(int fd, const struct request *r, const char *status, size_t length)
{
	char head[256];
	int n = snprintf(head, sizeof(head),
			 "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: %s\r\n\r\n", status,
			 length, r->keep_alive ? "keep-alive" : "close");
	return send_all(fd, head, (size_t)n);
}

/* An error after which the connection goes on: the request was understood. */
static int send_error(int fd, const struct request *r, const char *status)
{
	int err = send_head(fd, r, status, strlen(status) + 1);
	if (!err && strcmp(r->method, "HEAD") != 0 && !(err = send_all(fd, status, strlen(status))))
		err = send_all(fd, "\n", 1);
	return err;
}

/* The whole head into the buffer: its length; 0 the client has gone; -errno. */
static ssize_t read_head(int fd, struct request *r)
{
	int64_t deadline = weft_after(SECONDS(r->have ? REQUEST : IDLE));
	for (;;) {
		char *end = memmem(r->buf, r->have, "\r\n\r\n", 4);
		if (end)
			return end + 4 - r->buf;
		if (r->have == HEAD_MAX)
			return -EMSGSIZE;
		int first = r->have == 0;
		ssize_t n = weft_read(fd, r->buf + r->have, HEAD_MAX - r->have, deadline);
		if (n <= 0)
			return n;
		r->have += (size_t)n;
		if (first)
			deadline = weft_after(SECONDS(REQUEST));
	}
}

static int parse_field(struct request *r, const char *line)
{
	if (strncasecmp(line, "Content-Length:", 15) == 0) {
		r->length = strtoul(line + 15, NULL, 10);
		return r->length > BODY_MAX ? -EMSGSIZE : 0;
	}
	if (strncasecmp(line, "Transfer-Encoding:", 18) == 0)
		return -EINVAL; /* chunked bodies are not understood */
	if (strncasecmp(line, "Connection:", 11) == 0)
		r->keep_alive = !strcasestr(line, "close") &&
				(r->keep_alive || strcasestr(line, "keep-alive"));
	return 0;
}

static int parse(struct request *r, size_t head)
{
	char *rest, *line;
	int err = 0;
	r->buf[head - 2] = 0;
	line = strtok_r(r->buf, "\r\n", &rest);
	char *version = line ? strrchr(line, ' ') : NULL;
	r->method = line;
	r->path = line ? strchr(line, ' ') : NULL;
	if (!r->path || r->path == version || r->path[1] != '/')
		return -EINVAL;
	*r->path++ = 0;
	*version++ = 0;
	r->keep_alive = strcmp(version, "HTTP/1.1") == 0;
	r->length = 0;
	r->used = head;
	while (!err && (line = strtok_r(NULL, "\r\n", &rest)))
		err = parse_field(r, line);
	return err;
}

static int send_file(int fd, const struct request *r, int file, size_t size)
{
	char buf[CHUNK];
	int err = send_head(fd, r, "200 OK", size);
	if (strcmp(r->method, "HEAD") == 0)
		return err;
	while (!err && size) {
		ssize_t n = read(file, buf, size < CHUNK ? size : CHUNK);
		if (n <= 0)
			return -EIO; /* it has become shorter: only closing tells the client */
		err = send_all(fd, buf, (size_t)n);
		size -= (size_t)n;
	}
	return err;
}

static int answer_get(int fd, const struct request *r)
{
	struct stat st;
	if (r->path[1] == '/' || strstr(r->path, "/../")) /* out of the folder */
		return send_error(fd, r, "403 Forbidden");
	int file = openat(folder, r->path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file < 0)
		return send_error(fd, r,
				  errno == EMFILE ? "503 Service Unavailable" : "404 Not Found");
	int err = fstat(file, &st) == 0 && S_ISREG(st.st_mode)
			  ? send_file(fd, r, file, (size_t)st.st_size)
			  : send_error(fd, r, "403 Forbidden");
	close(file);
	return err;
}

/* The body: what is in the buffer already, then the rest; `to` -1 drops it. */
static int pass_body(int fd, struct request *r, int to)
{
	char buf[CHUNK];
	size_t left = r->length, n = r->have - r->used < left ? r->have - r->used : left;
	int err = n && to >= 0 ? send_all(to, r->buf + r->used, n) : 0;
	r->used += n;
	for (left -= n; !err && left; left -= n) {
		ssize_t got = weft_read(fd, buf, left < CHUNK ? left : CHUNK, within(REQUEST));
		if (got <= 0)
			return -EPIPE;
		n = (size_t)got;
		err = to >= 0 ? send_all(to, buf, n) : 0;
	}
	return err;
}

static int answer_any(int fd, struct request *r)
{
	int err;
	if (strcmp(r->method, "POST") == 0 && strcmp(r->path, "/echo") == 0)
		return (err = send_head(fd, r, "200 OK", r->length)) ? err : pass_body(fd, r, fd);
	if ((err = pass_body(fd, r, -1)))
		return err;
	if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
		return answer_get(fd, r);
	return send_error(fd, r, "405 Method Not Allowed");
}

/* Whole, even if SIGTERM comes meanwhile. */
static int answer(int fd, struct request *r)
{
	weft_cancel_mask(1);
	int err = answer_any(fd, r);
	weft_cancel_mask(0);
	return err;
}

/* What cannot be parsed ends the connection: where would the next request begin? */
static void refuse(int fd, struct request *r, int err)
{
	r->keep_alive = 0;
	r->method = "";
	if (err == -EMSGSIZE)
		send_error(fd, r, "413 Content Too Large");
	else if (err == -EINVAL)
		send_error(fd, r, "400 Bad Request");
	else if (err == -ETIMEDOUT && r->have)
		send_error(fd, r, "408 Request Timeout");
}

static void connection(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct request r; /* 8 KiB that an idle connection does not touch */
	r.have = 0;
	do {
		ssize_t head = read_head(fd, &r);
		int err = head > 0 ? parse(&r, (size_t)head) : (int)head;
		if (err || head == 0) {
			refuse(fd, &r, err);
			break;
		}
		if (answer(fd, &r) < 0)
			break;
		r.have -= r.used;
		memmove(r.buf, r.buf + r.used, r.have);
	} while (r.keep_alive);
	weft_close(fd);
}

static void end_on_signal(void *signals)
{
	if (weft_chan_recv(signals, NULL, WEFT_FOREVER) == 0) {
		__atomic_store_n(&drained_by, weft_after(SECONDS(DRAIN)), __ATOMIC_RELAXED);
		weft_stop();
	}
	weft_chan_unref(signals);
}

/* Before the port is printed: from then on signals may come. */
static void catch_signals(void)
{
	struct weft_chan *signals = weft_chan_new(sizeof(int), 1);
	weft_signal_notify(signals, SIGTERM);
	weft_signal_notify(signals, SIGINT);
	weft_go(end_on_signal, signals);
}

static int serve(void *port)
{
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int fd, listener = weft_tcp_listen(NULL, port, 0);
	if (listener < 0) {
		fprintf(stderr, "http: port %s: %s\n", (char *)port, weft_error_text(listener));
		return EXIT_FAILURE;
	}
	catch_signals();
	getsockname(listener, (struct sockaddr *)&a, &len);
	printf("%u\n", ntohs(a.sin6_port));
	fflush(stdout);
	while ((fd = weft_accept(listener, NULL, NULL, WEFT_FOREVER)) != -ECANCELED) {
		if (fd < 0)
			weft_sleep(10 * 1000 * 1000); /* no descriptor left: wait */
		else if (weft_go(connection, (void *)(intptr_t)fd) < 0)
			weft_close(fd);
	}
	weft_close(listener);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	folder = argc == 3 ? open(argv[2], O_DIRECTORY | O_CLOEXEC) : -1;
	if (folder < 0) {
		fprintf(stderr, "usage: http PORT FOLDER\n");
		return 2;
	}
	return weft_run(NULL, serve, argv[1]);
}
