// A QEMU command line as a domain, for domxml-from-native: read, built again, and what is missing in the result added to it.

import { VirtError } from "@virtkit/base/errors";
import { type DomainDef, domain } from "@virtkit/model/domain/domain";
import { readElement } from "@virtkit/xml/read";
import type { Json } from "../command-line/command-line.ts";
import { formatShell } from "../command-line/format-shell.ts";
import { nativeCommand } from "../command-line/native.ts";
import { completeDomain } from "../defaults/complete.ts";
import type { DriverHost } from "../driver-host.ts";
import { nativeDomain } from "./native-domain.ts";
import { idOf, type NativeOption, NativeParts, type Props, parseNative, textOf } from "./native-options.ts";

/** Options that any guest of the driver gets, whatever its definition says. */
const DRIVERS_OWN = new Set([
	"-S",
	"-msg",
	"-sandbox",
	"-mon",
	"-nodefaults",
	"-no-user-config",
	"-no-shutdown",
	"-name",
]);
/** Objects and character devices that are the driver's. */
const DRIVERS_PARTS = new Set<Json | undefined>(["masterKey0", "charmonitor"]);

/** Variables that say where the daemon has put what is the guest's, or whose user it is. */
const PLACES = /^(?:PATH|HOME|USER|LOGNAME|LC_ALL|TMPDIR|XDG_.*)$/;

/** Options of which QEMU puts several together or takes the last, so that one added to the command line corrects it. */
const CORRECTED = new Set(
	"-cpu -m -smp -machine -accel -boot -rtc -watchdog-action -display -k -overcommit".split(" "),
);

/**
 * The complete definition of the guest that this command line starts, as libvirt or virtkit write them: one that gives
 * the same command line again. Options that no element stands for are in <qemu:commandline>, differing properties of
 * devices in <qemu:override>.
 *
 * Throws INVALID_ARG for what is no command line, CONFIG_UNSUPPORTED naming an option that no document can give again.
 */
export function nativeToDomain(text: string, host: DriverHost): DomainDef {
	const command = parseNative(text);
	const parts = new NativeParts(command);
	const { arch } = host.emulatorAt(command.binary);
	const def = readElement(domain, nativeDomain(parts, command.binary, arch));
	completeDomain(def, host, { fresh: true });
	const rebuilt = parseNative(formatShell(nativeCommand(structuredClone(def), host)));
	const corrections = compare(parts, new NativeParts(rebuilt));
	const known = new Map(rebuilt.variables);
	const env = command.variables.filter(([name, value]) => known.get(name) !== value && !PLACES.test(name));
	if (corrections.words.length > 0 || env.length > 0)
		def.qemuCommandline = {
			arg: corrections.words.map((value) => ({ value })),
			env: env.map(([name, value]) => ({ name, value })),
		};
	if (corrections.devices.length > 0) def.qemuOverride = { device: corrections.devices };
	if (def.qemuCommandline || def.qemuOverride) def.qemuNamespace = true;
	return def;
}

type Override = NonNullable<DomainDef["qemuOverride"]>["device"][number];

interface Corrections {
	readonly words: string[];
	readonly devices: Override[];
}

/** What must be added to a document whose command line is `rebuilt`, so that it becomes `wanted`. */
function compare(wanted: NativeParts, rebuilt: NativeParts): Corrections {
	const corrections: Corrections = { words: [], devices: [] };
	const same = new Set(rebuilt.options.map(keyOf));
	for (const option of wanted.options) {
		if (DRIVERS_OWN.has(option.name) || DRIVERS_PARTS.has(idOf(option.props)) || same.has(keyOf(option))) continue;
		correct(option, wanted, rebuilt, corrections);
	}
	return corrections;
}

function correct(option: NativeOption, wanted: NativeParts, rebuilt: NativeParts, corrections: Corrections): void {
	const { name, value, props } = option;
	const id = idOf(props);
	const counterpart = rebuilt.options.find(
		(other) => other.name === name && id !== undefined && idOf(other.props) === id,
	);
	if (name === "-device" && counterpart)
		corrections.devices.push({ alias: textOf(id) ?? "", frontend: { property: overrides(counterpart.props, props) } });
	else if (name === "-netdev" && wanted.read.has(props)) refuseLostNetdev(props);
	else if (counterpart === undefined && (CORRECTED.has(name) || !isRead(option, wanted)))
		corrections.words.push(name, ...(value === undefined ? [] : [value]));
	else
		throw new VirtError("CONFIG_UNSUPPORTED", `no document gives option '${name} ${value}' of the command line again`);
}

/** Whether an element stands for it, though another option came of that. */
const isRead = ({ name, props }: NativeOption, wanted: NativeParts): boolean =>
	wanted.read.has(props) || name === "-vnc" || name === "-spice";

/** Interfaces are connected by who starts the guest; what a built-in network has besides would be lost. */
function refuseLostNetdev({ type, id, ...more }: Props): void {
	if (textOf(type) === "tap" || Object.keys(more).length === 0) return;
	throw new VirtError(
		"CONFIG_UNSUPPORTED",
		`no document gives ${Object.keys(more).join(", ")} of network '${textOf(id)}' of the command line again`,
	);
}

/** An option in one spelling, whatever the order of its properties. */
function keyOf({ name, value, props }: NativeOption): string {
	const sorted = Object.entries(props).sort(([a], [b]) => (a < b ? -1 : 1));
	return JSON.stringify([name, value === undefined, sorted]);
}

type Property = NonNullable<Override["frontend"]>["property"][number];

function overrides(from: Props, to: Props): Property[] {
	const names = new Set([...Object.keys(from), ...Object.keys(to)]);
	return [...names].flatMap((name) => {
		const value = to[name];
		if (JSON.stringify(from[name]) === JSON.stringify(value)) return [];
		return [value === undefined ? { name, type: "remove" as const } : { name, ...typed(value) }];
	});
}

function typed(value: Json): { type: "string" | "signed" | "bool"; value: string } {
	const type = typeof value === "boolean" ? "bool" : typeof value === "number" ? "signed" : "string";
	return { type, value: textOf(value) ?? JSON.stringify(value) };
}
