/* SPDX-License-Identifier: MIT */
/* signal.h: the end of the runtime is the end of its signal channels. */
#ifndef WEFT_API_SIGNAL_H
#define WEFT_API_SIGNAL_H

/* Restores the former action of every signal and drops the channels. No task is left. */
void weft__signal_end(void);

#endif
