// Opens the host's side of a guest's network interfaces: tap devices, in their bridge where they have one, vhost, vDPA.

import { execFile } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { promisify } from "node:util";
import { VirtError } from "@virtkit/base/errors";
import { hostMac, openBridgeTap } from "@virtkit/host/net/bridge-tap";
import { changeLink, isolatePort } from "@virtkit/host/net/link";
import { openTap, type Tap, type TapOptions } from "@virtkit/host/net/tap";
import { systemError } from "@virtkit/host/system-error";
import type { DomainDef } from "@virtkit/model/domain/domain";
import { type InterfaceDef, isVirtioModel } from "@virtkit/model/domain/interface";
import { queuesOf } from "../devices/interface-build.ts";
import { limitNewInterface, unlimitInterface } from "./host-traffic.ts";

const GENERATED_NAME = "vnet%d";

/** What a tap is opened with for this interface. */
function tapOptions(net: InterfaceDef): TapOptions {
	const given = net.target?.dev;
	return {
		// A name of an earlier run may be somebody else's by now.
		name: given === undefined || given.startsWith("vnet") ? GENERATED_NAME : given,
		queues: queuesOf(net),
		vnetHeader: isVirtioModel(net.model?.type),
		...(net.backend?.tap === undefined ? {} : { device: net.backend.tap }),
	};
}

type Open = (net: InterfaceDef) => Promise<Tap>;

const openBridged: Open = async (net) => {
	const mtu = net.mtu?.size;
	const tap = await openBridgeTap({
		...tapOptions(net),
		bridge: net.source?.bridge ?? "",
		guestMac: net.mac?.address ?? "",
		...(mtu ? { mtu } : {}),
	});
	try {
		if (net.port?.isolated) await isolatePort(tap.name, true);
		return tap;
	} catch (error) {
		closeAll(tap.fds);
		throw error;
	}
};

function closeAll(fds: readonly number[]): void {
	for (const fd of fds) closeSync(fd);
}

/** A tap that whoever runs the host connects: by the script, or by knowing its name. */
const openUnconnected: Open = async (net) => {
	const managed = net.target?.managed !== false;
	const tap = openTap(managed ? tapOptions(net) : { ...tapOptions(net), name: net.target?.dev ?? "" });
	try {
		const mtu = net.mtu?.size;
		if (managed)
			await changeLink(tap.name, { mac: hostMac(net.mac?.address ?? ""), up: true, ...(mtu ? { mtu } : {}) });
		if (net.script?.path) await promisify(execFile)(net.script.path, [tap.name]);
		return tap;
	} catch (error) {
		closeAll(tap.fds);
		if (error instanceof VirtError) throw error;
		throw systemError(`the script '${net.script?.path}' of network interface '${tap.name}' failed`, error);
	}
};

const OPENERS: Partial<Record<InterfaceDef["type"], Open>> = {
	bridge: openBridged,
	ethernet: openUnconnected,
	network: (net) => {
		throw new VirtError("NO_NETWORK", `no network with matching name '${net.source?.network}'`, { domain: "NETWORK" });
	},
	direct: (net) => {
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`interfaces of type 'direct' are not supported yet; connect '${net.source?.dev}' to a bridge and use type 'bridge'`,
		);
	},
};

/** The kernel's own handling of the queues: where it helps, and only as an option unless the definition insists. */
function openVhost(def: DomainDef, net: InterfaceDef): number[] {
	const wanted = net.driver?.name;
	if (def.type !== "kvm" || wanted === "qemu" || !isVirtioModel(net.model?.type)) return [];
	const fds: number[] = [];
	try {
		const device = net.backend?.vhost ?? "/dev/vhost-net";
		for (let queue = 0; queue < queuesOf(net); queue++) fds.push(openSync(device, "r+"));
		return fds;
	} catch (error) {
		closeAll(fds);
		if (wanted !== "vhost") return [];
		throw new VirtError("CONFIG_UNSUPPORTED", "vhost-net was requested for an interface, but is unavailable", {
			cause: error,
		});
	}
}

/** The host's device that serves an interface of type vdpa. */
function openVdpa(device: string): readonly number[] {
	try {
		return [openSync(device, "r+")];
	} catch (error) {
		throw systemError(`Unable to open '${device}' for vdpa device`, error);
	}
}

/** Throws, as libvirt does, for an interface that is to be filtered: there are no filters, and it must not go without. */
export function refuseFilter({ filterref }: InterfaceDef): void {
	if (filterref?.filter !== undefined)
		throw new VirtError("INTERNAL_ERROR", `referenced filter '${filterref.filter}' is missing`, { domain: "NWFILTER" });
}

/**
 * Opens what one interface needs, and writes a tap's name into it; none where it needs nothing.
 *
 * What is open is closed with `closeInterface`, once its descriptors are.
 */
export async function openInterface(def: DomainDef, net: InterfaceDef): Promise<readonly number[]> {
	if (net.type === "vdpa") return openVdpa(net.source?.dev ?? "");
	const tap = await OPENERS[net.type]?.(net);
	if (tap === undefined) return [];
	net.target = { ...net.target, dev: tap.name };
	try {
		refuseFilter(net);
		await limitNewInterface(net);
		return [...tap.fds, ...openVhost(def, net)];
	} catch (error) {
		closeAll(tap.fds);
		await closeInterface(net);
		throw error;
	}
}

/** Takes back what a device of the host was given for the interface: the kernel takes away those that were made for it. */
export async function closeInterface(net: InterfaceDef): Promise<void> {
	await unlimitInterface(net);
	const { downscript, target } = net;
	if (net.type !== "ethernet" || !downscript?.path || target?.dev === undefined) return;
	try {
		await promisify(execFile)(downscript.path, [target.dev]);
	} catch (error) {
		throw systemError(`the script '${downscript.path}' of network interface '${target.dev}' failed`, error);
	}
}
