"""Adds up the lines of an lcov file by room; tests in a source file are none of its lines."""

import collections
import os
import sys

source, counts = sys.argv[1:]


def code_ends(path):
    """How many lines of a file are no tests, as in tests/rooms.rs."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines):
        if line.startswith("#[cfg(test)]"):
            return number, lines
    return len(lines), lines


rooms = collections.defaultdict(lambda: [0, 0])
untouched = []
total = [0, 0]
path = None
with open(counts, encoding="utf-8") as file:
    for entry in file:
        kind, _, rest = entry.strip().partition(":")
        if kind == "SF":
            path = os.path.relpath(rest, source)
            inside = path.split(os.sep)
            room = inside[0].removesuffix(".rs")
            is_test = "tests" in inside or inside[-1] == "tests.rs"
            end, lines = (0, []) if is_test else code_ends(rest)
        elif kind == "DA":
            number, count = (int(part) for part in rest.split(",")[:2])
            if number > end:
                continue
            for tally in (rooms[room], total):
                tally[0] += 1
                tally[1] += count > 0
            if count == 0 and "unsafe" in lines[number - 1]:
                untouched.append(f"src/{path}:{number}: {lines[number - 1].strip()}")

print("| room | lines | passed through |")
print("| --- | --- | --- |")
for room, (lines, passed) in sorted(rooms.items()) + [("in all", tuple(total))]:
    print(f"| {room} | {lines} | {100 * passed / lines:.1f} % |")
for place in untouched:
    print(f"unsafe, and no test passes through it: {place}")
# Far below what it is: then the counting has failed, not the tests.
sys.exit(total[1] < 0.7 * total[0])
