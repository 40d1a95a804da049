// SPDX-License-Identifier: MIT
/*
 * Exposes to iopermit how the tree brings up a CPU's TSS.
 *
 * Compiled in the tree's own build, as arch/x86/kernel/cpu/iopermit_cpu.o, in place of common.o:
 * what is needed there is static.
 */
#include "common.c"

void iopermit_bring_up(int cpu);

/* The part of bringing up a CPU that concerns its TSS. Runs on that CPU. */
void iopermit_bring_up(int cpu)
{
	struct tss_struct *tss = this_cpu_ptr(&cpu_tss_rw);

#ifdef IOPERMIT_HAS_TSS_SETUP_IO_BITMAP
	tss_setup_io_bitmap(tss);
#elif defined(IOPERMIT_HAS_TSS_IO_BITMAP_STRUCT)
	tss->x86_tss.io_bitmap_base = IO_BITMAP_OFFSET_INVALID;
	memset(tss->io_bitmap.bitmap, 0xff, sizeof(tss->io_bitmap.bitmap));
#ifdef IOPERMIT_HAS_TSS_MAPALL
	tss->io_bitmap.mapall[IO_BITMAP_LONGS] = ~0UL;
#endif
#else
	/* As cpu_init() in v5.3 and v5.4. */
	tss->x86_tss.io_bitmap_base = IO_BITMAP_OFFSET;
	memset(tss->io_bitmap, 0xff, sizeof(tss->io_bitmap));
#endif
	load_direct_gdt(cpu);
	set_tss_desc(cpu, &tss->x86_tss);
	load_TR_desc();
}
