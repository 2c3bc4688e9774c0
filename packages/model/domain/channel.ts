// Channels: named streams between the guest and the host, such as the guest agent's.

import { oneOf, str, uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, type Schema } from "@virtkit/xml/schema";
import { chardevFields, chardevType, settleChardev } from "./chardev.ts";
import { deviceInfo } from "./device-common.ts";
import { ipAddress, ipFamily } from "./ip-address.ts";

const isKind =
	(...kinds: readonly string[]) =>
	(self: Loose): boolean =>
		kinds.includes(String(self.type));

const target = element(
	{
		type: attr(oneOf("none", "guestfwd", "virtio", "xen"), {
			required: true,
			missing: "CONFIG_UNSUPPORTED",
			code: "CONFIG_UNSUPPORTED",
			doc: "How the guest reaches the channel.",
		}),
		address: attr(ipAddress, {
			when: isKind("guestfwd"),
			code: "INTERNAL_ERROR",
			doc: "Address the guest connects to.",
		}),
		port: attr(uint, { when: isKind("guestfwd"), doc: "TCP port the guest connects to." }),
		name: attr(str, { when: isKind("virtio", "xen"), doc: "Name by which the guest finds the channel." }),
		state: attr(oneOf("connected", "disconnected"), {
			when: isKind("virtio"),
			live: true,
			doc: "Whether a program of the guest has opened the channel.",
		}),
	},
	{
		onRead: (value) => {
			if (value.type !== "guestfwd") return;
			const fail = (message: string, code?: Parameters<typeof documentError>[2]): never => {
				throw documentError(positionOf(value), message, code);
			};
			if (value.address === undefined) fail("guestfwd channel does not define a target address");
			if (ipFamily(value.address ?? "") !== "ipv4")
				fail("guestfwd channel only supports IPv4 addresses", "CONFIG_UNSUPPORTED");
			if (value.port === undefined) fail("Missing required attribute 'port' in element 'target'");
		},
	},
);

const channelFields = element({
	type: chardevType("pty"),
	...chardevFields,
	target: child(target, { required: true, doc: "What the guest sees." }),
	...deviceInfo,
});
/** A channel. */
export type ChannelDef = Infer<typeof channelFields>;
/** The <channel> element. */
export const channel: Schema<ChannelDef> = {
	...channelFields,
	onRead: (value, found, context) => {
		settleChardev(value, found, context);
		if (value.type === "spicevmc" && value.target.type !== "virtio")
			throw documentError(positionOf(value), "spicevmc device type only supports virtio", "CONFIG_UNSUPPORTED");
	},
};

/** Name of the guest agent's channel. */
export const GUEST_AGENT_CHANNEL = "org.qemu.guest_agent.0";
