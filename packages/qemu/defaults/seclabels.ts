// A single label that names no security system means the host's first one.

import { documentError, positionOf } from "@virtkit/xml/read";
import type { DefineContext } from "../devices/entry.ts";

/** Names the host's security system in a label that names none (virSecurityLabelDefsParseXML). */
export function completeSeclabels({ def, host }: DefineContext): void {
	const [label, ...others] = def.seclabel;
	if (!label || others.length > 0 || label.model !== undefined) return;
	const named = label.type === "none" || (label.type === "dynamic" && label.baselabel === undefined);
	if (!named) throw documentError(positionOf(label), "missing security model in domain seclabel");
	label.model = host.securityModel ?? "none";
	if (label.model !== "none") return;
	label.type = "none";
	label.relabel = false;
}
