/* Writes to port 0x80 a given number of times. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 1;

	if (ioperm(0x80, 1, 1)) {
		perror("ioperm");
		return 1;
	}
	while (count--)
		outb(0, 0x80);
	return 0;
}
