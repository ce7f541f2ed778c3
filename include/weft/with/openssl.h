/* SPDX-License-Identifier: MIT */
/*
 * weft/with/openssl.h: TLS over a socket, as a stream of weft/stream.h. For OpenSSL 1.1.1 and
 * later, which the program links (-lssl -lcrypto). Since 0.2.
 *
 * Both sides of the stream may be used at once, by two tasks: a lock guards the SSL, and is never
 * held while a task waits. Deadlines and weft_cancel may end a read or a write in the middle; the
 * connection stays in step. Errors besides those of weft/stream.h:
 *
 *   -ECONNRESET     the connection ended without the peer's close_notify: something may be missing
 *   -EKEYREJECTED   the peer's certificate is not trusted, or is not for that host
 *   -EKEYEXPIRED    it has expired
 *   -EPROTO         the two sides do not understand each other
 *   -ENOTCONN       after any of these: the connection is dead
 *
 * Renegotiation is refused. The descriptor is a socket.
 *
 * Inside: the BIO makes system calls that do not wait, since no call of weft's may be made in
 * OpenSSL's; OpenSSL's errors belong to the thread, so they are cleared and read between lock and
 * unlock, where the task does not move. When a write has to wait, OpenSSL holds its record: the
 * bytes count as written but the last one, so that the stream has something left to flush; that one
 * is left out when the stream brings it again.
 */
#ifndef WEFT_WITH_OPENSSL_H
#define WEFT_WITH_OPENSSL_H

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "weft/io.h"
#include "weft/stream.h"
#include "weft/sync.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_TLS_RECORD_ ((size_t)16384) /* the most that one record holds */

struct weft_tls_ {
	SSL *ssl;
	BIO_METHOD *method;
	int fd;
	int error;		/* of the last system call of the BIO, -errno */
	int ended;		/* the peer's socket has */
	int dead;		/* no call of OpenSSL's any more */
	size_t held;		/* the length of the record that OpenSSL holds; 0: none */
	char *record;		/* its bytes */
	struct weft_mutex lock; /* guards the SSL, and what the BIO stores */
};

/* ---- the BIO: inside OpenSSL, where nothing of weft's is called ---- */

static inline int weft_tls_moved_(BIO *bio, struct weft_tls_ *tls, ssize_t n, int again)
{
	BIO_clear_retry_flags(bio);
	if (n >= 0)
		return (int)n;
	tls->error = -errno;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_flags(bio, again | BIO_FLAGS_SHOULD_RETRY);
	return -1;
}

static inline int weft_tls_receive_(BIO *bio, char *buf, int len)
{
	struct weft_tls_ *tls = (struct weft_tls_ *)BIO_get_data(bio);
	ssize_t n = recv(tls->fd, buf, (size_t)len, MSG_DONTWAIT);
	tls->ended |= n == 0;
	return weft_tls_moved_(bio, tls, n, BIO_FLAGS_READ);
}

static inline int weft_tls_transmit_(BIO *bio, const char *buf, int len)
{
	struct weft_tls_ *tls = (struct weft_tls_ *)BIO_get_data(bio);
	ssize_t n = send(tls->fd, buf, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return weft_tls_moved_(bio, tls, n, BIO_FLAGS_WRITE);
}

static inline long weft_tls_control_(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

/* ---- one call of OpenSSL's, and the wait for what it wants ---- */

enum weft_tls_call_ { WEFT_TLS_HANDSHAKE_, WEFT_TLS_READ_, WEFT_TLS_WRITE_, WEFT_TLS_SHUTDOWN_ };

static inline int weft_tls_do_(SSL *ssl, enum weft_tls_call_ call, void *buf, int len)
{
	switch (call) {
	case WEFT_TLS_READ_:
		return SSL_read(ssl, buf, len);
	case WEFT_TLS_WRITE_:
		return SSL_write(ssl, buf, len);
	case WEFT_TLS_SHUTDOWN_:
		return SSL_shutdown(ssl) < 0 ? -1 : 1; /* 0: sent, and not answered yet */
	default:
		return SSL_do_handshake(ssl);
	}
}

static inline int weft_tls_refused_(const SSL *ssl)
{
	long result = SSL_get_verify_result(ssl);
	if (result == X509_V_OK)
		return 0;
	return result == X509_V_ERR_CERT_HAS_EXPIRED ? -EKEYEXPIRED : -EKEYREJECTED;
}

/* Why the connection is dead. */
static inline int weft_tls_reason_(struct weft_tls_ *tls, int why)
{
	int refused = weft_tls_refused_(tls->ssl);
	tls->dead = 1;
	if (refused && !SSL_is_init_finished(tls->ssl))
		return refused;
	if (tls->ended)
		return -ECONNRESET;
	return why == SSL_ERROR_SYSCALL && tls->error ? tls->error : -EPROTO;
}

/* The lock is held. A count, an error, or 0: the end; or *events is what to wait for. */
static inline int weft_tls_once_(struct weft_tls_ *tls, enum weft_tls_call_ call, void *buf,
				 int len, short *events)
{
	*events = 0;
	if (tls->dead)
		return -ENOTCONN;
	ERR_clear_error();
	tls->error = 0;
	int n = weft_tls_do_(tls->ssl, call, buf, len);
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, n);
	int end = 0;
	if (why == SSL_ERROR_WANT_READ)
		*events = POLLIN;
	else if (why == SSL_ERROR_WANT_WRITE)
		*events = POLLOUT;
	else if (why == SSL_ERROR_ZERO_RETURN)
		end = call == WEFT_TLS_READ_ ? 0 : -EPIPE;
	else if (why != SSL_ERROR_NONE)
		end = weft_tls_reason_(tls, why);
	ERR_clear_error();
	return why == SSL_ERROR_NONE ? n : end;
}

static inline int weft_tls_call_(struct weft_tls_ *tls, enum weft_tls_call_ call, void *buf,
				 size_t len, int64_t deadline)
{
	short events;
	for (;;) {
		weft_mutex_lock(&tls->lock);
		int n = weft_tls_once_(tls, call, buf, len < INT_MAX ? (int)len : INT_MAX, &events);
		weft_mutex_unlock(&tls->lock);
		if (!events)
			return n;
		int err = weft_wait_fd(tls->fd, events, deadline);
		if (err < 0)
			return err;
	}
}

/* ---- the operations of the stream ---- */

static inline ssize_t weft_tls_read_(void *object, void *buf, size_t len, int64_t deadline)
{
	return weft_tls_call_((struct weft_tls_ *)object, WEFT_TLS_READ_, buf, len, deadline);
}

/* OpenSSL holds this record now; it wants the same bytes again. */
static inline void weft_tls_hold_(struct weft_tls_ *tls, const char *bytes, size_t len)
{
	if (tls->held)
		return;
	memcpy(tls->record, bytes, len);
	tls->held = len;
}

static inline int weft_tls_write_record_(struct weft_tls_ *tls, const char *bytes, size_t len,
					 int64_t deadline)
{
	int n = weft_tls_call_(tls, WEFT_TLS_WRITE_, (void *)(uintptr_t)bytes, len, deadline);
	if (n == -EAGAIN || n == -ETIMEDOUT || n == -ECANCELED)
		weft_tls_hold_(tls, bytes, len);
	else
		tls->held = 0;
	return n < 0 ? n : 0;
}

static inline ssize_t weft_tls_write_(void *object, const void *buf, size_t len, int64_t deadline)
{
	struct weft_tls_ *tls = (struct weft_tls_ *)object;
	const char *bytes = (const char *)buf;
	size_t done = 0;
	if (!tls->record && !(tls->record = (char *)malloc(WEFT_TLS_RECORD_)))
		return -ENOMEM;
	if (tls->held) {
		int err = weft_tls_write_record_(tls, tls->record, tls->held, deadline);
		if (err)
			return err;
		done = 1; /* the last byte of that record, brought again */
	}
	while (done < len) {
		size_t n = len - done < WEFT_TLS_RECORD_ ? len - done : WEFT_TLS_RECORD_;
		int err = weft_tls_write_record_(tls, bytes + done, n, deadline);
		if (err)
			done += tls->held ? n - 1 : 0;
		if (err)
			return done ? (ssize_t)done : err;
		done += n;
	}
	return (ssize_t)done;
}

static inline int weft_tls_shutdown_(void *object, int64_t deadline)
{
	struct weft_tls_ *tls = (struct weft_tls_ *)object;
	int n = weft_tls_call_(tls, WEFT_TLS_SHUTDOWN_, NULL, 0, deadline);
	return n < 0 ? n : 0;
}

/* All but the SSL and the descriptor. */
static inline void weft_tls_forget_(struct weft_tls_ *tls)
{
	BIO_meth_free(tls->method);
	free(tls->record);
	free(tls);
}

static inline void weft_tls_free_(void *object)
{
	struct weft_tls_ *tls = (struct weft_tls_ *)object;
	SSL_free(tls->ssl);
	weft_close(tls->fd);
	weft_tls_forget_(tls);
}

/* ---- making ---- */

static inline int weft_tls_attach_(struct weft_tls_ *tls)
{
	BIO *bio;
	tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weft");
	if (!tls->method)
		return -ENOMEM;
	BIO_meth_set_read(tls->method, weft_tls_receive_);
	BIO_meth_set_write(tls->method, weft_tls_transmit_);
	BIO_meth_set_ctrl(tls->method, weft_tls_control_);
	bio = BIO_new(tls->method);
	if (!bio)
		return -ENOMEM;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_options(tls->ssl, SSL_OP_NO_RENEGOTIATION);
	SSL_set_mode(tls->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

static inline int weft_tls_open_(struct weft_stream **stream, struct weft_tls_ *tls,
				 int64_t deadline)
{
	struct weft_stream_ops ops = {sizeof(ops), weft_tls_read_, weft_tls_write_,
				      weft_tls_shutdown_, weft_tls_free_};
	int err = weft_tls_attach_(tls);
	if (err < 0)
		return err;
	err = weft_tls_call_(tls, WEFT_TLS_HANDSHAKE_, NULL, 0, deadline);
	if (err <= 0)
		return err ? err : -ECONNRESET;
	return weft_stream_over(stream, &ops, tls);
}

/*
 * Does the handshake of a prepared SSL over a connected socket, and makes a stream of both:
 * SSL_set_accept_state or SSL_set_connect_state, certificates, ALPN, a session to resume are the
 * caller's to prepare. Returns 0: the stream has the SSL and the descriptor from then on. After an
 * error both are still the caller's, of no more use than to be asked (SSL_get_verify_result) and
 * freed. -EINVAL: a pointer is NULL.
 */
static inline int weft_tls_handshake(struct weft_stream **stream, SSL *ssl, int fd,
				     int64_t deadline)
{
	struct weft_tls_ *tls;
	int err;
	if (!stream || !ssl)
		return -EINVAL;
	tls = (struct weft_tls_ *)calloc(1, sizeof(*tls));
	if (!tls)
		return -ENOMEM;
	tls->ssl = ssl;
	tls->fd = fd;
	err = weft_tls_open_(stream, tls, deadline);
	if (err < 0) {
		SSL_set_bio(ssl, NULL, NULL);
		weft_tls_forget_(tls);
	}
	return err;
}

/* In place of one of the context's, which might forgive. */
static inline int weft_tls_verify_(int good, X509_STORE_CTX *store)
{
	(void)store;
	return good;
}

/* The certificate must be for this host, a name or an address. */
static inline int weft_tls_expect_(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	SSL_set_connect_state(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, weft_tls_verify_);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, host))
		return 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, host) && X509_VERIFY_PARAM_set1_host(param, host, 0);
}

/*
 * Connects as a client to `host`, over a socket that is connected to it: server name indication;
 * the certificate and its name are checked, whatever `context` says, by the authorities that it
 * trusts. Returns 0: the stream has the descriptor from then on; after an error it is still the
 * caller's. -EINVAL: a pointer is NULL, or the host is no name.
 */
static inline int weft_tls_connect(struct weft_stream **stream, SSL_CTX *context, int fd,
				   const char *host, int64_t deadline)
{
	int err = -EINVAL;
	SSL *ssl;
	if (!stream || !context || !host || !*host)
		return -EINVAL;
	ssl = SSL_new(context);
	if (!ssl)
		return -ENOMEM;
	if (weft_tls_expect_(ssl, host))
		err = weft_tls_handshake(stream, ssl, fd, deadline);
	if (err < 0)
		SSL_free(ssl);
	return err;
}

/* Returns the SSL of a stream that these calls made; to be used while no task is inside. */
static inline SSL *weft_tls_ssl(const struct weft_stream *stream)
{
	struct weft_tls_ *tls = (struct weft_tls_ *)weft_stream_object(stream);
	return tls ? tls->ssl : NULL;
}

#ifdef __cplusplus
}
#endif

#endif
