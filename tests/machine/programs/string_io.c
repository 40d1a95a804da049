/* INS and OUTS in all widths, forwards, backwards and repeated; prints what they leave. */
#include <stdio.h>
#include <string.h>
#include <sys/io.h>

static unsigned char memory[32];

static void show(const char *name)
{
	printf("%s:", name);
	for (int i = 0; i < 16; i++)
		printf(" %02x", memory[i]);
	printf("\n");
}

int main(void)
{
	void *at = memory;
	unsigned long count = 3;

	ioperm(0x80, 8, 1);
	for (int i = 0; i < 16; i++)
		memory[i] = 0x10 + i;
	asm volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(0x80) : "memory");
	printf("outsb: moved %ld left %ld\n", (long)(at - (void *)memory), count);
	at = memory + 8;
	count = 2;
	asm volatile("std; rep outsl; cld" : "+S"(at), "+c"(count) : "d"(0x84) : "memory");
	printf("outsl: moved %ld left %ld\n", (long)(at - (void *)memory), count);
	at = memory;
	count = 4;
	outb(0xa5, 0x80);
	asm volatile("rep insb" : "+D"(at), "+c"(count) : "d"(0x80) : "memory");
	show("insb");
	count = 0;
	asm volatile("rep insb" : "+D"(at), "+c"(count) : "d"(0x80) : "memory");
	at = memory + 4;
	asm volatile("insw" : "+D"(at) : "d"(0x90 - 0xc) : "memory");
	show("insw");
	outl(0x12345678, 0x80);
	outw(0xabcd, 0x82);
	printf("in %x %x %x\n", inb(0x80), inw(0x80), inl(0x80));
	return 0;
}
