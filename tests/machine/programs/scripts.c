/*
 * Executes scripts of ioperm, iopl, fork, exit, exec, privilege drop, yield and port accesses.
 *
 * Each line of the file is a script: a number, then steps "A:ioperm,128,1,1". For each, one
 * line is printed: the number and a result per step. 0 or a negated error number is what a
 * system call returned; "+" is a port access that worked, "+xx" one that read other than all
 * ones, "-" one that got SIGSEGV. "none" means that there was no such task.
 *
 * A step names the task that makes it. Task A starts each script, with all privileges and no
 * ports. The tasks are driven in lock-step over pipes, so that the output does not depend on how
 * the kernel schedules them: a task only ever runs alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 4, REPLIES = 20, COMMANDS = 22, STEP = 48, REPLY = 32, MOST = 64 };

static sigjmp_buf refused;
static const char *self;

static void die(const char *what)
{
	dprintf(2, "scripts: %s: %s\n", what, strerror(errno));
	_exit(2);
}

static void on_segv(int signal)
{
	(void)signal;
	siglongjmp(refused, 1);
}

static void transfer(int descriptor, char *buffer, int size, int writes)
{
	for (int done = 0; done < size;) {
		ssize_t part = writes ? write(descriptor, buffer + done, size - done)
				      : read(descriptor, buffer + done, size - done);
		if (part == 0)
			_exit(0);
		if (part < 0)
			die("pipe");
		done += part;
	}
}

/* Access a port; return how many bytes of `data` count as read. */
static int access_port(const char *kind, unsigned width, uint16_t port, unsigned long count,
		       unsigned char *data)
{
	uint32_t value = 0;
	void *place = data;

	if (!strcmp(kind, "out")) {
		if (width == 1)
			asm volatile("outb %b0, %1" : : "a"(value), "d"(port));
		else if (width == 2)
			asm volatile("outw %w0, %1" : : "a"(value), "d"(port));
		else
			asm volatile("outl %0, %1" : : "a"(value), "d"(port));
		return 0;
	}
	if (!strcmp(kind, "in")) {
		if (width == 1)
			asm volatile("inb %1, %b0" : "+a"(value) : "d"(port));
		else if (width == 2)
			asm volatile("inw %1, %w0" : "+a"(value) : "d"(port));
		else
			asm volatile("inl %1, %0" : "+a"(value) : "d"(port));
		memcpy(data, &value, width);
		return width;
	}
	if (!strcmp(kind, "outs")) {
		memset(data, 0, count * width);
		if (width == 1)
			asm volatile("rep outsb" : "+S"(place), "+c"(count) : "d"(port) : "memory");
		else if (width == 2)
			asm volatile("rep outsw" : "+S"(place), "+c"(count) : "d"(port) : "memory");
		else
			asm volatile("rep outsl" : "+S"(place), "+c"(count) : "d"(port) : "memory");
		return 0;
	}
	memset(data, 0, count * width);
	if (width == 1)
		asm volatile("rep insb" : "+D"(place), "+c"(count) : "d"(port) : "memory");
	else if (width == 2)
		asm volatile("rep insw" : "+D"(place), "+c"(count) : "d"(port) : "memory");
	else
		asm volatile("rep insl" : "+D"(place), "+c"(count) : "d"(port) : "memory");
	return (unsigned char *)place - data;
}

static void port_step(const char *kind, const unsigned long *argument, char *reply)
{
	static unsigned char data[4 * 16];

	if (sigsetjmp(refused, 0)) {
		strcpy(reply, "-");
		return;
	}
	int size = access_port(kind, argument[0], argument[1], argument[2] % 16, data);
	strcpy(reply, "+");
	for (int i = 0; i < size; i++)
		/* Below are devices; and what QEMU reads at ports of no device is 0 if unaligned. */
		if (data[i] != 0xff && argument[1] >= 0x100 && argument[1] % argument[0] == 0) {
			sprintf(reply, "+%02x@%d", data[i], i);
			return;
		}
}

/* CLI and STI: "-" is SIGSEGV, "+" did nothing; interrupts that are off afterwards are "off". */
static void interrupt_step(const char *kind, char *reply)
{
	unsigned long flags;

	if (sigsetjmp(refused, 0)) {
		strcpy(reply, "-");
		return;
	}
	if (!strcmp(kind, "cli"))
		asm volatile("cli; pushf; pop %0; " : "=r"(flags) : : "memory");
	else
		asm volatile("sti; pushf; pop %0; " : "=r"(flags) : : "memory");
	strcpy(reply, flags & 0x200 ? "+" : "off");
	if (!(flags & 0x200))
		asm volatile("sti");
}

static long system_call_step(const char *kind, const unsigned long *argument)
{
	cpu_set_t cpus;

	if (!strcmp(kind, "ioperm"))
		return syscall(SYS_ioperm, argument[0], argument[1], argument[2]);
	if (!strcmp(kind, "iopl"))
		return syscall(SYS_iopl, argument[0]);
	if (!strcmp(kind, "drop"))
		return syscall(SYS_setresuid, 1, 1, 1);
	if (!strcmp(kind, "yield"))
		return sched_yield();
	if (!strcmp(kind, "cpu")) {
		CPU_ZERO(&cpus);
		CPU_SET(argument[0], &cpus);
		return sched_setaffinity(0, sizeof(cpus), &cpus);
	}
	if (!strcmp(kind, "reap"))
		return waitpid(-1, NULL, 0) > 0 ? 0 : -1;
	errno = ENOSYS;
	return -1;
}

/* What a task does: obey one step after the other. Step and reply have fixed sizes. */
static void obey(int slot)
{
	char step[STEP + 1], reply[REPLY], kind[12], slot_name[4];
	struct sigaction action = {.sa_handler = on_segv, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	step[STEP] = 0;
	for (;;) {
		unsigned long argument[3] = {0, 0, 1};
		char *at = step, *name = kind;

		transfer(COMMANDS + 2 * slot, step, STEP, 0);
		while (*at && *at != ',')
			*name++ = *at++;
		*name = 0;
		for (int i = 0; i < 3 && *at == ','; i++)
			argument[i] = strtoul(at + 1, &at, 10);
		memset(reply, 0, sizeof(reply));
		if (!strcmp(kind, "exec")) {
			sprintf(slot_name, "%d", slot);
			execl(self, self, "-task", slot_name, (char *)NULL);
			sprintf(reply, "%d", -errno);
		} else if (!strcmp(kind, "fork")) {
			pid_t child = fork();
			if (child == 0) {
				slot = argument[0];
				continue;
			}
			sprintf(reply, "%d", child > 0 ? 0 : -errno);
		} else if (strstr("in out ins outs", kind)) {
			port_step(kind, argument, reply);
		} else if (!strcmp(kind, "cli") || !strcmp(kind, "sti")) {
			interrupt_step(kind, reply);
		} else if (strcmp(kind, "exit")) {
			long result = system_call_step(kind, argument);
			sprintf(reply, "%ld", result == -1 ? -errno : result);
		} else {
			strcpy(reply, "0");
		}
		transfer(REPLIES + 1, reply, REPLY, 1);
		if (!strcmp(kind, "exit"))
			_exit(0);
	}
}

/* The director's side. */

static int alive[SLOTS], parent[SLOTS];
static pid_t first;

static void ask(int slot, const char *kind, char *reply)
{
	char step[STEP] = {0};

	strncpy(step, kind, STEP - 1);
	transfer(COMMANDS + 2 * slot + 1, step, STEP, 1);
	transfer(REPLIES, reply, REPLY, 0);
}

/* Let a task exit, and its parent collect it. */
static void end(int slot, char *reply)
{
	char ignored[REPLY];

	ask(slot, "exit", reply);
	alive[slot] = 0;
	if (slot == 0)
		waitpid(first, NULL, 0);
	else if (parent[slot] >= 0 && alive[parent[slot]])
		ask(parent[slot], "reap", ignored);
	for (int i = 0; i < SLOTS; i++)
		if (parent[i] == slot)
			parent[i] = -1;
}

static void perform(char *step)
{
	char reply[REPLY];
	int slot = step[0] - 'A';
	const char *kind = step + 2;

	if (slot < 0 || slot >= SLOTS || !alive[slot]) {
		printf(" none");
	} else if (!strncmp(kind, "fork,", 5)) {
		int child = kind[5] - 'A';
		char command[STEP];
		if (child <= 0 || child >= SLOTS || alive[child]) {
			printf(" none");
			return;
		}
		sprintf(command, "fork,%d", child);
		ask(slot, command, reply);
		if (!strcmp(reply, "0")) {
			alive[child] = 1;
			parent[child] = slot;
		}
		printf(" %s", reply);
	} else if (!strcmp(kind, "exit")) {
		end(slot, reply);
		printf(" %s", reply);
	} else {
		ask(slot, kind, reply);
		printf(" %s", reply);
	}
}

static void run_script(char *line)
{
	char *rest, reply[REPLY];

	printf("%s", strtok_r(line, " ", &rest));
	fflush(stdout);
	first = fork();
	if (first < 0)
		die("fork");
	if (first == 0)
		obey(0);
	alive[0] = 1;
	for (char *step; (step = strtok_r(NULL, " ", &rest));)
		perform(step);
	for (int slot = SLOTS - 1; slot >= 0; slot--)
		if (alive[slot])
			end(slot, reply);
	printf("\n");
}

static void make_pipe(int lower)
{
	int ends[2];

	if (pipe(ends) || dup2(ends[0], lower) < 0 || dup2(ends[1], lower + 1) < 0)
		die("pipe");
	close(ends[0]);
	close(ends[1]);
}

int main(int argc, char **argv)
{
	static char text[8 << 20], buffer[1 << 16];
	size_t size = 0;
	char *rest;

	self = argv[0];
	if (argc == 3 && !strcmp(argv[1], "-task"))
		strcpy(buffer, "0"), transfer(REPLIES + 1, buffer, REPLY, 1), obey(atoi(argv[2]));
	if (argc != 2) {
		fprintf(stderr, "usage: scripts FILE\n");
		return 2;
	}
	int file = open(argv[1], O_RDONLY);
	if (file < 0)
		die(argv[1]);
	for (ssize_t part; (part = read(file, text + size, sizeof(text) - 1 - size)) > 0;)
		size += part;
	close(file);
	make_pipe(REPLIES);
	for (int slot = 0; slot < SLOTS; slot++)
		make_pipe(COMMANDS + 2 * slot);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		run_script(line);
	return 0;
}
