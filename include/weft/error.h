/* SPDX-License-Identifier: MIT */
/*
 * weft/error.h: words for the errors that weft's calls return. Since 0.1.
 *
 * Every call returns 0, a count, or a negative errno value; none sets errno, because errno belongs
 * to the thread and a task may have moved to another one. The values with a meaning of their own:
 *
 *   -EAGAIN      the deadline was 0 and the call would have had to wait
 *   -ETIMEDOUT   the deadline passed
 *   -ECANCELED   the task was cancelled (weft_cancel, weft_stop, a cancelled group)
 *   -ENOENT      a path or a name that does not exist: a host that does not resolve, too
 *   -EPIPE       the channel is closed
 *   -ESHUTDOWN   weft_stop was called: no new tasks; or the runtime has ended during the wait
 *   -ENOTSUP     in a child of fork: the runtime stayed with the parent
 *
 * After the first three nothing has happened: no item was taken or given, no byte moved. The last
 * one may come from every call that needs the runtime.
 */
#ifndef WEFT_ERROR_H
#define WEFT_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Returns the name of an error, "ETIMEDOUT" for both -ETIMEDOUT and ETIMEDOUT; "0" for 0; "unknown"
 * for a number that this system does not use. Of two names for one number, the one that this header
 * uses: "ENOTSUP". A constant string; async-signal-safe.
 */
const char *weft_error_name(int error);

/*
 * Returns what an error means when it comes from weft, "the deadline passed" for -ETIMEDOUT;
 * strerror's words for errors that have no meaning of their own here. Positive or negative. The
 * string must not be freed.
 */
const char *weft_error_text(int error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
