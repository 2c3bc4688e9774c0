// The daemons under measurement, each in a folder of its own, ended and removed when disposed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "@virtkit/testing/temporary-folder";

const MAIN = fileURLToPath(new URL("../apps/daemon/main.ts", import.meta.url));

/** A running virtkit daemon. */
export interface MeasuredDaemon extends AsyncDisposable {
	readonly uri: string;
	/** Milliseconds from the spawn to the ready line. */
	readonly readyMs: number;
	/** Resident memory, in MiB. */
	residentMiB(): number;
}

/** Starts virtkit's daemon with `definitions` domains already defined. */
export async function startVirtkit(definitions: number, domainXml: string): Promise<MeasuredDaemon> {
	const folder = temporaryFolder();
	writeDefinitions(join(folder.path, "etc", "qemu"), definitions, domainXml);
	const began = performance.now();
	const child = spawn(process.execPath, [MAIN, "--root", folder.path], { stdio: ["ignore", "pipe", "ignore"] });
	await readyLine(child);
	const readyMs = performance.now() - began;
	return {
		uri: `qemu+unix:///system?socket=${folder.path}/run/libvirt-sock`,
		readyMs,
		residentMiB: () => residentMiB(child.pid ?? 0),
		[Symbol.asyncDispose]: async () => {
			const ended = once(child, "exit");
			child.kill();
			await ended;
			folder[Symbol.dispose]();
		},
	};
}

/** Resident memory of a process, in MiB (proc_pid_status(5), VmRSS). */
export function residentMiB(pid: number): number {
	const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
	return Number(line?.[1] ?? 0) / 1024;
}

function writeDefinitions(folder: string, count: number, domainXml: string): void {
	mkdirSync(folder, { recursive: true });
	for (let number = 0; number < count; number++) {
		const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
		const xml = domainXml.replace(/<name>[^<]*<\/name>/, `<name>stored-${number}</name><uuid>${uuid}</uuid>`);
		writeFileSync(join(folder, `stored-${number}.xml`), xml);
	}
}

async function readyLine(child: ChildProcess): Promise<void> {
	for await (const chunk of child.stdout ?? []) if (String(chunk).includes("ready")) return;
	throw new Error("the daemon ended before it was ready");
}
