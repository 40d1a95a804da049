// SPDX-License-Identifier: MIT
/*
 * Exposes to iopermit the way back to user mode of trees without the generic entry code.
 *
 * Compiled in the tree's own build, as arch/x86/entry/iopermit_entry.o, in place of common.o: what
 * is needed there is static in some trees.
 */
#include "common.c"

void iopermit_exit_to_user(struct pt_regs *regs);

/* The flags for which the function below has other work to do first, of which nothing is built. */
#ifdef TIF_FSCHECK
#define IOPERMIT_OTHER_WORK	(EXIT_TO_USERMODE_LOOP_FLAGS | _TIF_FSCHECK)
#else
#define IOPERMIT_OTHER_WORK	EXIT_TO_USERMODE_LOOP_FLAGS
#endif

/* Set or clear those of the current thread's flags, each as the kernel does. */
static void iopermit_change_flags(unsigned long flags, bool on)
{
	int bit;

	for (bit = 0; bit < 32; bit++) {
		if (!(flags & (1UL << bit)))
			continue;
		if (on)
			set_thread_flag(bit);
		else
			clear_thread_flag(bit);
	}
}

/*
 * The last work before user mode, interrupts off: the tree's function, as it goes on once its loop
 * has done the other work.
 */
void iopermit_exit_to_user(struct pt_regs *regs)
{
	unsigned long other;

	local_irq_disable();
	other = READ_ONCE(current_thread_info()->flags) & IOPERMIT_OTHER_WORK;
	if (other)
		iopermit_change_flags(other, false);
	prepare_exit_to_usermode(regs);
	if (other)
		iopermit_change_flags(other, true);
}
