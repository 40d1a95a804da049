/* The guest's first process: carries out a list of commands as several tasks, and tells results. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 8, COMMANDS = 64, ATTEMPTS = 32, SYMBOLS = 32, PORTS = 3 };
/* Bytes of kernel code on both sides of a symbol whose neighbours are told, too. */
enum { NEAR = 1 << 16 };
/* Milliseconds that tasks get to go to sleep. */
enum { MARGIN = 5 };
/* Left alone, a task begins its call up to so many microseconds before it is preempted. */
enum { SPREAD = 400, TOLD_EVERY = 50 };

/* Reading these has no effect: POST codes, the clock's data, the address of PCI's configuration. */
static const struct { unsigned short port; int width; } ports[PORTS] = {
	{ 0x80, 1 }, { 0x71, 1 }, { 0xcf8, 4 }
};

struct task { char name; int cpu, priority, user; };
struct command {
	char what[16], task;
	int after;	/* the command that has to be complete before, or -1 */
	int timed;	/* it starts when the timer expires that the command "arm" has set */
	long arguments[3];
};
struct result {
	volatile int done;
	long value;
	int error;
	unsigned passed, values[PORTS];	/* which INs did not end in SIGSEGV, and what they read */
};
struct shared {
	volatile int changes;	/* counts completed commands; what waiting tasks sleep on */
	volatile int begun;	/* counts tasks that are there; what the first ones sleep on */
	volatile int armed;
	struct timespec expires;	/* when a task with a timer starts, if it is armed */
	long lead;	/* left alone: microseconds before that at which the other one goes on */
	struct result results[ATTEMPTS][COMMANDS];
	pid_t pids[TASKS];
	char credentials[TASKS][128];
};

static struct task tasks[TASKS];
static struct command commands[COMMANDS];
static char symbols[SYMBOLS][64];
static int task_count, command_count, symbol_count, attempts = 1, attempt, beginning;
/* Left alone: how many attempts, which ports (bits) are wrong, and whether they are to be refused. */
static int free_attempts, wrong_ports, is_leak;
static struct shared *shared;
static sigjmp_buf refused;

static void fail(const char *what)
{
	printf("FAILED %s: %s\n", what, strerror(errno));
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void on_fault(int number)
{
	(void)number;
	siglongjmp(refused, 1);
}

/* The label is what the debugger stops at: it occurs once. */
static __attribute__((noinline, noclone)) unsigned read_byte(unsigned short port)
{
	unsigned char value;

	asm volatile(".globl guest_in_byte\nguest_in_byte: inb %w1, %b0" : "=a"(value) : "Nd"(port));
	return value;
}

static unsigned read_long(unsigned short port)
{
	unsigned value;

	asm volatile("inl %w1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void try_ports(struct result *result)
{
	volatile int n;

	for (n = 0; n < PORTS; n++) {
		if (sigsetjmp(refused, 1))
			continue;
		result->values[n] = ports[n].width == 1 ? read_byte(ports[n].port)
							: read_long(ports[n].port);
		result->passed |= 1u << n;
	}
}

static void pin(int pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(pid, sizeof set, &set))
		fail("sched_setaffinity");
}

static void complete(int number)
{
	shared->results[attempt][number].done = 1;
	__sync_fetch_and_add(&shared->changes, 1);
	syscall(SYS_futex, &shared->changes, FUTEX_WAKE, TASKS, 0, 0, 0);
}

static int all_before(int number)
{
	for (int n = 0; n < number; n++)
		if (!shared->results[attempt][n].done)
			return 0;
	return 1;
}

static void nap(int milliseconds)
{
	struct timespec time = { 0, milliseconds * 1000000L };

	while (nanosleep(&time, &time))
		;
}

/* Lets the task with a timer preempt whoever runs then; in between it only sleeps. */
static void arm(int milliseconds)
{
	struct timespec *expires = &shared->expires;

	clock_gettime(CLOCK_MONOTONIC, expires);
	expires->tv_nsec += milliseconds * 1000000L;
	expires->tv_sec += expires->tv_nsec / 1000000000;
	expires->tv_nsec %= 1000000000;
	shared->armed = 1;
	nap(MARGIN);
}

/* The same at a moment that nobody chooses: within the call, if chance has it so. */
static void arm_at_random(void)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	start.tv_nsec += MARGIN * 1000000L;
	shared->expires = start;
	shared->expires.tv_nsec += shared->lead * 1000;
	shared->expires.tv_sec += shared->expires.tv_nsec / 1000000000;
	shared->expires.tv_nsec %= 1000000000;
	start.tv_sec += start.tv_nsec / 1000000000;
	start.tv_nsec %= 1000000000;
	shared->armed = 1;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, 0))
		;
}

static void wait_for_timer(void)
{
	while (!shared->armed)
		nap(1);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &shared->expires, 0))
		;
}

/* The first attempt shows the debugger the way: nothing in it is to be interrupted by a timer. */
static void wait_for_turn(int number)
{
	struct command *command = &commands[number];

	if (command->timed && attempt) {
		wait_for_timer();
		return;
	}
	for (;;) {
		int seen = shared->changes;

		if (command->timed ? all_before(number) :
		    command->after < 0 || shared->results[attempt][command->after].done)
			return;
		syscall(SYS_futex, &shared->changes, FUTEX_WAIT, seen, 0, 0, 0);
	}
}

static long drop_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	return syscall(SYS_capset, &header, none);
}

/*
 * The kernel cannot store the child's file descriptor, and gives up after it has copied the task
 * (copy_process(), bad_fork_put_pidfd). Nothing before that fails with this error.
 */
static long fork_that_fails(void)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = ~0UL
	};
	long result = syscall(SYS_clone3, &arguments, CLONE_ARGS_SIZE_VER0);

	if (result != -1 || errno != EFAULT)
		fail("clone3");
	return result;
}

static void become(int who);
static void perform(int who);

static void carry_out(int number)
{
	struct command *command = &commands[number];
	struct result *result = &shared->results[attempt][number];
	long *arguments = command->arguments;

	errno = 0;
	if (!strcmp(command->what, "ioperm"))
		result->value = syscall(SYS_ioperm, arguments[0], arguments[1], arguments[2]);
	else if (!strcmp(command->what, "iopl"))
		result->value = syscall(SYS_iopl, arguments[0]);
	else if (!strcmp(command->what, "drop"))
		result->value = drop_capabilities();
	else if (!strcmp(command->what, "fork-fails"))
		result->value = fork_that_fails();
	else if (!strcmp(command->what, "move"))
		pin(shared->pids[arguments[0]], arguments[1]);
	else if (!strcmp(command->what, "in"))
		try_ports(result);
	else if (!strcmp(command->what, "arm")) {
		/* A busy host lets the guest do less in the same time: each attempt has more. */
		if (free_attempts)
			arm_at_random();
		else if (attempt)
			arm(arguments[0] * attempt);
	} else if (!strcmp(command->what, "fork")) {
		result->value = fork();
		if (!result->value) {
			become(arguments[0]);
			perform(arguments[0]);
		}
	} else
		fail(command->what);
	result->error = errno;
	complete(number);
}

static void perform(int who)
{
	for (int n = 0; n < command_count; n++)
		if (commands[n].task == tasks[who].name) {
			wait_for_turn(n);
			if (!strcmp(commands[n].what, "exit")) {
				complete(n);
				_exit(0);
			}
			carry_out(n);
		}
	for (;;) {
		int seen = shared->changes;

		if (all_before(command_count))
			_exit(0);
		syscall(SYS_futex, &shared->changes, FUTEX_WAIT, seen, 0, 0, 0);
	}
}

static void note_credentials(int who)
{
	char text[4096], *ids, *capabilities;
	int file = open("/proc/self/status", O_RDONLY);
	ssize_t size = read(file, text, sizeof text - 1);

	close(file);
	text[size < 0 ? 0 : size] = 0;
	ids = strstr(text, "Uid:");
	capabilities = strstr(text, "CapEff:");
	if (ids && capabilities)
		snprintf(shared->credentials[who], sizeof shared->credentials[who],
			 "uid %d CapEff %.16s", atoi(ids + 5), capabilities + 8);
}

/* The debugger knows tasks by their name, which has the number of the attempt. */
static void become(int who)
{
	char name[16];

	snprintf(name, sizeof name, "%c.%d", tasks[who].name, attempt);
	prctl(PR_SET_NAME, name);
	shared->pids[who] = getpid();
}

/*
 * Waits until all tasks of an attempt are there. They sleep for as long as it takes: tasks that woke
 * now and then would keep the first process, which has no real-time class, from forking the others
 * on a host that is slow enough.
 */
static void wait_for_all(void)
{
	int seen = __sync_add_and_fetch(&shared->begun, 1);

	syscall(SYS_futex, &shared->begun, FUTEX_WAKE, TASKS, 0, 0, 0);
	for (; seen < beginning; seen = shared->begun)
		syscall(SYS_futex, &shared->begun, FUTEX_WAIT, seen, 0, 0, 0);
}

static void begin(int who)
{
	struct task *task = &tasks[who];
	struct sched_param parameters = { .sched_priority = task->priority };

	pin(0, task->cpu);
	if (task->priority && sched_setscheduler(0, SCHED_FIFO, &parameters))
		fail("sched_setscheduler");
	if (task->user && (setresgid(task->user, task->user, task->user) ||
			   setresuid(task->user, task->user, task->user)))
		fail("setresuid");
	note_credentials(who);
	signal(SIGSEGV, on_fault);
	/* All are there, with their names, and asleep, before anything happens. */
	become(who);
	wait_for_all();
	nap(MARGIN);
	perform(who);
}

static int is_forked(int who)
{
	for (int n = 0; n < command_count; n++)
		if (!strcmp(commands[n].what, "fork") && commands[n].arguments[0] == who)
			return 1;
	return 0;
}

static void one_attempt(void)
{
	shared->begun = shared->armed = beginning = 0;
	for (int who = 0; who < task_count; who++)
		beginning += !is_forked(who);
	for (int who = 0; who < task_count; who++)
		if (!is_forked(who) && !fork())
			begin(who);
	while (waitpid(-1, 0, 0) > 0 || errno == EINTR)
		;
}

/* Nobody forces anything: how often does the last command show the fault all the same? */
static void left_alone(void)
{
	struct result *last = &shared->results[1][command_count - 1];
	int done = 0, hits = 0;

	attempt = 1;
	srandom(time(0));
	for (int n = 1; n <= free_attempts; n++) {
		memset(shared->results[1], 0, sizeof shared->results[1]);
		shared->lead = random() % SPREAD;
		one_attempt();
		if (last->done) {
			done++;
			hits += (wrong_ports & (is_leak ? last->passed : ~last->passed)) != 0;
		}
		if (n % TOLD_EVERY == 0 || n == free_attempts)
			printf("FREE %d %d\n", done, hits);
	}
}

static void tell_results(void)
{
	for (int who = 0; who < task_count; who++)
		if (shared->credentials[who][0])
			printf("TASK %c %s\n", tasks[who].name, shared->credentials[who]);
	for (int n = 0; n < attempts; n++)
		for (int c = 0; c < command_count; c++) {
			struct result *r = &shared->results[n][c];

			printf("RESULT %d %d %d %ld %d %u %u %u %u\n", n, c, r->done, r->value, r->error,
			       r->passed, r->values[0], r->values[1], r->values[2]);
		}
}

static void tell_file(const char *label, const char *path)
{
	char text[4096];
	int file = open(path, O_RDONLY);
	ssize_t size = file < 0 ? 0 : read(file, text, sizeof text - 1);

	if (file >= 0)
		close(file);
	text[size < 0 ? 0 : size] = 0;
	text[strcspn(text, "\n")] = 0;
	printf("%s %s\n", label, text);
}

static int is_wanted(const char *name)
{
	for (int n = 0; n < symbol_count; n++) {
		size_t size = strlen(symbols[n]);

		/* The compiler's copies of a function have suffixes: finish_task_switch.isra.0. */
		if (!strncmp(name, symbols[n], size) && (!name[size] || name[size] == '.'))
			return 1;
	}
	return 0;
}

/* The symbols that are wanted, then those near the first of them. */
static void tell_symbols(void)
{
	unsigned long address, first = 0;
	char type, name[512], line[640];

	for (int pass = 0; pass < 2; pass++) {
		FILE *file = fopen("/proc/kallsyms", "r");

		if (!file)
			fail("/proc/kallsyms");
		while (fgets(line, sizeof line, file) && !strchr(line, '[')) {
			if (sscanf(line, "%lx %c %511s", &address, &type, name) != 3)
				continue;
			if (!pass && is_wanted(name))
				printf("SYMBOL %lx %s\n", address, name);
			if (!pass && !strcmp(name, symbols[0]))
				first = address;
			if (pass && first && address - first + NEAR < 2 * NEAR && strchr("tT", type))
				printf("SYMBOL %lx %s\n", address, name);
		}
		fclose(file);
	}
}

static void read_commands(void)
{
	char line[256], what[16];
	FILE *file = fopen("/commands", "r");

	if (!file)
		fail("/commands");
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "symbol %63s", symbols[symbol_count]) == 1) {
			symbol_count++;
		} else if (sscanf(line, "attempts %d", &attempts) == 1) {
			continue;
		} else if (sscanf(line, "free %d %d %d", &free_attempts, &wrong_ports, &is_leak) == 3) {
			continue;
		} else if (!strncmp(line, "task ", 5)) {
			struct task *t = &tasks[task_count++];

			sscanf(line, "task %c %d %d %d", &t->name, &t->cpu, &t->priority, &t->user);
		} else if (sscanf(line, "%15s", what) == 1) {
			struct command *c = &commands[command_count++];

			sscanf(line, "%15s %c %d %d %ld %ld %ld", c->what, &c->task, &c->after, &c->timed,
			       &c->arguments[0], &c->arguments[1], &c->arguments[2]);
		}
	}
	fclose(file);
}

int main(void)
{
	char go;

	setvbuf(stdout, 0, _IOLBF, 0);
	mount("proc", "/proc", "proc", 0, 0);
	mount("sys", "/sys", "sysfs", 0, 0);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, 0);
	read_commands();
	tell_file("VERSION", "/proc/version");
	tell_file("CMDLINE", "/proc/cmdline");
	tell_file("PREEMPT", "/sys/kernel/debug/sched/preempt");
	tell_symbols();
	shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("mmap");
	pin(0, 0);
	printf("READY\n");
	if (read(0, &go, 1) != 1)
		fail("read");
	if (free_attempts) {
		left_alone();
	} else {
		for (attempt = 0; attempt < attempts; attempt++)
			one_attempt();
		tell_results();
	}
	printf("END\n");
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}
