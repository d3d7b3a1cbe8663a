"""run - the scripts of this folder, through miltertest at postern's milter door.

miltertest (OpenDKIM's, in Lua) is an MTA's side that is not ours, with
Sendmail's habits. Each script prints TAP of its own; what it says is passed on.
Skipped where miltertest is not installed.
"""

import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import tap
from milter_cases import POLICY
from postern import Postern


def script(t, path, door, how):
    name = os.path.basename(path) + " " + how
    try:
        done = subprocess.run(
            ["miltertest", "-w", "-D", "DOOR=" + door,
             "-D", "COMMON=" + os.path.join(HERE, "common.lua"), "-s", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired as e:
        t.ok(False, name + ": ends in time", (e.stdout or b"")[-2000:])
        return
    lines = done.stdout.splitlines()
    for i, line in enumerate(lines):
        found = re.match(r"(not )?ok \d+ - (.*)", line)
        if found:
            t.ok(not found.group(1), "%s: %s" % (name, found.group(2)),
                 *[l for l in lines[i + 1:i + 2] if l.startswith("#")])
    plan = re.search(r"^1\.\.(\d+)$", done.stdout, re.M)
    t.ok(done.returncode == 0 and plan, name + ": runs to its end", done.stdout[-2000:])


def test(t):
    if not shutil.which("miltertest"):
        raise tap.Skip("no miltertest")
    path = t.path("door.sock")
    daemon = Postern(t, policy=POLICY, listen="listen smtp 127.0.0.1:0 { upstream up; }\n"
                     "listen milter inet:0@127.0.0.1;\nlisten milter unix:%s { mode 0666; }" % path)
    inet = "inet:%d@%s" % daemon.milters()[0][::-1]
    scripts = [p for p in sorted(glob.glob(os.path.join(HERE, "*.lua")))
               if not p.endswith("common.lua")]
    t.ok(scripts, "there are scripts")
    for p in scripts:
        script(t, p, inet, "over TCP")
    script(t, os.path.join(HERE, "changes.lua"), "unix:" + path, "over unix")
    t.same(daemon.terminate(), 0, "the daemon ends with status 0", daemon.log()[-3000:])


tap.run(test, 180)
