// What provokes each kind of event with real QEMU: steps of virsh commands, with the events that each is to bring.

import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { PortWrites } from "@virtkit/testing/boot-disk";

/** A daemon under test, with a folder of its own that holds the files of its guests. */
export interface Stage {
	/** A file of the stage's folder. */
	readonly file: (name: string) => string;
	readonly virsh: (...args: readonly string[]) => Promise<string>;
	readonly virshWith: (document: string, verb: string, ...args: readonly string[]) => Promise<string>;
}

/** One step. */
export interface Step {
	readonly does: string;
	readonly run: (stage: Stage) => Promise<unknown>;
	/** What must have been told before the next step: kinds as `virsh event` names them, and a word of the line where it matters. */
	readonly brings: readonly string[];
}

const step = (does: string, brings: readonly string[], run: Step["run"]): Step => ({ does, brings, run });
/** A step that is one virsh command. */
const virsh = (line: string, brings: readonly string[]): Step =>
	step(line, brings, (stage) =>
		stage.virsh(...line.split(" ").map((word) => word.replace(/^@/, () => stage.file("")))),
	);

export const guestXml = ({ file }: Stage): string => `<domain type='qemu'>
	<name>g</name><uuid>7b1f4f0e-5f7a-4a25-9a3c-6d3d0f3b9c11</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
	<os><type machine='pc'>hvm</type></os><features><acpi/></features>
	<devices>
		<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${file("disk.qcow2")}'/><target dev='vda' bus='virtio'/></disk>
		<disk type='file' device='cdrom'><source file='${file("a.iso")}'/><target dev='hda' bus='ide'/><readonly/></disk>
		<disk type='file' device='cdrom'><source file='${file("absent.iso")}' startupPolicy='optional'/><target dev='hdb' bus='ide'/><readonly/></disk>
		<graphics type='vnc' socket='${file("vnc")}'/>
	</devices>
</domain>`;

/** A transient guest that its boot sector drives. */
export const sectorXml = (disk: string, elements: string, devices: string): string => `<domain type='qemu'>
	<name>sector</name><uuid>0f1a7c52-8c5b-4a56-b7a3-54c8c2b0f8a2</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
	<os><type machine='pc'>hvm</type></os><features><acpi/></features>${elements}
	<devices><disk type='file' device='disk'><source file='${disk}'/><target dev='hda' bus='ide'/></disk>${devices}</devices>
</domain>`;

/** Opens the guest's console as a VNC viewer does (RFC 6143, 7.1 to 7.3), and leaves. */
async function lookAtConsole({ file }: Stage): Promise<void> {
	const socket = connect(file("vnc"));
	const { promise, resolve, reject } = Promise.withResolvers<void>();
	socket.once("error", reject);
	let received = 0;
	// Each part of the daemon's side, by its end: version, security types, result, and the first bytes of ServerInit.
	const answers: readonly (readonly [end: number, answer: string | Buffer])[] = [
		[12, "RFB 003.008\n"],
		[14, Buffer.from([1])],
		[18, Buffer.from([1])],
		[42, ""],
	];
	let next = 0;
	socket.on("data", (bytes) => {
		received += bytes.length;
		for (let row = answers[next]; row && received >= row[0]; row = answers[++next]) socket.write(row[1]);
		if (next === answers.length) resolve();
	});
	await promise.finally(() => socket.destroy());
}

const DISK_BACKEND = "/machine/peripheral/virtio-disk0/virtio-backend";
const TABLET = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>";

/** The life of a guest without an operating system. */
export const GUEST_STEPS: readonly Step[] = [
	step("define", ["lifecycle"], (stage) => stage.virshWith(guestXml(stage), "define")),
	virsh("desc g --config --title Title", ["metadata-change"]),
	virsh("desc g --config Text", ["metadata-change"]),
	virsh("metadata g http://x --config --key k --set <a/>", ["metadata-change"]),
	virsh("start g --paused", ["lifecycle", "disk-change"]),
	virsh("resume g", ["lifecycle"]),
	virsh("suspend g", ["lifecycle"]),
	virsh("blkdeviotune g vda --total-iops-sec 100 --live", ["tunable"]),
	virsh("vcpupin g 0 0 --live", ["tunable"]),
	virsh("emulatorpin g 0 --live", ["tunable"]),
	step("attach a tablet", ["device-added"], (stage) => {
		writeFileSync(stage.file("tablet.xml"), TABLET);
		return stage.virsh("attach-device", "g", stage.file("tablet.xml"), "--live");
	}),
	virsh("detach-device-alias g ua-tablet --live", ["device-removed"]),
	virsh("change-media g hda --eject", ["tray-change"]),
	step("insert a medium", ["tray-change"], (stage) =>
		stage.virsh("change-media", "g", "hda", stage.file("b.iso"), "--insert"),
	),
	virsh("domblkthreshold g vda 65536", []),
	step("write beyond the threshold", ["block-threshold"], (stage) =>
		stage.virsh("qemu-monitor-command", "g", "--hmp", `qemu-io -d ${DISK_BACKEND} "write 0 256k"`),
	),
	virsh("domblkthreshold g vda[3] 131072", []),
	step("write beyond a threshold of one image", ["block-threshold"], (stage) =>
		stage.virsh("qemu-monitor-command", "g", "--hmp", `qemu-io -d ${DISK_BACKEND} "write 1M 256k"`),
	),
	step("look at the console", ["graphics connect", "graphics initialize", "graphics disconnect"], lookAtConsole),
	step("copy the disk and go on with the copy", ["block-job completed", "block-job-2 completed"], (stage) =>
		stage.virsh(
			"blockcopy",
			"g",
			"vda",
			stage.file("copy.qcow2"),
			"--format",
			"qcow2",
			"--transient-job",
			"--wait",
			"--pivot",
		),
	),
	virsh("reset g", ["reboot"]),
	step("dump its memory", [], (stage) => stage.virsh("dump", "g", stage.file("memory"), "--memory-only")),
	step("dump", ["migration-iteration", "job-completed"], (stage) => stage.virsh("dump", "g", stage.file("dump"))),
	// QEMU does not migrate again what has stood still since it was migrated.
	virsh("resume g", ["lifecycle Resumed"]),
	step("save", ["migration-iteration", "job-completed", "lifecycle Saved"], (stage) =>
		stage.virsh("save", "g", stage.file("saved")),
	),
	step("restore", ["lifecycle Resumed"], (stage) => stage.virsh("restore", stage.file("saved"), "--running")),
	virsh("destroy g", ["lifecycle"]),
	virsh("undefine g", ["lifecycle"]),
];

/** A guest whose boot sector has the hardware do something. */
export interface SectorGuest {
	readonly does: string;
	readonly end: PortWrites | "write";
	readonly elements?: string;
	readonly devices?: string;
	/** On a file system that has no room for what the guest writes. */
	readonly full?: boolean;
	readonly brings: readonly string[];
	/** What follows while it still runs. */
	readonly after?: readonly Step[];
	/** What is told or not as the instant has it, here and at libvirtd. */
	readonly chance?: RegExp;
	/** It ends by itself. */
	readonly ends?: boolean;
}

const PM = "<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='yes'/></pm>";
/** PM1a control of PIIX4 as SeaBIOS places it (ACPI 6.4, 4.8.3.2.1): SLP_EN with QEMU's sleep types. */
const PM1A_CONTROL = 0x604;
const SLEEP = { memory: 0x2400, disk: 0x2800 } as const;

export const SECTOR_GUESTS: readonly SectorGuest[] = [
	{
		does: "sets its clock",
		// Index and data of the CMOS clock: hours.
		end: {
			out: [
				{ port: 0x70, value: 4, bits: 8 },
				{ port: 0x71, value: 3, bits: 8 },
			],
		},
		brings: ["rtc-change"],
	},
	{
		does: "sleeps in memory and is woken",
		end: { out: [{ port: PM1A_CONTROL, value: SLEEP.memory, bits: 16 }] },
		elements: PM,
		brings: ["pm-suspend", "lifecycle PMSuspended"],
		after: [virsh("dompmwakeup sector", ["pm-wakeup", "lifecycle wakeup"])],
	},
	{
		does: "sleeps on disk",
		end: { out: [{ port: PM1A_CONTROL, value: SLEEP.disk, bits: 16 }] },
		elements: PM,
		brings: ["pm-suspend-disk", "lifecycle PMSuspended", "lifecycle Stopped"],
		ends: true,
	},
	{
		does: "lets its watchdog fire",
		// IB700: the shortest time, then nothing.
		end: { out: [{ port: 0x443, value: 15, bits: 8 }] },
		devices: "<watchdog model='ib700' action='pause'/>",
		brings: ["watchdog", "lifecycle Watchdog"],
	},
	{
		does: "panics",
		end: { out: [{ port: 0x505, value: 1, bits: 8 }] },
		elements: "<on_crash>destroy</on_crash>",
		devices: "<panic model='isa'/>",
		brings: ["lifecycle Panicked", "lifecycle Stopped"],
		// QEMU also tells that it stopped the guest, which may find it ended.
		chance: /Suspended Paused/,
		ends: true,
	},
	{
		does: "writes where no room is left",
		end: "write",
		full: true,
		brings: ["io-error", "io-error-reason", "lifecycle I/O"],
	},
];

/** Kinds that no step here brings, with the reason. */
export const NOT_PROVOKED: Readonly<Record<string, string>> = {
	"agent-lifecycle":
		"an agent needs a guest with an operating system; made-up events of QEMU are in packages/qemu/events",
	"balloon-change": "a balloon needs a driver in the guest; made-up events of QEMU are in packages/qemu/events",
	"memory-device-size-change":
		"virtio-mem needs a driver in the guest; made-up events of QEMU are in packages/qemu/events",
	"device-removal-failed":
		"a guest that refuses needs an operating system; made-up events of QEMU are in packages/qemu/events",
	"control-error": "told or not where QEMU is ended, by the instant, here and at libvirtd",
	"memory-failure": "needs KVM and memory of the host's that fails",
};
