// SPDX-License-Identifier: MIT
/*
 * Exposes to iopermit how the tree, as a Xen PV guest, tells the hypervisor of its map.
 *
 * Compiled in the tree's own build, as arch/x86/xen/iopermit_xen.o, in place of enlighten_pv.o:
 * what is needed there is static. The hypercall is replaced by one that notes what the hypervisor
 * would note; everything else is the tree's own code.
 */
#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/stddef.h>
#include <asm/irqflags.h>
#include <asm/processor.h>
#include <asm/xen/hypercall.h>
#include <xen/interface/physdev.h>

/* What Xen notes of a virtual CPU (struct pv_vcpu, members iobmp and iobmp_limit). */
struct iopermit_xen_map {
	const void *bitmap;
	u32 nr_ports;
	/* One more than a command that iopermit does not know, or 0. */
	u32 other_command;
};
DEFINE_PER_CPU(struct iopermit_xen_map, iopermit_xen_map);

/* do_physdev_op() of Xen: no interrupt of the guest comes in the middle of a hypercall. */
static int iopermit_physdev_op(int command, void *argument)
{
	const struct physdev_set_iobitmap *wanted = argument;
	unsigned long flags = native_save_fl();
	struct iopermit_xen_map *map;
	int result = 0;

	native_irq_disable();
	map = this_cpu_ptr(&iopermit_xen_map);
	if (command != PHYSDEVOP_set_iobitmap) {
		map->other_command = command + 1;
	} else if (wanted->nr_ports > 65536) {
		result = -EINVAL;
	} else {
		map->bitmap = wanted->bitmap;
		map->nr_ports = wanted->nr_ports;
	}
	if (flags & X86_EFLAGS_IF)
		native_irq_enable();
	return result;
}

#define HYPERVISOR_physdev_op iopermit_physdev_op
#include "enlighten_pv.c"

void iopermit_begin_xen(void);

/*
 * The part of xen_start_kernel() that concerns the map. IOPERMIT_XEN_OPERATIONS is the table that
 * it copies; the others are the functions that it assigns one by one.
 */
void iopermit_begin_xen(void)
{
#ifdef IOPERMIT_XEN_OPERATIONS
	pv_ops.cpu.update_io_bitmap = IOPERMIT_XEN_OPERATIONS.update_io_bitmap;
#ifdef IOPERMIT_HAS_INVALIDATE_IO_BITMAP
	pv_ops.cpu.invalidate_io_bitmap = IOPERMIT_XEN_OPERATIONS.invalidate_io_bitmap;
#endif
#endif
#ifdef IOPERMIT_XEN_UPDATE_IO_BITMAP
	pv_ops.cpu.update_io_bitmap = IOPERMIT_XEN_UPDATE_IO_BITMAP;
#endif
#ifdef IOPERMIT_XEN_INVALIDATE_IO_BITMAP
	pv_ops.cpu.invalidate_io_bitmap = IOPERMIT_XEN_INVALIDATE_IO_BITMAP;
#endif
}

/* Where the operation is in pv_ops: calls of it are looked for in object code. */
extern const unsigned long iopermit_offsetof_pv_update_io_bitmap;
const unsigned long iopermit_offsetof_pv_update_io_bitmap =
	offsetof(struct paravirt_patch_template, cpu.update_io_bitmap);
