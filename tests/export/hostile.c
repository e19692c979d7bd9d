/* Tries to change memory that it got as its standard input: an attempt a line, with what the kernel says.
 *
 *     hostile [PATH]      PATH: where the exporter has it, /proc/PID/fd/N
 *
 * What an attempt opens or maps it goes on to write through.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#endif
#define FUTURE_WRITE 0x10

static void say(const char *what, const char *how, long result)
{
    printf("%s%s %s\n", what, how, result < 0 ? strerrorname_np(errno) : "ok");
}

static void store(volatile char *at)
{
    *at = 'X';
}

/* Everything that changes the file of a descriptor. */
static void change(int fd, const char *how, long length)
{
    int pipe_of[2];
    say("write", how, write(fd, "X", 1));
    say("pwrite", how, pwrite(fd, "X", 1, 0));
    if (pipe(pipe_of) == 0 && write(pipe_of[1], "X", 1) == 1)
        say("splice", how, splice(pipe_of[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK));
    char *map = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    say("map", how, map == MAP_FAILED ? -1 : 0);
    if (map != MAP_FAILED) {
        store(map);
        munmap(map, length);
    }
    map = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) {
        int allowed = mprotect(map, length, PROT_READ | PROT_WRITE);
        say("mprotect", how, allowed);
        if (allowed == 0)
            store(map);
        say("remove", how, madvise(map, 4096, MADV_REMOVE));
        munmap(map, length);
    }
    say("punch", how, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    say("zero", how, fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    say("cut", how, ftruncate(fd, 1));
    say("lengthen", how, ftruncate(fd, length + 1));
    say("append", how, fallocate(fd, 0, length, 1));
    say("seal", how, fcntl(fd, F_ADD_SEALS, FUTURE_WRITE));
}

static int opened(const char *path, int flags, const char *what, const char *how)
{
    int fd = open(path, flags | O_CLOEXEC);
    say(what, how, fd);
    return fd;
}

int main(int arguments, char **argument)
{
    struct stat is;
    if (fstat(0, &is) != 0)
        return 1;
    change(0, "", is.st_size);
    say("futimens", "", futimens(0, NULL));
    say("setxattr", "", fsetxattr(0, "user.x", "y", 1, 0));
    int fd = opened("/proc/self/fd/0", O_RDWR, "reopen", "");
    if (fd >= 0)
        change(fd, " reopened", is.st_size);
    if (arguments > 1) {
        int owner, number;
        opened(argument[1], O_RDONLY, "path to read", "");
        fd = opened(argument[1], O_RDWR, "path to write", "");
        if (fd >= 0)
            change(fd, " by path", is.st_size);
        if (sscanf(argument[1], "/proc/%d/fd/%d", &owner, &number) == 2) {
            int process = syscall(SYS_pidfd_open, owner, 0);
            fd = syscall(SYS_pidfd_getfd, process, number, 0);
            say("getfd", "", fd);
            if (fd >= 0)
                change(fd, " by getfd", is.st_size);
        }
    }
    say("executable", "", fchmod(0, is.st_mode | 0111));
    say("chmod", "", fchmod(0, 0666));
    fd = opened("/proc/self/fd/0", O_RDWR, "reopen", " after chmod");
    if (fd >= 0)
        change(fd, " after chmod", is.st_size);
    return 0;
}
