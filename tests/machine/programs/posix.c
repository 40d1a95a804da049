/* Signals, threads, processes, pipes and memory; prints what a real Linux prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int last_signal, last_code, on_alternate;
static char alternate[65536];

static void on_signal(int number, siginfo_t *info, void *context)
{
	char here;
	last_signal = number;
	last_code = info->si_code;
	on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
	siglongjmp(back, 1);
}

#define TRY(name, code)                                                              \
	do {                                                                         \
		last_signal = 0;                                                     \
		if (!sigsetjmp(back, 1))                                             \
			code;                                                        \
		printf("%s: signal %d code %d stack %d\n", name, last_signal, last_code, \
		       on_alternate);                                                \
	} while (0)

static void faults(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
	int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP};
	static const char constant[] = "constant";
	volatile int zero = 0;

	sigaltstack(&stack, NULL);
	for (int i = 0; i < 4; i++)
		sigaction(signals[i], &action, NULL);
	TRY("read of address 0", *(volatile char *)0);
	TRY("write to constant", *(volatile char *)constant = 1);
	TRY("jump to unmapped", ((void (*)(void))0x10010)());
	TRY("jump to data", ((void (*)(void))alternate)());
	TRY("out", outb(1, 0x80));
	TRY("in", inl(0x80));
	TRY("cli", asm volatile("cli"));
	TRY("hlt", asm volatile("hlt"));
	TRY("int 0x81", asm volatile("int $0x81"));
	TRY("ud2", asm volatile("ud2"));
	TRY("int3", asm volatile("int3"));
	TRY("divide", zero = 1 / zero);
}

static volatile int handled;
static void count(int number) { handled++; }

static void returning_handlers(void)
{
	struct sigaction action = {.sa_handler = count};
	double before = 1.25;
	int child, status, ends[2];
	char byte;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	raise(SIGUSR1);
	printf("handled %d, double %g\n", handled, before * 2);
	pipe(ends);
	alarm(1);
	printf("read %d errno %d\n", (int)read(ends[0], &byte, 1), errno);
	child = fork();
	if (!child) {
		pause();
		_exit(5);
	}
	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	printf("child killed by %d\n", WTERMSIG(status));
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static __thread long own;
static long total;

static void *add(void *argument)
{
	own = (long)argument;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&mutex);
		total += own;
		pthread_mutex_unlock(&mutex);
	}
	return (void *)own;
}

static void threads(void)
{
	pthread_t thread[4];
	void *result;

	pthread_barrier_init(&barrier, NULL, 4);
	for (long i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, add, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &result);
		printf("thread %ld\n", (long)result);
	}
	printf("total %ld\n", total);
}

static void processes(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ends[2], status, sum = 0, number;
	siginfo_t info;
	cpu_set_t cpus;

	pipe(ends);
	for (int i = 0; i < 3; i++)
		if (!fork()) {
			__sync_fetch_and_add(shared, i + 1);
			*private = 99;
			sched_yield();
			number = 10 * i;
			write(ends[1], &number, sizeof number);
			_exit(i);
		}
	close(ends[1]);
	while (read(ends[0], &number, sizeof number) > 0)
		sum += number;
	for (int i = 0; i < 3; i++)
		wait(&status);
	printf("sum %d shared %d private %d\n", sum, *shared, *private);
	if (!vfork())
		_exit(7);
	memset(&info, 0, sizeof info);
	waitid(P_ALL, 0, &info, WEXITED);
	printf("vfork child: code %d status %d\n", info.si_code, info.si_status);
	printf("wait: %d %s\n", wait(NULL), strerror(errno));
	printf("system: %d\n", WEXITSTATUS(system("exit 3")));
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	printf("affinity %d\n", sched_setaffinity(0, sizeof cpus, &cpus));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	faults();
	returning_handlers();
	threads();
	processes();
	return 11;
}
