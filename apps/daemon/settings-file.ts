// virtkit.conf: what concerns the daemon itself rather than its guests, in sections of `key = value` lines.

import { readFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import { type HttpAddress, parseHttpAddress } from "./options.ts";

/** Settings of the daemon. */
export interface DaemonSettings {
	/** Where the HTTP front-end listens; nowhere where absent. */
	httpListen?: HttpAddress;
}

/** What each key sets, by `section.key`. */
const KEYS: Readonly<Record<string, (settings: DaemonSettings, value: string) => void>> = {
	"http.listen": (settings, value) => {
		settings.httpListen = parseHttpAddress(value);
	},
};

const SECTION = /^\[([a-z][a-z0-9_]*)\]\s*(?:#.*)?$/;
const ENTRY = /^([a-z][a-z0-9_]*)\s*=\s*(?:"([^"]*)"|([^\s"#]+))\s*(?:#.*)?$/;

/** Settings from the text of a virtkit.conf. `report` hears of keys that are not known. Throws CONF_SYNTAX naming file and line. */
export function parseDaemonSettings(text: string, file: string, report: (key: string) => void): DaemonSettings {
	const settings: DaemonSettings = {};
	let section = "";
	for (const [index, raw] of text.split("\n").entries()) {
		const line = raw.trim();
		const refuse = (why: string): VirtError =>
			new VirtError("CONF_SYNTAX", `${file}:${index + 1}: ${why}`, { domain: "CONF" });
		if (line === "" || line.startsWith("#")) continue;
		const header = SECTION.exec(line)?.[1];
		if (header !== undefined) {
			section = header;
			continue;
		}
		const [, key, quoted, bare = ""] = ENTRY.exec(line) ?? [];
		if (key === undefined) throw refuse(`'${line}' is neither [section] nor key = value`);
		const set = KEYS[`${section}.${key}`];
		if (set === undefined) report(`[${section}] ${key}`);
		else setOrRefuse(() => set(settings, quoted ?? bare), refuse);
	}
	return settings;
}

function setOrRefuse(set: () => void, refuse: (why: string) => VirtError): void {
	try {
		set();
	} catch (error) {
		throw refuse((error as Error).message);
	}
}

/** Settings of a file; a file that is not there is none. */
export function readDaemonSettings(file: string, report: (key: string) => void): DaemonSettings {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
		throw new VirtError("OPEN_FAILED", `cannot read settings '${file}': ${(cause as Error).message}`, {
			domain: "CONF",
			cause,
		});
	}
	return parseDaemonSettings(text, file, report);
}
