/* SPDX-License-Identifier: MIT */
/*
 * paths.c: what each layer holds and hides.
 *
 * Only hashes are kept: 8 bytes a name in a table that is at most half full. The seed is random, so
 * that no layer can be prepared whose names collide with those of a program it is to hide.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scan/image/image.h"
#include "weft/random.h"

static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static uint64_t hash_of(const struct image_paths *set, unsigned layer, enum image_mark mark,
			const char *path, size_t length)
{
	uint64_t h = mix(set->seed ^ ((uint64_t)layer << 8 | mark));
	for (size_t i = 0; i < length; i += 8) {
		uint64_t word = 0;
		memcpy(&word, path + i, min_of(length - i, sizeof(word)));
		h = mix(h ^ word);
	}
	h = mix(h ^ length);
	return h ? h : 1;
}

static uint64_t *slot_of(const struct image_paths *set, uint64_t hash)
{
	size_t at = (size_t)hash & (set->size - 1);
	while (set->slots[at] && set->slots[at] != hash)
		at = (at + 1) & (set->size - 1);
	return &set->slots[at];
}

static void grow(struct image_paths *set)
{
	struct image_paths old = *set;
	set->size = old.size ? old.size * 2 : 1024;
	set->slots = cli_alloc(set->size * sizeof(*set->slots));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i])
			*slot_of(set, old.slots[i]) = old.slots[i];
	free(old.slots);
}

int weft__paths_add(struct image_paths *set, unsigned layer, enum image_mark mark, const char *path,
		    size_t length)
{
	if (!set->seed)
		set->seed = weft_random_u64() | 1;
	if (set->count >= IMAGE_PATHS_MAX)
		return -E2BIG;
	if (set->count * 2 >= set->size)
		grow(set);
	uint64_t hash = hash_of(set, layer, mark, path, length), *slot = slot_of(set, hash);
	set->count += !*slot;
	*slot = hash;
	return 0;
}

bool weft__paths_has(const struct image_paths *set, unsigned layer, enum image_mark mark,
		     const char *path, size_t length)
{
	return set->size && *slot_of(set, hash_of(set, layer, mark, path, length));
}

/* The length of the directory part: 0 for the top. */
static size_t above(const char *path, size_t length)
{
	while (length && path[length - 1] != '/')
		length--;
	return length ? length - 1 : 0;
}

int weft__paths_record(struct image_paths *set, unsigned layer, const char *path, bool directory)
{
	static const char whiteout[] = ".wh.", opaque[] = ".wh..wh..opq";
	size_t length = strlen(path), parent = above(path, length);
	const char *base = parent ? path + parent + 1 : path + (*path == '/');
	if (strcmp(base, opaque) == 0)
		return weft__paths_add(set, layer, MARK_OPAQUE, path, parent);
	if (strncmp(base, whiteout, sizeof(whiteout) - 1) == 0) {
		char *hidden = cli_format("%.*s%s%s", (int)parent, path, parent ? "/" : "",
					  base + sizeof(whiteout) - 1);
		int err = weft__paths_add(set, layer, MARK_WHITEOUT, hidden, strlen(hidden));
		free(hidden);
		return err;
	}
	int err = weft__paths_add(set, layer, MARK_PRESENT, path, length);
	return err || directory ? err
				: weft__paths_add(set, layer, MARK_NOT_DIRECTORY, path, length);
}

bool weft__paths_hidden(const struct image_paths *set, unsigned upper, const char *path)
{
	size_t length = strlen(path);
	if (weft__paths_has(set, upper, MARK_PRESENT, path, length) ||
	    weft__paths_has(set, upper, MARK_WHITEOUT, path, length))
		return true;
	do {
		length = above(path, length);
		if (weft__paths_has(set, upper, MARK_OPAQUE, path, length) ||
		    (length && (weft__paths_has(set, upper, MARK_WHITEOUT, path, length) ||
				weft__paths_has(set, upper, MARK_NOT_DIRECTORY, path, length))))
			return true;
	} while (length);
	return false;
}

char *weft__path_normal(const char *path)
{
	char *normal = cli_alloc(strlen(path) + 1);
	size_t length = 0;
	while (*path) {
		size_t part = strcspn(path, "/");
		if (part == 2 && strncmp(path, "..", 2) == 0) {
			length = above(normal, length);
		} else if (part && !(part == 1 && *path == '.')) {
			if (length)
				normal[length++] = '/';
			memcpy(normal + length, path, part);
			length += part;
		}
		path += part + (path[part] == '/');
	}
	normal[length] = '\0';
	return normal;
}
