# The program that tells whether KVM really runs guest code: firmware that does what a kernel does while it starts.
#
# It goes from reset through protected to 64-bit mode, works on memory, switches page tables, takes an exception, enters
# ring 3 and comes back by an interrupt and by a system call. Each step writes its letter to the first serial port.
# `node kvm-payload-build.ts` turns it into kvm-payload.gen.ts.

	.set ROM, 0xfffff000		# where the last 4 KiB of the firmware are at reset
	.set RAM, 0x20000		# where this program copies itself to
	.set PML4, 0x10000
	.set PDPT, 0x11000
	.set PD, 0x12000
	.set IDT, 0x14000
	.set TSS, 0x15000
	.set STACK, 0x1f000
	.set USER_STACK, 0x1e000
	.set BUFFER, 0x40000
	.set COM1, 0x3f8

	.set ROUNDS, 4000000		# of the memory work: milliseconds for a processor, half a minute for an interpreter

	.macro say letter
	mov $COM1, %dx
	mov $\letter, %al
	out %al, %dx
	.endm

	.text
start:
	.code16
	cli
	say 'R'
	lgdtl %cs:(0xf000 + gdt_at_rom - start)
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $0x08, $(ROM + protected - start)

	.code32
protected:
	mov $0x10, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	say 'P'
	cld
	mov $ROM, %esi
	mov $RAM, %edi
	mov $(end - start), %ecx
	rep movsb
	ljmp $0x08, $(RAM + relocated - start)
relocated:
	mov $STACK, %esp
	lgdt RAM + gdt_at_ram - start
	mov $0x80000001, %eax		# a processor without 64-bit mode has only the memory work to do
	cpuid
	bt $29, %edx
	jc has_long_mode
	say 'L'
	mov $ROUNDS, %ecx
	mov $BUFFER, %esi
	xor %edx, %edx
1:	movzbl (%esi, %edx), %eax
	add %ecx, %eax
	mov %al, 1(%esi, %edx)
	inc %edx
	and $0xffff, %edx
	dec %ecx
	jnz 1b
	say 'K'
	jmp stop32
has_long_mode:
	xor %eax, %eax
	mov $PML4, %edi
	mov $((STACK - PML4) / 4), %ecx
	rep stosl
	movl $(PDPT + 7), PML4		# present, writable, user
	movl $(PD + 7), PDPT
	movl $0x87, PD			# the first 2 MiB in one page
	mov $0x220, %eax		# PAE, OSFXSR
	mov %eax, %cr4
	mov $PML4, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx		# EFER: long mode, system calls
	rdmsr
	or $0x101, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80010002, %eax		# paging, write protection, monitor coprocessor
	and $0xfffffffb, %eax		# no FPU emulation
	mov %eax, %cr0
	ljmp $0x18, $(RAM + long_mode - start)

stop32:	cli
	hlt
	jmp stop32

	.code64
long_mode:
	mov $0x20, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	say 'L'

	mov $ROUNDS, %ecx
	mov $BUFFER, %esi
	xor %edx, %edx
1:	movzbl (%rsi, %rdx), %eax
	add %ecx, %eax
	mov %al, 1(%rsi, %rdx)
	inc %edx
	and $0xffff, %edx
	dec %ecx
	jnz 1b
	say 'M'

	mov $1000, %ecx
	mov $PML4, %eax
2:	mov %rax, %cr3
	incl BUFFER
	dec %ecx
	jnz 2b
	say 'T'

	mov $IDT, %edi			# every vector leads to `fault`, save two
	mov $256, %ecx
	mov $(RAM + fault - start), %eax
	mov $0x8e, %ebx
3:	call set_gate
	add $16, %edi
	dec %ecx
	jnz 3b
	mov $(IDT + 3 * 16), %edi
	mov $(RAM + breakpoint - start), %eax
	call set_gate
	mov $(IDT + 0x80 * 16), %edi
	mov $(RAM + interrupt - start), %eax
	mov $0xee, %ebx
	call set_gate
	lidt RAM + idt_pointer - start
	int3
	say 'X'

	movq $STACK, TSS + 4		# stack for entries from ring 3
	mov $0x38, %ax
	ltr %ax
	mov $0xc0000081, %ecx		# STAR: kernel code 0x18, data 0x20
	xor %eax, %eax
	mov $0x00200018, %edx
	wrmsr
	inc %ecx			# LSTAR
	mov $(RAM + system_call - start), %eax
	xor %edx, %edx
	wrmsr
	pushq $0x2b			# to ring 3: SS, RSP, RFLAGS, CS, RIP
	pushq $USER_STACK
	pushq $2
	pushq $0x33
	pushq $(RAM + user - start)
	iretq
user:
	int $0x80
	syscall
	ud2

set_gate:				# at rdi: handler eax, type bl
	mov %ax, (%rdi)
	movw $0x18, 2(%rdi)
	movb $0, 4(%rdi)
	mov %bl, 5(%rdi)
	mov %eax, 6(%rdi)
	shrl $16, 6(%rdi)
	movl $0, 8(%rdi)
	ret
breakpoint:
	iretq
interrupt:
	say 'U'
	iretq
system_call:
	say 'K'
	jmp stop
fault:
	say 'F'
stop:	cli
	hlt
	jmp stop

	.balign 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff	# 08 code, 32 bits
	.quad 0x00cf93000000ffff	# 10 data
	.quad 0x00af9b000000ffff	# 18 code, 64 bits
	.quad 0x00cf93000000ffff	# 20 data
	.quad 0x00cff3000000ffff	# 28 data, ring 3
	.quad 0x00affb000000ffff	# 30 code, 64 bits, ring 3
	.quad 0x0000890000000067 | (TSS << 16)	# 38 task state
	.quad 0
gdt_end:
gdt_at_rom:
	.word gdt_end - gdt - 1
	.long ROM + gdt - start
gdt_at_ram:
	.word gdt_end - gdt - 1
	.long RAM + gdt - start
idt_pointer:
	.word 256 * 16 - 1
	.quad IDT
end:
