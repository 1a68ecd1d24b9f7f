/* Preloaded into a process, it lets what the process writes to some files fail while a control file exists.

   FAULT_CONTROL: the control file; it names the error, ENOSPC or EIO.
   FAULT_FOLDER: files below it are the ones that fail.
   FAULT_COUNT: gets a byte for each failure. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int real_write(int fd, const void *data, size_t size) {
    ssize_t (*next)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return next(fd, data, size) == (ssize_t)size;
}

static int fails(int fd) {
    const char *control = getenv("FAULT_CONTROL");
    const char *folder = getenv("FAULT_FOLDER");
    const char *count = getenv("FAULT_COUNT");
    if (!control || !folder || !count) return 0;
    int before = errno;
    int opened = open(control, O_RDONLY | O_CLOEXEC);
    if (opened < 0) {
        errno = before;
        return 0;
    }
    char named[16] = "", link[64], place[4096];
    ssize_t length = read(opened, named, sizeof named - 1);
    close(opened);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, place, sizeof place - 1);
    errno = before;
    if (length <= 0 || size <= 0) return 0;
    place[size] = 0;
    if (strncmp(place, folder, strlen(folder)) != 0) return 0;
    opened = open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (opened >= 0) {
        real_write(opened, ".", 1);
        close(opened);
    }
    errno = strncmp(named, "ENOSPC", 6) == 0 ? ENOSPC : EIO;
    return 1;
}

#define FAULTY(type, name, parameters, arguments) \
    type name parameters { \
        static type (*next) parameters; \
        if (!next) next = dlsym(RTLD_NEXT, #name); \
        return fails(fd) ? -1 : next arguments; \
    }

FAULTY(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
FAULTY(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
FAULTY(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
FAULTY(int, fsync, (int fd), (fd))
FAULTY(int, fdatasync, (int fd), (fd))
