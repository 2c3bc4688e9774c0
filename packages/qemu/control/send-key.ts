// Presses keys in a guest, whatever set of key codes the client speaks.

import { VirtError } from "@virtkit/base/errors";
import type { QemuDomain } from "../domain/domain.ts";
import { KEYS } from "./key-codes.ts";

type Key = (typeof KEYS)[number];

/** Names and columns by virKeycodeSet; undefined for the set that QEMU itself speaks. */
const CODE_SETS: readonly (readonly [name: string, read: ((key: Key) => number) | undefined])[] = [
	["linux", ([linux]) => linux],
	["xt", ([, set1]) => set1],
	["atset1", ([, set1]) => set1],
	["atset2", ([, , set2]) => set2],
	["atset3", ([, , , set3]) => set3],
	["os_x", ([, , , , , , mac]) => mac],
	["xt_kbd", qnumOf],
	["usb", ([, , , , usb]) => usb],
	["win32", ([, , , , , win32]) => win32],
	["qnum", undefined],
];

/** QEMU's number of a key: its set 1 code, with the high bit in place of the leading 0xe0. */
function qnumOf([, set1]: Key): number {
	return (set1 & 0x7f) | (set1 > 0xff ? 0x80 : 0);
}

/** QEMU's number for `code` of that set. Throws INTERNAL_ERROR where it has none. */
export function translateKey(codeset: number, code: number): number {
	const set = CODE_SETS[codeset];
	if (set === undefined) throw new VirtError("INVALID_ARG", `unknown set of key codes: ${codeset}`);
	const [name, read] = set;
	if (read === undefined) return code;
	const key = code < 0 ? undefined : KEYS.find((one) => read(one) === code);
	if (!key)
		throw new VirtError("INTERNAL_ERROR", `cannot translate keycode ${code} of ${name} codeset to qnum keycode`);
	return qnumOf(key);
}

/** Presses all keys at once for `holdTime` milliseconds (0: as long as QEMU likes), then lets go of them. */
export async function sendKey(
	domain: QemuDomain,
	{ codeset, holdTime, keycodes }: { codeset: number; holdTime: number; keycodes: readonly number[] },
): Promise<void> {
	const keys = keycodes.map((code) => ({ type: "number", data: translateKey(codeset, code) }) as const);
	await domain.activeRun().monitor.execute("send-key", { keys, ...(holdTime > 0 ? { "hold-time": holdTime } : {}) });
}
