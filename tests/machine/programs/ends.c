/* Processes with threads that never stop end: by execve, exit and a fault in one thread. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *spin(void *argument)
{
	for (;;)
		;
}

static void *execute(void *argument)
{
	usleep(1000);
	execl("/bin/echo", "echo", "executed by a thread", (char *)0);
	return 0;
}

static void *leave(void *argument)
{
	usleep(1000);
	exit(6);
}

static void *fault(void *argument)
{
	*(volatile int *)0 = 0;
	return 0;
}

int main(void)
{
	void *(*last[])(void *) = {execute, leave, fault};
	pthread_t thread;
	int status;

	for (int i = 0; i < 3; i++) {
		if (!fork()) {
			for (int k = 0; k < 3; k++)
				pthread_create(&thread, 0, spin, 0);
			pthread_create(&thread, 0, last[i], 0);
			pthread_join(thread, 0);
			pause();
		}
		wait(&status);
		printf("exit %d signal %d\n", WEXITSTATUS(status), WTERMSIG(status));
		fflush(stdout);
	}
	return 0;
}
