/* SPDX-License-Identifier: MIT */
/* test_openssl.c: weft/with/openssl.h: both sides in one process, certificates made here. */
#include "weft/with/openssl.h"

#include <fcntl.h>
#include <unistd.h>

#include "../io/io_test.h"
#include "../stream/bulk.h"

/* ---- certificates ---- */

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

static void add_name(X509 *x, const char *host)
{
	char san[80];
	snprintf(san, sizeof(san), "DNS:%s,IP:127.0.0.1", host);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	expect_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

/* Self-signed, for a host, until so many seconds from now. */
static struct identity identity_for(const char *host, long seconds)
{
	struct identity id = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
	X509 *x = id.certificate;
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -7200);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_set_pubkey(x, id.key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)host, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	add_name(x, host);
	expect_gt(X509_sign(x, id.key, EVP_sha256()), 0);
	return id;
}

/* ---- a server and a client ---- */

struct pair {
	SSL_CTX *server_context, *client_context;
	struct identity id;
	int fd[2]; /* client, server */
	struct weft_stream *client, *server;
	int server_result;
};

static int serve(void *arg)
{
	struct pair *p = arg;
	SSL *ssl = SSL_new(p->server_context);
	SSL_set_accept_state(ssl);
	p->server_result = weft_tls_handshake(&p->server, ssl, p->fd[1], soon());
	if (p->server_result < 0) {
		SSL_free(ssl);
		weft_close(p->fd[1]);
	}
	return 0;
}

static struct pair pair_new(const char *host, long seconds, int version)
{
	struct pair p = {.id = identity_for(host, seconds)};
	p.server_context = SSL_CTX_new(TLS_server_method());
	p.client_context = SSL_CTX_new(TLS_client_method());
	expect_eq(SSL_CTX_use_certificate(p.server_context, p.id.certificate), 1);
	expect_eq(SSL_CTX_use_PrivateKey(p.server_context, p.id.key), 1);
	SSL_CTX_set_min_proto_version(p.client_context, version);
	SSL_CTX_set_max_proto_version(p.client_context, version);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(p.client_context), p.id.certificate);
	tcp_pair(p.fd);
	return p;
}

/* Handshakes; the client's result. */
static int pair_connect(struct pair *p, const char *host)
{
	struct weft_task *task = tasks_start(serve, p);
	int err = weft_tls_connect(&p->client, p->client_context, p->fd[0], host, soon());
	if (err < 0)
		expect_eq(weft_close(p->fd[0]), 0);
	tasks_join(task);
	return err;
}

static void pair_clear(struct pair *p)
{
	SSL_CTX_free(p->server_context);
	SSL_CTX_free(p->client_context);
	X509_free(p->id.certificate);
	EVP_PKEY_free(p->id.key);
}

static struct pair connected(int version)
{
	struct pair p = pair_new("localhost", 3600, version);
	expect_eq(pair_connect(&p, "localhost"), 0);
	expect_eq(p.server_result, 0);
	return p;
}

static void say(struct weft_stream *s, const char *text)
{
	expect_eq(weft_stream_printf(s, soon(), "%s", text), (int)strlen(text));
	expect_eq(weft_stream_flush(s, soon()), 0);
}

static void hear(struct weft_stream *s, const char *text)
{
	const char *data;
	expect_eq(weft_stream_read_until(s, "\n", 1, 100, &data, soon()), (ssize_t)strlen(text));
	expect_mem_eq(data, text, strlen(text));
}

/* Each side says its end, and hears the other's. */
static void pair_close(struct pair *p)
{
	char c;
	expect_eq(weft_stream_shutdown(p->client, soon()), 0);
	expect_eq(weft_stream_read(p->server, &c, 1, soon()), 0);
	expect_eq(weft_stream_close(p->server, soon()), 0);
	expect_eq(weft_stream_read(p->client, &c, 1, soon()), 0);
	expect_eq(weft_stream_close(p->client, soon()), 0);
	pair_clear(p);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TASK_TEST("question and answer by TLS 1.2 and 1.3, and a clean end")
{
	for (int i = 0; i < 2; i++) {
		int before = open_descriptors();
		struct pair p = connected(versions[i]);
		expect_eq(SSL_version(weft_tls_ssl(p.client)), versions[i]);
		expect_eq(SSL_get_servername(weft_tls_ssl(p.server), TLSEXT_NAMETYPE_host_name),
			  "localhost");
		say(p.client, "question\n");
		hear(p.server, "question\n");
		say(p.server, "answer\n");
		hear(p.client, "answer\n");
		pair_close(&p);
		expect_eq(open_descriptors(), before);
	}
}

TASK_TEST("an address is checked as a name is")
{
	struct pair p = pair_new("localhost", 3600, TLS1_3_VERSION);
	expect_eq(pair_connect(&p, "127.0.0.1"), 0);
	pair_close(&p);
	p = pair_new("localhost", 3600, TLS1_3_VERSION);
	expect_eq(pair_connect(&p, "127.0.0.2"), -EKEYREJECTED);
	pair_clear(&p);
}

static int forgive(int good, X509_STORE_CTX *store)
{
	return 1;
}

TASK_TEST("wrong name, wrong certificate, expired: refused, whatever the context says")
{
	for (int i = 0; i < 2; i++) {
		struct pair p = pair_new("localhost", 3600, versions[i]);
		SSL_CTX_set_verify(p.client_context, SSL_VERIFY_NONE, forgive);
		expect_eq(pair_connect(&p, "example.org"), -EKEYREJECTED);
		pair_clear(&p);

		p = pair_new("localhost", 3600, versions[i]);
		SSL_CTX_set_cert_store(p.client_context, X509_STORE_new());
		expect_eq(pair_connect(&p, "localhost"), -EKEYREJECTED);
		pair_clear(&p);

		p = pair_new("localhost", -3600, versions[i]);
		expect_eq(pair_connect(&p, "localhost"), -EKEYEXPIRED);
		pair_clear(&p);
	}
}

TASK_TEST("an end without close_notify is -ECONNRESET, then -ENOTCONN")
{
	for (int i = 0; i < 2; i++) {
		char c;
		struct pair p = connected(versions[i]);
		say(p.server, "last words\n");
		expect_eq(shutdown(p.fd[1], SHUT_WR), 0);
		hear(p.client, "last words\n");
		expect_eq(weft_stream_read(p.client, &c, 1, soon()), -ECONNRESET);
		expect_eq(weft_stream_read(p.client, &c, 1, soon()), -ENOTCONN);
		expect_eq(weft_stream_close(p.client, soon()), -ENOTCONN);
		expect_lt(weft_stream_close(p.server, soon()), 0);
		pair_clear(&p);
	}
}

TASK_TEST("a peer that speaks no TLS is -EPROTO, one that says nothing is waited for")
{
	struct pair p = pair_new("localhost", 3600, TLS1_3_VERSION);
	expect_eq(weft_tls_connect(&p.client, p.client_context, p.fd[0], "localhost",
				   weft_after(5 * MS)),
		  -ETIMEDOUT);
	pair_clear(&p);
	p = pair_new("localhost", 3600, TLS1_3_VERSION);
	expect_eq(weft_write(p.fd[1], "HTTP/1.1 400 Bad Request\r\n\r\n", 28, soon()), 28);
	expect_eq(weft_tls_connect(&p.client, p.client_context, p.fd[0], "localhost", soon()),
		  -EPROTO);
	pair_clear(&p);
}

TASK_TEST("keys are updated while both talk")
{
	struct pair p = connected(TLS1_3_VERSION);
	for (int i = 0; i < 20; i++) {
		expect_eq(SSL_key_update(weft_tls_ssl(p.client), SSL_KEY_UPDATE_REQUESTED), 1);
		say(p.client, "new keys\n");
		hear(p.server, "new keys\n");
		say(p.server, "mine, too\n");
		hear(p.client, "mine, too\n");
	}
	pair_close(&p);
}

/* ---- stops in the middle ---- */

enum { BULK = 4 << 20 };

static int read_bulk(void *stream)
{
	return bulk_read(stream, 50000);
}

static int write_bulk(void *stream)
{
	static char piece[40000];
	size_t at = 0;
	while (at < BULK) {
		size_t n = 1 + at * 7 % sizeof(piece);
		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(at + i);
		/* Stopped or not, whole or nothing: another piece may follow. */
		ssize_t wrote = weft_stream_write(stream, piece, n, weft_after(1000));
		expect(wrote == (ssize_t)n || wrote == -ETIMEDOUT);
		at += wrote > 0 ? n : 0;
		if (wrote < 0)
			weft_yield();
	}
	expect_eq(weft_stream_shutdown(stream, soon()), 0);
	return (int)at;
}

TASK_TEST("both sides at once, with deadlines that stop writes anywhere")
{
	struct pair p = connected(versions[nth % 2]);
	struct weft_stream *s[2] = {p.client, p.server};
	struct weft_task *in[2], *out[2];
	out[0] = tasks_start(write_bulk, s[0]);
	in[0] = tasks_start(read_bulk, s[0]);
	in[1] = tasks_start(read_bulk, s[1]);
	int sent = tasks_join(out[0]);
	expect_eq(tasks_join(in[1]), sent);
	out[1] = tasks_start(write_bulk, s[1]);
	sent = tasks_join(out[1]);
	expect_eq(tasks_join(in[0]), sent);
	expect_eq(weft_stream_close(p.client, soon()), 0);
	expect_eq(weft_stream_close(p.server, soon()), 0);
	pair_clear(&p);
}

static int read_one(void *stream)
{
	char c;
	return (int)weft_stream_read(stream, &c, 1, WEFT_FOREVER);
}

TASK_TEST("deadline and cancel of a read leave the connection in step")
{
	struct pair p = connected(TLS1_3_VERSION);
	char c;
	expect_eq(weft_stream_read(p.client, &c, 1, 0), -EAGAIN);
	expect_eq(weft_stream_read(p.client, &c, 1, weft_after(2 * MS)), -ETIMEDOUT);
	struct weft_task *task = tasks_start(read_one, p.client);
	tasks_settle();
	weft_cancel(task);
	expect_eq(tasks_join(task), -ECANCELED);
	say(p.server, "in step\n");
	hear(p.client, "in step\n");
	pair_close(&p);
}

TASK_TEST("what cannot be used: -EINVAL")
{
	struct weft_stream *s;
	struct pair p = pair_new("localhost", 3600, TLS1_3_VERSION);
	expect_eq(weft_tls_connect(NULL, p.client_context, p.fd[0], "localhost", 0), -EINVAL);
	expect_eq(weft_tls_connect(&s, NULL, p.fd[0], "localhost", 0), -EINVAL);
	expect_eq(weft_tls_connect(&s, p.client_context, p.fd[0], NULL, 0), -EINVAL);
	expect_eq(weft_tls_connect(&s, p.client_context, p.fd[0], "", 0), -EINVAL);
	expect_eq(weft_tls_handshake(&s, NULL, p.fd[0], 0), -EINVAL);
	expect_eq(weft_tls_ssl(NULL), NULL);
	pair_clear(&p);
}
