// The option ROM of a PCI device on the command line.

import type { InterfaceDef } from "@virtkit/model/domain/interface";
import type { JsonObject } from "../command-line/command-line.ts";

/** The ROM's properties; an empty file name for a device that is to have none. */
export function romProps({ rom }: Pick<InterfaceDef, "rom">): JsonObject {
	if (rom?.enabled === false) return { romfile: "" };
	return { rombar: rom?.bar === undefined ? undefined : Number(rom.bar), romfile: rom?.file };
}
