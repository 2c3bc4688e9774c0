// Side by side in one run: virtkit, libvirtd and bare QEMU, asked by the same client. Prints a table of figures and ratios.

import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findKernel, prepareDemoGuest } from "@virtkit/testing/demo-guest";
import { startLibvirtd } from "@virtkit/testing/oracle";
import { type TemporaryFolder, temporaryFolder } from "@virtkit/testing/temporary-folder";
import { barePlug, barePlugs, bareStart } from "./bare-qemu.ts";
import { startVirtkit } from "./daemons.ts";
import { bareMoves, moverXml, WORKS } from "./migration.ts";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("client.py", import.meta.url));
const CLI = fileURLToPath(new URL("../virtkit", import.meta.url));
const EMULATOR = "/usr/bin/qemu-system-x86_64";
/** The system's own Python, which has python3-libvirt; another one first on the path has not. */
const PYTHON = "/usr/bin/python3";

/** Rounds of starts, and how many of each kind are in one. */
const START_ROUNDS = 5;
const STARTS = 5;
/** Moves of each guest. */
const MOVES = 6;

/** QEMU with next to nothing. */
const FEWEST_OPTIONS = "-machine q35 -accel tcg -m 128 -nodefaults -no-user-config -display none".split(" ");

/** What libvirt's defaults add to such a guest, with the options that a daemon gives QEMU. */
const SAME_OPTIONS = [
	...["-name", "guest=bench,debug-threads=on", "-machine", "pc-q35-7.2,usb=off,dump-guest-core=off", "-accel", "tcg"],
	...["-cpu", "qemu64", "-m", "128", "-overcommit", "mem-lock=off", "-smp", "1,sockets=1,cores=1,threads=1"],
	...["-display", "none", "-no-user-config", "-nodefaults", "-rtc", "base=utc", "-no-shutdown", "-no-acpi"],
	...["-boot", "strict=on", "-append", "console=ttyS0"],
	...["-device", "pcie-root-port,port=8,chassis=1,id=pci.1,bus=pcie.0,multifunction=on,addr=0x1"],
	...["-device", "pcie-root-port,port=9,chassis=2,id=pci.2,bus=pcie.0,addr=0x1.0x1"],
	...["-device", "pcie-root-port,port=10,chassis=3,id=pci.3,bus=pcie.0,addr=0x1.0x2"],
	...["-device", "qemu-xhci,id=usb,bus=pci.1,addr=0x0", "-chardev", "null,id=charserial0"],
	...["-device", "isa-serial,chardev=charserial0,id=serial0,index=0", "-audiodev", "none,id=audio1"],
	...["-device", "virtio-balloon-pci,id=balloon0,bus=pci.2,addr=0x0"],
	...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-msg", "timestamp=on"],
];

interface Row {
	readonly what: string;
	readonly unit: string;
	readonly virtkit: number;
	readonly libvirtd?: number;
	readonly bare?: number;
	/** Larger figures are better. */
	readonly more?: boolean;
}

type Figures = Readonly<Record<string, number>>;

async function ask(workload: string, uri: string, xml: string, number: number, ...more: string[]): Promise<Figures> {
	const { stdout } = await run(PYTHON, [CLIENT, workload, uri, xml, String(number), ...more], { maxBuffer: 1 << 24 });
	return JSON.parse(stdout) as Figures;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function timed(file: string, args: readonly string[], rounds = 9): Promise<number> {
	const times: number[] = [];
	for (let round = 0; round < rounds; round++) {
		const began = performance.now();
		await run(file, args);
		times.push(performance.now() - began);
	}
	return median(times);
}

/** A guest of many devices, as a manager of virtual machines makes it. */
const TYPICAL = fileURLToPath(new URL("typical.xml", import.meta.url));
/** As little as a guest can be. */
const FIRMWARE_GUEST = `<domain type='qemu'><name>idle-${process.pid}</name><memory unit='MiB'>16</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os><devices><serial type='null'/></devices></domain>\n`;

/** A guest that boots a kernel directly, as the figures were measured with. */
function domainXml(kernel: string): string {
	return `<domain type='qemu'><name>bench-${process.pid}</name><memory unit='MiB'>128</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><kernel>${kernel}</kernel><cmdline>console=ttyS0</cmdline></os><devices><serial type='null'/></devices></domain>\n`;
}

type Both = (workload: string, number: number) => Promise<{ virtkit: Figures; libvirtd: Figures }>;

/** One figure of both daemons, as a row. */
const beside = (
	what: string,
	unit: string,
	{ virtkit, libvirtd }: Awaited<ReturnType<Both>>,
	key: string,
	more = false,
): Row => ({ what, unit, virtkit: virtkit[key] ?? Number.NaN, libvirtd: libvirtd[key] ?? Number.NaN, more });

async function measure(): Promise<Row[]> {
	using folder = temporaryFolder();
	const kernel = findKernel();
	if (!kernel) throw new Error("no readable kernel in /boot: install linux-image-amd64");
	const xml = folder.file("domain.xml");
	const guest = domainXml(kernel.path);
	writeFileSync(xml, guest);
	await using virtkit = await startVirtkit(0, guest);
	await using libvirtd = await startLibvirtd();
	const uris = { virtkit: virtkit.uri, libvirtd: libvirtd.uri };
	const both: Both = async (workload, number) => ({
		virtkit: await ask(workload, uris.virtkit, xml, number),
		libvirtd: await ask(workload, uris.libvirtd, xml, number),
	});
	const rows = [...(await measureStarts(both, kernel.path, folder.path)), ...(await measureCalls(both))];
	rows.push({
		what: "virtkit list / virsh list",
		unit: "ms",
		virtkit: await timed(CLI, ["-c", uris.virtkit, "list"]),
		libvirtd: await timed("virsh", ["-c", uris.libvirtd, "list"]),
	});
	rows.push(...(await measurePlugs(both, [...SAME_OPTIONS, "-kernel", kernel.path], folder)));
	rows.push(...(await measureMoves(uris.virtkit, uris.libvirtd, folder.path)));
	copyFileSync(TYPICAL, xml);
	rows.push(beside("domxml-to-native of a typical guest", "ms", await both("native", 100), "median_ms"));
	writeFileSync(xml, FIRMWARE_GUEST);
	rows.push(beside("statistics of 100 running, paused guests", "ms", await both("running", 100), "median_ms"));
	return [...rows, ...(await measureSizes(guest, xml))];
}

/** Devices plugged into a paused guest and out again. */
async function measurePlugs(both: Both, options: readonly string[], folder: TemporaryFolder): Promise<Row[]> {
	const rounds = 50;
	const image = folder.file("plugged.img");
	writeFileSync(image, "");
	truncateSync(image, 1 << 20);
	const rows: Row[] = [];
	for (const [kind, plug] of Object.entries(barePlugs(image))) {
		const row = beside(`a USB ${kind} plugged in and out`, "ms", await both(`plug-${kind}`, rounds), "median_ms");
		rows.push({ ...row, bare: median(await barePlug(EMULATOR, options, folder.path, { ...plug, rounds })) });
	}
	return rows;
}

/** Moves of a guest that idles and of one that writes its memory: between two daemons of each kind, and by hand. */
async function measureMoves(own: string, oracle: string, folder: string): Promise<Row[]> {
	chmodSync(folder, 0o711);
	const guest = prepareDemoGuest(folder);
	await using other = await startVirtkit(0, FIRMWARE_GUEST);
	await using another = await startLibvirtd();
	const rows: Row[] = [];
	for (const work of WORKS) {
		const moves = async (uri: string, destination: string, kind: string): Promise<Figures> => {
			const [xml, told] = [join(folder, `${kind}.xml`), join(folder, `${kind}-${work}`)];
			// The guest's user writes it.
			writeFileSync(told, "", { mode: 0o666 });
			chmodSync(told, 0o666);
			writeFileSync(xml, moverXml(guest, work, told));
			return await ask("migrate", uri, xml, MOVES, destination, told);
		};
		const pair = {
			virtkit: await moves(own, other.uri, "virtkit"),
			libvirtd: await moves(oracle, another.uri, "libvirtd"),
		};
		const { totals, downtimes } = await bareMoves(EMULATOR, guest, work, folder, MOVES);
		const what = `migration of a guest: ${work}`;
		rows.push({ ...beside(what, "ms", pair, "total_ms"), bare: median(totals) });
		rows.push({ ...beside(`${what}, downtime`, "ms", pair, "downtime_ms"), bare: median(downtimes) });
	}
	return rows;
}

/** Starts by turns: what else the machine does then bears on all of them alike. */
async function measureStarts(both: Both, kernel: string, folder: string): Promise<Row[]> {
	const taken = { bare: [] as number[], same: [] as number[], virtkit: [] as number[], libvirtd: [] as number[] };
	for (let round = 0; round < START_ROUNDS; round++) {
		for (let time = 0; time < STARTS; time++) {
			taken.bare.push(await bareStart(EMULATOR, [...FEWEST_OPTIONS, "-kernel", kernel], folder));
			taken.same.push(await bareStart(EMULATOR, [...SAME_OPTIONS, "-kernel", kernel], folder));
		}
		const { virtkit, libvirtd } = await both("start", STARTS);
		taken.virtkit.push(virtkit.median_ms ?? Number.NaN);
		taken.libvirtd.push(libvirtd.median_ms ?? Number.NaN);
	}
	const [virtkit, libvirtd] = [median(taken.virtkit), median(taken.libvirtd)];
	return [
		{ what: "createXML until the guest runs", unit: "ms", virtkit, libvirtd, bare: median(taken.bare) },
		{ what: "the same, beside QEMU with the same options", unit: "ms", virtkit, bare: median(taken.same) },
	];
}

async function measureCalls(both: Both): Promise<Row[]> {
	const rows: Row[] = [];
	for (const clients of [1, 4, 16])
		for (const call of ["info", "XMLDesc"]) {
			const what = `${call}, ${clients} client${clients > 1 ? "s" : ""}`;
			rows.push(beside(what, "calls/s", await both(call, clients), "per_second", true));
		}
	const bulk = await both("bulk", 500);
	return [
		...rows,
		beside("defineXML of 500, each", "ms", bulk, "define_ms"),
		beside("listAllDomains of 500", "ms", bulk, "list_ms"),
		beside("getAllDomainStats of 500", "ms", bulk, "stats_ms"),
	];
}

/** How soon a daemon is ready, and how large it is, by what it has to find. */
async function measureSizes(xml: string, file: string): Promise<Row[]> {
	const rows: Row[] = [];
	for (const count of [0, 1000, 10_000]) {
		await using daemon = await startVirtkit(count, xml);
		rows.push({ what: `daemon ready with ${count} definitions`, unit: "ms", virtkit: daemon.readyMs });
		rows.push({ what: `resident memory with ${count} definitions`, unit: "MiB", virtkit: daemon.residentMiB() });
		if (count === 0) continue;
		// Each definition is read for them: parsed, validated, made figures of.
		const read = await ask("first-stats", daemon.uri, file, 0);
		rows.push({ what: `first statistics of ${count} definitions`, unit: "ms", virtkit: read.ms ?? Number.NaN });
	}
	return rows;
}

const shown = (value: number | undefined): string =>
	value === undefined ? "-" : value >= 100 ? value.toFixed(0) : value.toFixed(1);

/** How many times better virtkit is: above 1 it is ahead. */
function ahead({ virtkit, more }: Row, other: number | undefined): string {
	if (other === undefined) return "-";
	return `${(more ? virtkit / other : other / virtkit).toFixed(2)} ×`;
}

function format(rows: readonly Row[]): string {
	const lines = rows.map((row) => [
		row.what,
		row.unit,
		shown(row.virtkit),
		shown(row.libvirtd),
		shown(row.bare),
		ahead(row, row.libvirtd),
		row.bare === undefined ? "-" : `${(row.virtkit / row.bare).toFixed(2)} ×`,
	]);
	const header = ["figure", "unit", "virtkit", "libvirtd", "bare QEMU", "ahead of libvirtd", "of bare QEMU"];
	return [header, header.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const rows = await measure();
const table = format(rows);
process.stdout.write(`${table}\n`);
const [output] = process.argv.slice(2);
if (output !== undefined) writeFileSync(join(output), `${table}\n`);
