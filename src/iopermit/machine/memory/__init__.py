"""Physical memory, page tables and address spaces."""
