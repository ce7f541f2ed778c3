/* SPDX-License-Identifier: MIT */
/* signal.h: the end of the runtime is the end of its signal channels. */
#ifndef WEFT_API_SIGNAL_H
#define WEFT_API_SIGNAL_H

/* Gives every signal its former action back and drops the channels. No task is left. */
void weft__signal_end(void);

#endif
