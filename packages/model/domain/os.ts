// What the guest boots: machine and architecture, firmware, kernel, boot order.

import { int, nonEmpty, oneOf, str, uint, yesNo } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { attr, child, element, type Infer, leaf, list, text } from "@virtkit/xml/schema";
import { diskSource, STORAGE_TYPES } from "./disk-source.ts";

/** Architectures by libvirt's names. */
export const ARCHITECTURES = [
	"alpha",
	"armv6l",
	"armv7l",
	"armv7b",
	"aarch64",
	"cris",
	"i686",
	"ia64",
	"lm32",
	"m68k",
	"microblaze",
	"microblazeel",
	"mips",
	"mipsel",
	"mips64",
	"mips64el",
	"openrisc",
	"parisc",
	"parisc64",
	"ppc",
	"ppcle",
	"ppc64",
	"ppc64le",
	"ppcemb",
	"riscv32",
	"riscv64",
	"s390",
	"s390x",
	"sh4",
	"sh4eb",
	"sparc",
	"sparc64",
	"unicore32",
	"x86_64",
	"xtensa",
	"xtensaeb",
	"loongarch64",
] as const;

const osType = element({
	arch: attr(oneOf(...ARCHITECTURES), {
		code: "CONFIG_UNSUPPORTED",
		doc: "Architecture of the guest's CPUs; the host's where absent.",
	}),
	machine: attr(nonEmpty, { doc: "Machine type of the emulator." }),
	type: text(oneOf("hvm", "xen", "linux", "exe", "uml", "xenpvh"), {
		required: true,
		code: (written) => (written.trim() === "" ? "XML_ERROR" : "CONFIG_UNSUPPORTED"),
		doc: "What the guest runs: `hvm` is a whole machine.",
	}),
});

/** Firmware features that automatic selection can ask for, in the order they are written. */
export const FIRMWARE_FEATURES = ["enrolled-keys", "secure-boot"] as const;

const firmware = element(
	{
		feature: list(
			element({
				enabled: attr(yesNo, { required: true, doc: "Whether the firmware must have the feature or must not." }),
				name: attr(oneOf(...FIRMWARE_FEATURES), { required: true, doc: "Which feature." }),
			}),
		),
	},
	{
		onRead(value) {
			value.feature = FIRMWARE_FEATURES.flatMap(
				(name) => value.feature.findLast((feature) => feature.name === name) ?? [],
			);
		},
	},
);

const loader = element({
	readonly: attr(yesNo, { doc: "Whether the guest cannot write the image." }),
	secure: attr(yesNo, { doc: "Whether only code in system management mode may write the variables." }),
	type: attr(oneOf("rom", "pflash"), { doc: "Whether the image is mapped as ROM or as flash." }),
	stateless: attr(yesNo, { doc: "Whether the firmware keeps no variables." }),
	format: attr(oneOf("raw", "qcow2"), { doc: "Format of the flash image." }),
	path: text(str, { doc: "Path of the firmware image." }),
});

const nvram = element(
	{
		template: attr(str, { doc: "File that new variables are copied from." }),
		templateFormat: attr(oneOf("raw", "qcow2"), { doc: "Format of that file." }),
		format: attr(oneOf("raw", "qcow2"), { doc: "Format of the variables' image." }),
		type: attr(oneOf(...STORAGE_TYPES), { doc: "Kind of storage that `source` names." }),
		path: text(str, {
			doc: "Path of the file with the firmware's variables.",
			when: (self) => self.type === undefined,
		}),
		source: child(diskSource, {
			doc: "Storage of the firmware's variables.",
			when: (self) => self.type !== undefined,
		}),
	},
	{
		onRead(value, node) {
			if (value.type !== undefined && !value.source)
				throw documentError(node, `nvram of type '${value.type}' without a source`);
		},
	},
);

export const os = element({
	firmware: attr(oneOf("bios", "efi"), { doc: "Have a firmware of this kind chosen from those the host describes." }),
	type: child(osType, { required: true, doc: "What is emulated." }),
	firmwareFeatures: child(firmware, { name: "firmware", doc: "Features that the chosen firmware must have or lack." }),
	init: leaf(nonEmpty, { doc: "Program that a container starts." }),
	initarg: list(element({ value: text(str, { required: true, doc: "Argument of the container's program." }) })),
	initenv: list(
		element({
			name: attr(str, { required: true, doc: "Environment variable of the container's program." }),
			value: text(str, { required: true, doc: "Its value." }),
		}),
	),
	initdir: leaf(nonEmpty, { doc: "Working folder of the container's program." }),
	inituser: leaf(nonEmpty, { doc: "User of the container's program." }),
	initgroup: leaf(nonEmpty, { doc: "Group of the container's program." }),
	loader: child(loader, { doc: "Firmware image." }),
	nvram: child(nvram, { doc: "The firmware's variables." }),
	varstore: child(
		element({
			template: attr(str, { doc: "File that new variables are copied from." }),
			path: attr(str, { doc: "File with the firmware's variables, which QEMU itself keeps." }),
		}),
		{ keepEmpty: true, doc: "The variables of a firmware that leaves them to QEMU." },
	),
	kernel: leaf(nonEmpty, { doc: "Kernel that is booted directly." }),
	initrd: leaf(nonEmpty, { doc: "Initial RAM disk of the kernel." }),
	cmdline: leaf(nonEmpty, { doc: "Command line of the kernel." }),
	shim: leaf(nonEmpty, { doc: "Boot loader that checks the kernel's signature." }),
	dtb: leaf(nonEmpty, { doc: "Device tree blob." }),
	root: leaf(nonEmpty, { doc: "Root device of a paravirtualised kernel." }),
	acpi: child(
		element({
			table: list(
				element({
					type: attr(oneOf("slic", "raw", "rawset", "msdm"), {
						required: true,
						doc: "Which ACPI table: Windows' licences, any table, or several.",
					}),
					path: text(nonEmpty, { required: true, doc: "File with the table." }),
				}),
			),
		}),
		{ doc: "ACPI tables that the guest gets." },
	),
	boot: list(
		element({
			dev: attr(oneOf("fd", "hd", "cdrom", "network"), { required: true, doc: "Kind of device to boot from next." }),
		}),
		{
			doc: "Order of the kinds of devices to boot from.",
		},
	),
	bootmenu: child(
		element({
			enable: attr(yesNo, { doc: "Whether the firmware offers a boot menu." }),
			timeout: attr(uint, { doc: "Milliseconds that the menu waits.", show: (self) => self.enable === true }),
		}),
	),
	bios: child(
		element({
			useserial: attr(yesNo, { doc: "Whether the firmware also speaks on the serial port." }),
			rebootTimeout: attr(int, { doc: "Milliseconds after which a failed boot is tried again; -1 for never." }),
		}),
	),
	smbios: child(
		element({
			mode: attr(oneOf("emulate", "host", "sysinfo"), {
				required: true,
				code: "CONFIG_UNSUPPORTED",
				doc: "Where the guest's SMBIOS tables come from.",
			}),
		}),
	),
});

export type OsDef = Infer<typeof os>;
