/* Tries to reach what no program may reach; exits with the number of things it reached. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static long mmap_file(int fd)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? -1 : 0;
}

static int reached;

static void check(const char *name, long result)
{
	printf("%s: %s\n", name, result < 0 ? "refused" : "REACHED");
	reached += result >= 0;
}

int main(int count, char **arguments)
{
	char *folder = arguments[1], path[4096], other[4096];
	int host = atoi(arguments[2]);

	snprintf(path, sizeof path, "%s/file", folder);
	snprintf(other, sizeof other, "%s/new", folder);
	check("open for writing", open(path, O_WRONLY));
	check("open for reading and writing", open(path, O_RDWR));
	check("open and truncate", open(path, O_RDONLY | O_TRUNC));
	check("open for appending", open(path, O_WRONLY | O_APPEND));
	check("create", open(other, O_WRONLY | O_CREAT, 0600));
	check("create exclusively", open(other, O_RDONLY | O_CREAT | O_EXCL, 0600));
	check("creat", creat(other, 0600));
	check("temporary file", open(folder, O_RDWR | O_TMPFILE, 0600));
	check("mkdir", mkdir(other, 0700));
	check("unlink", unlink(path));
	check("rename", rename(path, other));
	check("link", link(path, other));
	check("symlink", symlink(path, other));
	check("chmod", chmod(path, 0777));
	check("truncate", truncate(path, 0));
	check("mknod", mknod(other, S_IFIFO | 0600, 0));
	int fd = open(path, O_RDONLY);
	check("write to a file that is open for reading", write(fd, "x", 1));
	check("ftruncate", ftruncate(fd, 0));
	check("shared writable mapping", mmap_file(fd));
	check("signal to a host process", kill(host, SIGTERM));
	check("host process in /proc", (snprintf(path, sizeof path, "/proc/%d/mem", host),
					open(path, O_RDONLY)));
	check("/proc/1/environ", open("/proc/1/environ", O_RDONLY));
	check("/proc/../proc/kcore", open("/usr/../proc/kcore", O_RDONLY));
	check("link to /dev/port", (snprintf(path, sizeof path, "%s/port", folder),
				    open(path, O_RDONLY)));
	check("/dev/port", open("/dev/port", O_RDWR));
	check("/dev/mem", open("/dev/mem", O_RDONLY));
	check("/dev/kvm", open("/dev/kvm", O_RDWR));
	check("/sys", open("/sys/kernel/notes", O_RDONLY));
	check("named pipe of the host", (snprintf(path, sizeof path, "%s/fifo", folder),
					 open(path, O_RDONLY | O_NONBLOCK)));
	check("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	check("descriptor of iopermit", write(200, "x", 1));
	return reached;
}
