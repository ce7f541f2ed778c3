/* SPDX-License-Identifier: MIT */
/*
 * manifest.c: puts layers together as the container's documents say, and reports what is visible.
 *
 * OCI: index.json names manifests (or further indexes) by digest, a manifest names its layers by
 * digest. `docker save`: manifest.json lists images, each with its layers by member name and a
 * configuration whose rootfs.diff_ids are the layers' digests. Newer versions write both; the OCI
 * documents are used then.
 *
 * Where the documents do not fit, everything that was found is reported, and the misfit as an
 * error: a finding is not lost because a manifest is.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/scan/image/image.h"

#define INDEX_DEPTH 4
static const struct image_document *find_document(const struct image *image, const char *name)
{
	for (const struct image_document *d = image->documents; d; d = d->next)
		if (strcmp(d->name, name) == 0)
			return d;
	return NULL;
}

static struct image_layer *find_layer(const struct image *image, const char *name)
{
	const struct image_document *link = find_document(image, name);
	if (link && link->target)
		name = link->target;
	for (struct image_layer *l = image->layers; l; l = l->next) {
		char *normal = weft__path_normal(l->name);
		bool same = strcmp(normal, name) == 0;
		free(normal);
		if (same)
			return l;
	}
	return NULL;
}

/* "sha256:abc" -> "blobs/sha256/abc"; NULL when it is no digest. The caller frees. */
static char *blob_name(const char *digest)
{
	const char *colon = digest ? strchr(digest, ':') : NULL;
	if (!colon || strchr(digest, '/'))
		return NULL;
	return cli_format("blobs/%.*s/%s", (int)(colon - digest), digest, colon + 1);
}

static const json_t *blob_document(const struct image *image, const char *digest)
{
	char *name = blob_name(digest);
	const struct image_document *d = name ? find_document(image, name) : NULL;
	free(name);
	return d ? d->root : NULL;
}

/* Why a layer that an image names cannot be looked at. */
static char *why_absent(const struct image *image, const char *member, const char *type)
{
	if (type && strstr(type, "+encrypted"))
		return cli_format("is encrypted (%s)", type);
	if (type && (strstr(type, "nondistributable") || strstr(type, ".foreign.")))
		return cli_format("is kept elsewhere by its maker (%s)", type);
	return cli_strdup(member && find_document(image, member) ? "is no tar that could be read"
								 : "is missing");
}

static bool is_encrypted(const char *type)
{
	return type && strstr(type, "+encrypted");
}

/* `digest` of the layer's tar, as the image's configuration tells it. */
static void check_digest(struct image *image, const struct image_layer *layer, const char *digest)
{
	if (!digest || !layer->digest[0] || strcmp(layer->digest, digest) == 0)
		return;
	weft__scan_error(image->worker->scan, image->path,
			 "layer %s was changed or damaged: its digest is %s", digest,
			 layer->digest);
}

static void stack_add(struct image *image, struct image_stack *stack, const char *member,
		      const char *digest, const char *type)
{
	struct image_layer *layer =
		member && !is_encrypted(type) ? find_layer(image, member) : NULL;
	if (!layer) {
		char *why = why_absent(image, member, type);
		weft__scan_error(image->worker->scan, image->path, "layer %s %s",
				 digest ? digest : "?", why);
		free(why);
	} else if (stack->count == IMAGE_LAYERS) {
		weft__scan_error(image->worker->scan, image->path, "more than %d layers",
				 IMAGE_LAYERS);
	} else {
		check_digest(image, layer, digest);
		stack->layers[stack->count] = layer;
		stack->digests[stack->count++] = digest ? digest : member;
	}
}

/* Attestations and other artefacts have layers that are no tars. */
static bool is_file_system(const char *type)
{
	return !type || strstr(type, "tar");
}

/* Counts images; false when there are too many (reported once). */
static bool one_more(struct image *image)
{
	if (++image->stack_count == IMAGE_STACKS_MAX)
		weft__scan_error(image->worker->scan, image->path, "more than %u images in one",
				 IMAGE_STACKS_MAX);
	return image->stack_count < IMAGE_STACKS_MAX;
}

static void oci_manifest(struct image *image, const json_t *manifest)
{
	const json_t *layers = json_object_get(manifest, "layers");
	struct image_stack *stack = cli_alloc(sizeof(*stack));
	for (size_t i = 0; i < json_array_size(layers); i++) {
		const json_t *layer = json_array_get(layers, i);
		const char *digest = json_string_value(json_object_get(layer, "digest"));
		char *member = blob_name(digest);
		const char *type = json_string_value(json_object_get(layer, "mediaType"));
		if (is_file_system(type))
			stack_add(image, stack, member, digest, type);
		free(member);
	}
	weft__image_report_stack(image, stack);
	free(stack);
}

/* Returns how many manifests the index led to. */
static unsigned oci_index(struct image *image, const json_t *index, unsigned depth)
{
	const json_t *entries = json_object_get(index, "manifests");
	unsigned count = 0;
	for (size_t i = 0; i < json_array_size(entries) && one_more(image); i++) {
		const json_t *digest = json_object_get(json_array_get(entries, i), "digest");
		const json_t *document = blob_document(image, json_string_value(digest));
		if (document && json_object_get(document, "layers")) {
			oci_manifest(image, document);
			count++;
		} else if (document && depth < INDEX_DEPTH) {
			count += oci_index(image, document, depth + 1);
		}
	}
	return count;
}

/* The digest of layer `i`, from the image's configuration. */
static const char *docker_digest(const struct image_document *config, size_t i)
{
	const json_t *fs = config ? json_object_get(config->root, "rootfs") : NULL;
	return json_string_value(json_array_get(json_object_get(fs, "diff_ids"), i));
}

static void docker_image(struct image *image, const json_t *entry)
{
	static const char blobs[] = "blobs/sha256/";
	const json_t *layers = json_object_get(entry, "Layers");
	const char *config_name = json_string_value(json_object_get(entry, "Config"));
	const struct image_document *config =
		config_name ? find_document(image, config_name) : NULL;
	struct image_stack *stack = cli_alloc(sizeof(*stack));
	size_t count = json_array_size(layers);
	char **made = cli_alloc((count + 1) * sizeof(*made));
	for (size_t i = 0; i < count; i++) {
		const char *member = json_string_value(json_array_get(layers, i));
		const char *digest = docker_digest(config, i);
		if (member && strncmp(member, blobs, sizeof(blobs) - 1) == 0)
			digest = made[i] = cli_format("sha256:%s", member + sizeof(blobs) - 1);
		stack_add(image, stack, member, digest, NULL);
	}
	weft__image_report_stack(image, stack);
	for (size_t i = 0; i < count; i++)
		free(made[i]);
	free(made);
	free(stack);
}

static unsigned docker_images(struct image *image)
{
	const struct image_document *d = find_document(image, "manifest.json");
	unsigned count = 0;
	for (size_t i = 0; d && i < json_array_size(d->root) && one_more(image); i++, count++)
		docker_image(image, json_array_get(d->root, i));
	return count;
}

void weft__image_finish(struct image *image)
{
	const struct image_document *index = find_document(image, "index.json");
	unsigned images = index ? oci_index(image, index->root, 1) : 0;
	if (!images)
		images = docker_images(image);
	if (images)
		return;
	weft__scan_error(image->worker->scan, image->path,
			 image->layers ? "no manifest that fits: deleted files may be among the "
					 "results"
				       : "is neither an OCI layout nor what `docker save` or "
					 "`docker export` writes");
	for (struct image_layer *l = image->layers; l; l = l->next)
		weft__image_report_layer(image, l, l->name);
}
