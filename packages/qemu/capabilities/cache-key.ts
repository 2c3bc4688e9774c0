// What a probe's answer depends on: the binary, its modules, the host's CPU, kernel and KVM. Any change makes it stale.

import { accessSync, constants, readdirSync, readFileSync, statSync } from "node:fs";
import { arch as nodeArch, release, version } from "node:os";
import { vendorModules } from "./kvm-run.ts";
import type { ProbeOptions } from "./probe-session.ts";

/** Raised whenever the facts change their shape or a question is added. */
const FORMAT = 5;

/** Where distributions keep QEMU's loadable modules; installing one adds devices. */
const MODULE_FOLDERS: readonly string[] = [
	"/usr/lib/qemu",
	"/usr/lib64/qemu",
	"/usr/local/lib/qemu",
	`/usr/lib/${({ x64: "x86_64", arm64: "aarch64" } as Record<string, string>)[nodeArch()] ?? nodeArch()}-linux-gnu/qemu`,
];

/** The host's part of every key; read anew each time because modules come and go. */
export function hostKey(): string {
	return JSON.stringify([FORMAT, cpuKey(), release(), version(), kvmKey(), MODULE_FOLDERS.map(mtimeOf)]);
}

/** The key of `binary` on the host `host`; undefined where there is no such file. */
export function cacheKey(binary: string, host: string, { uid, gid }: ProbeOptions): string | undefined {
	const stat = statSync(binary, { bigint: true, throwIfNoEntry: false });
	if (stat === undefined) return undefined;
	return JSON.stringify([
		binary,
		String(stat.size),
		String(stat.mtimeNs),
		String(stat.ctimeNs),
		uid ?? null,
		gid ?? null,
		host,
	]);
}

let cpu: string | undefined;

/** Model, family, stepping, microcode and features of the first CPU: they do not change while the kernel runs. */
function cpuKey(): string {
	if (cpu !== undefined) return cpu;
	const lines = readText("/proc/cpuinfo").split("\n\n", 1)[0]?.split("\n") ?? [];
	cpu = lines
		.filter((line) => /^(vendor_id|cpu family|model|model name|stepping|microcode|flags|Features|CPU)\b/.test(line))
		.join("\n");
	return cpu;
}

/** Whether /dev/kvm is there and open to us, which modules are behind it, and whether they let guests nest. */
function kvmKey(): string {
	const modules = vendorModules();
	const nested = modules.map((name) => readText(`/sys/module/${name}/parameters/nested`).trim());
	let device = "open";
	try {
		accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
	} catch (error) {
		device = String((error as NodeJS.ErrnoException).code);
	}
	return [device, ...modules, ...nested].join(" ");
}

function mtimeOf(folder: string): string {
	const stat = statSync(folder, { bigint: true, throwIfNoEntry: false });
	return stat === undefined ? "" : `${stat.mtimeNs} ${readdirSync(folder).length}`;
}

function readText(path: string): string {
	try {
		return readFileSync(path, "utf8");
	} catch {
		return "";
	}
}
