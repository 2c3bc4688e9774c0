// Migration of an idle guest and of one that writes its memory: between two daemons of a kind, and between two QEMUs by hand.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { listenOnUnixSocket } from "@virtkit/host/listening-socket";
import { QmpClient } from "@virtkit/qmp/client";
import { type DemoGuest, demoDomainXml } from "@virtkit/testing/demo-guest";

const MEMORY_MIB = 512;

/** What a guest does once it is up, which it tells on its second serial port. */
const WORK = {
	idle: "echo up >/dev/ttyS1",
	"memory-writing": "echo up >/dev/ttyS1; while :; do n=$((n+1)); yes $n | head -c 48m >/tmp/memory; done &",
} as const;
export type Work = keyof typeof WORK;
export const WORKS = Object.keys(WORK) as Work[];

/** The guest's document; it tells that it is up in the file `told`. */
export const moverXml = (guest: DemoGuest, work: Work, told: string): string =>
	demoDomainXml(guest, {
		name: `mover-${process.pid}`,
		type: "qemu",
		memoryMib: MEMORY_MIB,
		network: false,
		run: WORK[work],
		devices: `<serial type='file'><source path='${told}' append='on'/><target port='1'/></serial>`,
	});

/** One QEMU of a move by hand. */
class Mover {
	readonly child: ChildProcess;
	readonly client: QmpClient;

	constructor(emulator: string, options: readonly string[], path: string) {
		const listening = listenOnUnixSocket(path);
		const monitor = ["-chardev", "socket,id=mon,fd=3,server=on,wait=off", "-mon", "chardev=mon,mode=control", "-S"];
		this.child = spawn(emulator, [...options, ...monitor], { stdio: ["ignore", "ignore", "ignore", listening.fd] });
		listening.close();
		this.client = QmpClient.connect(path, { label: "bare" });
	}

	capabilities(): Promise<unknown> {
		return this.client.execute("migrate-set-capabilities", { capabilities: [{ capability: "events", state: true }] });
	}

	async end(): Promise<void> {
		const ended = once(this.child, "exit");
		this.client.close();
		this.child.kill("SIGKILL");
		if (this.child.exitCode === null && this.child.signalCode === null) await ended;
	}
}

const OPTIONS = [
	...[
		"-machine",
		"pc-q35-7.2,usb=off,dump-guest-core=off",
		"-accel",
		"tcg",
		"-cpu",
		"qemu64",
		"-m",
		String(MEMORY_MIB),
	],
	...["-display", "none", "-no-user-config", "-nodefaults", "-rtc", "base=utc", "-no-shutdown"],
	...["-device", "virtio-serial-pci", "-device", "virtio-balloon-pci", "-device", "qemu-xhci"],
	...["-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng", "-serial", "null"],
];

/** Moves such a guest from one QEMU to the next, `rounds` times. */
export async function bareMoves(
	emulator: string,
	guest: DemoGuest,
	work: Work,
	folder: string,
	rounds: number,
): Promise<{ totals: number[]; downtimes: number[] }> {
	const told = join(folder, `bare-${work}`);
	const append = `${guest.cmdline} run="${WORK[work]}"`;
	const boot = ["-kernel", guest.kernel, "-initrd", guest.initrd, "-append", append];
	const options = [...OPTIONS, ...boot, "-chardev", `file,id=told,path=${told},append=on`, "-serial", "chardev:told"];
	const [totals, downtimes]: [number[], number[]] = [[], []];
	let here = new Mover(emulator, options, join(folder, "mover-0.sock"));
	try {
		await here.client.execute("cont");
		await untilUp(told);
		for (let round = 1; round <= rounds; round++) {
			const began = performance.now();
			const there = new Mover(emulator, [...options, "-incoming", "defer"], join(folder, `mover-${round}.sock`));
			const downtime = await move(here, there).catch(async (error: unknown) => {
				await there.end();
				throw error;
			});
			totals.push(performance.now() - began);
			downtimes.push(downtime);
			await here.end();
			here = there;
		}
		return { totals, downtimes };
	} finally {
		await here.end();
	}
}

/** Waits until the guest has written to the file. */
async function untilUp(file: string): Promise<void> {
	while (!existsSync(file) || readFileSync(file).length === 0) await delay(50);
}

/** Answers the downtime that the source tells, in milliseconds. */
async function move(here: Mover, there: Mover): Promise<number> {
	const { port } = await freePort();
	await Promise.all([here.capabilities(), there.capabilities()]);
	await here.client.execute("migrate-set-parameters", { "max-bandwidth": Number.MAX_SAFE_INTEGER });
	await there.client.execute("migrate-incoming", { uri: `tcp:127.0.0.1:${port}` });
	const arrived = there.client.waitForEvent("MIGRATION", ({ data }) => data.status === "completed");
	const left = here.client.waitForEvent("MIGRATION", ({ data }) => data.status === "completed");
	await here.client.execute("migrate", { uri: `tcp:127.0.0.1:${port}` });
	await Promise.all([left, arrived]);
	await there.client.execute("cont");
	return (await here.client.execute("query-migrate")).downtime ?? Number.NaN;
}

async function freePort(): Promise<{ port: number }> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	if (address === null || typeof address === "string") throw new Error("no port");
	return address;
}
