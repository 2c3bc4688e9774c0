// Lets the user that a guest runs as use the guest's files: changes their owners at start, and gives them back after the last guest.

import {
	accessSync,
	chownSync,
	closeSync,
	constants,
	openSync,
	readFileSync,
	type Stats,
	statSync,
	unlinkSync,
} from "node:fs";
import { writeFileAtomicallySync } from "@virtkit/host/atomic-file";
import { isErrno, systemError } from "@virtkit/host/system-error";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { wholeChain } from "../devices/disk-image.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { hostDeviceNodes } from "../host-devices/use.ts";
import type { RunAs } from "../user-ids.ts";
import { admitDevices, checkDevices } from "./device-list.ts";

/** A file that the guest's QEMU opens. */
interface UsedFile {
	readonly path: string;
	readonly write: boolean;
	/** QEMU makes it where it is not there; in a folder that it cannot write to, so it is made beforehand. */
	readonly create?: boolean;
}

interface Owner {
	readonly uid: number;
	readonly gid: number;
}

/** Whose files are lent to guests, and to how many of them. */
const LENT = new Map<string, { readonly owner: Owner; guests: number }>();

const EXECUTE = 1;
const WRITE = 2;
const READ = 4;

/** Where a run notes whose its files were, for a daemon started anew. */
const noteOf = (run: Run): string => `${run.statusFile.replace(/\.xml$/, "")}.owners`;

/** Files that each run has been lent, with whose they were. */
const LENT_TO = new WeakMap<Run, Map<string, Owner>>();

/** Gives the guest's files to who it runs as, as far as it needs. */
export function giveFiles(driver: Driver, run: Run): void {
	checkBootFiles(run.live.def);
	checkDevices(driver, run.live.def);
	lendFiles(driver, run, run.live.def);
}

/**
 * Gives the files that `def` uses to who the run is run as, and back those that it no longer uses, and its group their
 * devices: for a guest whose devices change. Where a file cannot be given, those given before stay so until this is called again.
 */
export function lendFiles(driver: Driver, run: Run, def: DomainDef): void {
	admitDevices(driver, run, def);
	const { runAs } = driver;
	if (runAs === undefined || !driver.settings.dynamicOwnership || !isConfinedByOwner(run.live.def)) return;
	const files = [...usedFiles(def), ...hostDeviceNodes(def, driver.host.files)];
	const used = new Set(files.map(({ path }) => path));
	const lent = LENT_TO.get(run) ?? new Map<string, Owner>();
	const wanted = new Map([...lent].filter(([path]) => used.has(path)));
	for (const file of files) {
		const stat = wanted.has(file.path) ? undefined : statFile(file);
		if (stat && !mayUse(stat, runAs, file.write)) wanted.set(file.path, LENT.get(file.path)?.owner ?? stat);
	}
	const added = [...wanted].filter(([path]) => !lent.has(path));
	const dropped = [...lent.keys()].filter((path) => !wanted.has(path));
	if (added.length === 0 && dropped.length === 0) return;
	// Noted before it is done, so that whatever happens in between can be given back.
	note(run, new Map([...lent, ...wanted]));
	lend(driver, run, added);
	for (const [path] of added) chownTo(path, runAs);
	for (const path of dropped) {
		lent.delete(path);
		giveBack(driver, path);
	}
	if (dropped.length > 0) note(run, wanted);
}

/** Gives, beside the guest's files, those of disks or images that it is about to get. */
export function lendDisks(driver: Driver, run: Run, disks: readonly DomainDef["devices"]["disks"][number][]): void {
	const { def } = run.live;
	lendFiles(driver, run, { ...def, devices: { ...def.devices, disks: [...def.devices.disks, ...disks] } });
}

function note(run: Run, files: ReadonlyMap<string, Owner>): void {
	const all = [...files].map(([path, { uid, gid }]) => ({ path, uid, gid }));
	writeFileAtomicallySync(noteOf(run), JSON.stringify(all));
}

function chownTo(path: string, { uid, gid }: RunAs): void {
	try {
		chownSync(path, uid, gid);
	} catch (error) {
		throw systemError(`unable to set user and group to '${uid}:${gid}' on '${path}'`, error);
	}
}

/** What the guest boots from must be there: QEMU's own words for a file that is not do not reach every client. Throws SYSTEM_ERROR. */
function checkBootFiles({ os: { kernel, initrd, dtb } }: DomainDef): void {
	for (const path of [kernel, initrd, dtb]) {
		if (path === undefined) continue;
		try {
			accessSync(path, constants.R_OK);
		} catch (error) {
			throw systemError(`Cannot access boot file '${path}'`, error);
		}
	}
}

/** Takes over the files that a former daemon gave to the run. */
export function adoptFiles(driver: Driver, run: Run): void {
	try {
		const noted = JSON.parse(readFileSync(noteOf(run), "utf8")) as (Owner & { path: string })[];
		lend(
			driver,
			run,
			noted.map(({ path, uid, gid }) => [path, { uid, gid }]),
		);
	} catch (error) {
		if (!isErrno(error, "ENOENT")) throw error;
	}
}

function lend(driver: Driver, run: Run, files: Iterable<readonly [path: string, owner: Owner]>): void {
	let lent = LENT_TO.get(run);
	if (lent === undefined) {
		const made = new Map<string, Owner>();
		LENT_TO.set(run, made);
		lent = made;
		run.resources.defer("the owners of the guest's files", () => {
			for (const path of made.keys()) giveBack(driver, path);
			unlinkSync(noteOf(run));
		});
	}
	for (const [path, { uid, gid }] of files) {
		lent.set(path, { uid, gid });
		const known = LENT.get(path) ?? { owner: { uid, gid }, guests: 0 };
		known.guests++;
		LENT.set(path, known);
	}
}

function giveBack(driver: Driver, path: string): void {
	const known = LENT.get(path);
	if (known === undefined || --known.guests > 0) return;
	LENT.delete(path);
	try {
		chownSync(path, known.owner.uid, known.owner.gid);
	} catch (error) {
		if (!isErrno(error, "ENOENT")) driver.log.warn(`cannot give '${path}' back to its owner`, { error });
	}
}

/** False where the definition forbids changing owners. */
function isConfinedByOwner({ seclabel }: DomainDef): boolean {
	const own = seclabel.find(({ model }) => model === undefined || model === "dac");
	return own === undefined || (own.type !== "none" && own.relabel !== false);
}

function usedFiles(def: DomainDef): UsedFile[] {
	const { kernel, initrd, dtb, loader, nvram } = def.os;
	const readOnly = [kernel, initrd, dtb, loader?.path].filter((path) => path !== undefined);
	return [
		...readOnly.map((path) => ({ path, write: false })),
		...(nvram?.path === undefined ? [] : [{ path: nvram.path, write: true }]),
		...def.devices.disks.flatMap(diskFiles),
		...chardevFiles(def),
		...otherFiles(def),
	];
}

/** What devices of other kinds open: modules' own files, input devices, a TPM of the host. */
function otherFiles({ devices: { memories, inputs, tpms } }: DomainDef): UsedFile[] {
	const write = [
		...memories.map(({ source }) => source?.path),
		...inputs.map(({ source }) => source?.evdev ?? source?.dev),
		...tpms.map(({ backend }) => (backend.type === "passthrough" ? backend.device?.path : undefined)),
	];
	return write.flatMap((path) => (path === undefined ? [] : [{ path, write: true }]));
}

function diskFiles(disk: DomainDef["devices"]["disks"][number]): UsedFile[] {
	return wholeChain(disk).flatMap(({ type, source, readonly }) => {
		const path = type === "file" ? source.file : type === "block" ? source.dev : undefined;
		const lends = source.seclabels.every((label) => label.relabel !== false);
		// What a client has opened is its own affair.
		if (source.fdgroup !== undefined) return [];
		return path === undefined || !lends ? [] : [{ path, write: !readonly }];
	});
}

function chardevFiles({ devices: { serials, parallels, consoles, channels } }: DomainDef): UsedFile[] {
	return [...serials, ...parallels, ...consoles, ...channels].flatMap(({ type, source, log }) => [
		...(type === "file" && source?.path !== undefined ? [{ path: source.path, write: true, create: true }] : []),
		...(type === "dev" && source?.path !== undefined ? [{ path: source.path, write: true }] : []),
		...(log?.file !== undefined ? [{ path: log.file, write: true, create: true }] : []),
	]);
}

/** A file that is not there is left to QEMU to complain about. */
function statFile({ path, create }: UsedFile): Stats | undefined {
	try {
		if (create) closeSync(openSync(path, "a", 0o600));
		return statSync(path);
	} catch {
		return undefined;
	}
}

/** Whether the file's mode lets that user use it as it is. */
function mayUse({ mode, uid, gid }: Stats, runAs: RunAs, write: boolean): boolean {
	const wanted = READ | (write ? WRITE : 0);
	const groups = [runAs.gid, ...runAs.supplementaryGroups];
	const shift = uid === runAs.uid ? 6 : groups.includes(gid) ? 3 : 0;
	const bits = (mode >> shift) & (READ | WRITE | EXECUTE);
	return (bits & wanted) === wanted;
}
