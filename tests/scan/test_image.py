#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft scan --image` promises: what is visible in an image is found, whatever the container looks like.

usage: test_image.py WEFT MAKE_TWIN GOTWIN SCHEMA_OF_SCAN
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import shutil
import subprocess
import tarfile
import unittest

from common import AFFECTED, MEBIBYTE, SANITIZED, Case, main, measured, report, scan


IMAGES = 400 if os.environ.get("WEFT_LONG") else 40  # of layers by chance


def tar_bytes(entries, form=tarfile.PAX_FORMAT):
    """entries: (name, bytes | None for a directory | ("hard", target) | ("link", target))."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as t:
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

    def test_every_form_of_a_tar_in_every_compression(self):
        program, long_name = self.twin_bytes(*AFFECTED), "usr/" + "d" * 90 + "/" + "n" * 90
        packers = [bytes, gzip.compress, bz2.compress, lzma.compress] + [zstd] * bool(shutil.which("zstd"))
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            tar = tar_bytes([("usr", None), ("usr/bin/x", program), (long_name, program)], form)
            for pack in packers:
                config = json.dumps({"rootfs": {"diff_ids": ["sha256:" + sha256(tar)]}}).encode()
                save = tar_bytes([("l/layer.tar", pack(tar)), ("c.json", config), ("manifest.json", json.dumps(
                    [{"Config": "c.json", "Layers": ["l/layer.tar"]}]).encode())], form)
                for container in (save, pack(save), tar, pack(tar)):  # the last two: docker export
                    results = report("--image", self.write("image", container))
                    self.assertEqual(results["errors"], [], (form, pack))
                    self.assertEqual({r["path"] for r in results["results"]}, {"usr/bin/x", long_name}, (form, pack))

    def test_what_docker_export_writes_is_a_file_system(self):
        program = self.twin_bytes(*AFFECTED)
        system = [(".dockerenv", b""), ("dev", None), ("etc", None), ("etc/hosts", b"x"), ("etc/a.json", b"{"),
                  ("srv/cut.tar.gz", gzip.compress(tar_bytes([("in/it", program)]))[:200]), ("usr/lib", None),
                  ("usr/bin/x", program), ("usr/bin/y", ("hard", "usr/bin/x")), ("bin", ("link", "usr/bin"))]
        results = report("--image", self.write("export.tar", tar_bytes(system)))
        self.assertEqual(results["errors"], [])
        self.assertEqual([(r["names"], r["layer"], r["verdict"]) for r in results["results"]],
                         [(["usr/bin/x", "usr/bin/y"], None, "affected")])
        self.assertEqual(scan("--image", self.path("export.tar")).returncode, 1)
        for form in ("--json", "--sarif", "--openvex", "--prometheus"):
            self.assertEqual(scan(form, "--image", self.path("export.tar")).returncode, 1)
        dotted = self.write("dotted.tar", tar_bytes([("./" + name, content) for name, content in system[:8]]))
        self.assertEqual([r["names"] for r in report("--image", dotted)["results"]], [["usr/bin/x"]])
        clean = self.write("clean.tar", tar_bytes(system[:7]))
        self.assertEqual(scan("--strict", "--image", clean).returncode, 0)

    def test_a_layer_that_was_changed_is_an_error(self):
        members, _ = self.docker()
        for changed, status in (("a/layer.tar", 1), ("b/layer.tar", 1)):
            altered = [(name, content.replace(b"no program", b"NO PROGRAM").replace(b"#!/bin/sh", b"#!/bin/SH")
                        if name == changed else content) for name, content in members]
            done = scan("--json", "--image", self.write("save.tar", tar_bytes(altered)))
            self.assertEqual(done.returncode, status)
            self.assertEqual([e["message"].split(":")[0] for e in json.loads(done.stdout)["errors"]], ["layer sha256"])
            self.assertIn("was changed or damaged", done.stderr)
        clean = tar_bytes([("etc/text", b"no program")])
        blob = "blobs/sha256/" + sha256(clean)
        manifest = json.dumps([{"Layers": [blob]}]).encode()
        for content, status in ((clean, 0), (clean.replace(b"no program", b"NO PROGRAM"), 2)):
            path = self.write("save.tar", tar_bytes([(blob, content), ("manifest.json", manifest)]))
            self.assertEqual(scan("--image", path).returncode, status)

    def test_a_changed_document_or_layer_of_a_layout_is_an_error(self):
        members, _ = self.oci(((("tar+gzip", gzip.compress),) * 2))
        for at, (name, content) in enumerate(members[:-1]):
            altered = content + b" " if content[:1] == b"{" else content[:4] + b"\1\2\3\4" + content[8:]  # gzip's time
            path = self.write("layout.tar", tar_bytes(members[:at] + [(name, altered)] + members[at + 1:]))
            done = scan("--image", path)
            self.assertEqual(done.returncode, 1)  # the findings stay
            self.assertIn(f"{name} was changed or damaged", done.stderr)
        other = [("blobs/sha512/x", members[0][1])] + members
        self.assertIn("only sha256 is known", scan("--image", self.write("layout.tar", tar_bytes(other))).stderr)

    def test_a_layer_that_cannot_be_had_is_told_with_its_reason(self):
        kinds = {"tar+gzip+encrypted": "is encrypted (application/vnd.oci.image.layer.v1.tar+gzip+encrypted)",
                 "nondistributable.v1.tar": "is kept elsewhere by its maker", "tar": "is no tar that could be read",
                 "tar+gzip": "is missing"}
        for kind, words in kinds.items():
            members, digests = self.oci((("tar", bytes), (kind, lambda content: b"\x91" + content)))
            if words.endswith(("maker", "missing")):
                members = [m for m in members if digests[1][7:] not in m[0]]
            done = scan("--image", self.write("layout.tar", tar_bytes(members)))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"layer {digests[1]} {words}", done.stderr)

    def test_the_last_entry_of_a_name_counts(self):
        program, text = self.twin_bytes(*AFFECTED), b"text"
        cases = [([("x", program), ("x", text)], []), ([("x", text), ("x", program)], ["x"]),
                 ([("x", program), ("y", ("hard", "x")), ("x", text)], ["y"]),
                 ([("d/x", program), ("d", text)], []), ([("d/x", program), ("d", ("link", "e"))], []),
                 ([("d/x", program), ("d", None)], ["d/x"]), ([("x", program), ("x", None)], []),
                 ([("x", program), ("./x", text)], []), ([("x", program), ("x", program)], ["x"])]
        for entries, names in cases:
            layer = tar_bytes(entries)
            path = self.write("save.tar", tar_bytes([("l.tar", layer), ("manifest.json", json.dumps(
                [{"Layers": ["l.tar"]}]).encode())]))
            results = report("--image", path)
            self.assertEqual((sorted(r["path"] for r in results["results"]), results["errors"]), (names, []), entries)
            path = self.write("export.tar", tar_bytes([("etc", None)] + entries))
            self.assertEqual(sorted(r["path"] for r in report("--image", path)["results"]), names, entries)

    def test_a_hard_link_keeps_a_file_of_a_lower_layer(self):
        program, text = self.twin_bytes(*AFFECTED), b"text"
        link, deleted, replaced = ("y", ("hard", "x")), (".wh.x", b""), ("x", text)
        for layers, names in (([[("x", program)], [link], [deleted]], {"y"}),
                              ([[("x", program)], [link], [replaced]], {"y"}),
                              ([[("x", program)], [link, deleted]], {"y"}),
                              ([[("x", program)], [link], [(".wh.y", b"")]], {"x"}),
                              ([[("x", program)], [link, ("z", ("hard", "y"))], [deleted], [("y", text)]], {"z"}),
                              ([[("x", program)], [link], [("z", ("hard", "y"))], [deleted, (".wh.y", b"")]], {"z"}),
                              ([[("x", program)], [replaced], [link]], set()),
                              ([[("x", program)], [link, ("y", text)], [deleted]], set())):
            self.assertEqual(self.names_shown(layers), names, layers)

    def names_shown(self, layers):
        members = [(f"{i}.tar", tar_bytes(layer)) for i, layer in enumerate(layers)]
        manifest = json.dumps([{"Layers": [name for name, _ in members]}]).encode()
        results = report("--image", self.write("save.tar", tar_bytes(members + [("manifest.json", manifest)])))
        self.assertEqual(results["errors"], [])
        return {name for r in results["results"] for name in r["names"]}

    def test_layers_show_what_unpacking_them_would(self):
        """Layers by chance, beside a model that unpacks them: names to files, a file known by its number."""
        program = self.twin_bytes(*AFFECTED)
        chance = random.Random(1)
        shown = 0
        for _ in range(IMAGES):
            below, layers = {}, []
            for _ in range(4):
                own, entries, gone = {}, [], set()
                for _ in range(chance.randint(1, 4)):
                    name = chance.choice("abc") if chance.random() < 0.6 else "d/" + chance.choice("ab")
                    what = chance.choice(("program", "text", "hard", "hard", "delete"))
                    visible = {**{n: f for n, f in below.items() if n not in gone}, **own}
                    targets = sorted(set(visible) - {name})
                    if what == "hard" and targets:
                        target = chance.choice(targets)
                        own[name] = visible[target]
                        entries.append((name, ("hard", target)))
                    elif what == "delete":
                        gone.add(name)
                        entries.append((os.path.join(os.path.dirname(name), ".wh." + os.path.basename(name)), b""))
                    else:
                        own[name] = what == "program"
                        entries.append((name, program if own[name] else b"text"))
                below = {**{n: f for n, f in below.items() if n not in gone}, **own}
                layers.append(entries)
            wanted = {name for name, is_program in below.items() if is_program}
            self.assertEqual(self.names_shown(layers), wanted, [[(n, c if isinstance(c, tuple) else len(c))
                                                                 for n, c in layer] for layer in layers])
            shown += len(wanted)
        self.assertGreater(shown, IMAGES * 2 // 3)

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

    @unittest.skipIf(SANITIZED, "unpacks 256 MiB, and memory is no measure")
    def test_a_bomb_takes_no_memory(self):
        members, _ = self.docker()
        bomb = io.BytesIO()
        with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=1) as z:
            info = tarfile.TarInfo("zeros")
            info.size = 256 * MEBIBYTE
            z.write(info.tobuf())
            for _ in range(256):
                z.write(b"\0" * MEBIBYTE)
        members.insert(0, ("d/layer.tar", bomb.getvalue()))
        status, seconds, memory = measured("--image", self.write("save.tar", tar_bytes(members)))
        self.assertEqual(status, 1)
        self.assert_cheap(seconds, memory)


if __name__ == "__main__":
    main()
