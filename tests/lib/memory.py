"""memory - RSS and PSS of a daemon's processes by role, over a run.

    samples.append(memory.sample(daemon))       # now and then
    rows = memory.report(samples)               # prints the table
    memory.grew(rows["keeper"], 2 << 20)

The first and the last tenth of the samples are compared by their medians.
"""

import statistics


def rollup(pid):
    """
    RSS, PSS, and what no other process has, in bytes; None when the process
    is gone.
    """
    got = {"private": 0}
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            for line in f:
                words = line.split()
                if words[0] in ("Rss:", "Pss:"):
                    got[words[0][:-1].lower()] = int(words[1]) << 10
                elif words[0] in ("Private_Clean:", "Private_Dirty:"):
                    got["private"] += int(words[1]) << 10
    except OSError:
        return None
    return got if len(got) == 3 else None


def of_size(pid, kib):
    """Of each mapping of that size how much is in memory, in KiB."""
    got, size = [], None
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            words = line.split()
            if words[0] == "Size:":
                size = int(words[1])
            elif words[0] == "Rss:" and size == kib:
                got.append(int(words[1]))
    return got


def sample(daemon):
    """{role: [(pid, rss, pss)]} of all its processes now."""
    roles = {}
    for p in daemon.processes():
        memory = rollup(p["pid"])
        if memory:
            roles.setdefault(p["role"], []).append(
                (p["pid"], memory["rss"], memory["pss"]))
    return roles


def totals(samples, role, which):
    """The role's processes together, sample by sample."""
    return [sum(p[which] for p in s.get(role, ())) for s in samples]


def report(samples):
    tenth = max(1, len(samples) // 10)
    rows = {}
    for role in sorted({r for s in samples for r in s}) + ["all"]:
        row = {}
        for name, which in (("rss", 1), ("pss", 2)):
            series = totals(samples, role, which) if role != "all" else \
                [sum(p[which] for ps in s.values() for p in ps) for s in samples]
            row[name] = (statistics.median(series[:tenth]),
                         statistics.median(series[-tenth:]), max(series))
        rows[role] = row
    print("%-10s %30s %30s" % ("KiB", "RSS first/last tenth, most",
                               "PSS first/last tenth, most"))
    for role, row in rows.items():
        print("%-10s %s" % (role, " ".join(
            "%30s" % "/".join(str(int(v) >> 10) for v in row[name])
            for name in ("rss", "pss"))))
    return rows


def grew(row, slack):
    first, last, _ = row["pss"]
    return last > first * 1.1 and last > first + slack
