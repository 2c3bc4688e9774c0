// Firmware descriptors: JSON files in which a host's firmware packages describe their images (QEMU: docs/interop/firmware.json).

/** A descriptor as far as a choice is made by it. */
export interface FirmwareDescriptor {
	/** Path of the descriptor itself. */
	readonly path: string;
	readonly interfaces: readonly string[];
	readonly mapping: FirmwareMapping;
	readonly targets: readonly { readonly architecture: string; readonly machines: readonly string[] }[];
	readonly features: readonly string[];
}

export type FirmwareMapping =
	| {
			readonly device: "flash";
			readonly executable: FirmwareFile;
			readonly nvramTemplate?: FirmwareFile;
			/** `split` (code and variables apart), `combined` or `stateless`. */
			readonly mode: string;
	  }
	| { readonly device: "memory" | "kernel"; readonly filename: string };

export interface FirmwareFile {
	readonly filename: string;
	readonly format: string;
}

type Json = { readonly [key: string]: unknown };
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;
const strings = (value: unknown): string[] =>
	Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];

function parseFile(value: unknown): FirmwareFile | undefined {
	return isObject(value) && typeof value.filename === "string"
		? { filename: value.filename, format: typeof value.format === "string" ? value.format : "raw" }
		: undefined;
}

function parseMapping(value: unknown): FirmwareMapping | undefined {
	if (!isObject(value)) return undefined;
	if ((value.device === "memory" || value.device === "kernel") && typeof value.filename === "string")
		return { device: value.device, filename: value.filename };
	const executable = parseFile(value.executable);
	if (value.device !== "flash" || !executable) return undefined;
	const nvramTemplate = parseFile(value["nvram-template"]);
	return {
		device: "flash",
		executable,
		...(nvramTemplate ? { nvramTemplate } : {}),
		mode: typeof value.mode === "string" ? value.mode : "split",
	};
}

/** The descriptor in `text`; undefined for what is none, so that one broken file does not hide the others. */
export function parseFirmwareDescriptor(path: string, text: string): FirmwareDescriptor | undefined {
	let json: unknown;
	try {
		json = JSON.parse(text);
	} catch {
		return undefined;
	}
	const mapping = isObject(json) ? parseMapping(json.mapping) : undefined;
	if (!isObject(json) || !mapping) return undefined;
	const targets = (Array.isArray(json.targets) ? json.targets : [])
		.filter(isObject)
		.flatMap((target) =>
			typeof target.architecture === "string"
				? [{ architecture: target.architecture, machines: strings(target.machines) }]
				: [],
		);
	return { path, interfaces: strings(json["interface-types"]), mapping, targets, features: strings(json.features) };
}
