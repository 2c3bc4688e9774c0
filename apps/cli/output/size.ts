// Sizes as virsh takes and prints them.

import { CommandError } from "../context.ts";

const LETTERS = "bkmgtpe";

/** Bytes of one of the unit's name: `k` and `KiB` are 1024, `kB` is 1000; nothing where there is no such unit. */
function unitBytes(unit: string): bigint | undefined {
	const match = /^(?:(b|bytes?)|([kmgtpe])(ib|b)?)$/i.exec(unit);
	if (!match) return undefined;
	if (match[1] !== undefined) return 1n;
	const power = LETTERS.indexOf((match[2] ?? "").toLowerCase());
	return (match[3]?.toLowerCase() === "b" ? 1000n : 1024n) ** BigInt(power);
}

/**
 * Bytes of a size such as 1048576, 1G, 512MiB; without a unit it counts in `scale` bytes.
 *
 * `option` is the option it was given for. Throws in virsh's words.
 */
export function parseBytes(spelled: string, scale: bigint, option: string): bigint {
	const match = /^\s*\+?(\d+)\s*([a-z]*)$/i.exec(spelled);
	const unit = match?.[2] === "" ? scale : unitBytes(match?.[2] ?? "");
	const complaint = `Scaled numeric value '${spelled}' for <${option}> option is malformed or out of range`;
	if (match && unit === undefined)
		throw new CommandError(complaint, { cause: new Error(`invalid argument: unknown suffix '${match[2]}'`) });
	const bytes = match && unit !== undefined ? BigInt(match[1] ?? "0") * unit : undefined;
	if (bytes === undefined || bytes >= 1n << 64n) throw new CommandError(complaint);
	return bytes;
}

/** KiB of a size; without a unit it is KiB. Rounded up. */
export function parseKib(spelled: string, option: string): bigint {
	return (parseBytes(spelled, 1024n, option) + 1023n) / 1024n;
}

/** A number and the largest unit that leaves something before the point, as in `1.500 GiB`. */
export function formatSize(bytes: bigint): string {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
	let value = Number(bytes);
	let unit = 0;
	for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
	return `${value.toFixed(3)} ${units[unit]}`;
}
