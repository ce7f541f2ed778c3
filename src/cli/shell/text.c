/* SPDX-License-Identifier: MIT */
/*
 * text.c: bytes from anywhere, made fit for a terminal, so that they can be had back. See cli.h.
 *
 * A file's name must not move the cursor, nor turn the direction of what stands beside it, nor hide
 * a part of itself. What Unicode calls a control (Cc), a format (Cf) or a separator of lines (Zl,
 * Zp) is therefore shown as its bytes, \xNN each, as is everything that is no UTF-8.
 *
 * Reversible: `\xNN` in the result is one byte, everything else stands for itself. For that, the
 * backslash of a text that contains the four characters `\xNN` is shown as \x5c. Rejected: every
 * backslash doubled, because names with a backslash are far more common than names with such four
 * characters (systemd, whose unit names have them, writes the same \x5c).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/shell/cli.h"

/* Cc, Cf, Zl and Zp of Unicode 15, in order. */
static const struct {
	uint32_t first, last;
} invisible[] = {
	{0x0000, 0x001f},   {0x007f, 0x009f},	{0x00ad, 0x00ad},   {0x0600, 0x0605},
	{0x061c, 0x061c},   {0x06dd, 0x06dd},	{0x070f, 0x070f},   {0x0890, 0x0891},
	{0x08e2, 0x08e2},   {0x180e, 0x180e},	{0x200b, 0x200f},   {0x2028, 0x202e},
	{0x2060, 0x2064},   {0x2066, 0x206f},	{0xfeff, 0xfeff},   {0xfff9, 0xfffb},
	{0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3},
	{0x1d173, 0x1d17a}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
};

static bool is_invisible(uint32_t code)
{
	for (unsigned i = 0; i < array_len(invisible); i++)
		if (code <= invisible[i].last)
			return code >= invisible[i].first;
	return false;
}

/* How many bytes a sequence has that begins with this one; 0: none does. */
static unsigned sequence_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
}

/* Length of the valid UTF-8 sequence at `s`, and its code; 0 for overlong forms and surrogates. */
static unsigned decode(const unsigned char *s, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned n = sequence_length(s[0]);
	*code = n < 2 ? s[0] : s[0] & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (s[i] & 0x3f);
	}
	bool surrogate = *code >= 0xd800 && *code < 0xe000;
	return !n || *code < least[n] || *code > 0x10ffff || surrogate ? 0 : n;
}

/* Would a reader take what stands here for one of our escapes? */
static bool looks_escaped(const unsigned char *s)
{
	return s[0] == '\\' && s[1] == 'x' && isxdigit(s[2]) && isxdigit(s[3]);
}

char *cli_clean(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char *clean = cli_alloc(4 * strlen(text) + 1), *out = clean;
	while (*s) {
		uint32_t code;
		unsigned n = decode(s, &code);
		bool shown = n && !is_invisible(code) && !looks_escaped(s);
		for (n = n ? n : 1; n; n--, s++)
			out += shown ? (*out = (char)*s, 1) : sprintf(out, "\\x%02x", *s);
	}
	*out = 0;
	return clean;
}

bool cli_is_exact(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		uint32_t code;
		unsigned n = decode(s, &code);
		if (!n || *s == 0x7f || looks_escaped(s))
			return false;
		s += n;
	}
	return true;
}
