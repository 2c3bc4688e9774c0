// Consoles: where the guest talks to its operator; the first one is the first serial port under another name.

import { oneOf, str, uint } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Schema } from "@virtkit/xml/schema";
import { chardevFields, chardevType, settleChardev } from "./chardev.ts";
import { deviceInfo } from "./device-common.ts";

/** Kinds of consoles (virDomainChrConsoleTargetType). */
export const CONSOLE_TARGETS = ["serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"] as const;
export type ConsoleTarget = (typeof CONSOLE_TARGETS)[number];

const target = element({
	type: attr(oneOf("none", ...CONSOLE_TARGETS), {
		absent: "none",
		code: "CONFIG_UNSUPPORTED",
		doc: "Kind of the console.",
	}),
	port: attr(uint, { doc: "Number of the console, from 0." }),
});

const consoleFields = element({
	type: chardevType("pty"),
	tty: attr(str, { live: true, doc: "Path of the first console's pseudo-terminal, for older programs." }),
	...chardevFields,
	target: child(target, { required: true, implied: true, doc: "What the guest sees." }),
	...deviceInfo,
});
/** A console. */
export type ConsoleDef = Infer<typeof consoleFields>;
/** The <console> element. */
export const consoleDevice: Schema<ConsoleDef> = {
	...consoleFields,
	onRead: (value, found, context) => {
		settleChardev(value, found, context);
		if (value.type === "spicevmc")
			throw documentError(positionOf(value), "spicevmc device type only supports virtio", "CONFIG_UNSUPPORTED");
	},
};

/** Whether the console may stand for the first serial port. */
export function isSerialConsole({ target }: ConsoleDef): boolean {
	return target.type === undefined || target.type === "serial";
}
