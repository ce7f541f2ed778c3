/* SPDX-License-Identifier: MIT */
/*
 * stack.c: which names of a stack of layers are visible, and their files reported.
 *
 * A name belongs to the layer that holds it; layers above hide it (paths.c). A file belongs to the
 * layer that brought its bytes, but a hard link in a higher layer gives it a name there, which
 * lives on when the first one is replaced or deleted. Links are resolved from the lowest layer
 * upwards, as they would be by unpacking: a link may lead to another link.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/scan/image/image.h"

/* A name that a link in the stack's layer `at` gives to a file of a lower one. */
struct alias {
	struct alias *next;
	unsigned at;
	const char *name;
	const struct scan_result *result;
};

static bool is_hidden(const struct image *image, const struct image_stack *stack, unsigned at,
		      const char *path)
{
	for (unsigned upper = at + 1; upper < stack->count; upper++)
		if (weft__paths_hidden(&image->paths, stack->layers[upper]->number, path))
			return true;
	return false;
}

static const struct scan_result *alias_in(const struct alias *aliases, unsigned at,
					  const char *name)
{
	for (const struct alias *a = aliases; a; a = a->next)
		if (a->at == at && strcmp(a->name, name) == 0)
			return a->result;
	return NULL;
}

/* The file that layer `at` shows under this name, or NULL. */
static const struct scan_result *file_in(const struct image_stack *stack,
					 const struct alias *aliases, unsigned at, const char *name)
{
	for (const struct scan_result *r = stack->layers[at]->results; r; r = r->next)
		if (weft__names_have(r->own_names, name))
			return r;
	return alias_in(aliases, at, name);
}

/* What a link in layer `at` leads to: an earlier link there, else the layers below, downwards. */
static const struct scan_result *link_target(const struct image *image,
					     const struct image_stack *stack,
					     const struct alias *aliases, unsigned at,
					     const char *name)
{
	const struct scan_result *r = alias_in(aliases, at, name);
	while (!r && at--) {
		r = file_in(stack, aliases, at, name);
		if (!r && weft__paths_hidden(&image->paths, stack->layers[at]->number, name))
			return NULL; /* by something that is no Go program */
	}
	return r;
}

static struct alias *resolve_links(const struct image *image, const struct image_stack *stack)
{
	struct alias *aliases = NULL;
	for (unsigned at = 0; at < stack->count; at++) {
		for (const struct image_link *l = stack->layers[at]->links; l; l = l->next) {
			const struct scan_result *r =
				link_target(image, stack, aliases, at, l->target);
			if (!r || !l->name[0])
				continue;
			struct alias *alias = cli_alloc(sizeof(*alias));
			*alias = (struct alias){aliases, at, l->name, r};
			aliases = alias;
		}
	}
	return aliases;
}

static void aliases_free(struct alias *aliases)
{
	for (struct alias *next; aliases; aliases = next) {
		next = aliases->next;
		free(aliases);
	}
}

/* The names under which the stack shows a file of its layer `at`. */
static struct scan_name *visible_names(const struct image *image, const struct image_stack *stack,
				       const struct alias *aliases, unsigned at,
				       const struct scan_result *r)
{
	struct scan_name *names = NULL;
	for (const struct scan_name *n = r->own_names; n; n = n->next)
		if (!is_hidden(image, stack, at, n->path))
			weft__name_add(&names, n->path);
	for (const struct alias *a = aliases; a; a = a->next)
		if (a->result == r && !is_hidden(image, stack, a->at, a->name))
			weft__name_add(&names, a->name);
	return names;
}

static void report(struct image *image, struct scan_result *r, const char *digest)
{
	r->next = NULL;
	free(r->layer);
	r->layer = digest ? cli_strdup(digest) : NULL;
	weft__scan_report(image->worker, r);
}

void weft__image_report_layer(struct image *image, struct image_layer *layer, const char *digest)
{
	while (layer->results) {
		struct scan_result *r = layer->results;
		layer->results = r->next;
		report(image, r, digest);
	}
}

/* Reports what is visible of one layer; the rest stays, another image may show it. */
static void report_visible(struct image *image, const struct image_stack *stack,
			   const struct alias *aliases, unsigned at)
{
	struct scan_result **link = &stack->layers[at]->results;
	while (*link) {
		struct scan_result *r = *link;
		struct scan_name *names = visible_names(image, stack, aliases, at, r);
		if (!names) {
			link = &r->next;
			continue;
		}
		weft__names_free(r->own_names);
		r->own_names = names;
		*link = r->next;
		report(image, r, stack->digests[at]);
	}
}

void weft__image_report_stack(struct image *image, const struct image_stack *stack)
{
	struct alias *aliases = resolve_links(image, stack);
	for (unsigned at = 0; at < stack->count; at++)
		report_visible(image, stack, aliases, at);
	aliases_free(aliases);
}
