/*
 * The first process of the real Linux that tests boot: runs the commands of /commands, one per
 * line, and sends the standard output and error of each to QEMU's debug console at port 0xe9,
 * between lines with the exit status. Then it lets QEMU end. A command that begins with "user"
 * runs as an ordinary user.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEBUG_CONSOLE = 0xe9, EXIT_DEVICE = 0xf4, WORDS = 16 };

static void say(const char *data, long size)
{
	asm volatile("rep outsb" : "+S"(data), "+c"(size) : "d"(DEBUG_CONSOLE) : "memory");
}

static void run(char *line)
{
	char *words[WORDS + 1] = {0}, text[1 << 16], *rest;
	int count = 0, status = -1, output = open("/output", O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (char *word = strtok_r(line, " ", &rest); word && count < WORDS;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	pid_t child = fork();
	if (child == 0) {
		/* The permissions of init would be inherited. */
		iopl(0);
		dup2(output, 1);
		dup2(output, 2);
		close(output);
		int user = !strcmp(words[0], "user");
		if (user && setresuid(1000, 1000, 1000))
			_exit(126);
		execv(words[user], words + user);
		perror(words[user]);
		_exit(127);
	}
	for (pid_t ended; (ended = wait(&status)) != child;)
		if (ended < 0)
			break;
	lseek(output, 0, SEEK_SET);
	for (ssize_t size; (size = read(output, text, sizeof(text))) > 0;)
		say(text, size);
	close(output);
	say(text, sprintf(text, "\n=== status %d\n", WIFEXITED(status) ? WEXITSTATUS(status)
							       : 128 + WTERMSIG(status)));
}

int main(void)
{
	static char commands[1 << 16];
	char *rest;
	int file = open("/commands", O_RDONLY);

	if (iopl(3) || file < 0 || read(file, commands, sizeof(commands) - 1) < 0)
		perror("init");
	close(file);
	mount("proc", "/proc", "proc", 0, NULL);
	for (char *line = strtok_r(commands, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		run(line);
	outb(0, EXIT_DEVICE);
	return 0;
}
