/* Two tasks, each with a port of its own, pass a byte to and fro a given number of times. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/wait.h>
#include <unistd.h>

static void play(int from, int to, long count, int port)
{
	char byte = 0;

	if (ioperm(port, 1, 1))
		perror("ioperm");
	while (count--) {
		if (read(from, &byte, 1) != 1 || write(to, &byte, 1) != 1)
			_exit(1);
	}
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 1;
	int there[2], back[2];

	if (pipe(there) || pipe(back))
		return 1;
	if (fork() == 0) {
		play(there[0], back[1], count, 0x80);
		_exit(0);
	}
	write(there[1], "", 1);
	play(back[0], there[1], count, 0x3f8);
	wait(NULL);
	return 0;
}
