// A real Linux guest goes back to its snapshots: what it wrote and what it was doing are as they were, as it reports from inside.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync } from "node:fs";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { connect } from "@virtkit/client/sdk/connection";
import type { Domain } from "@virtkit/client/sdk/domain";
import { startDaemon } from "@virtkit/testing/daemon";
import { demoDomainXml, prepareDemoGuest, READY_LINE } from "@virtkit/testing/demo-guest";

/** What a step may take on a machine that emulates the guest's processor and is busy besides. */
const DEADLINE_MS = 120_000;

/** The guest's console while it is up: each start has another. */
class Shell {
	readonly #console: Duplex;
	#text = "";
	#marks = 0;

	private constructor(console: Duplex) {
		this.#console = console;
		console.on("data", (data: Buffer) => {
			this.#text += data.toString("latin1");
		});
		console.on("error", () => undefined);
	}

	static async open(guest: Domain): Promise<Shell> {
		return new Shell(await guest.openConsole(null, { force: true }));
	}

	/** Waits until the guest has printed that; answers all that it printed since the last time. */
	async until(wanted: string): Promise<string> {
		for (const end = performance.now() + DEADLINE_MS; !this.#text.includes(wanted); ) {
			if (performance.now() > end) throw new Error(`no '${wanted}' in:\n${this.#text}`);
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
		const said = this.#text;
		this.#text = "";
		return said;
	}

	/** What a command prints. The mark is not in what the shell echoes. */
	async ask(command: string): Promise<string> {
		const mark = `mark${++this.#marks}`;
		this.#console.write(`${command}; echo ${mark.slice(0, 2)}""${mark.slice(2)}end\n`);
		return await this.until(`${mark}end`);
	}

	close(): void {
		this.#console.destroy();
	}
}

/** Read from the disk itself, not from what the guest remembers of it. */
const READ_DISK = "sync; echo 3 >/proc/sys/vm/drop_caches; head -c 8 /dev/vda; echo; cat /tmp/doing";

const write = (word: string): string =>
	`echo ${word} >/tmp/doing; echo disk-${word} | dd of=/dev/vda conv=fsync 2>/dev/null`;

async function withShell<T>(guest: Domain, use: (shell: Shell) => Promise<T>): Promise<T> {
	const shell = await Shell.open(guest);
	try {
		return await use(shell);
	} finally {
		shell.close();
	}
}

test("memory and disk of a Linux guest come back together, from files and from inside the image", async () => {
	await using daemon = await startDaemon();
	const connection = await connect(daemon.uri);
	try {
		const image = daemon.file("disk.img");
		execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "16M"]);
		chmodSync(image, 0o666);
		const disk = `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`;
		const demo = prepareDemoGuest(daemon.file("demo"));
		const options = { name: "linux", type: "qemu", memoryMib: 192, network: false, devices: disk } as const;
		const guest = await connection.domains.define(demoDomainXml(demo, options));
		await guest.start({ paused: true });
		await withShell(guest, async (shell) => {
			await guest.resume();
			await shell.until(READY_LINE);
			await shell.ask(write("one"));
		});
		const memory = daemon.file("memory");
		for (const [name, inner] of [
			["outside", `<memory file='${memory}'/>`],
			["inside", ""],
		] as const) {
			await guest.snapshots.create(`<domainsnapshot><name>${name}</name>${inner}</domainsnapshot>`);
			await withShell(guest, async (shell) => {
				await shell.ask(write("two"));
				assert.match(await shell.ask(READ_DISK), /disk-two[\s\S]*two/);
			});
			const snapshot = await guest.snapshots.byName(name);
			await snapshot.revert();
			assert.deepEqual(await guest.state(), { state: "running", reason: "from-snapshot" });
			assert.match(await withShell(guest, (shell) => shell.ask(READ_DISK)), /disk-one[\s\S]*one/);
			assert.equal((await guest.snapshots.current())?.name, name);
			assert.equal(await snapshot.isCurrent(), true);
			await snapshot.delete();
			assert.match(await withShell(guest, (shell) => shell.ask(READ_DISK)), /disk-one[\s\S]*one/);
		}
		assert.deepEqual(await guest.snapshots.list(), []);
		assert.ok(!existsSync(memory));
		await guest.destroy();
	} finally {
		await connection.close();
	}
});
