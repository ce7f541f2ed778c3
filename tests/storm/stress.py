# SPDX-License-Identifier: MIT
"""stress.py [--sanitized] WEFT SECONDS [SEED]: storms of random size, one after the other, on 1 to 16 processors.

Nothing may crash, no thread may stay, states mapped stay within the pages of the peak, and memory does not grow with
the number of tasks that have ended (a sanitizer's own memory does: --sanitized does not look). The seed of a failing round is printed; give it to repeat the rounds.
"""
import json
import random
import subprocess
import sys
import time


def storm(weft, options):
    done = subprocess.run([weft, "storm", "--order=state-first", "--json", *options], capture_output=True, text=True,
                          timeout=600, check=False)
    report = json.loads(done.stdout) if done.stdout else {}
    return done, report


def wrong(done, report, alive, sanitized):
    s = report.get("storm", {})
    pages = -(-s.get("peak_owners", 0) // max(report.get("states_per_page", 1), 1))
    if done.returncode or not s.get("lived"):
        return "it died: " + done.stderr
    if s["threads_left"]:
        return "threads were left behind"
    if s["states_mapped"] > pages * report["states_per_page"]:
        return "more states than the peak needs"
    if not sanitized and s["rss_end"] - s["rss_start"] > (32 << 20) + alive * (64 << 10):
        return "memory grew"
    return None


def main():
    words = [word for word in sys.argv[1:] if word != "--sanitized"]
    sanitized = len(words) < len(sys.argv) - 1
    weft, seconds = words[0], int(words[1])
    seed = int(words[2]) if len(words) > 2 else random.randrange(1 << 30)
    end, rounds, tasks = time.monotonic() + seconds, 0, 0
    print(f"seed {seed}", flush=True)
    choose = random.Random(seed)
    while time.monotonic() < end:
        alive = choose.choice([1, 2, 16, 64, 200])
        options = [f"--tasks={choose.randrange(alive, 20000)}", f"--alive={alive}",
                   f"--processors={choose.choice([1, 2, 4, 16])}", f"--hold={choose.choice([0, 0, 50, 1000])}"]
        done, report = storm(weft, options)
        rounds += 1
        problem = wrong(done, report, alive, sanitized)
        if problem:
            print(f"FAILED in round {rounds} of seed {seed}: {' '.join(options)}: {problem}\n{done.stdout}")
            return 1
        tasks += report["storm"]["tasks"]
    print(f"{rounds} storms, {tasks} locked tasks, nothing wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
