// Finds the character device that a client means by an alias, by a name, or by naming none.

import { VirtError } from "@virtkit/base/errors";
import type { ChannelDef } from "@virtkit/model/domain/channel";
import type { ChardevHolder } from "@virtkit/model/domain/chardev";
import type { DomainDef } from "@virtkit/model/domain/domain";

type Chardev = Pick<ChardevHolder, "type" | "source"> & { readonly alias?: string | undefined };

/** The pseudo-terminal of the console, serial or parallel port with that alias, or of the first. Throws INTERNAL_ERROR. */
export function findConsole(
	{ devices: { consoles, serials, parallels } }: DomainDef,
	alias: string | undefined,
): string {
	const candidates: readonly Chardev[] = [...consoles, ...serials, ...parallels];
	const found = alias === undefined ? (consoles[0] ?? serials[0]) : candidates.find((device) => device.alias === alias);
	if (!found) throw new VirtError("INTERNAL_ERROR", `cannot find character device ${alias ?? "<null>"}`);
	return pathOf(found, "pty", `character device ${alias ?? found.alias} is not using a PTY`);
}

/** The socket of the channel with that alias or name, or of the first. Throws INTERNAL_ERROR. */
export function findChannel({ devices: { channels } }: DomainDef, name: string | undefined): string {
	const isNamed = ({ alias, target }: ChannelDef) =>
		alias === name || (target.type === "virtio" && target.name === name);
	const found = name === undefined ? channels[0] : channels.find(isNamed);
	if (!found) throw new VirtError("INTERNAL_ERROR", `cannot find channel ${name ?? "<null>"}`);
	return pathOf(found, "unix", `channel ${name ?? found.alias} is not using a UNIX socket`);
}

function pathOf({ type, source }: Chardev, wanted: "pty" | "unix", otherwise: string): string {
	if (type !== wanted) throw new VirtError("INTERNAL_ERROR", otherwise);
	if (source?.path === undefined) throw new VirtError("OPERATION_FAILED", "PTY device is not yet assigned");
	return source.path;
}
