// Network interfaces that are plugged into a running guest, out of it, and changed in it.

import { VirtError } from "@virtkit/base/errors";
import type { InterfaceDef } from "@virtkit/model/domain/interface";
import { endHelpers } from "../helpers/end.ts";
import { removeFdSets } from "../hotplug/monitor-plug.ts";
import { closeInterface, openInterface } from "../lifecycle/host-interfaces.ts";
import { raiseMemlock } from "../lifecycle/memory-lock.ts";
import type { DefineContext, Hotplug, LiveContext, PlugContext } from "./entry.ts";
import { isPasst, passtName, passtSocket, vdpaDescriptor } from "./interface-build.ts";
import { updateInterface } from "./interface-update.ts";
import { isDescribedBy } from "./plug-find.ts";

/** Interfaces whose documents name no hardware address: the one they get is nothing to find others by. */
const WITHOUT_MAC = new WeakSet<InterfaceDef>();

function checkAttach(net: InterfaceDef, _: DefineContext, live: boolean): void {
	if (live && net.hostKind !== undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "devices of the host cannot be plugged in as interfaces");
}

async function prepare(net: InterfaceDef, { driver, def, run, descriptors, undo }: PlugContext): Promise<void> {
	const lower = raiseMemlock(driver, run, def);
	if (lower) undo.defer("the limit of locked memory", lower);
	const fds = await openInterface(def, net);
	if (fds.length === 0) return;
	descriptors.set(net, fds);
	undo.defer("the host's side of the interface", () => closeInterface(net));
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

async function release(net: InterfaceDef, { run }: LiveContext): Promise<void> {
	if (isPasst(net)) await endHelpers(run, passtName(net), passtSocket(net, run.paths.work));
	if (net.type === "vdpa") await removeFdSets(run, vdpaDescriptor(net));
	await closeInterface(net);
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
	release,
	update: updateInterface,
};
