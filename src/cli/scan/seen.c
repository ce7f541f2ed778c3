/* SPDX-License-Identifier: MIT */
/*
 * seen.c: every ELF file once: a hash table from device and inode to the names and processes of a
 * file.
 *
 * Entries are never removed and never move, so a pointer to one stays valid as long as the table.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/scan/engine.h"

struct scan_seen {
	struct scan_seen_file **buckets;
	size_t size, count; /* size is a power of two */
};

static size_t bucket_of(const struct scan_seen *seen, dev_t device, ino_t inode)
{
	uint64_t h = ((uint64_t)device * 0x9e3779b97f4a7c15u) ^ (uint64_t)inode;
	h *= 0xd6e8feb86659fd93u; /* an odd constant that spreads low bits upwards */
	return (size_t)(h >> 32) & (seen->size - 1);
}

struct scan_seen *weft__seen_new(void)
{
	struct scan_seen *seen = cli_alloc(sizeof(*seen));
	seen->size = 1024;
	seen->buckets = cli_alloc(seen->size * sizeof(*seen->buckets));
	return seen;
}

static void grow(struct scan_seen *seen)
{
	struct scan_seen old = *seen;
	seen->size *= 2;
	seen->buckets = cli_alloc(seen->size * sizeof(*seen->buckets));
	for (size_t i = 0; i < old.size; i++) {
		for (struct scan_seen_file *f = old.buckets[i], *next; f; f = next) {
			size_t b = bucket_of(seen, f->device, f->inode);
			next = f->next;
			f->next = seen->buckets[b];
			seen->buckets[b] = f;
		}
	}
	free(old.buckets);
}

struct scan_seen_file *weft__seen_file(struct scan_seen *seen, dev_t device, ino_t inode,
				       bool *first)
{
	size_t b = bucket_of(seen, device, inode);
	for (struct scan_seen_file *f = seen->buckets[b]; f; f = f->next) {
		if (f->device == device && f->inode == inode) {
			*first = false;
			return f;
		}
	}
	if (seen->count++ == seen->size) {
		grow(seen);
		b = bucket_of(seen, device, inode);
	}
	struct scan_seen_file *f = cli_alloc(sizeof(*f));
	f->device = device;
	f->inode = inode;
	f->next = seen->buckets[b];
	seen->buckets[b] = f;
	*first = true;
	return f;
}

void weft__name_add(struct scan_name **names, const char *path)
{
	for (; *names; names = &(*names)->next) {
		int order = strcmp(path, (*names)->path);
		if (!order)
			return;
		if (order < 0)
			break;
	}
	struct scan_name *name = cli_alloc(sizeof(*name) + strlen(path) + 1);
	strcpy(name->path, path);
	name->next = *names;
	*names = name;
}

bool weft__names_have(const struct scan_name *names, const char *path)
{
	for (; names; names = names->next)
		if (strcmp(names->path, path) == 0)
			return true;
	return false;
}

void weft__names_free(struct scan_name *names)
{
	for (struct scan_name *next; names; names = next) {
		next = names->next;
		free(names);
	}
}

void weft__processes_free(struct scan_process *processes)
{
	for (struct scan_process *next; processes; processes = next) {
		next = processes->next;
		free(processes);
	}
}

void weft__seen_free(struct scan_seen *seen)
{
	for (size_t i = 0; i < seen->size; i++) {
		for (struct scan_seen_file *f = seen->buckets[i], *next; f; f = next) {
			next = f->next;
			weft__names_free(f->names);
			weft__processes_free(f->processes);
			free(f);
		}
	}
	free(seen->buckets);
	free(seen);
}
