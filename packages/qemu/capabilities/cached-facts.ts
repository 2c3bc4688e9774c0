// Facts about an emulator as a file: one JSON line a part, each parsed when it is first asked for.

import type { AcceleratorCapabilities, EmulatorFacts } from "./emulator.ts";

/** The parts in their order, after the key: the small one first, the large ones each alone. */
const PARTS = ["types", "machineProperties", "options", "schema", "cpuModels", "tcg", "kvm"] as const;

type Part = (typeof PARTS)[number];
type Head = Omit<EmulatorFacts, Part>;

/** The facts as text, with the key that they were found under. */
export function formatFacts(key: string, facts: EmulatorFacts): string {
	const head = Object.fromEntries(
		Object.entries(facts).filter(([name]) => !(PARTS as readonly string[]).includes(name)),
	);
	const lines = [{ key }, head, ...PARTS.map((part) => facts[part] ?? null)];
	return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

/** The facts in `text`; undefined where they were found under another key or the text is damaged. */
export function parseFacts(key: string, text: string): EmulatorFacts | undefined {
	if (!text.endsWith("\n")) return undefined;
	const [keyLine = "", headLine = "", ...lines] = text.slice(0, -1).split("\n");
	if (lines.length !== PARTS.length || keyLine !== JSON.stringify({ key })) return undefined;
	try {
		const facts = new LazyFacts(JSON.parse(headLine), lines);
		// A file damaged in place must show now, not when a part is first asked for.
		return lines.every((line) => /^(\{.*\}|\[.*\]|null)$/.test(line)) ? facts : undefined;
	} catch {
		return undefined;
	}
}

class LazyFacts implements EmulatorFacts {
	readonly binary: string;
	readonly arch: string;
	readonly version: number;
	readonly package: string;
	readonly machines: EmulatorFacts["machines"];
	readonly kvmRefusal: string | undefined;
	readonly gicVersions: EmulatorFacts["gicVersions"];
	readonly unmakable: EmulatorFacts["unmakable"];
	readonly sev: EmulatorFacts["sev"];
	readonly sgx: EmulatorFacts["sgx"];
	readonly #lines: (string | undefined)[];
	readonly #parts = new Map<Part, unknown>();

	constructor(head: Head, lines: string[]) {
		this.binary = head.binary;
		this.arch = head.arch;
		this.version = head.version;
		this.package = head.package;
		this.machines = head.machines;
		this.kvmRefusal = head.kvmRefusal;
		this.gicVersions = head.gicVersions;
		this.unmakable = head.unmakable;
		this.sev = head.sev;
		this.sgx = head.sgx;
		this.#lines = lines;
	}

	get types(): EmulatorFacts["types"] {
		return this.#part("types");
	}

	get machineProperties(): EmulatorFacts["machineProperties"] {
		return this.#part("machineProperties");
	}

	get options(): EmulatorFacts["options"] {
		return this.#part("options");
	}

	get schema(): EmulatorFacts["schema"] {
		return this.#part("schema");
	}

	get cpuModels(): EmulatorFacts["cpuModels"] {
		return this.#part("cpuModels");
	}

	get tcg(): AcceleratorCapabilities | undefined {
		return this.#part("tcg");
	}

	get kvm(): AcceleratorCapabilities | undefined {
		return this.#part("kvm");
	}

	#part<T>(part: Part): T {
		if (!this.#parts.has(part)) {
			const index = PARTS.indexOf(part);
			this.#parts.set(part, JSON.parse(this.#lines[index] ?? "null") ?? undefined);
			this.#lines[index] = undefined;
		}
		return this.#parts.get(part) as T;
	}
}
