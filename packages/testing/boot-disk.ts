// Boot sectors of our own: guests that run in milliseconds without any operating system, for tests that only need one running.

/** Prints a text on the first serial port and then does one of these for ever, or powers the guest off. */
export type BootSectorEnd = "halt" | "spin" | "echo" | "poweroff" | "write" | PortWrites;

/** Writes to I/O ports, in order, and halts: how a guest without an operating system has its hardware do something. */
export interface PortWrites {
	readonly out: readonly { readonly port: number; readonly value: number; readonly bits: 8 | 16 }[];
}

const SECTOR = 512;
/** SeaBIOS boots no disk of less than one cylinder (16 heads of 63 sectors). */
const DISK = 1024 * 1024;
const LOAD_ADDRESS = 0x7c00;
const COM1 = 0x3f8;
const COM1_STATUS = COM1 + 5;

const word = (value: number) => [value & 0xff, value >> 8];
/** A relative jump's last byte, from just behind the jump at `from` to `to`. */
const relative = (from: number, to: number) => (to - from) & 0xff;

/** The code of each ending, in 16-bit real mode; `at` is the offset at which it lies. */
const ENDINGS: Readonly<Record<Exclude<BootSectorEnd, PortWrites>, (at: number) => readonly number[]>> = {
	// sti; hlt; jmp back to hlt
	halt: (at) => [0xfb, 0xf4, 0xeb, relative(at + 4, at + 1)],
	// jmp to itself
	spin: (at) => [0xeb, relative(at + 2, at)],
	// wait for a byte on the serial port and send it back
	echo: (at) => [
		...[0xba, ...word(COM1_STATUS)], // mov dx, status
		0xec, // in al, dx
		...[0xa8, 0x01], // test al, data ready
		...[0x74, relative(at + 8, at + 3)], // jz back to in
		...[0xba, ...word(COM1)], // mov dx, data
		...[0xec, 0xee], // in al, dx; out dx, al
		...[0xeb, relative(at + 15, at)], // jmp back to the start
	],
	// APM: connect the real-mode interface, then set power state of all devices to off (APM 1.2, functions 01h, 0eh, 07h)
	poweroff: (at) => [
		...[0xb8, ...word(0x5301), 0x31, 0xdb, 0xcd, 0x15],
		...[0xb8, ...word(0x530e), 0x31, 0xdb, 0xb9, ...word(0x0102), 0xcd, 0x15],
		...[0xb8, ...word(0x5307), 0xbb, ...word(0x0001), 0xb9, ...word(0x0003), 0xcd, 0x15],
		...[0xeb, relative(at + 29, at + 27)],
	],
	// the BIOS writes this sector to cylinder 0, head 1, sector 1 of the first disk (int 13h, function 03h): 32,256 bytes from its start
	write: (at) => [
		...[0x31, 0xc0, 0x8e, 0xc0, 0xb8, ...word(0x0301), 0xbb, ...word(LOAD_ADDRESS)],
		...[0xb9, ...word(0x0001), 0xba, ...word(0x0180), 0xcd, 0x13],
		...ENDINGS.halt(at + 18),
	],
};

function endingOf(end: BootSectorEnd, at: number): readonly number[] {
	if (typeof end === "string") return ENDINGS[end](at);
	// mov dx, port; mov ax, value; out dx, al or ax
	const writes = end.out.flatMap(({ port, value, bits }) => [
		...[0xba, ...word(port), 0xb8, ...word(value)],
		bits === 8 ? 0xee : 0xef,
	]);
	return [...writes, ...ENDINGS.halt(at + writes.length)];
}

/**
 * A raw disk image that a PC BIOS boots at once: it prints `text` on COM1 and ends as told.
 *
 * "poweroff" needs the APM BIOS that SeaBIOS has on `pc` machines.
 */
export function bootDisk(text: string, end: BootSectorEnd = "halt"): Uint8Array {
	const message = new TextEncoder().encode(`${text}\r\n`);
	// The BIOS leaves the segments and the stack to us.
	const setup = [0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, ...word(LOAD_ADDRESS), 0xfc];
	const loop = setup.length + 6;
	const print = (textAt: number) => [
		...[0xbe, ...word(LOAD_ADDRESS + textAt)], // mov si, text
		...[0xba, ...word(COM1)], // mov dx, data
		0xac, // lodsb
		...[0x84, 0xc0], // test al, al
		...[0x74, 0x03], // jz to the ending
		0xee, // out dx, al
		...[0xeb, relative(loop + 8, loop)], // jmp back to lodsb
	];
	const endAt = setup.length + print(0).length;
	const ending = endingOf(end, endAt);
	const textAt = endAt + ending.length;
	const sector = new Uint8Array(DISK);
	if (textAt + message.length + 1 > SECTOR - 2) throw new RangeError(`the text has ${message.length} bytes, too many`);
	sector.set([...setup, ...print(textAt), ...ending]);
	sector.set(message, textAt);
	sector.set([0x55, 0xaa], SECTOR - 2);
	return sector;
}
