// Side by side in one run: virtkit, libvirtd and bare QEMU, asked by the same client. Prints a table of figures and ratios.

import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findKernel } from "@virtkit/testing/demo-guest";
import { startLibvirtd } from "@virtkit/testing/oracle";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";
import { bareStart } from "./bare-qemu.ts";
import { startVirtkit } from "./daemons.ts";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("client.py", import.meta.url));
const CLI = fileURLToPath(new URL("../virtkit", import.meta.url));
/** The system's own Python, which has python3-libvirt; another one first on the path has not. */
const PYTHON = "/usr/bin/python3";

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

async function ask(workload: string, uri: string, xml: string, number: number): Promise<Figures> {
	const { stdout } = await run(PYTHON, [CLIENT, workload, uri, xml, String(number)], { maxBuffer: 1 << 24 });
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

/** A guest that boots a kernel directly, as the figures were measured with. */
function domainXml(kernel: string): string {
	return `<domain type='qemu'><name>bench-${process.pid}</name><memory unit='MiB'>128</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type><kernel>${kernel}</kernel><cmdline>console=ttyS0</cmdline></os><devices><serial type='null'/></devices></domain>\n`;
}

async function measure(): Promise<Row[]> {
	using folder = temporaryFolder();
	const kernel = findKernel();
	if (!kernel) throw new Error("no readable kernel in /boot: install linux-image-amd64");
	const xml = folder.file("domain.xml");
	writeFileSync(xml, domainXml(kernel.path));
	await using virtkit = await startVirtkit(0, domainXml(kernel.path));
	await using libvirtd = await startLibvirtd();
	const uris = { virtkit: virtkit.uri, libvirtd: libvirtd.uri };
	const rows: Row[] = [];
	const both = async (workload: string, number: number): Promise<{ virtkit: Figures; libvirtd: Figures }> => ({
		virtkit: await ask(workload, uris.virtkit, xml, number),
		libvirtd: await ask(workload, uris.libvirtd, xml, number),
	});
	const add = (
		what: string,
		unit: string,
		figures: { virtkit: Figures; libvirtd: Figures },
		key: string,
		more = false,
	): void => {
		rows.push({
			what,
			unit,
			virtkit: figures.virtkit[key] ?? Number.NaN,
			libvirtd: figures.libvirtd[key] ?? Number.NaN,
			more,
		});
	};

	const options = [
		"-machine",
		"q35",
		"-accel",
		"tcg",
		"-m",
		"128",
		"-nodefaults",
		"-no-user-config",
		"-display",
		"none",
		"-kernel",
		kernel.path,
	];
	const bare: number[] = [];
	for (let round = 0; round < 15; round++)
		bare.push(await bareStart("/usr/bin/qemu-system-x86_64", options, folder.path));
	const started = await both("start", 15);
	rows.push({
		what: "createXML until the guest runs",
		unit: "ms",
		virtkit: started.virtkit.median_ms ?? Number.NaN,
		libvirtd: started.libvirtd.median_ms ?? Number.NaN,
		bare: median(bare),
	});
	for (const clients of [1, 4, 16])
		for (const call of ["info", "XMLDesc"])
			add(
				`${call}, ${clients} client${clients > 1 ? "s" : ""}`,
				"calls/s",
				await both(call, clients),
				"per_second",
				true,
			);
	const bulk = await both("bulk", 500);
	add("defineXML of 500, each", "ms", bulk, "define_ms");
	add("listAllDomains of 500", "ms", bulk, "list_ms");
	add("getAllDomainStats of 500", "ms", bulk, "stats_ms");
	rows.push({
		what: "virtkit list / virsh list",
		unit: "ms",
		virtkit: await timed(CLI, ["-c", uris.virtkit, "list"]),
		libvirtd: await timed("virsh", ["-c", uris.libvirtd, "list"]),
	});
	rows.push(...(await measureSizes(domainXml(kernel.path))));
	return rows;
}

/** How soon a daemon is ready, and how large it is, by what it has to find. */
async function measureSizes(xml: string): Promise<Row[]> {
	const rows: Row[] = [];
	for (const count of [0, 1000, 10_000]) {
		await using daemon = await startVirtkit(count, xml);
		rows.push({ what: `daemon ready with ${count} definitions`, unit: "ms", virtkit: daemon.readyMs });
		rows.push({ what: `resident memory with ${count} definitions`, unit: "MiB", virtkit: daemon.residentMiB() });
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
