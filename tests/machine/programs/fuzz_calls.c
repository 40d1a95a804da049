/*
 * Makes system calls with numbers and arguments at random, of both ABIs.
 *
 * usage: fuzz_calls SEED COUNT
 *
 * Left out is what ends the run or waits for ever: exit, pause, a fork that nobody waits for.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t state;
static char *low, *edge;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static const char *const paths[] = {
	"/proc/self/maps", "/proc/self/fd/3", "/proc/self/exe", "/etc/passwd", "/tmp/file", "/tmp/dir",
	"/dev/shm/x", "/dev/null", "/dev/zero", "/dev/port", "/dev/mem", "/dev/nvram", "", ".", "..",
	"/tmp/\xff\xfe", "/tmp/dir/", "/proc", "/", "/dev/fd/4", "/proc/self/environ", "/usr/bin/env",
};

static uint64_t number(void)
{
	switch (next() % 14) {
	case 0: return next() % 5;
	case 1: return next() % 32;
	case 2: return -(next() % 200);
	case 3: return 1ULL << next() % 64;
	case 4: return (1ULL << next() % 64) - 1;
	case 5: return next();
	case 6: return 4096 * (next() % 9);
	case 7: return (uintptr_t)low + 8 * (next() % 128);
	case 8: return (uintptr_t)edge - next() % 24;
	case 9: return (uintptr_t)(low + 2048 + 64 * (next() % (sizeof paths / sizeof *paths)));
	case 10: return 0x7fffffffULL + next() % 3;
	case 11: return 0xffffffffULL - next() % 3;
	default: return next() % 1024;
	}
}

static int left_out(int call, int wide)
{
	static const int in64[] = {
		SYS_exit, SYS_exit_group, SYS_pause, SYS_rt_sigsuspend, SYS_fork, SYS_vfork, SYS_clone,
		SYS_execve, SYS_execveat, SYS_rt_sigreturn, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_kill,
		SYS_tkill, SYS_tgkill, SYS_wait4, SYS_waitid, SYS_futex, SYS_poll, SYS_ppoll, SYS_select,
		SYS_pselect6, SYS_epoll_wait, SYS_epoll_pwait, SYS_rt_sigtimedwait, SYS_nanosleep,
		SYS_clock_nanosleep, SYS_arch_prctl, SYS_alarm, SYS_setitimer, SYS_brk, SYS_madvise,
		SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_sigaltstack, SYS_flock, SYS_mmap, SYS_recvfrom,
	};
	static const int in32[] = {
		1, 252, 29, 179, 2, 190, 120, 11, 358, 119, 173, 91, 125, 163, 37, 238, 270, 114, 284, 7,
		240, 168, 309, 82, 142, 308, 256, 319, 177, 162, 267, 407, 384, 27, 104, 45, 219, 67, 174,
		175, 72, 186, 48, 192, 90, 243, 126, 422, 371, 102,
	};
	const int *list = wide ? in64 : in32;
	int count = wide ? sizeof in64 / sizeof *in64 : sizeof in32 / sizeof *in32;

	for (int i = 0; i < count; i++)
		if (list[i] == call)
			return 1;
	return 0;
}

static void narrow(int call, const uint64_t *a)
{
	long result;
	register uint32_t b = a[0];

	asm volatile("int $0x80" : "=a"(result)
		     : "a"((long)call), "b"(b), "c"((uint32_t)a[1]), "d"((uint32_t)a[2]),
		       "S"((uint32_t)a[3]), "D"((uint32_t)a[4])
		     : "memory", "r8", "r9", "r10", "r11");
}

int main(int count, char **arguments)
{
	int fds[2];

	state = strtoull(arguments[1], NULL, 10) * 2654435761u + 88172645463325252ull;
	low = mmap((void *)0x20000000, 8192, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	munmap(low + 4096, 4096);
	edge = low + 4096;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		strcpy(low + 2048 + 64 * i, paths[i]);
	pipe2(fds, O_NONBLOCK);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		open(paths[i], i % 3 ? O_RDONLY : O_RDWR | O_CREAT, 0600);
	for (int left = atoi(arguments[2]); left > 0;) {
		uint64_t a[6];
		int wide = next() % 3, call = next() % 470;

		for (int i = 0; i < 6; i++)
			a[i] = number();
		/* Nobody writes to standard input, and nobody reads what is written. */
		if (left_out(call, wide) || a[0] % 0x100000000 <= 2)
			continue;
		left--;
		for (int i = 0; i < 200; i += 8)
			memcpy(low + i, (uint64_t[]){number()}, 8);
		if (wide)
			syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
		else
			narrow(call, a);
	}
	_exit(0);
}
