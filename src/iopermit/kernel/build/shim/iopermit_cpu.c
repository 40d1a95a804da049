// SPDX-License-Identifier: MIT
/*
 * Exposes to iopermit how the tree brings up a CPU's TSS.
 *
 * Compiled in the tree's own build, as arch/x86/kernel/cpu/iopermit_cpu.o, in place of common.o:
 * what is needed there is static.
 */
#include "common.c"

void iopermit_bring_up(int cpu);

#ifdef IOPERMIT_HAS_TSS_SETUP_IO_BITMAP
/* The part of bringing up a CPU that concerns its TSS. Runs on that CPU. */
void iopermit_bring_up(int cpu)
{
	struct tss_struct *tss = this_cpu_ptr(&cpu_tss_rw);

	tss_setup_io_bitmap(tss);
	load_direct_gdt(cpu);
	set_tss_desc(cpu, &tss->x86_tss);
	load_TR_desc();
}
#else
/* cpu_init() sets up the map among much else: all of it runs, and the boot CPU lets it go on. */
void iopermit_bring_up(int cpu)
{
	cpumask_set_cpu(cpu, cpu_callout_mask);
	cpu_init();
}
#endif
