// The source's side of copied disks: QEMU mirrors each to the destination's NBD server until the guest switches over.

import { VirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { jobEnd } from "../block/new-image.ts";
import { topNode } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { DiskFigures } from "../save/domain-job.ts";
import type { MigrationAddress } from "./address.ts";
import { type DisksAddress, exportName, parseDisksUri } from "./copied-disks.ts";
import { MIGRATE_FLAG, type MigrationParameters } from "./parameters.ts";

/** What is copied, and how. */
export interface CopyRequest {
	readonly disks: readonly DiskDef[];
	readonly server: DisksAddress;
	/** The destination has the images below the disks' own already. */
	readonly shallow: boolean;
	/** Bytes a second; 0 without limit. */
	readonly speed: number;
	/** The guest's writes wait until the copy has them too. */
	readonly synchronous: boolean;
	/** Of connections that are encrypted, as QEMU's NBD nodes take it. */
	readonly tls?: { readonly "tls-creds": string | undefined; readonly "tls-hostname": string | undefined } | undefined;
}

const MIB = 1024 ** 2;

/** Disks go to where the guest goes, unless another place is named. Throws INVALID_ARG where that is a socket. */
function hostOf(address: MigrationAddress): { readonly host: string } {
	// Its port is where the guest's memory goes.
	if (address.scheme === "tcp") return { host: address.host };
	throw new VirtError(
		"INVALID_ARG",
		"a guest that goes through a UNIX socket needs a disks URI to have its disks copied",
	);
}

/** What the parameters and flags say of copying `disks` to a destination that told `port`. */
export function copyRequest(
	disks: readonly DiskDef[],
	{ disksUri, bandwidth = 0n }: MigrationParameters,
	flags: number,
	address: MigrationAddress,
	port: number | undefined,
): CopyRequest {
	const asked = disksUri === undefined ? hostOf(address) : parseDisksUri(disksUri);
	const options = {
		disks,
		shallow: (flags & MIGRATE_FLAG.nonSharedIncremental) !== 0,
		speed: Number(bandwidth) * MIB,
		synchronous: (flags & MIGRATE_FLAG.synchronousWrites) !== 0,
	};
	if ("path" in asked) return { ...options, server: { type: "unix", path: asked.path } };
	const number = ("port" in asked ? asked.port : undefined) ?? port;
	if (number === undefined) throw new VirtError("INTERNAL_ERROR", "the destination does not tell where it takes disks");
	return { ...options, server: { type: "inet", host: asked.host, port: String(number) } };
}

/** Names of a copy's nodes in QEMU. */
const nodesOf = ({ target }: DiskDef) => ({
	storage: `migration-${target.dev}-storage`,
	format: `migration-${target.dev}-format`,
});

const HALTS: ReadonlySet<string> = new Set(["ready", "concluded"]);

/** Copies under way; disposing gives them up. */
export class DiskCopies implements AsyncDisposable {
	readonly #run: Run;
	readonly #disks = new Set<DiskDef>();
	/** What there was to copy, once that is done. */
	#finished: DiskFigures = { total: 0, processed: 0 };

	private constructor(run: Run) {
		this.#run = run;
	}

	/** Begins to copy; done once every copy keeps up with its disk. Throws why one fails, or `signal`'s reason. */
	static async begin(run: Run, request: CopyRequest, signal: AbortSignal): Promise<DiskCopies> {
		const copies = new DiskCopies(run);
		try {
			for (const disk of request.disks) await copies.#mirror(disk, request);
			for (const disk of request.disks) await copies.#ready(disk, signal);
			return copies;
		} catch (error) {
			await copies[Symbol.asyncDispose]();
			throw error;
		}
	}

	async #mirror(disk: DiskDef, { server, shallow, speed, synchronous, tls }: CopyRequest): Promise<void> {
		const { monitor } = this.#run;
		const { storage, format } = nodesOf(disk);
		this.#disks.add(disk);
		const add = (node: Record<string, unknown>) => monitor.executeUntyped("blockdev-add", node);
		await add({ driver: "nbd", "node-name": storage, server, export: exportName(disk), discard: "unmap", ...tls });
		await add({ driver: "raw", "node-name": format, file: storage, discard: "unmap" });
		await monitor.executeUntyped("blockdev-mirror", {
			"job-id": exportName(disk),
			device: topNode(disk),
			target: format,
			sync: shallow ? "top" : "full",
			speed: speed || undefined,
			"auto-finalize": true,
			"auto-dismiss": false,
			"copy-mode": synchronous ? "write-blocking" : undefined,
		});
	}

	async #ready(disk: DiskDef, signal: AbortSignal): Promise<void> {
		const id = exportName(disk);
		const { monitor } = this.#run;
		const halted = new AbortController();
		const changed = monitor.waitForEvent("JOB_STATUS_CHANGE", ({ data }) => data.id === id && HALTS.has(data.status), {
			signal: AbortSignal.any([signal, halted.signal]),
		});
		changed.catch(() => undefined);
		const now = (await monitor.execute("query-jobs")).find((job) => job.id === id)?.status ?? "concluded";
		try {
			const status = HALTS.has(now) ? now : (await changed).data.status;
			if (status === "concluded") throw await this.#failure(disk);
		} finally {
			halted.abort();
		}
	}

	async #failure(disk: DiskDef): Promise<VirtError> {
		const job = (await this.#run.monitor.execute("query-jobs")).find(({ id }) => id === exportName(disk));
		const why = job?.error ?? "it ended before the guest had moved";
		return new VirtError("OPERATION_FAILED", `migration of disk ${disk.target.dev} failed: ${why}`);
	}

	/** Bytes of all disks and how many of them are copied. */
	async figures(): Promise<DiskFigures> {
		if (this.#disks.size === 0) return this.#finished;
		const jobs = await this.#run.monitor.execute("query-block-jobs");
		const own = new Set([...this.#disks].map(exportName));
		const sum = (key: "len" | "offset") =>
			jobs.filter(({ device }) => own.has(device)).reduce((bytes, job) => bytes + job[key], 0);
		return { total: sum("len"), processed: sum("offset") };
	}

	/** The guest stands still: each copy gets what it still lacks, and is let go. Throws where one failed. */
	async finish(): Promise<void> {
		const { monitor } = this.#run;
		const { total } = await this.figures();
		this.#finished = { total, processed: total };
		for (const disk of this.#disks) {
			const id = exportName(disk);
			const { status } = (await monitor.execute("query-jobs")).find((job) => job.id === id) ?? {};
			if (status !== "ready") throw await this.#failure(disk);
			await monitor.execute("block-job-cancel", { device: id, force: false });
		}
		for (const disk of [...this.#disks]) {
			const failure = await this.#close(disk);
			if (failure !== undefined)
				throw new VirtError("OPERATION_FAILED", `migration of disk ${disk.target.dev} failed: ${failure}`);
		}
	}

	/** Waits for the job's end and takes its nodes out of QEMU; comes to the job's error. */
	async #close(disk: DiskDef): Promise<string | undefined> {
		const failure = await jobEnd(this.#run, exportName(disk));
		await closeNodes(this.#run, disk);
		this.#disks.delete(disk);
		return failure;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const disks = [...this.#disks];
		this.#disks.clear();
		await giveUp(this.#run, disks);
	}
}

async function closeNodes({ monitor }: Run, disk: DiskDef): Promise<void> {
	const { storage, format } = nodesOf(disk);
	for (const node of [format, storage])
		await monitor.execute("blockdev-del", { "node-name": node }).catch(() => undefined);
}

async function giveUp(run: Run, disks: readonly DiskDef[]): Promise<void> {
	for (const disk of disks) {
		if (run.monitor.loss) return;
		// Where there is no job any more, or never was one, its nodes still may be.
		await run.monitor.execute("block-job-cancel", { device: exportName(disk), force: true }).catch(() => undefined);
		await jobEnd(run, exportName(disk)).catch(() => undefined);
		await closeNodes(run, disk);
	}
}

/** Gives up what a daemon that is gone was copying. */
export async function giveUpCopies(run: Run): Promise<void> {
	const jobs = new Set((await run.monitor.execute("query-jobs")).map(({ id }) => id));
	await giveUp(
		run,
		run.live.def.devices.disks.filter((disk) => jobs.has(exportName(disk))),
	);
}
