/* Opens port 0x80 only, then tries to read PCI configuration space at ports 0xCF8 and 0xCFC. */
#include <stdio.h>
#include <sys/io.h>

int main(void)
{
	setbuf(stdout, NULL);
	if (ioperm(0x80, 1, 1)) {
		perror("neighbour: ioperm(0x80, 1, 1)");
		return 1;
	}
	outb(0x42, 0x80);
	puts("neighbour: may use port 0x80, and now reads PCI configuration space");
	for (unsigned device = 0; device < 32; device++) {
		outl(0x80000000 | device << 11, 0xcf8);
		unsigned identity = inl(0xcfc);
		if (identity != 0xffffffff)
			printf("neighbour: 00:%02x.0 is %04x:%04x\n", device, identity & 0xffff,
			       identity >> 16);
	}
	return 0;
}
