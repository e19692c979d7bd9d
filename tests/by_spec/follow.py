#!/usr/bin/env python3
"""Follows a name of a store, as SPEC.md 17.2 says: prints each generation that it finds, and whether an owner lives."""
import errno
import fcntl
import mmap
import os
import random
import stat
import struct
import sys
import time

F_OFD_GETLK, F_OFD_SETLK = 36, 37
MAGIC = b"graven-L" if sys.byteorder == "little" else b"graven-B"


class Ended(Exception):
    """The name has ended, or is ending."""


class Reader:
    def __init__(self, directory, name):
        self.directory, self.name = directory, name
        fd = self.open(".ctl", os.O_RDONLY)
        status = os.fstat(fd)
        assert stat.S_ISREG(status.st_mode) and status.st_size >= 4096
        self.page = mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ)
        assert self.page[:8] == MAGIC and struct.unpack_from("<I", self.page, 8) == (1,)
        # struct flock: l_type, l_whence, l_start, l_len, l_pid.
        lock = struct.pack("@hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, random.randrange(1 << 62), 1, 0)
        try:
            fcntl.fcntl(fd, F_OFD_SETLK, lock)
        except BlockingIOError:
            raise Ended from None
        os.close(fd)
        # Whether the lock lives on is not asked: this is for file systems where it does.
        if self.word(64) & 1 or self.word(72) & 1 and not self.owner_lives():
            raise Ended
        self.generation = 0

    def open(self, ending, flags):
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(os.path.join(self.directory, self.name + ending), flags)

    def word(self, offset):
        return struct.unpack_from("=Q", self.page, offset)[0]

    def owner_lives(self):
        try:
            fd = self.open(".life", os.O_WRONLY)
        except OSError as error:
            return error.errno not in (errno.ENXIO, errno.ENOENT, errno.ELOOP, errno.EISDIR)
        try:
            lock = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, (1 << 63) - 1, 0)
            found = struct.unpack("@hhqqi4x", fcntl.fcntl(fd, F_OFD_GETLK, lock))
            return found[0] == fcntl.F_RDLCK
        finally:
            os.close(fd)

    def newest(self):
        """The generation under the name: of the segment itself, its header is enough here."""
        fd = self.open(".grv", os.O_RDONLY)
        header = os.pread(fd, 256, 0)
        os.close(fd)
        assert header[:8] == b"\x89graven\n"
        if self.word(64) & 1:
            raise Ended
        return struct.unpack_from("<Q", header, 56)[0]

    def wait(self):
        while True:
            epoch = self.word(64)
            if epoch & 1:
                raise Ended
            if epoch // 2 > self.generation or not self.owner_lives():
                newest = self.newest()
                if newest > self.generation:
                    self.generation = newest
                    return
                if self.word(72) & 1:
                    raise Ended
            # No futex here: sleeping is no more than a saving.
            time.sleep(0.005)


def main():
    reader = Reader(*sys.argv[1:])
    try:
        while True:
            reader.wait()
            print(reader.generation, "owned" if reader.owner_lives() else "left", flush=True)
    except Ended:
        print("ended", flush=True)


main()
