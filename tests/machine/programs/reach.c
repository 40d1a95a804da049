/*
 * Tries to reach what no program may reach; exits with 1 if it reached anything.
 *
 * usage: reach MARK PID KIND:PATH ...
 *
 * MARK is what the secrets of the test contain, PID a process of the host. A path is read (read),
 * looked for (exist), executed (exec), or opened again and again while it changes (race).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *mark;
static int reached, tried;

static void result(const char *name, int bad)
{
	tried++;
	if (bad) {
		printf("REACHED %s\n", name);
		reached = 1;
	}
}

static int has_mark(int fd)
{
	static char data[1 << 16];
	ssize_t size = read(fd, data, sizeof data);
	char *at = size > 0 ? memmem(data, size, mark, strlen(mark)) : NULL;

	if (!at && size >= 0) {
		char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

		at = map == MAP_FAILED ? NULL : memmem(map, 4096, mark, strlen(mark));
	}
	return at != NULL;
}

static int reads(const char *path)
{
	char target[4096] = {0}, directory[4096];
	struct dirent *entry;
	int found = 0, fd = open(path, O_RDONLY | O_NONBLOCK);

	if (fd >= 0) {
		found = has_mark(fd);
		close(fd);
	}
	/* The same name from the directory that it is in, opened and entered. */
	strcpy(directory, path);
	char *slash = strrchr(directory, '/');

	if (slash && slash != directory) {
		*slash = 0;
		int dirfd = open(directory, O_RDONLY | O_DIRECTORY);

		fd = openat(dirfd, slash + 1, O_RDONLY);
		found |= fd >= 0 && has_mark(fd);
		close(fd);
		close(dirfd);
		if (!chdir(directory)) {
			fd = open(slash + 1, O_RDONLY);
			found |= fd >= 0 && has_mark(fd);
			close(fd);
		}
	}
	if (readlink(path, target, sizeof target - 1) > 0)
		found |= strstr(target, mark) != NULL;
	DIR *list = opendir(path);

	while (list && (entry = readdir(list)))
		found |= strstr(entry->d_name, mark) != NULL;
	if (list)
		closedir(list);
	return found;
}

static int exists(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || !stat(path, &status);
}

static int executes(const char *path)
{
	int status;
	pid_t child = fork();

	if (!child) {
		char *arguments[] = {(char *)path, NULL};

		execv(path, arguments);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int races(const char *path)
{
	int found = 0;

	for (int i = 0; i < 3000 && !found; i++) {
		int fd = open(path, O_RDONLY | O_NONBLOCK);

		if (fd >= 0) {
			found = has_mark(fd);
			close(fd);
		}
	}
	return found;
}

static void calls(int host)
{
	static char data[4096];
	struct {long base, size;} remote = {0x400000, 64}, local = {(long)data, 64};

	result("kill", !kill(host, 0));
	result("kill 1", !kill(1, 0));
	result("tgkill", !syscall(SYS_tgkill, host, host, 0));
	result("ptrace", !syscall(SYS_ptrace, 16, host, 0, 0));
	result("process_vm_readv", syscall(SYS_process_vm_readv, host, &local, 1, &remote, 1, 0) >= 0);
	result("pidfd_open", syscall(SYS_pidfd_open, host, 0) >= 0);
	result("name_to_handle_at", !syscall(SYS_name_to_handle_at, AT_FDCWD, "/", data, data, 0));
	result("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, data, 0) >= 0);
	result("mount", !syscall(SYS_mount, "proc", "/mnt", "proc", 0, 0));
	result("chroot", !chroot("/tmp"));
	result("unshare", !syscall(SYS_unshare, 0x20000));
	result("setns", !syscall(SYS_setns, 0, 0));
	result("bpf", syscall(SYS_bpf, 5, data, 128) >= 0);
	result("perf_event_open", syscall(SYS_perf_event_open, data, 0, -1, -1, 0) >= 0);
	result("io_uring_setup", syscall(SYS_io_uring_setup, 8, data) >= 0);
	result("userfaultfd", syscall(SYS_userfaultfd, 0) >= 0);
	result("init_module", !syscall(SYS_init_module, data, 16, ""));
	result("keyctl", syscall(SYS_keyctl, 0, -3, 0) >= 0);
	for (int family = 1; family < 45; family++)
		result("socket", socket(family, SOCK_STREAM, 0) >= 0 ||
				     socket(family, SOCK_DGRAM, 0) >= 0 ||
				     socket(family, SOCK_RAW, 0) >= 0);
	for (int fd = 3; fd < 1100; fd++)
		result("descriptor of iopermit", write(fd, "x", 1) >= 0 || errno != EBADF);
}

int main(int count, char **arguments)
{
	mark = arguments[1];
	calls(atoi(arguments[2]));
	for (int i = 3; i < count; i++) {
		char *kind = arguments[i], *path = strchr(kind, ':') + 1;

		if (!strncmp(kind, "read", 4))
			result(path, reads(path));
		else if (!strncmp(kind, "exist", 5))
			result(path, exists(path));
		else if (!strncmp(kind, "exec", 4))
			result(path, executes(path));
		else
			result(path, races(path));
		fflush(stdout);
	}
	printf("tried %d things\n", tried);
	return reached;
}
