// After a daemon went away while a snapshot was taken, deleted or gone back to: whatever it was comes to its end, or leaves nothing.

import { readdirSync, rmSync } from "node:fs";
import { toVirtError } from "@virtkit/base/errors";
import type { DiskDef } from "@virtkit/model/domain/disk";
import { sourcePath } from "@virtkit/model/domain/disk-source";
import type { SnapshotDef } from "@virtkit/model/snapshot/snapshot";
import { withAgent } from "../agent/agent.ts";
import { installTop } from "../block/layers.ts";
import { formatNode, topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { discardOverlays, imagesInUse } from "./branch.ts";
import { applyInImages } from "./internal.ts";
import { mergeExternal } from "./merge.ts";
import { snapshots } from "./metadata.ts";
import { followInConfig, type Nodes } from "./overlays.ts";
import { dropDeleting, dropPending, type PendingSnapshot, readDeleting, readPending } from "./pending.ts";

const partsOf = ({ disks }: SnapshotDef, where: "external" | "internal") =>
	disks.filter(({ snapshot }) => snapshot === where);

const diskNamed = (disks: readonly DiskDef[], name: string): DiskDef | undefined =>
	disks.find(({ target }) => target.dev === name);

/** Takes the guest's chains for what QEMU has, finishes or takes back the snapshot that was being taken. The caller holds the domain's lock. */
export async function recoverSnapshotOfRunning(driver: Driver, domain: QemuDomain, run: Run): Promise<void> {
	const pending = readPending(driver, domain);
	if (pending === undefined) return;
	const { snapshot, created, frozen } = pending;
	const nodes = await run.monitor.execute("query-named-block-nodes", { flat: true });
	const external = partsOf(snapshot, "external");
	const came = external.length > 0 ? keepSwitched(run, snapshot, nodes) : isInImages(run, snapshot, nodes);
	run.live.changed();
	if (!came) await closeLeftovers(run, created, nodes);
	if (came && external.length > 0 && !pending.revert) {
		const { disks } = run.live.def.devices;
		const before = external.map(({ name }) => sourcePath(diskNamed(disks, name)?.backingStore?.source));
		await followInConfig(driver, domain, snapshot, before);
	}
	// The agent may be heard of only later, and need not be there at all.
	if (frozen) withAgent(domain, (agent) => agent.execute("guest-fsfreeze-thaw")).catch(() => undefined);
	await settle(driver, domain, pending, came);
}

/** Whether QEMU has all disks on their overlays; where it has not, the definition does without them. */
function keepSwitched(run: Run, snapshot: SnapshotDef, nodes: Nodes): boolean {
	let all = true;
	for (const { name, source } of partsOf(snapshot, "external")) {
		const disk = diskNamed(run.live.def.devices.disks, name);
		if (disk === undefined || sourcePath(disk.source) !== sourcePath(source)) {
			all = false;
			continue;
		}
		// It was opened alone: that something lies below it came with the transaction.
		const node = nodes.find((one) => one["node-name"] === formatNode(topImage(disk)));
		if ((node?.backing_file_depth ?? 0) > 0) continue;
		all = false;
		if (disk.backingStore?.type !== undefined) installTop(disk, disk.backingStore);
	}
	return all;
}

/** Whether all disks have the internal snapshot. */
function isInImages(run: Run, snapshot: SnapshotDef, nodes: Nodes): boolean {
	const parts = partsOf(snapshot, "internal");
	const has = (name: string): boolean => {
		const disk = diskNamed(run.live.def.devices.disks, name);
		const node = disk && nodes.find((one) => one["node-name"] === formatNode(topImage(disk)));
		return node?.image.snapshots?.some((one) => one.name === snapshot.name) ?? false;
	};
	return parts.length > 0 && parts.every(({ name }) => has(name));
}

/** Nodes that were opened for overlays that did not come to be; what stands on another goes first. */
async function closeLeftovers(run: Run, created: readonly string[], nodes: Nodes): Promise<void> {
	const found = nodes.filter(({ file }) => created.includes(file));
	for (const node of [...found.filter(({ drv }) => drv !== "file"), ...found.filter(({ drv }) => drv === "file")])
		await run.monitor.execute("blockdev-del", { "node-name": node["node-name"] ?? "" }).catch(() => undefined);
}

/** What is kept of the snapshot, and the files that nothing uses. */
async function settle(driver: Driver, domain: QemuDomain, pending: PendingSnapshot, came: boolean): Promise<void> {
	const { snapshot, created, metadata, revert } = pending;
	const tree = snapshots.of(driver, domain);
	const used = imagesInUse(domain);
	if (came && metadata && !tree.byName(snapshot.name)) await tree.saveAsCurrent(snapshot);
	const known = tree.byName(snapshot.name);
	if (revert && known && created.some((file) => used.has(file))) {
		await discardOverlays(driver, domain, known, snapshot.revertDisks, undefined);
		await tree.saveAsCurrent(known);
	}
	for (const file of created) {
		const keeps = used.has(file) || (came && file === snapshot.memory?.file);
		if (!keeps) rmSync(file, { force: true });
	}
	driver.log.info(
		`snapshot '${snapshot.name}' of '${domain.name}': the daemon went away amid it; ${came ? "it is there" : "nothing is left of it"}`,
	);
	dropPending(driver, domain);
}

async function recoverSnapshotOfStopped(driver: Driver, domain: QemuDomain): Promise<void> {
	const pending = readPending(driver, domain);
	if (pending === undefined) return;
	const { snapshot } = pending;
	const external = partsOf(snapshot, "external");
	const { def } = domain.config;
	const came =
		external.length > 0 &&
		external.every(({ name, source }) => sourcePath(diskNamed(def.devices.disks, name)?.source) === sourcePath(source));
	// Nobody was told of it.
	if (external.length === 0 && !pending.revert) await applyInImages(driver, "-d", snapshot, def);
	await settle(driver, domain, pending, came);
}

/** Looks after all domains once their guests are found. Merges that were under way go on. */
export async function recoverSnapshots(driver: Driver): Promise<void> {
	for (const name of namesOf(driver)) {
		const domain = driver.domains.byName(name);
		if (domain === undefined) continue;
		try {
			if (domain.run === undefined) await recoverSnapshotOfStopped(driver, domain);
		} catch (error) {
			report(driver, domain, error);
		}
		if (readDeleting(driver, domain) !== undefined)
			void goOnDeleting(driver, domain).catch((error) => report(driver, domain, error));
	}
}

function namesOf({ paths }: Driver): string[] {
	try {
		return readdirSync(paths.snapshots);
	} catch {
		return [];
	}
}

const report = (driver: Driver, domain: QemuDomain, error: unknown): void =>
	driver.log.error(`a snapshot of '${domain.name}' that a former daemon worked on: ${toVirtError(error).message}`, {
		error,
	});

async function goOnDeleting(driver: Driver, domain: QemuDomain): Promise<void> {
	using _job = await domain.lock.beginAsync("snapshot", "deleting a snapshot");
	const name = readDeleting(driver, domain);
	const snapshot = name === undefined ? undefined : snapshots.of(driver, domain).byName(name);
	if (snapshot) await mergeExternal(driver, domain, snapshot);
	else dropDeleting(driver, domain);
}
