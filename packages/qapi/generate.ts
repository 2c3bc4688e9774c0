// Command: asks a real QEMU for its QMP schema and writes schema.gen.ts. Usage: node generate.ts [EMULATOR] [OUTPUT]

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SchemaEntity } from "./introspection.ts";
import { renderSchema } from "./render.ts";

/** The emulator's own schema and its version (`7.2`: the micro number changes nothing in the schema). */
function querySchema(emulator: string): { schema: SchemaEntity[]; version: string } {
	const commands = ["qmp_capabilities", "query-qmp-schema", "quit"].map((execute) => JSON.stringify({ execute }));
	const options = ["-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", "none", "-qmp", "stdio"];
	const output = execFileSync(emulator, options, { input: commands.join("\n"), encoding: "utf8", maxBuffer: 1 << 26 });
	const [greeting, , reply] = output.split("\n").map((line) => (line.trim() === "" ? undefined : JSON.parse(line)));
	const { major, minor } = greeting.QMP.version.qemu;
	return { schema: reply.return, version: `${major}.${minor}` };
}

if (import.meta.main) {
	const emulator = process.argv[2] ?? "qemu-system-x86_64";
	const output = process.argv[3] ?? join(import.meta.dirname, "schema.gen.ts");
	const { schema, version } = querySchema(emulator);
	writeFileSync(output, renderSchema(schema, version));
}
