// SPDX-License-Identifier: MIT
/*
 * Exposes to iopermit what the tree's headers hold as inline functions, types and constants.
 *
 * Compiled in the tree's own build, as arch/x86/kernel/iopermit_shim.o, against the tree's own
 * headers. The IOPERMIT_HAS_* macros say what the tree offers; iopermit looks for each of these in
 * the (patched) tree and defines them on the command line. Nothing here depends on a version number.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/syscalls.h>
#include <linux/stddef.h>
#include <asm/processor.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/switch_to.h>
#include <asm/thread_info.h>
#include <asm/ptrace.h>
#ifdef IOPERMIT_HAS_IO_BITMAP_HEADER
#include <asm/io_bitmap.h>
#endif
#ifdef IOPERMIT_HAS_IOBITMAP_HEADER
#include <asm/iobitmap.h>
#endif
#ifdef IOPERMIT_HAS_ARCH_EXIT_TO_USER_MODE_PREPARE
#include <asm/entry-common.h>
#endif

#include "process.h"

#ifdef IOPERMIT_HAS_PCPU_HOT
#define iopermit_current	pcpu_hot.current_task
#else
#define iopermit_current	current_task
#endif

/* --- events ------------------------------------------------------------------------------- */

void iopermit_switch_to(struct task_struct *prev, struct task_struct *next);
#ifdef IOPERMIT_HAS_ARCH_EXIT_TO_USER_MODE_PREPARE
void iopermit_exit_to_user(struct pt_regs *regs);
#endif
void iopermit_vm_exit(void);
void iopermit_refresh_tss_limit(void);
int iopermit_fork(struct task_struct *child, void *stack, unsigned long clone_flags, int kind);
void iopermit_fork_failed(struct task_struct *child);
void iopermit_exit(void);

/*
 * The part of __switch_to() from the moment when `next` is the current task: the tree's own test
 * whether __switch_to_xtra() is needed, then that function. Interrupts are off, as in the kernel.
 */
void iopermit_switch_to(struct task_struct *prev, struct task_struct *next)
{
	this_cpu_write(iopermit_current, next);
	switch_to_extra(prev, next);
}

#ifdef IOPERMIT_HAS_ARCH_EXIT_TO_USER_MODE_PREPARE
/* The last work before user mode: interrupts off, the flags read again, then the tree's function. */
void iopermit_exit_to_user(struct pt_regs *regs)
{
	local_irq_disable();
#ifdef read_thread_flags
	arch_exit_to_user_mode_prepare(regs, read_thread_flags());
#else
	arch_exit_to_user_mode_prepare(regs, READ_ONCE(current_thread_info()->flags));
#endif
}
#endif

/* What KVM does after a VM exit, which left the TSS limit at 0x67. */
void iopermit_vm_exit(void)
{
	preempt_disable();
	invalidate_tss_limit();
	preempt_enable();
}

void iopermit_refresh_tss_limit(void)
{
	preempt_disable();
	refresh_tss_limit();
	preempt_enable();
}

/*
 * fork()'s part: duplicate the task as dup_task_struct() does, set the flags as copy_process()
 * does, then the tree's own copy_thread(). `kind`: 0 a user thread, 1 a kernel thread, 2 a worker of
 * io_uring (a thread of a user task that never returns to user mode). Without create_io_thread()
 * such workers are kernel threads.
 */
enum { IOPERMIT_USER_THREAD, IOPERMIT_KERNEL_THREAD, IOPERMIT_IO_WORKER };

static int iopermit_thread_function(void *argument)
{
	return 0;
}

static int iopermit_copy_thread(struct task_struct *child, unsigned long clone_flags, int kind)
{
#ifdef IOPERMIT_HAS_COPY_THREAD_ARGS
	struct kernel_clone_args args = {
		.flags = clone_flags,
		.kthread = kind == IOPERMIT_KERNEL_THREAD,
		.io_thread = kind == IOPERMIT_IO_WORKER,
	};

	if (kind != IOPERMIT_USER_THREAD)
		args.fn = iopermit_thread_function;
	return copy_thread(child, &args);
#else
	unsigned long sp = kind == IOPERMIT_USER_THREAD ? 0 :
			   (unsigned long)iopermit_thread_function;

#ifdef IOPERMIT_HAS_COPY_THREAD_TLS
	return copy_thread_tls(clone_flags, sp, 0, child, 0);
#else
	return copy_thread(clone_flags, sp, 0, child, 0);
#endif
#endif
}

int iopermit_fork(struct task_struct *child, void *stack, unsigned long clone_flags, int kind)
{
	int result;

#ifndef IOPERMIT_HAS_CREATE_IO_THREAD
	if (kind == IOPERMIT_IO_WORKER)
		kind = IOPERMIT_KERNEL_THREAD;
#endif
	result = arch_dup_task_struct(child, current);
	if (result)
		return result;
	child->stack = stack;
	refcount_set(&child->stack_refcount, 1);
	refcount_set(&child->usage, 1);
	setup_thread_stack(child, current);
	clear_tsk_need_resched(child);
	child->flags &= ~PF_KTHREAD;
	if (kind == IOPERMIT_KERNEL_THREAD)
		child->flags |= PF_KTHREAD;
#ifdef PF_IO_WORKER
	child->flags &= ~PF_IO_WORKER;
	if (kind == IOPERMIT_IO_WORKER)
		child->flags |= PF_IO_WORKER;
#endif
	return iopermit_copy_thread(child, clone_flags, kind);
}

/* copy_process() fails after copy_thread(): its label bad_fork_cleanup_thread. */
void iopermit_fork_failed(struct task_struct *child)
{
	exit_thread(child);
}

/* do_exit()'s part. */
void iopermit_exit(void)
{
	exit_thread(current);
}

/* --- data that lives in parts of the kernel that are not built ------------------------------ */

#ifdef CONFIG_ARCH_WANTS_DYNAMIC_TASK_STRUCT
typeof(arch_task_struct_size) arch_task_struct_size = sizeof(struct task_struct);
#endif

/* --- layout --------------------------------------------------------------------------------- */

#define CONSTANT(name, value) \
	extern const unsigned long iopermit_##name; const unsigned long iopermit_##name = (value)
#define SIZE(name, type)		CONSTANT(sizeof_##name, sizeof(type))
#define OFFSET(name, type, field)	CONSTANT(offsetof_##name, offsetof(type, field))

SIZE(task, struct task_struct);
OFFSET(task_stack, struct task_struct, stack);
OFFSET(task_flags, struct task_struct, flags);
OFFSET(task_usage, struct task_struct, usage);
OFFSET(task_pid, struct task_struct, pid);
OFFSET(task_mm, struct task_struct, mm);
OFFSET(task_comm, struct task_struct, comm);
OFFSET(task_thread_info, struct task_struct, thread_info);
OFFSET(task_thread_info_flags, struct task_struct, thread_info.flags);
SIZE(task_thread_info_flags, ((struct thread_info *)0)->flags);
OFFSET(task_thread, struct task_struct, thread);
SIZE(thread, struct thread_struct);
OFFSET(task_sp, struct task_struct, thread.sp);
#ifdef IOPERMIT_HAS_IO_BITMAP_STRUCT
OFFSET(task_io_bitmap, struct task_struct, thread.io_bitmap);
#ifdef IOPERMIT_HAS_IOBITMAP_HEADER
OFFSET(io_bitmap_bitmap, struct io_bitmap, bits);
#else
OFFSET(io_bitmap_bitmap, struct io_bitmap, bitmap);
#endif
#endif
#ifdef IOPERMIT_HAS_IOPL_EMULATION
OFFSET(task_iopl_emul, struct task_struct, thread.iopl_emul);
#endif
#ifdef IOPERMIT_HAS_THREAD_IO_BITMAP_PTR
OFFSET(task_io_bitmap_ptr, struct task_struct, thread.io_bitmap_ptr);
OFFSET(task_io_bitmap_max, struct task_struct, thread.io_bitmap_max);
#endif
#ifdef IOPERMIT_HAS_THREAD_IOPL
OFFSET(task_iopl, struct task_struct, thread.iopl);
#endif

SIZE(tss, struct tss_struct);
OFFSET(tss_x86_tss, struct tss_struct, x86_tss);
OFFSET(tss_io_bitmap_base, struct tss_struct, x86_tss.io_bitmap_base);
#ifdef IOPERMIT_HAS_TSS_IO_BITMAP_STRUCT
OFFSET(tss_bitmap, struct tss_struct, io_bitmap.bitmap);
SIZE(tss_bitmap, ((struct tss_struct *)0)->io_bitmap.bitmap);
#ifdef IOPERMIT_HAS_TSS_MAPALL
OFFSET(tss_mapall, struct tss_struct, io_bitmap.mapall);
SIZE(tss_mapall, ((struct tss_struct *)0)->io_bitmap.mapall);
#endif
#elif defined(IOPERMIT_HAS_IOBITMAP_HEADER)
OFFSET(tss_bitmap, struct tss_struct, io_bitmap_bytes);
SIZE(tss_bitmap, ((struct tss_struct *)0)->io_bitmap_bytes);
#ifdef IOPERMIT_HAS_TSS_IO_BITMAP_ALL
OFFSET(tss_mapall, struct tss_struct, io_bitmap_all);
SIZE(tss_mapall, ((struct tss_struct *)0)->io_bitmap_all);
#endif
#else
OFFSET(tss_bitmap, struct tss_struct, io_bitmap);
SIZE(tss_bitmap, ((struct tss_struct *)0)->io_bitmap);
#endif

/* The same TSS is mapped there once more, read-only. */
OFFSET(cpu_entry_area_tss, struct cpu_entry_area, tss);

SIZE(pt_regs, struct pt_regs);
OFFSET(pt_regs_ax, struct pt_regs, ax);
OFFSET(pt_regs_di, struct pt_regs, di);
OFFSET(pt_regs_si, struct pt_regs, si);
OFFSET(pt_regs_dx, struct pt_regs, dx);
OFFSET(pt_regs_orig_ax, struct pt_regs, orig_ax);
OFFSET(pt_regs_ip, struct pt_regs, ip);
OFFSET(pt_regs_cs, struct pt_regs, cs);
OFFSET(pt_regs_flags, struct pt_regs, flags);
OFFSET(pt_regs_sp, struct pt_regs, sp);
OFFSET(pt_regs_ss, struct pt_regs, ss);

CONSTANT(THREAD_SIZE, THREAD_SIZE);
/* Bytes from a task's stack to the registers of its last entry from user mode: task_pt_regs(). */
CONSTANT(stack_pt_regs, THREAD_SIZE - TOP_OF_KERNEL_STACK_PADDING - sizeof(struct pt_regs));
CONSTANT(TIF_IO_BITMAP, TIF_IO_BITMAP);
CONSTANT(PF_KTHREAD, PF_KTHREAD);
#ifdef PF_IO_WORKER
CONSTANT(PF_IO_WORKER, PF_IO_WORKER);
#endif
CONSTANT(KERNEL_TSS_LIMIT, __KERNEL_TSS_LIMIT);
CONSTANT(IO_BITMAP_BITS, IO_BITMAP_BITS);
CONSTANT(IO_BITMAP_BYTES, IO_BITMAP_BYTES);
#ifdef IO_BITMAP_OFFSET_INVALID
CONSTANT(IO_BITMAP_OFFSET_INVALID, (u16)IO_BITMAP_OFFSET_INVALID);
#else
CONSTANT(IO_BITMAP_OFFSET_INVALID, (u16)INVALID_IO_BITMAP_OFFSET);
#endif
#ifdef IO_BITMAP_OFFSET_VALID_MAP
CONSTANT(IO_BITMAP_OFFSET_VALID_MAP, IO_BITMAP_OFFSET_VALID_MAP);
#endif
#ifdef IO_BITMAP_OFFSET_VALID_ALL
CONSTANT(IO_BITMAP_OFFSET_VALID_ALL, IO_BITMAP_OFFSET_VALID_ALL);
#endif
CONSTANT(GDT_ENTRY_TSS, GDT_ENTRY_TSS);
CONSTANT(GDT_ENTRIES, GDT_ENTRIES);
CONSTANT(KERNEL_CS, __KERNEL_CS);
CONSTANT(KERNEL_DS, __KERNEL_DS);
CONSTANT(USER_CS, __USER_CS);
CONSTANT(USER_DS, __USER_DS);
CONSTANT(PREEMPT_NEED_RESCHED, PREEMPT_NEED_RESCHED);
CONSTANT(PREEMPT_RT, IS_ENABLED(CONFIG_PREEMPT_RT));
/* How many caches for objects of a kind there are, but for the one of no size. */
CONSTANT(KMALLOC_SHIFT_HIGH, KMALLOC_SHIFT_HIGH);
/* What is not a field of pcpu_hot is a per-CPU variable of its own. */
#ifdef IOPERMIT_HAS_PCPU_HOT
OFFSET(pcpu_hot_current_task, struct pcpu_hot, current_task);
OFFSET(pcpu_hot_top_of_stack, struct pcpu_hot, top_of_stack);
#endif
#ifdef IOPERMIT_HAS_PCPU_HOT_PREEMPT_COUNT
OFFSET(pcpu_hot_preempt_count, struct pcpu_hot, preempt_count);
#endif
#ifdef IOPERMIT_HAS_PCPU_HOT_CPU_NUMBER
OFFSET(pcpu_hot_cpu_number, struct pcpu_hot, cpu_number);
#endif
