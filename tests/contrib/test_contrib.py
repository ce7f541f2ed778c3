#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pieces for fleets in contrib/: run where that is possible, else checked by the tool they are for.

usage: test_contrib.py WEFT ROOT
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = sys.argv.pop(2)
WEFT = sys.argv.pop(1)
CONTRIB = os.path.join(ROOT, "contrib")


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **more)


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"{tool} is not here")


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)


class Textfile(Folder):
    SCRIPT = os.path.join(CONTRIB, "weft-scan-textfile")

    def scan(self, weft, *arguments):
        return run(self.SCRIPT, self.folder, *arguments, env={**os.environ, "WEFT": weft})

    def result(self):
        with open(self.path("weft.prom"), encoding="utf-8") as f:
            return f.read()

    def test_a_scan_becomes_the_file(self):
        done = self.scan(WEFT, WEFT)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("weft_scan_files", self.result())
        self.assertEqual(os.stat(self.path("weft.prom")).st_mode & 0o777, 0o644)

    def test_findings_are_no_failure(self):
        weft = self.write("weft", "#!/bin/sh\necho weft_scan_timestamp_seconds 1\nexit 1\n", 0o755)
        self.assertEqual(self.scan(weft, "/").returncode, 0)

    def test_half_a_report_leaves_the_old_file(self):
        self.write("weft.prom", "old\n")
        for body in ("echo weft_scan_files 1", "echo weft_scan_timestamp_seconds 1; kill -9 $$", "exit 2"):
            weft = self.write("weft", f"#!/bin/sh\n{body}\n", 0o755)
            self.assertEqual(self.scan(weft, "/").returncode, 2, body)
            self.assertEqual(self.result(), "old\n")
        self.assertEqual(sorted(os.listdir(self.folder)), ["weft", "weft.prom"])


class Prometheus(Folder):
    RULES = os.path.join(CONTRIB, "prometheus", "weft.rules.yml")

    def test_the_rules_use_metrics_that_the_scan_writes(self):
        with open(self.RULES, encoding="utf-8") as f:
            used = set(re.findall(r"\bweft_scan_\w+", f.read()))
        written = set(re.findall(r"^# TYPE (\w+)", run(WEFT, "scan", "--prometheus", WEFT).stdout, re.M))
        self.assertTrue(used)
        self.assertEqual(used - written, set())

    @needs("promtool")
    def test_the_alerts_fire_when_they_should(self):
        done = run("promtool", "test", "rules", os.path.join(CONTRIB, "prometheus", "weft.rules.test.yml"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Systemd(Folder):
    @needs("systemd-analyze")
    def test_systemd_accepts_the_units(self):
        source = os.path.join(CONTRIB, "systemd")
        for name in ("weft-scan.service", "weft-scan.timer"):
            with open(os.path.join(source, name), encoding="utf-8") as f:
                # Neither the script nor the page is installed here.
                self.write(name, f.read().replace("/usr/libexec/weft/weft-scan-textfile", "/bin/true")
                           .replace("Documentation=man:weft-scan(1)\n", ""))
        done = run("systemd-analyze", "verify", self.path("weft-scan.timer"), self.path("weft-scan.service"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.write("weft-scan.service", "[Service]\nExecStart=/nowhere/to/be/found\n")
        done = run("systemd-analyze", "verify", self.path("weft-scan.service"))
        self.assertNotEqual((done.returncode, done.stderr), (0, ""), "a broken unit was accepted")


class Kubernetes(Folder):
    def test_the_manifest_is_consistent(self):
        try:
            import yaml
        except ImportError:
            self.skipTest("python3-yaml is not here")
        with open(os.path.join(CONTRIB, "kubernetes", "weft-scan.yaml"), encoding="utf-8") as f:
            manifest = yaml.safe_load(f)
        self.assertEqual((manifest["apiVersion"], manifest["kind"]), ("apps/v1", "DaemonSet"))
        template = manifest["spec"]["template"]
        self.assertEqual(manifest["spec"]["selector"]["matchLabels"], template["metadata"]["labels"])
        pod = template["spec"]
        volumes = {v["name"] for v in pod["volumes"]}
        for container in pod["containers"]:
            mounts = {m["name"]: m for m in container["volumeMounts"]}
            self.assertEqual(set(mounts), volumes)
            self.assertTrue(mounts["host"]["readOnly"])
            self.assertEqual(container["securityContext"]["capabilities"]["drop"], ["ALL"])
            shell = container["args"][0]
            self.assertEqual(run("sh", "-n", "-c", shell).returncode, 0)
            # Every option of the scan in it is one that the command has.
            usage = run(WEFT, "scan", "--help").stdout
            for option in re.findall(r"--[a-z-]+", shell):
                self.assertIn(option, usage)


class Ansible(Folder):
    PLAYBOOK = os.path.join(CONTRIB, "ansible", "weft.yml")

    @needs("ansible-playbook")
    def test_the_playbook_runs_here(self):
        values = {"weft_become": False, "weft_binary": WEFT, "weft_path": self.path("weft"),
                  "weft_doctor": ["--host-only"], "weft_scan": [WEFT], "weft_reports": self.path("reports"),
                  "ansible_python_interpreter": sys.executable}
        done = run("ansible-playbook", "-i", "localhost,", "-c", "local", "-e", json.dumps(values),
                   self.PLAYBOOK, env={**os.environ, "HOME": self.folder, "ANSIBLE_NOCOLOR": "1"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(self.path("reports", "localhost.json"), encoding="utf-8") as f:
            report = json.load(f)
        self.assertEqual(report["doctor"]["command"], "doctor")
        self.assertEqual(report["scan"]["schema"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
