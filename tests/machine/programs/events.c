/* Prints the same on Linux and on the machine: epoll, eventfd, timerfd, socketpair, files in memory. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(x) do { errno = 0; long r_ = (long)(x); \
	printf("%s: %ld%s%s\n", #x, r_, r_ < 0 ? " " : "", r_ < 0 ? strerror(errno) : ""); fflush(stdout); } while (0)

static void counters(void)
{
	uint64_t value = 5;
	int counter = eventfd(3, EFD_NONBLOCK), single = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);

	SHOW(write(counter, &value, 8));
	SHOW(read(counter, &value, 8));
	printf("value %lu\n", (unsigned long)value);
	SHOW(read(counter, &value, 8));
	SHOW(read(counter, &value, 4));
	SHOW(read(single, &value, 8));
	printf("value %lu\n", (unsigned long)value);
	value = -1;
	SHOW(write(counter, &value, 8));
}

static void timers(void)
{
	struct itimerspec at = {{0, 20000000}, {0, 10000000}}, left;
	uint64_t count;
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct pollfd wait = {timer, POLLIN, 0};

	SHOW(timerfd_settime(timer, 0, &at, NULL));
	SHOW(poll(&wait, 1, 5000));
	SHOW(read(timer, &count, 8));
	printf("at least once %d\n", count >= 1);
	SHOW(timerfd_gettime(timer, &left));
	printf("interval %ld\n", left.it_interval.tv_nsec);
	SHOW(timerfd_create(99, 0));
	SHOW(timerfd_settime(0, 0, &at, NULL));
}

static void sets(void)
{
	int set = epoll_create1(0), pipes[2], pair[2], counter = eventfd(0, EFD_NONBLOCK);
	struct epoll_event event = {EPOLLIN, {.u64 = 7}}, found[8];
	uint64_t one = 1;

	pipe(pipes);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	SHOW(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], &event));
	SHOW(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], &event));
	SHOW(epoll_ctl(set, EPOLL_CTL_MOD, counter, &event));
	SHOW(epoll_ctl(set, EPOLL_CTL_DEL, counter, &event));
	SHOW(epoll_ctl(set, EPOLL_CTL_ADD, set, &event));
	SHOW(epoll_ctl(pipes[0], EPOLL_CTL_ADD, counter, &event));
	SHOW(epoll_wait(set, found, 8, 0));
	SHOW(write(pipes[1], "abc", 3));
	SHOW(epoll_wait(set, found, 8, 1000));
	printf("events %x data %lu\n", found[0].events, (unsigned long)found[0].data.u64);
	event = (struct epoll_event){EPOLLIN | EPOLLOUT | EPOLLET, {.u64 = 8}};
	SHOW(epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event));
	event = (struct epoll_event){EPOLLIN | EPOLLONESHOT, {.u64 = 9}};
	SHOW(epoll_ctl(set, EPOLL_CTL_ADD, counter, &event));
	SHOW(write(counter, &one, 8));
	SHOW(epoll_wait(set, found, 8, 1000));
	SHOW(epoll_wait(set, found, 8, 1000));
	if (!fork()) {
		usleep(10000);
		_exit(write(pair[1], "hello", 5) != 5);
	}
	close(pipes[0]);
	SHOW(epoll_wait(set, found, 8, 5000));
	printf("events %x data %lu\n", found[0].events, (unsigned long)found[0].data.u64);
	char text[16] = "";
	SHOW(recv(pair[0], text, sizeof text, 0));
	SHOW(recv(pair[0], text, sizeof text, MSG_DONTWAIT));
	wait(NULL);
	SHOW(shutdown(pair[1], SHUT_WR));
	SHOW(read(pair[0], text, sizeof text));
	SHOW(send(pair[0], "back", 4, 0));
	SHOW(read(pair[1], text, sizeof text));
	printf("%.4s\n", text);
	SHOW(socketpair(AF_INET, SOCK_STREAM, 0, pair) < 0);
	SHOW(epoll_wait(set, found, 0, 0));
}

static void pairs(void)
{
	int pair[2], last = -1;

	for (int next; (next = dup(0)) >= 0;)
		last = next;
	close(last);
	SHOW(pipe(pair));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	/* Neither keeps the only descriptor that was left. */
	SHOW(dup(0) == last);
	close(last);
	close(last - 1);
	SHOW(pipe((int *)8));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8));
	SHOW(pipe(pair));
	SHOW(pair[0] == last - 1 && pair[1] == last);
	for (int each = 3; each <= last; each++)
		close(each);
}

static void memory(void)
{
	int file = memfd_create("name", MFD_CLOEXEC), other;
	struct stat status;
	char text[16] = "";

	SHOW(ftruncate(file, 10000));
	char *shared = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	char *own = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	strcpy(shared + 5000, "shared");
	SHOW(pread(file, text, 6, 5000));
	printf("%s %s\n", text, own + 5000);
	strcpy(own + 5000, "mine");
	SHOW(pread(file, text, 6, 5000));
	printf("%s %s\n", text, own + 5000);
	SHOW(pwrite(file, "again", 5, 5000));
	printf("%s %s\n", shared + 5000, own + 5000);
	if (!fork()) {
		strcpy(shared, "from the child");
		_exit(0);
	}
	wait(NULL);
	printf("%s\n", shared);
	SHOW(fstat(file, &status));
	printf("size %ld mode %o\n", (long)status.st_size, status.st_mode);
	SHOW(lseek(file, -5, SEEK_END));
	SHOW(ftruncate(file, -1));
	SHOW(pwrite(file, "x", 1, -1));
	sprintf(text, "/dev/fd/%d", file);
	other = open(text, O_RDONLY);
	SHOW(read(other, text, 14));
	printf("%.14s\n", text);
	SHOW(write(other, "x", 1));
}

static void names(void)
{
	char folder[] = "/tmp/iopermit-test-XXXXXX", text[64] = "";
	struct dirent *entry;
	struct stat status;

	SHOW(mkdtemp(folder) == NULL);
	SHOW(chdir(folder));
	int file = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
	SHOW(file < 0);
	SHOW(open("file", O_RDWR | O_CREAT | O_EXCL, 0600));
	SHOW(write(file, "contents", 8));
	SHOW(lseek(file, 2, SEEK_SET));
	SHOW(read(file, text, sizeof text));
	printf("%s\n", text);
	SHOW(link("file", "second"));
	SHOW(stat("second", &status));
	printf("links %ld size %ld mode %o\n", (long)status.st_nlink, (long)status.st_size, status.st_mode);
	SHOW(symlink("second", "link"));
	SHOW(lstat("link", &status));
	printf("mode %o size %ld\n", status.st_mode, (long)status.st_size);
	SHOW(rename("file", "third"));
	SHOW(access("file", F_OK));
	SHOW(mkdir("folder", 0755));
	SHOW(mkdir("folder", 0755));
	SHOW(rename("third", "folder"));
	SHOW(rename("folder", "third"));
	SHOW(rename("folder", "folder/inside"));
	SHOW(rename("third", "folder/inside"));
	SHOW(rmdir("folder"));
	SHOW(unlink("folder"));
	SHOW(rmdir("link"));
	SHOW(open("link/", O_RDONLY));
	SHOW(open("second/", O_RDONLY));
	SHOW(open("folder/inside/x", O_RDONLY));
	SHOW(open("none/x", O_CREAT | O_WRONLY, 0600));
	SHOW(open("folder", O_WRONLY));
	SHOW(chmod("second", 0400));
	SHOW(truncate("second", 3));
	SHOW(stat("folder/inside", &status));
	printf("size %ld mode %o\n", (long)status.st_size, status.st_mode);
	file = open("second", O_WRONLY | O_APPEND);
	SHOW(write(file, "+++", 3));
	SHOW(lseek(file, 0, SEEK_CUR));
	struct timespec times[2] = {{1000, 5}, {2000, 6}};
	SHOW(utimensat(AT_FDCWD, "second", times, 0));
	SHOW(stat("second", &status));
	printf("times %ld %ld\n", (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
	SHOW(unlink("second"));
	SHOW(stat("link", &status));
	int count = 0;
	DIR *list = opendir(".");
	while ((entry = readdir(list)))
		count++;
	printf("entries %d\n", count);
	SHOW(unlink("folder/inside"));
	SHOW(unlink("link"));
	SHOW(rmdir("folder"));
	SHOW(chdir("/"));
	SHOW(rmdir(folder));
	SHOW(chdir(folder));
}

int main(void)
{
	counters();
	timers();
	sets();
	pairs();
	memory();
	names();
	return 0;
}
