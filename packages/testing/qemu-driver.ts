// A QEMU driver on folders of its own, with real QEMU; every guest ends when its scope does.

import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { CallContext, DomainOperationName } from "@virtkit/core/domain-operations";
import type { DomainEvent } from "@virtkit/core/events";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import { invoke, type OperationArguments, type OperationResults } from "@virtkit/core/invoke";
import { findProcesses } from "@virtkit/host/process";
import type { QemuDomain } from "@virtkit/qemu/domain/domain";
import { createQemuDriver, type QemuDriver } from "@virtkit/qemu/driver";
import type { DriverSettings } from "@virtkit/qemu/settings";
import { DEFAULT_SETTINGS } from "@virtkit/qemu/settings-file";
import { sharedCacheFolder } from "./shared-cache.ts";
import { type TemporaryFolder, temporaryFolder } from "./temporary-folder.ts";

/** Emulators are asked once for all tests. */
export const CAPABILITIES_CACHE = sharedCacheFolder("virtkit-test-capabilities");

/** Waits until `holds` does. Throws naming `what` after ten seconds, or as many milliseconds as are told. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, deadlineMs = 10_000): Promise<void> {
	const deadline = performance.now() + deadlineMs;
	while (!(await holds())) {
		if (performance.now() > deadline) throw new Error(`it never came to be: ${what}`);
		await delay(5);
	}
}

/** Ends all processes that have `marker` in their command line. */
export function killProcesses(marker: string): void {
	for (const { pid } of findProcesses(marker)) process.kill(pid, "SIGKILL");
}

function openDriver(root: string, settings: Partial<DriverSettings>, logs: string[]): Promise<QemuDriver> {
	const log = (level: string) => (message: string) => void logs.push(`${level}: ${message}`);
	return createQemuDriver({
		folders: { ...instanceFolders(root), cache: CAPABILITIES_CACHE },
		session: false,
		settings: { ...DEFAULT_SETTINGS, ...settings },
		log: { debug: () => undefined, info: log("info"), warn: log("warn"), error: log("error") },
	});
}

/** See the opening sentence. */
export class TestDriver implements AsyncDisposable {
	driver: QemuDriver;
	readonly root: string;
	/** Lifecycle events as `started booted`, others by their kind. */
	readonly events: string[] = [];
	readonly allEvents: DomainEvent[] = [];
	readonly logs: string[];
	readonly #settings: Partial<DriverSettings>;
	readonly #folder: TemporaryFolder;
	readonly #onClose = new Set<() => void>();
	readonly context: CallContext = {
		signal: new AbortController().signal,
		readOnly: false,
		caller: "test",
		onClose: (end) => {
			this.#onClose.add(end);
			return { [Symbol.dispose]: () => void this.#onClose.delete(end) };
		},
	};

	private constructor(folder: TemporaryFolder, driver: QemuDriver, logs: string[], settings: Partial<DriverSettings>) {
		this.#folder = folder;
		this.#settings = settings;
		this.root = folder.path;
		this.driver = driver;
		this.logs = logs;
		this.#listen();
	}

	#listen(): void {
		this.driver.events.listen((event) => {
			if (event.kind === "qemu-monitor") return;
			this.allEvents.push(event);
			this.events.push(event.kind === "lifecycle" ? `${event.event} ${event.detail}` : event.kind);
		});
	}

	/** Lets go of the driver as a daemon does that ends, and makes the next one on the same folders. */
	async restart(): Promise<void> {
		await this.driver[Symbol.asyncDispose]();
		this.driver = await openDriver(this.root, this.#settings, this.logs);
		this.#listen();
	}

	static async start(settings: Partial<DriverSettings> = {}): Promise<TestDriver> {
		const folder = temporaryFolder("virtkit-driver-");
		const logs: string[] = [];
		return new TestDriver(folder, await openDriver(folder.path, settings, logs), logs, settings);
	}

	define(xml: string, flags = 0): Promise<QemuDomain> {
		return Promise.resolve(this.driver.domains.define(xml, flags, this.context));
	}

	create(xml: string, flags = 0): Promise<QemuDomain> {
		return Promise.resolve(this.driver.domains.create(xml, flags, this.context));
	}

	/** Carries out one operation as front-ends do. */
	async run<N extends DomainOperationName>(
		name: N,
		domain: QemuDomain,
		flags = 0,
		...own: OperationArguments[N]
	): Promise<OperationResults[N]> {
		return invoke(this.driver as unknown as Hypervisor, name, domain, flags, this.context, ...own);
	}

	/** The client goes away. */
	disconnect(): void {
		for (const end of [...this.#onClose]) end();
	}

	/** A path of the instance. */
	path(...parts: string[]): string {
		return join(this.root, ...parts);
	}

	/** Processes of guests. */
	get processes(): number[] {
		return findProcesses(join(this.root, "lib/qemu/domain-")).map(({ pid }) => pid);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const domain of [...this.driver.domains.all()])
			if (domain.run) await this.run("destroy", domain).catch(() => undefined);
		await this.driver[Symbol.asyncDispose]();
		killProcesses(join(this.root, "lib/qemu/domain-"));
		this.#folder[Symbol.dispose]();
	}
}

/** The folders of an instance under `root`. */
export function instanceFolders(root: string) {
	return { etc: join(root, "etc"), lib: join(root, "lib"), run: join(root, "run"), log: join(root, "log") };
}

/** The smallest guest: firmware that finds nothing to boot. `more` goes into the domain, `devices` into its devices. */
export function tinyGuest(name: string, { more = "", devices = "" }: { more?: string; devices?: string } = {}): string {
	return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os>${more}
<devices><memballoon model='none'/><controller type='usb' model='none'/>${devices}</devices></domain>`;
}
