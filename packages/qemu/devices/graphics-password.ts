// Passwords of graphical consoles, which QEMU is told over its monitor: when a guest starts, and when they are changed.

import { VirtError } from "@virtkit/base/errors";
import type { GraphicsDef } from "@virtkit/model/domain/graphics";
import type { Run } from "../domain/run.ts";
import type { DriverSettings } from "../settings.ts";
import type { DefineContext, Hotplug, UpdateContext } from "./entry.ts";
import { isDescribedBy } from "./plug-find.ts";

type Passwords = Pick<DriverSettings, "vncPassword" | "spicePassword">;

/** When the password ends, in QEMU's words: an empty one lets nobody in. */
function expiry(password: string, validTo: string | undefined): string {
	if (password === "") return "now";
	if (validTo === undefined) return "never";
	const seconds = Math.floor(Date.parse(`${validTo}Z`) / 1000);
	return seconds <= Date.now() / 1000 ? "now" : String(seconds);
}

/** Sets the console's password, or the one that the settings have for all consoles; does nothing where there is neither. */
export async function setPassword(run: Run, graphics: GraphicsDef, settings: Passwords): Promise<void> {
	if (graphics.type !== "vnc" && graphics.type !== "spice") return;
	const { type: protocol, connected, passwdValidTo } = graphics;
	const password = graphics.passwd ?? (protocol === "vnc" ? settings.vncPassword : settings.spicePassword);
	if (password === undefined) return;
	await Promise.all([
		run.monitor.execute("set_password", { protocol, password, ...(connected ? { connected } : {}) }),
		run.monitor.execute("expire_password", { protocol, time: expiry(password, passwdValidTo) }),
	]);
}

function find(wanted: GraphicsDef, { def }: DefineContext, live: boolean): GraphicsDef {
	const found = def.devices.graphics.find(({ type }) => type === wanted.type);
	if (found) return found;
	if (live)
		throw new VirtError("DEVICE_MISSING", `cannot find existing graphics device to modify of type '${wanted.type}'`);
	throw new VirtError("INVALID_ARG", `cannot find existing graphics type '${wanted.type}' device to modify`);
}

/** What of a console stays while the guest runs, by libvirt's words for it. */
const FIXED = [
	["port", "port settings"],
	["tlsPort", "port settings"],
	["keymap", "keymap setting"],
	["listens", "listen address setting"],
] as const;

const PASSWORD = ["passwd", "passwdValidTo", "connected"] as const;

/** Changes the password; nothing else of a console can be changed. */
async function update(graphics: GraphicsDef, wanted: GraphicsDef, context: UpdateContext): Promise<GraphicsDef> {
	if (wanted.type !== "vnc" && wanted.type !== "spice")
		throw new VirtError("INTERNAL_ERROR", `unable to change config on '${wanted.type}' graphics type`);
	const [old, now] = [graphics, wanted] as unknown as Record<string, unknown>[];
	for (const [name, what] of FIXED) {
		const isChosen = name === "port" && (now?.autoport === true || now?.port === -1);
		if (!isChosen && now?.[name] !== undefined && !isDescribedBy(now[name], old?.[name]))
			throw new VirtError("OPERATION_UNSUPPORTED", `cannot change ${what} on ${wanted.type} graphics`);
	}
	const passwords = Object.fromEntries(PASSWORD.map((name) => [name, now?.[name]]));
	const changed = { ...graphics, ...passwords } as GraphicsDef;
	const { run, settings, undo } = context;
	undo.defer("the console's password", () => setPassword(run, graphics, settings));
	await setPassword(run, changed, settings);
	return changed;
}

export const graphicsHotplug: Hotplug<GraphicsDef> = {
	only: "update",
	storedUpdate: true,
	find,
	update,
};
