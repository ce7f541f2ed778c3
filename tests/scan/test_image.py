#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft scan --image` promises: what is visible in an image is found, whatever the container looks like.

usage: test_image.py WEFT MAKE_TWIN GOTWIN SCHEMA_OF_SCAN
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import unittest

from common import AFFECTED, MEBIBYTE, SANITIZED, Case, main, measured, report, scan


def tar_bytes(entries):
    """entries: (name, bytes | None for a directory | ("hard", target) | ("link", target))."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                info.type = tarfile.LNKTYPE if content[0] == "hard" else tarfile.SYMTYPE
                info.linkname = content[1]
            else:
                info.size = len(content)
            t.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def zstd(content):
    return subprocess.run(["zstd", "-q", "-c"], input=content, stdout=subprocess.PIPE, check=True).stdout


class Images(Case):
    def layers(self):
        program = self.twin_bytes(*AFFECTED)
        lower = tar_bytes([("usr/bin/deleted", program), ("usr/bin/replaced", program), ("opt", None), ("opt/hidden", program),
                           ("usr/bin/stays", program), ("bin/other", ("hard", "usr/bin/deleted")),
                           ("etc/text", b"no program")])
        upper = tar_bytes([("usr/bin/.wh.deleted", b""), ("usr/bin/replaced", b"#!/bin/sh\n"), ("opt/.wh..wh..opq", b""),
                           ("../../outside", program), ("./new", self.twin_bytes("repaired"))])
        return lower, upper

    WANTED = {"usr/bin/stays": ("affected", 0), "bin/other": ("affected", 0), "outside": ("affected", 1),
              "new": ("not-affected", 1)}

    def assert_image(self, path, digests):
        results = report("--image", path)
        self.assertEqual(results["errors"], [])
        found = {r["path"]: (r["verdict"], digests.index(r["layer"])) for r in results["results"]}
        self.assertEqual(found, self.WANTED)
        self.assertEqual(scan("--image", path).returncode, 1)

    def oci(self, packers):
        blobs, descriptors = {}, []
        for content, (kind, pack) in zip(self.layers(), packers):
            packed = pack(content)
            blobs[sha256(packed)] = packed
            descriptors.append({"mediaType": f"application/vnd.oci.image.layer.v1.{kind}",
                                "digest": "sha256:" + sha256(packed), "size": len(packed)})
        manifest = json.dumps({"schemaVersion": 2, "layers": descriptors}).encode()
        inner = json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + sha256(manifest)}]}).encode()
        blobs[sha256(manifest)] = manifest
        blobs[sha256(inner)] = inner
        members = [("blobs/sha256/" + k, v) for k, v in blobs.items()]
        members.append(("index.json", json.dumps({"manifests": [{"digest": "sha256:" + sha256(inner)}]}).encode()))
        return members, [d["digest"] for d in descriptors]

    def test_an_oci_layout_is_read_from_a_directory_and_from_a_tar(self):
        plain, packed = ("tar", bytes), ("tar+gzip", gzip.compress)
        kinds = [(plain, plain), (packed, packed)]
        if shutil.which("zstd"):
            kinds.append((("tar+zstd", zstd), packed))
        for packers in kinds:
            members, digests = self.oci(packers)
            for name, content in members:
                self.write("layout/" + name, content)
            self.assert_image(self.path("layout"), digests)
            self.assert_image(self.write("layout.tar", tar_bytes(members)), digests)
            shutil.rmtree(self.path("layout"))

    def docker(self):
        lower, upper = self.layers()
        config = json.dumps({"rootfs": {"diff_ids": ["sha256:" + sha256(x) for x in (lower, upper)]}}).encode()
        manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a/layer.tar", "c/layer.tar"]}]
        return [("a/layer.tar", lower), ("b/layer.tar", upper), ("c/layer.tar", ("link", "../b/layer.tar")),
                ("c.json", config), ("manifest.json", json.dumps(manifest).encode())], \
            ["sha256:" + sha256(x) for x in (lower, upper)]

    def test_what_docker_save_writes_is_read_in_any_order_and_compression(self):
        members, digests = self.docker()
        self.assert_image(self.write("save.tar", tar_bytes(members)), digests)
        self.assert_image(self.write("save.tar", tar_bytes(members[::-1])), digests)
        self.assert_image(self.write("save.tar.gz", gzip.compress(tar_bytes(members))), digests)

    def test_a_broken_layer_loses_no_finding_of_the_others(self):
        members, _ = self.docker()
        members[1] = ("b/layer.tar", members[1][1][:3000])
        done = scan("--json", "--image", self.write("save.tar", tar_bytes(members)))
        self.assertEqual(done.returncode, 1)
        results = json.loads(done.stdout)
        self.assertIn("usr/bin/stays", [r["path"] for r in results["results"]])
        self.assertIn("cannot be read to the end", results["errors"][0]["message"])

    def test_findings_without_a_manifest_are_reported_with_an_error(self):
        members, _ = self.docker()
        results = report("--image", self.write("save.tar", tar_bytes(members[:2])))
        self.assertIn("usr/bin/deleted", [name for r in results["results"] for name in r["names"]])
        self.assertIn("no manifest that fits", results["errors"][0]["message"])

    def test_a_manifest_whose_layer_is_missing_is_an_error(self):
        members, _ = self.docker()
        done = scan("--json", "--image", self.write("save.tar", tar_bytes(members[:1] + members[3:])))
        self.assertEqual(done.returncode, 1)
        self.assertIn("is missing", done.stderr)

    def test_an_index_that_names_itself_ends(self):
        members, _ = self.oci(((("tar", bytes),) * 2))
        itself = json.dumps({"manifests": [{"digest": "sha256:itself"}] * 2000}).encode()
        done = scan("--json", "--image", self.write("loop.tar", tar_bytes(
            [m for m in members if m[0] != "index.json"] + [("blobs/sha256/itself", itself), ("index.json", itself)])))
        self.assertEqual(done.returncode, 1)  # nothing is lost
        self.assertIn("images in one", done.stderr)

    def test_other_files_are_no_images(self):
        for content in (b"", b"text", os.urandom(4096), gzip.compress(b"x" * MEBIBYTE), tar_bytes([("a", b"b")])):
            self.assertEqual(scan("--image", self.write("file", content)).returncode, 2)
        self.assertEqual(scan("--image", self.path("nothing")).returncode, 2)

    @unittest.skipIf(SANITIZED, "unpacks a gigabyte")
    def test_a_bomb_takes_no_memory(self):
        members, _ = self.docker()
        bomb = io.BytesIO()
        with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as z:
            info = tarfile.TarInfo("zeros")
            info.size = 1 << 30
            z.write(info.tobuf())
            for _ in range(1 << 10):
                z.write(b"\0" * MEBIBYTE)
        members.insert(0, ("d/layer.tar", bomb.getvalue()))
        status, seconds, memory = measured("--image", self.write("save.tar", tar_bytes(members)))
        self.assertEqual(status, 1)
        self.assert_cheap(seconds, memory)


if __name__ == "__main__":
    main()
