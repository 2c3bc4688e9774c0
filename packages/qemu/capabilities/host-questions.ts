// The questions about what the host's processor lends to guests: interrupt controllers, encrypted memory, enclaves.

import type { SchemaEntity } from "@virtkit/qapi/introspection";
import type { QmpClient } from "@virtkit/qmp/client";
import { isQmpError } from "@virtkit/qmp/qmp-error";
import type { EmulatorFacts, SevCapabilities, SgxCapabilities } from "./emulator.ts";

type Answer = Readonly<Record<string, unknown>>;

/** Asks each question that this QEMU knows; a refusal means that the host has no such thing. */
export async function askHostSecurity(
	client: QmpClient,
	schema: readonly SchemaEntity[],
): Promise<Pick<EmulatorFacts, "gicVersions" | "sev" | "sgx">> {
	const ask = async <T>(command: string, read: (answer: unknown) => T): Promise<T | undefined> => {
		if (!schema.some(({ name }) => name === command)) return undefined;
		try {
			return read(await client.executeUntyped(command));
		} catch (thrown) {
			if (isQmpError(thrown)) return undefined;
			throw thrown;
		}
	};
	const [gicVersions, sev, sgx] = await Promise.all([
		ask("query-gic-capabilities", readGic),
		ask("query-sev-capabilities", readSev),
		ask("query-sgx-capabilities", readSgx),
	]);
	return { gicVersions, sev, sgx };
}

function readGic(answer: unknown): string[] {
	const list = answer as readonly { readonly version: number; readonly kernel: boolean }[];
	return list.filter(({ kernel }) => kernel).map(({ version }) => String(version));
}

function readSev(answer: unknown): SevCapabilities {
	const sev = answer as Answer;
	return {
		cbitpos: Number(sev["cbitpos"]),
		reducedPhysBits: Number(sev["reduced-phys-bits"]),
		...(sev["cpu0-id"] === undefined ? {} : { cpu0Id: String(sev["cpu0-id"]) }),
	};
}

function readSgx(answer: unknown): SgxCapabilities {
	const sgx = answer as Answer;
	const sections = Array.isArray(sgx["sections"]) ? sgx["sections"] : [];
	return {
		flc: sgx["flc"] === true,
		sgx1: sgx["sgx1"] === true,
		sgx2: sgx["sgx2"] === true,
		sections: sections.map(({ node, size }: { node: number; size: number }) => ({ node, size })),
	};
}
