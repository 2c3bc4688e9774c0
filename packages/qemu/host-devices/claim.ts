// Gives devices of the host to a guest and takes them back: no two guests have one, and a device taken from its driver is given back.

import { readFileSync, unlinkSync } from "node:fs";
import { toVirtError, VirtError } from "@virtkit/base/errors";
import { writeFileAtomicallySync } from "@virtkit/host/atomic-file";
import { isErrno } from "@virtkit/host/system-error";
import type { QemuDomain } from "../domain/domain.ts";
import type { Run } from "../domain/run.ts";
import type { Driver } from "../driver-context.ts";
import { groupOf, isTaken, loadVfio, type PciHost, pciHost, returnDevice, takeDevice, VFIO } from "./pci-driver.ts";
import { type Assigned, assignedDevices, type HostDeviceKind, type HostDeviceUse, settleUse, useOf } from "./use.ts";

/** A device that a run has. */
interface Claim extends HostDeviceUse {
	/** It was taken from a driver of the host, which is to have it back. */
	readonly taken: boolean;
}

const CLAIMS = new WeakMap<Run, Claim[]>();

const claimsOf = (run: Run): readonly Claim[] => CLAIMS.get(run) ?? [];

/** Where a run notes what it has, for a daemon started anew. */
const noteOf = (run: Run): string => `${run.statusFile.replace(/\.xml$/, "")}.devices`;

function keep(run: Run, claims: readonly Claim[]): void {
	CLAIMS.set(run, [...claims]);
	if (claims.length > 0) return writeFileAtomicallySync(noteOf(run), JSON.stringify(claims));
	try {
		unlinkSync(noteOf(run));
	} catch (error) {
		if (!isErrno(error, "ENOENT")) throw error;
	}
}

/** Words of libvirt's for a device that another guest has. */
const IN_USE: Readonly<Record<HostDeviceKind, (name: string, by: string, shareable: boolean) => VirtError>> = {
	pci: (name, by) => new VirtError("OPERATION_INVALID", `PCI device ${name} is in use by driver QEMU, domain ${by}`),
	usb: (name, by) => new VirtError("OPERATION_INVALID", `USB device ${name} is in use by driver QEMU, domain ${by}`),
	scsi: (name, _, shareable) =>
		new VirtError(
			"OPERATION_INVALID",
			`SCSI device ${name} is already in use by other domain(s) as '${shareable ? "shareable" : "non-shareable"}'`,
		),
	scsi_host: (name) => new VirtError("INTERNAL_ERROR", `Device ${name} is already in use`),
	mdev: (name, by) =>
		new VirtError("OPERATION_INVALID", `mediated device ${name} is in use by driver QEMU, domain ${by}`),
};

function* othersClaims(driver: Driver, run: Run): Generator<{ readonly claim: Claim; readonly by: string }> {
	for (const { name, run: other } of driver.domains.all())
		if (other && other !== run) for (const claim of claimsOf(other)) yield { claim, by: name };
}

/** Throws where another guest, or this one, has the device, or one that the IOMMU cannot tell from it. */
function refuseUsed(driver: Driver, domain: QemuDomain, run: Run, wanted: HostDeviceUse, host: PciHost): void {
	const refuse = (claim: Claim, by: string): never => {
		throw IN_USE[claim.kind](claim.name, by, claim.shareable);
	};
	const isSame = ({ kind, name }: Claim): boolean => kind === wanted.kind && name === wanted.name;
	const own = claimsOf(run).find(isSame);
	if (own) refuse(own, domain.name);
	const group = new Set(wanted.kind === "pci" ? groupOf(wanted.name, host.files) : []);
	for (const { claim, by } of othersClaims(driver, run)) {
		if (isSame(claim) && !(claim.shareable && wanted.shareable)) refuse(claim, by);
		if (claim.kind === "pci" && group.has(claim.name)) refuse(claim, by);
	}
}

/**
 * Gives the devices to the guest. Whatever fails, those given here are given back.
 *
 * @throws VirtError where one is not there, is another guest's, or cannot be taken from its driver.
 */
export async function claimDevices(
	driver: Driver,
	domain: QemuDomain,
	run: Run,
	devices: readonly Assigned[],
	boots: boolean,
	host: PciHost = pciHost,
): Promise<void> {
	const before = claimsOf(run);
	const bound = new Set<Claim>();
	try {
		if (devices.some(({ pci }) => pci) && !host.files.exists(VFIO)) await loadVfio(host);
		const added = devices.flatMap((device) => {
			const found = settleUse(device, { files: host.files, caps: run.caps, boots });
			if (found === undefined) return [];
			refuseUsed(driver, domain, run, found, host);
			const claim = { ...found, taken: found.kind === "pci" && found.managed && !isTaken(found.name, host) };
			// Each is taken at once, so that the next sees it, and noted before anything is done to it.
			CLAIMS.set(run, [...claimsOf(run), claim]);
			return [claim];
		});
		if (added.length === 0) return;
		keep(run, claimsOf(run));
		for (const claim of added) {
			if (claim.kind === "pci") await bind(claim, host);
			bound.add(claim);
		}
	} catch (error) {
		// Who was not taken has seen to itself.
		for (const claim of [...bound].toReversed()) await giveBack(driver, claim, host);
		if (claimsOf(run).length > before.length) keep(run, before);
		throw error;
	}
}

async function bind({ name, managed }: Claim, host: PciHost): Promise<void> {
	if (managed) return takeDevice(name, host);
	if (!isTaken(name, host))
		throw new VirtError("OPERATION_INVALID", `Unmanaged PCI device ${name} must be manually detached from the host`);
}

async function giveBack(driver: Driver, { name, taken }: Claim, host: PciHost): Promise<void> {
	if (!taken) return;
	try {
		await returnDevice(name, host);
	} catch (error) {
		driver.log.error(`PCI device ${name} is not given back to its driver: ${toVirtError(error).message}`, { error });
	}
}

/** Takes back those of the run's devices that `isOver` is true of. */
async function release(driver: Driver, run: Run, isOver: (claim: Claim) => boolean, host: PciHost): Promise<void> {
	const over = claimsOf(run).filter(isOver);
	for (const claim of over.toReversed()) await giveBack(driver, claim, host);
	const rest = claimsOf(run).filter((claim) => !over.includes(claim));
	if (over.length > 0) keep(run, rest);
}

/** Takes the device back from the guest, which has it no longer. */
export async function releaseDevice(
	driver: Driver,
	run: Run,
	device: Assigned,
	host: PciHost = pciHost,
): Promise<void> {
	const gone = useOf(device);
	if (gone) await release(driver, run, ({ kind, name }) => kind === gone.kind && name === gone.name, host);
}

/** Takes back what a daemon gave the guest that was killed before the device was the guest's. */
export async function releaseStrays(driver: Driver, run: Run, host: PciHost = pciHost): Promise<void> {
	const keyOf = ({ kind, name }: HostDeviceUse): string => `${kind} ${name}`;
	const known = new Set(
		assignedDevices(run.live.def)
			.flatMap((device) => useOf(device) ?? [])
			.map(keyOf),
	);
	await release(driver, run, (claim) => !known.has(keyOf(claim)), host);
}

/** Has all devices of the host taken back with the run. */
export function ownHostDevices(driver: Driver, run: Run, host: PciHost = pciHost): void {
	run.resources.defer("devices of the host", () => release(driver, run, () => true, host));
}

/** Takes over what a former daemon gave to the run. */
export function adoptHostDevices(driver: Driver, run: Run, host: PciHost = pciHost): void {
	ownHostDevices(driver, run, host);
	try {
		CLAIMS.set(run, JSON.parse(readFileSync(noteOf(run), "utf8")) as Claim[]);
	} catch (error) {
		if (!isErrno(error, "ENOENT")) throw error;
	}
}
