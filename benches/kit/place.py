"""Where everything is, and what is not there."""

import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BENCHES = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCHES.parent
APPS = BENCHES / "apps"
TARGET = ROOT / "target"
# As in .ci/lib.sh.
_HOME = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
CACHE = pathlib.Path(os.environ.get("PIDONE_CACHE") or f"{_HOME}/pidone")

MUSL = [TARGET / "musl/pidone", TARGET / "x86_64-unknown-linux-musl/release/pidone"]
GLIBC = TARGET / "release/pidone"


def musl():
    """The musl build, or None."""
    return next((str(path) for path in MUSL if path.exists()), None)


def glibc():
    """The build of plain `cargo build --release`, or None."""
    return str(GLIBC) if GLIBC.exists() else None


def pidone():
    """The binary that is measured: what images get, if it is built."""
    return os.environ.get("PIDONE_BIN") or musl() or glibc() or sys.exit("no pidone: cargo build --release --locked")


def tool(name):
    """The path of a program, or None."""
    if name.startswith("pm2"):
        path = CACHE / "pm2/node_modules/.bin" / name
        return str(path) if path.exists() else shutil.which(name)
    # HAProxy is in sbin, which PATH often lacks.
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")


def needed(name):
    """The same, or the end."""
    return tool(name) or sys.exit(f"{name} is not installed; benches/peers installs it")


def systemd():
    """A root that systemd-nspawn boots (.ci/systemd-root makes it), or None."""
    path = pathlib.Path(os.environ.get("PIDONE_TEST_SYSTEMD") or CACHE / "systemd-root")
    return path if path.is_dir() and tool("systemd-nspawn") and os.geteuid() == 0 else None


def missing():
    """The peers that are not installed."""
    names = ["tini", "tini-static", "dumb-init", "catatonit", "haproxy", "pm2-runtime"]
    return [name for name in names if not tool(name)] + ["a systemd to boot (.ci/systemd-root)"] * (not systemd())


@functools.cache
def scratch():
    """A directory that is removed at the end."""
    directory = tempfile.TemporaryDirectory(prefix="pidone-bench.")
    # Kept alive by the cache of this function; its finalizer removes it.
    scratch.directory = directory
    return pathlib.Path(directory.name)


@functools.cache
def compiled(source):
    """A C program, compiled."""
    program = scratch() / pathlib.Path(source).stem
    subprocess.run(["cc", "-O1", "-o", program, ROOT / source], check=True)
    return str(program)


@functools.cache
def client():
    """The tests' own checked client as a program (benches/client.rs)."""
    import json

    words = ["cargo", "build", "--locked", "--quiet", "--bench", "client", "--message-format=json"]
    done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return next(m["executable"] for m in messages if m.get("target", {}).get("name") == "client" and m.get("executable"))
