// What is only known of a character device once QEMU has made it.

import type { ChardevHolder } from "@virtkit/model/domain/chardev";
import type { PlugContext } from "./entry.ts";

interface Terminal extends Pick<ChardevHolder, "type" | "source"> {
	readonly alias?: string | undefined;
}

/** Notes the path of the pseudo-terminal that QEMU made for the device. */
export async function settleTerminal(device: Terminal, { run }: Pick<PlugContext, "run">): Promise<void> {
	if (device.type !== "pty") return;
	const made = (await run.monitor.execute("query-chardev")).find(({ label }) => label === `char${device.alias}`);
	if (made?.filename.startsWith("pty:"))
		device.source = { mode: "connect", seclabels: [], ...device.source, path: made.filename.slice(4) };
}
