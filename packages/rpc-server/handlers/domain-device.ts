// Devices of a domain that come, go and change; reaching into a running domain: consoles, channels, screenshots, keys, NMI.

import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import type { Hypervisor } from "@virtkit/core/hypervisor";
import type { ClientContext, Handlers } from "../handler.ts";
import { nothing, onDomain } from "./domain-call.ts";

/** Joins the client's stream and the guest's device until either ends. */
function join(context: ClientContext, device: Duplex): void {
	const stream = context.openStream();
	const ended = (): void => {
		device.destroy();
		stream.destroy();
	};
	pipeline(device, stream, ended);
	pipeline(stream, device, ended);
}

export function domainDeviceHandlers(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		...pluggingHandlers(hypervisor),
		DOMAIN_OPEN_GRAPHICS: (context, { dom, idx, flags }) =>
			on(context, dom, "openGraphics", flags, nothing, idx, context.descriptorAt(0)),
		DOMAIN_OPEN_GRAPHICS_FD: (context, { dom, idx, flags }) =>
			on(context, dom, "openGraphicsFd", flags, (fd) => context.sendDescriptors([fd]), idx),
		DOMAIN_FD_ASSOCIATE: (context, { dom, name, flags }) =>
			on(context, dom, "associateFds", flags, nothing, name, context.descriptors),
		DOMAIN_OPEN_CONSOLE: (context, { dom, devName, flags }) =>
			on(context, dom, "openConsole", flags, (device) => join(context, device), devName ?? undefined),
		DOMAIN_OPEN_CHANNEL: (context, { dom, name, flags }) =>
			on(context, dom, "openChannel", flags, (device) => join(context, device), name ?? undefined),
		DOMAIN_SCREENSHOT: (context, { dom, screen, flags }) =>
			on(
				context,
				dom,
				"screenshot",
				flags,
				({ mime, image }) => {
					pipeline(image, context.openStream(), () => image.destroy());
					return { mime };
				},
				screen,
			),
		DOMAIN_INJECT_NMI: (context, { dom, flags }) => on(context, dom, "injectNmi", flags, nothing),
		DOMAIN_SEND_KEY: (context, { dom, codeset, holdtime, keycodes, flags }) =>
			on(context, dom, "sendKey", flags, nothing, { codeset, holdTime: holdtime, keycodes }),
		DOMAIN_GET_HOSTNAME: (context, { dom, flags }) => on(context, dom, "hostname", flags, (hostname) => ({ hostname })),
		DOMAIN_GET_TIME: (context, { dom, flags }) =>
			on(context, dom, "time", flags, ({ seconds, nanoseconds }) => ({ seconds, nseconds: nanoseconds })),
		DOMAIN_SET_TIME: (context, { dom, seconds, nseconds, flags }) =>
			on(context, dom, "setTime", flags, nothing, { seconds, nanoseconds: nseconds }),
	};
}

/** VIR_DOMAIN_AFFECT_LIVE: the older procedures are about the running guest. */
const LIVE = 1;

function pluggingHandlers(hypervisor: Hypervisor): Handlers {
	const on = onDomain(hypervisor);
	return {
		DOMAIN_ATTACH_DEVICE: (context, { dom, xml }) => on(context, dom, "attachDevice", LIVE, nothing, xml),
		DOMAIN_ATTACH_DEVICE_FLAGS: (context, { dom, xml, flags }) => on(context, dom, "attachDevice", flags, nothing, xml),
		DOMAIN_DETACH_DEVICE: (context, { dom, xml }) => on(context, dom, "detachDevice", LIVE, nothing, xml),
		DOMAIN_DETACH_DEVICE_FLAGS: (context, { dom, xml, flags }) => on(context, dom, "detachDevice", flags, nothing, xml),
		DOMAIN_DETACH_DEVICE_ALIAS: (context, { dom, alias, flags }) =>
			on(context, dom, "detachDeviceAlias", flags, nothing, alias),
		DOMAIN_UPDATE_DEVICE_FLAGS: (context, { dom, xml, flags }) => on(context, dom, "updateDevice", flags, nothing, xml),
	};
}
