"""tap - a test that speaks TAP, is bounded in time, and cleans up.

Used by every test in tests/integration and tests/faults:

    def test(t):
        t.ok(reply.code == 250, "the mail is taken", reply)

    tap.run(test, limit_s=60)

Within the test, t.dir is a scratch folder that other users may enter and
t.defer(f, ...) is called at the end, last one first, whatever happened. A
test that raises has failed: it prints `not ok` and the trace.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback


class OutOfTime(Exception):
    pass


class Skip(Exception):
    """Raised for what this build cannot show at all; the whole test is skipped."""


class Tap:
    def __init__(self, stack):
        self.count = 0
        self.failed = 0
        self.stack = stack
        self.dir = tempfile.mkdtemp(prefix="pn-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        if os.environ.get("POSTERN_KEEP"):
            self.note("files stay in " + self.dir)
        else:
            self.defer(shutil.rmtree, self.dir, ignore_errors=True)

    def defer(self, call, *args, **kw):
        self.stack.callback(call, *args, **kw)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def folder(self, *names):
        """A folder below the scratch one, open to every process of the test."""
        path = self.path(*names)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        return path

    def write(self, name, text):
        path = self.path(name)
        data = text.encode() if isinstance(text, str) else text
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.rename(path + ".new", path)
        return path

    def ok(self, true, what, *seen):
        """One test line; `seen` is printed when it fails."""
        self.count += 1
        if not true:
            self.failed += 1
        # TAP reads `#` as the start of a directive.
        print("%s %d - %s" % ("ok" if true else "not ok", self.count,
                              what.replace("#", "no. ")))
        if not true:
            for s in seen:
                self.note(s)
        sys.stdout.flush()
        return bool(true)

    def same(self, got, want, what, *seen):
        return self.ok(got == want, what, "got:  %r" % (got,),
                       "want: %r" % (want,), *seen)

    def note(self, text):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "backslashreplace")
        for line in str(text).splitlines()[-60:]:
            print("# " + line)
        sys.stdout.flush()


def _out_of_time(signum, frame):
    raise OutOfTime("the test's time is over" if signum == signal.SIGALRM
                    else "told to stop by signal %d" % signum)


def run(test, limit_s):
    """Run test(t) and exit. No test outlives limit_s by much."""
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.signal(signal.SIGTERM, _out_of_time)
    signal.signal(signal.SIGINT, _out_of_time)
    signal.alarm(limit_s)
    began = time.monotonic()
    t = None
    try:
        with contextlib.ExitStack() as stack:
            t = Tap(stack)
            try:
                test(t)
            except Skip as e:
                print("1..0 # SKIP %s" % e)
                sys.stdout.flush()
                stack.close()
                os._exit(0)
            except BaseException as e:
                t.ok(False, "the test runs to its end: %s: %s"
                     % (type(e).__name__, str(e).split("\n")[0]),
                     traceback.format_exc())
            signal.alarm(30)  # for what was deferred
    except BaseException:
        t.ok(False, "the test cleans up after itself", traceback.format_exc())
    signal.alarm(0)
    print("# %.1f s" % (time.monotonic() - began))
    print("1..%d" % t.count)
    sys.stdout.flush()
    # Threads of a sink may still sit in accept(); they have nothing to save.
    os._exit(1 if t.failed else 0)


def until(question, seconds=10, every=0.02):
    """Ask until the answer is true; that answer, or the last false one."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(every)
