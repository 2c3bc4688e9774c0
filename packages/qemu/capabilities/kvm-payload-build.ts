// Command: assembles kvm-payload.S with GNU as and writes kvm-payload.gen.ts. Usage: node kvm-payload-build.ts [OUTPUT]

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const LINE = 100;

function assemble(source: string): Buffer {
	const directory = mkdtempSync(join(tmpdir(), "payload-"));
	try {
		const [object, flat] = [join(directory, "payload.o"), join(directory, "payload.bin")];
		execFileSync("as", ["--64", "-o", object, source]);
		execFileSync("objcopy", ["-O", "binary", "-j", ".text", object, flat]);
		return readFileSync(flat);
	} finally {
		rmSync(directory, { recursive: true });
	}
}

if (import.meta.main) {
	const hex = assemble(join(import.meta.dirname, "kvm-payload.S")).toString("hex");
	const lines = hex.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
	const text = [
		"// The machine code of kvm-payload.S, made by kvm-payload-build.ts; do not edit.",
		"",
		"export const KVM_PAYLOAD_HEX =",
		`${lines.map((line) => `\t"${line}"`).join(" +\n")};`,
		"",
	];
	writeFileSync(process.argv[2] ?? join(import.meta.dirname, "kvm-payload.gen.ts"), text.join("\n"));
}
