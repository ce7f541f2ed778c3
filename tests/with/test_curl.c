/* SPDX-License-Identifier: MIT */
/* test_curl.c: weft/with/curl.h against a server of tasks. */
#include "weft/with/curl.h"

#include <stdio.h>
#include <unistd.h>

#include "../io/io_test.h"
#include "weft/stream.h"

/* ---- a server: /N has N bytes, /never no answer ---- */

static struct {
	int listener, accepted;
	char port[16];
} web;

static void answer(struct weft_stream *s, const char *line)
{
	static char body[100000];
	int n = atoi(line + 5);
	if (strncmp(line, "GET /never", 10) == 0)
		return;
	memset(body, 'x', sizeof(body));
	expect_gt(weft_stream_printf(s, soon(), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s",
				     n, n, body),
		  0);
}

static int serve_one(void *arg)
{
	struct weft_stream *s;
	const char *head;
	expect_eq(weft_stream_new(&s, (int)(intptr_t)arg), 0);
	weft_stream_tie(s, 1);
	while (weft_stream_read_until(s, "\r\n\r\n", 4, 4000, &head, WEFT_FOREVER) > 0)
		answer(s, head);
	weft_stream_close(s, 0);
	return 0;
}

static int serve(void *group)
{
	int fd;
	while ((fd = weft_accept(web.listener, NULL, NULL, WEFT_FOREVER)) >= 0) {
		web.accepted++;
		expect_eq(weft_group_go(group, serve_one, (void *)(intptr_t)fd), 0);
	}
	return 0;
}

/* Of the test; it comes and goes with the server. */
static struct weft_curl *curl;

static struct weft_group *web_start(void)
{
	struct weft_group *group = weft_group_new();
	if (getenv("WEFT_SIM"))
		skip("libcurl's poll stops the one thread of the deterministic mode");
	web.listener = weft_tcp_listen("127.0.0.1", "0", 0);
	expect_ge(web.listener, 0);
	strcpy(web.port, port_of(web.listener));
	web.accepted = 0;
	expect_eq(weft_group_go(group, serve, group), 0);
	expect_eq(weft_curl_new(&curl), 0);
	return group;
}

static void web_end(struct weft_group *group)
{
	weft_curl_free(curl);
	weft_group_cancel(group);
	expect_eq(weft_group_wait(group, NULL, soon()), 0);
	expect_eq(weft_close(web.listener), 0);
}

/* ---- clients ---- */

struct request {
	CURL *easy;
	size_t got;
};

static size_t count(char *data, size_t size, size_t n, void *request)
{
	((struct request *)request)->got += size * n;
	return size * n;
}

static struct request request_new(const char *path)
{
	char url[64];
	struct request r = {.easy = curl_easy_init()};
	snprintf(url, sizeof(url), "http://127.0.0.1:%s/%s", web.port, path);
	curl_easy_setopt(r.easy, CURLOPT_URL, url);
	curl_easy_setopt(r.easy, CURLOPT_PROXY, "");
	curl_easy_setopt(r.easy, CURLOPT_WRITEFUNCTION, count);
	return r;
}

static CURLcode perform(struct request *r, int64_t deadline)
{
	curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
	return weft_curl_perform(curl, r->easy, deadline);
}

static int get_many(void *arg)
{
	struct request r = request_new("5000");
	for (int i = 0; i < 5; i++) {
		expect_eq(perform(&r, soon()), CURLE_OK);
		expect_eq(r.got, 5000u * (unsigned)(i + 1));
	}
	curl_easy_cleanup(r.easy);
	return 0;
}

TASK_TEST("many transfers at once over one weft_curl, whose connections are kept")
{
	struct weft_group *server = web_start(), *clients = weft_group_new();
	int result;
	for (int i = 0; i < 50; i++)
		expect_eq(weft_group_go(clients, get_many, NULL), 0);
	expect_eq(weft_group_wait(clients, &result, WEFT_FOREVER), 0);
	expect_eq(result, 0);
	expect_lt(web.accepted, 250);
	web_end(server);
}

TASK_TEST("a deadline ends a transfer, and the handle may be used again")
{
	struct weft_group *server = web_start();
	struct request r = request_new("never");
	expect_eq(perform(&r, weft_after(20 * MS)), CURLE_OPERATION_TIMEDOUT);
	expect_eq(perform(&r, 0), CURLE_OPERATION_TIMEDOUT);
	struct request good = request_new("7");
	expect_eq(perform(&good, soon()), CURLE_OK);
	expect_eq(good.got, 7);
	curl_easy_cleanup(r.easy);
	curl_easy_cleanup(good.easy);
	web_end(server);
}

static int perform_for_ever(void *request)
{
	return perform(request, WEFT_FOREVER);
}

TASK_TEST("a cancel ends a transfer; the handle in use is refused to others")
{
	struct weft_group *server = web_start();
	struct request r = request_new("never");
	struct weft_task *task = tasks_start(perform_for_ever, &r);
	tasks_settle();
	expect_eq(weft_curl_perform(curl, r.easy, soon()), CURLE_FAILED_INIT);
	weft_cancel(task);
	expect_eq(tasks_join(task), CURLE_ABORTED_BY_CALLBACK);
	curl_easy_cleanup(r.easy);
	web_end(server);
}

TASK_TEST("what libcurl says comes through")
{
	struct weft_group *server = web_start();
	struct request r = request_new("x");
	curl_easy_setopt(r.easy, CURLOPT_URL, "http://127.0.0.1:1/");
	expect_eq(perform(&r, soon()), CURLE_COULDNT_CONNECT);
	expect_eq(weft_curl_perform(curl, NULL, 0), CURLE_BAD_FUNCTION_ARGUMENT);
	expect_eq(weft_curl_perform(NULL, r.easy, 0), CURLE_BAD_FUNCTION_ARGUMENT);
	expect_eq(weft_curl_new(NULL), -EINVAL);
	weft_curl_free(NULL);
	curl_easy_cleanup(r.easy);
	web_end(server);
}
