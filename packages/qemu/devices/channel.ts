// Channels: their sockets on the host, and the ports or forwarded addresses by which guests reach them.

import { join } from "node:path";
import type { ChannelDef } from "@virtkit/model/domain/channel";
import { ensureController } from "../addresses/controllers.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { shortName } from "../command-line/memory-backend.ts";
import { addChardev } from "./chardev-build.ts";
import { checkChardev } from "./chardev-check.ts";
import { findChardev, refuseTwin, settleTerminal } from "./chardev-plug.ts";
import { addressProps } from "./device-address.ts";
import { addDevice } from "./device-option.ts";
import { refuseDevice } from "./device-rule.ts";
import type { BuildContext, DefineContext, DeviceEntry } from "./entry.ts";

/** Name of the channel by which SPICE's agent in the guest is reached. */
const SPICE_CHANNEL = "com.redhat.spice.0";

const isVirtio = ({ target }: ChannelDef): boolean => target.type === "virtio";
/** Channels of which the driver chooses the socket. */
const hasOwnSocket = (channel: ChannelDef): boolean => isVirtio(channel) && channel.type === "unix";

const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Whether a socket is one that the driver chose for a former run: in its folder, or in a folder of a guest's there. */
function isChosenPath(path: string, { name }: ChannelDef["target"], folder: string): boolean {
	const file = name === undefined ? "" : `${escapeRegex(name)}$`;
	return new RegExp(`^${escapeRegex(folder)}/[^/]+\\.`).test(path) || new RegExp(`domain-[^/]+/${file}`).test(path);
}

function completeChannel(channel: ChannelDef, { host }: DefineContext): void {
	const { source } = channel;
	if (hasOwnSocket(channel) && source?.path !== undefined && isChosenPath(source.path, channel.target, host.channelDir))
		delete source.path;
	if (channel.type === "unix" && channel.source?.path === undefined) {
		channel.source ??= { mode: "bind", seclabels: [] };
		channel.source.mode = "bind";
	}
}

/** Chooses the sockets of channels that name none. */
export function chooseChannelSockets({ def, host }: Pick<DefineContext, "def" | "host">): void {
	for (const channel of def.devices.channels) {
		const { source, target, address } = channel;
		if (!hasOwnSocket(channel) || !source || source.path !== undefined) continue;
		const place = address?.type === "virtio-serial" ? [address.controller, address.bus, address.port] : [0, 0, 0];
		const unnamed = `vioser-${place.map((part) => String(part).padStart(2, "0")).join("-")}.sock`;
		source.path = join(host.channelDir, `domain-${shortName(def)}`, target.name ?? unnamed);
	}
}

/** Adds the virtio-serial controllers that channels and consoles are plugged into. */
export function addSerialControllers({ def }: DefineContext): void {
	const { channels, consoles } = def.devices;
	for (const { target, address } of [...channels, ...consoles])
		if (target.type === "virtio")
			ensureController(def, "virtio-serial", address?.type === "virtio-serial" ? address.controller : 0);
}

/** The properties of the guest's port, for -device and device_add. */
export function channelProps(channel: ChannelDef, { def }: DefineContext): JsonObject {
	const { alias, target, type } = channel;
	return {
		driver: "virtserialport",
		...addressProps(channel, def),
		chardev: `char${alias}`,
		id: alias,
		name: target.name ?? (type === "spicevmc" ? SPICE_CHANNEL : undefined),
	};
}

/** A forwarded address, for -netdev and netdev_add. */
export function guestForwardProps({ alias, target }: ChannelDef): JsonObject {
	return { type: "user", guestfwd: [{ str: `tcp:${target.address}:${target.port}-chardev:char${alias}` }], id: alias };
}

function buildChannel(channel: ChannelDef, context: BuildContext): void {
	const { alias, target, type, address } = channel;
	addChardev(channel, `char${alias}`, context);
	if (target.type === "guestfwd") return context.command.addJson("-netdev", guestForwardProps(channel));
	if (target.type !== "virtio")
		refuseDevice(channel, `channel of type '${target.type}' is unknown to QEMU`, "INTERNAL_ERROR");
	if (address && address.type !== "virtio-serial" && address.type !== "ccw")
		refuseDevice(channel, "a virtio channel needs an address of type 'virtio-serial'", "INTERNAL_ERROR");
	if (type === "spicevmc" && target.name !== undefined && target.name !== SPICE_CHANNEL)
		refuseDevice(channel, `a channel of type 'spicevmc' must be named '${SPICE_CHANNEL}', not '${target.name}'`);
	addDevice(channel, channelProps(channel, context), context);
}

export const channel: DeviceEntry<ChannelDef> = {
	kind: "channel",
	list: ({ devices }) => devices.channels,
	alias: (_, index) => `channel${index}`,
	complete: completeChannel,
	check: (device, context) =>
		checkChardev(device, device, context, device.target.type === "virtio" || device.target.type === "xen"),
	virtioSerial: (device) => (isVirtio(device) ? "port" : undefined),
	zpci: false,
	build: buildChannel,
	hotplug: {
		prepare: (_, { def, host }) => chooseChannelSockets({ def, host }),
		plugged: async (device, context) => {
			if (device.target.type === "virtio") device.target.state = "disconnected";
			await settleTerminal(device, context);
		},
		checkAttach: (device, { def }) => refuseTwin(device, def.devices.channels),
		find: findChardev("channel", ({ def }) => def.devices.channels),
	},
};
