/* Starts `granted`, and when that sleeps, `neighbour`. Ends as `neighbour` does. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Start a program of the folder that `self` is in; it has a pipe as input and another as 3. */
static pid_t start(const char *self, const char *name, int input, int ready)
{
	char path[4096];

	snprintf(path, sizeof(path), "%.*s%s", (int)(strrchr(self, '/') - self) + 1, self, name);
	pid_t child = fork();
	if (child == 0) {
		dup2(input, 0);
		dup2(ready, 3);
		execl(path, path, (char *)NULL);
		perror(path);
		_exit(127);
	}
	return child;
}

int main(int argc, char **argv)
{
	int wake[2], ready[2], status;
	char byte;

	if (argc < 1 || !strchr(argv[0], '/') || pipe(wake) || pipe(ready)) {
		fprintf(stderr, "usage: FOLDER/both\n");
		return 2;
	}
	pid_t first = start(argv[0], "granted", wake[0], ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		return 1; /* It has said why. */
	pid_t second = start(argv[0], "neighbour", wake[0], 2);
	waitpid(second, &status, 0);
	write(wake[1], "", 1);
	waitpid(first, NULL, 0);
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	printf("neighbour was killed by signal %d (%s)\n", WTERMSIG(status),
	       strsignal(WTERMSIG(status)));
	return 128 + WTERMSIG(status);
}
