/* SPDX-License-Identifier: MIT */
/* trace.h: traces that begin and end with the runtime; see trace.c. */
#ifndef WEFT_DEBUG_TRACE_H
#define WEFT_DEBUG_TRACE_H

/* Maps the rings, and begins the trace that WEFT_TRACE in the environment asks for. */
void weft__trace_begin(void);
/* Ends the running trace, if any, and unmaps the rings. */
void weft__trace_end(void);

#endif
