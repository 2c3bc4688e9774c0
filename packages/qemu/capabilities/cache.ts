// The capabilities of all emulators of the host: probed once, kept in files, read back when first asked for.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import { writeFileAtomically } from "@virtkit/host/atomic-file";
import { cacheKey, hostKey } from "./cache-key.ts";
import { formatFacts, parseFacts } from "./cached-facts.ts";
import { EmulatorCapabilities } from "./emulator.ts";
import { type ProbeResult, probeEmulator } from "./probe.ts";
import { checkBinary, type ProbeOptions } from "./probe-session.ts";

export interface CapabilityCacheOptions extends ProbeOptions {
	/** Folder of the cache files; made when the first one is written. */
	readonly directory: string;
	/** Stands in for probing in tests. */
	readonly probe?: (binary: string, options: ProbeOptions) => Promise<ProbeResult>;
	/** Told why a cache file could not be written; the probe's answer is used all the same. */
	readonly onWriteError?: (error: unknown) => void;
}

interface Entry {
	readonly key: string;
	readonly capabilities: EmulatorCapabilities;
}

/** How long the host's part of the keys is taken as unchanged, in milliseconds. */
const HOST_KEY_LIFETIME_MS = 1000;

export class CapabilityCache {
	readonly #options: CapabilityCacheOptions;
	readonly #entries = new Map<string, Entry>();
	readonly #underWay = new Map<string, Promise<EmulatorCapabilities>>();
	#host: { readonly key: string; readonly readAt: number } | undefined;
	#running = 0;
	readonly #waiting: (() => void)[] = [];

	constructor(options: CapabilityCacheOptions) {
		this.#options = options;
	}

	/** The capabilities of `binary` if they are known already, in memory or on disk; probes nothing. */
	known(binary: string): EmulatorCapabilities | undefined {
		const key = this.#keyOf(binary);
		if (key === undefined) return undefined;
		const entry = this.#entries.get(binary);
		if (entry?.key === key) return entry.capabilities;
		const facts = this.#read(binary, key);
		return facts === undefined ? undefined : this.#remember(binary, key, new EmulatorCapabilities(facts));
	}

	/** The capabilities of `binary`, probed where they are not known. Errors are those of `probeEmulator`. */
	async get(binary: string): Promise<EmulatorCapabilities> {
		const known = this.known(binary);
		if (known !== undefined) return known;
		let underWay = this.#underWay.get(binary);
		if (underWay === undefined) {
			underWay = this.#probe(binary).finally(() => this.#underWay.delete(binary));
			this.#underWay.set(binary, underWay);
		}
		return underWay;
	}

	async #probe(binary: string): Promise<EmulatorCapabilities> {
		checkBinary(binary);
		const key = this.#keyOf(binary);
		if (key === undefined)
			throw new VirtError("SYSTEM_ERROR", `Cannot check QEMU binary ${binary}: No such file or directory`);
		const { facts, certain } = await this.#oneOfFew(() =>
			(this.#options.probe ?? probeEmulator)(binary, this.#options),
		);
		if (certain) await this.#write(binary, formatFacts(key, facts));
		return this.#remember(binary, key, new EmulatorCapabilities(facts));
	}

	/** Runs no more probes at once than there are CPUs. */
	async #oneOfFew<T>(run: () => Promise<T>): Promise<T> {
		if (this.#running >= availableParallelism()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
		this.#running++;
		try {
			return await run();
		} finally {
			this.#running--;
			this.#waiting.shift()?.();
		}
	}

	#remember(binary: string, key: string, capabilities: EmulatorCapabilities): EmulatorCapabilities {
		this.#entries.set(binary, { key, capabilities });
		return capabilities;
	}

	#keyOf(binary: string): string | undefined {
		const now = performance.now();
		if (this.#host === undefined || now - this.#host.readAt > HOST_KEY_LIFETIME_MS)
			this.#host = { key: hostKey(), readAt: now };
		return cacheKey(binary, this.#host.key, this.#options);
	}

	#fileOf(binary: string): string {
		const hash = createHash("sha256").update(binary).digest("hex").slice(0, 16);
		return join(this.#options.directory, `${basename(binary)}-${hash}.json`);
	}

	#read(binary: string, key: string) {
		let text: string;
		try {
			text = readFileSync(this.#fileOf(binary), "utf8");
		} catch {
			return undefined;
		}
		return parseFacts(key, text);
	}

	async #write(binary: string, text: string): Promise<void> {
		try {
			mkdirSync(this.#options.directory, { recursive: true });
			await writeFileAtomically(this.#fileOf(binary), text);
		} catch (error) {
			this.#options.onWriteError?.(error);
		}
	}
}
