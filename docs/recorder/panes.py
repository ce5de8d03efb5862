"""Programs on terminals of their own, what they print with its time, and the screens that this makes."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pyte

# Seconds from one picture to the next.
TICK = 0.1


class Pane:
    """A program on a terminal of this size."""

    def __init__(self, words, columns, rows, shows_cursor=False):
        self.columns, self.rows, self.shows_cursor = columns, rows, shows_cursor
        self.printed = []
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execvp(words[0], words)
            finally:
                os._exit(127)

    def write(self, text):
        os.write(self.terminal, text.encode())

    def read(self, now):
        """Notes what was printed; False: it has ended."""
        try:
            data = os.read(self.terminal, 1 << 16)
        except OSError:
            # EIO: nothing has the terminal open any more.
            data = b""
        if data:
            self.printed.append((now, data))
        return bool(data)

    def text(self):
        return b"".join(data for _, data in self.printed).decode(errors="replace")

    def end(self):
        os.close(self.terminal)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def frames(self, ticks):
        """The screen at each tick: for each row, its runs of (column, text, style)."""
        screen = pyte.Screen(self.columns, self.rows)
        stream = pyte.ByteStream(screen)
        printed = iter(self.printed)
        following = next(printed, None)
        for tick in range(ticks):
            while following and following[0] <= tick * TICK:
                stream.feed(following[1])
                following = next(printed, None)
            yield [tuple(self._runs(screen, row)) for row in range(self.rows)]

    def _runs(self, screen, row):
        cells = [screen.buffer[row][column] for column in range(self.columns)]
        styles = ["heading" if cell.bold else cell.fg for cell in cells]
        begin = 0
        for column in range(1, self.columns + 1):
            if column < self.columns and styles[column] == styles[begin]:
                continue
            text = "".join(cell.data for cell in cells[begin:column])
            for at, word in _words(text):
                yield begin + at, word, styles[begin]
            begin = column
        if self.shows_cursor and screen.cursor.y == row and screen.cursor.x < self.columns:
            yield screen.cursor.x, "", "cursor"


def _words(text):
    """The parts of a text that two spaces or more are between."""
    at = 0
    for part in text.split("  "):
        word = part.strip(" ")
        if word:
            yield at + len(part) - len(part.lstrip(" ")), word
        at += len(part) + 2


class Recorder:
    """Several panes, and one clock."""

    def __init__(self):
        self.panes, self.open = [], []
        self.begin = time.monotonic()

    def begin_again(self):
        """What has been printed so far is in the first picture."""
        self.begin = time.monotonic()
        for pane in self.panes:
            pane.printed = [(0, data) for _, data in pane.printed]

    def now(self):
        return time.monotonic() - self.begin

    def add(self, *what, **more):
        pane = Pane(*what, **more)
        self.panes.append(pane)
        self.open.append(pane)
        return pane

    def end(self):
        for pane in self.panes:
            pane.end()

    def run(self, seconds=None, until=None, what="", patience=30):
        """Reads for so long, or until this is true."""
        end = self.now() + (patience if seconds is None else seconds)
        while (left := end - self.now()) > 0:
            if until and until():
                return
            terminals = {pane.terminal: pane for pane in self.open}
            ready, _, _ = select.select(list(terminals), [], [], min(left, TICK))
            for terminal in ready:
                if not terminals[terminal].read(self.now()):
                    self.open.remove(terminals[terminal])
        if until:
            raise TimeoutError(f"waited in vain for {what}")

    def type(self, pane, text, pause=0.06):
        """Types as a person does."""
        for letter in text:
            pane.write(letter)
            self.run(seconds=pause)
