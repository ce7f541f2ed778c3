/* SPDX-License-Identifier: MIT */
/*
 * planted.c: a weft_yield that does a little more, for the rows program whose test must fail.
 *
 * Linked with --wrap=weft_yield.
 */
void __real_weft_yield(void);
void __wrap_weft_yield(void);

void __wrap_weft_yield(void)
{
	for (volatile int more = 0; more < 2; more++)
		;
	__real_weft_yield();
}
