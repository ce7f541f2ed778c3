/* SPDX-License-Identifier: MIT */
/*
 * list.h: intrusive lists. The link is a member of what is linked; no list operation allocates.
 *
 * `struct list` is circular and doubly linked, with a head that is a link itself: removal needs no
 * head. Debug builds check each link that an operation touches from both sides: a node that is
 * linked twice, or was overwritten, is found where it is used and not where a later walk goes
 * wrong.
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_check(const struct list *node)
{
	debug_check(node->next->prev == node && node->prev->next == node);
}

static inline void list_push_tail(struct list *head, struct list *node)
{
	list_check(head);
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_push_head(struct list *head, struct list *node)
{
	list_push_tail(head->next, node);
}

static inline void list_remove(struct list *node)
{
	list_check(node);
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first link, removed; NULL when the list is empty. */
static inline struct list *list_pop_head(struct list *head)
{
	struct list *node = head->next;
	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

/* Moves everything in `from` to the tail of `to`. */
static inline void list_move_all(struct list *to, struct list *from)
{
	list_check(to);
	list_check(from);
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* Moves everything in `from` to the head of `to`. */
static inline void list_move_all_head(struct list *to, struct list *from)
{
	list_move_all(to->next, from);
}

#define list_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)

#endif
