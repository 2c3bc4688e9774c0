// Network interfaces that are plugged into a running guest, out of it, and changed in it.

import { VirtError } from "@virtkit/base/errors";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { openInterface } from "../lifecycle/host-interfaces.ts";
import type { DefineContext, Hotplug, PlugContext, UpdateContext } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";

/** Interfaces whose documents name no hardware address: the one they get is nothing to find others by. */
const WITHOUT_MAC = new WeakSet<InterfaceDef>();

function checkAttach(net: InterfaceDef, { def }: DefineContext, live: boolean): void {
	const { interfaces } = def.devices;
	const mac = net.mac?.address;
	if (!live && interfaces.some((other) => other.mac?.address === mac))
		throw new VirtError("INVALID_ARG", `network device with mac ${mac} already exists`);
	if (live && net.hostKind !== undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "devices of the host cannot be plugged in as interfaces");
}

async function prepare(net: InterfaceDef, { def, descriptors }: PlugContext): Promise<void> {
	const fds = await openInterface(def, net);
	if (fds.length > 0) descriptors.set(net, fds);
}

/** A link that is to be down is taken down once the device is there, as at the guest's start. */
async function plugged(net: InterfaceDef, { run }: PlugContext): Promise<void> {
	if (net.link?.state === "down" && net.alias !== undefined)
		await run.monitor.execute("set_link", { name: net.alias, up: false });
}

/** As libvirt finds interfaces: by hardware address, place and id, each where it is said (virDomainNetFindIdx). */
function find(wanted: InterfaceDef, { def }: DefineContext): InterfaceDef {
	const mac = WITHOUT_MAC.has(wanted) ? undefined : wanted.mac?.address;
	const { address, alias } = wanted;
	const matching = def.devices.interfaces.filter(
		(net) =>
			(mac === undefined || net.mac?.address === mac) &&
			(address === undefined || isDescribedBy(address, net.address)) &&
			(alias === undefined || net.alias === undefined || net.alias === alias),
	);
	const [found, ...more] = matching;
	if (more.length > 0)
		throw new VirtError(
			"OPERATION_FAILED",
			mac === undefined ? "multiple matching devices found" : `multiple devices matching MAC address ${mac} found`,
		);
	if (found) return found;
	throw new VirtError(
		"DEVICE_MISSING",
		`no device found at address '${address === undefined ? "(<null>)" : JSON.stringify(address)}' matching MAC address '${mac ?? "(<null>)"}' and alias '${alias ?? "(<null>)"}'`,
	);
}

/** What a document may leave out when it changes another part of the interface. */
const KEPT = ["address", "alias", "mac", "target", "model", "boot", "driver", "rom", "mtu"] as const;

/** Changes the state of the link; everything else of an interface is as it was when it was plugged in. */
async function update(net: InterfaceDef, wanted: InterfaceDef, { run, undo }: UpdateContext): Promise<InterfaceDef> {
	const kept = Object.fromEntries(KEPT.filter((name) => wanted[name] === undefined).map((name) => [name, net[name]]));
	const changed: InterfaceDef = { ...wanted, ...kept };
	refuseOtherChanges(net, changed);
	const isUp = (which: InterfaceDef): boolean => which.link?.state !== "down";
	const name = net.alias ?? "";
	if (isUp(net) !== isUp(changed)) {
		await run.monitor.execute("set_link", { name, up: isUp(changed) });
		undo.defer("the link", async () => void (await run.monitor.execute("set_link", { name, up: isUp(net) })));
	}
	return { ...net, ...(changed.link ? { link: changed.link } : { link: undefined }) } as InterfaceDef;
}

/** libvirt's words for parts of an interface. */
const WORDS: Readonly<Record<string, string>> = {
	driver: "virtio network device driver attributes",
	script: "script attribute",
	rom: "network device rom settings",
	boot: "network device boot index setting",
	address: "network device guest PCI address",
	mtu: "MTU",
};

function refuseOtherChanges(net: InterfaceDef, changed: InterfaceDef): void {
	for (const [name, value] of Object.entries(changed)) {
		if (name === "link" || isDescribedBy(value, net[name as keyof InterfaceDef])) continue;
		throw new VirtError("OPERATION_UNSUPPORTED", `cannot modify ${WORDS[name] ?? `network device ${name}`}`);
	}
}

export const interfaceHotplug: Hotplug<InterfaceDef> = {
	storedUpdate: true,
	read: (net) => {
		if (net.mac === undefined) WITHOUT_MAC.add(net);
	},
	checkAttach,
	prepare,
	plugged,
	find,
	update,
};
