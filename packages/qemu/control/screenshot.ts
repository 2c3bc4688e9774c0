// Pictures of a guest's screen, drawn by QEMU into a file of the guest's private folder that goes away at once.

import { randomUUID } from "node:crypto";
import { open, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { VirtError } from "@virtkit/base/errors";
import { systemError } from "@virtkit/host/system-error";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { QemuDomain } from "../domain/domain.ts";
import type { Driver } from "../driver-context.ts";
import { giveTo } from "../lifecycle/work-folder.ts";

const MIME = { png: "image/png", ppm: "image/x-portable-pixmap" } as const;

/** A picture of screen number `screen`, counted over all heads of all video cards. */
export async function screenshot(
	driver: Driver,
	domain: QemuDomain,
	screen: number,
): Promise<{ mime: string; image: Readable }> {
	const run = domain.activeRun();
	const where = findScreen(run.live.def, screen);
	// libvirt, too, has QEMU say whether it can write PNG.
	const format = run.caps.hasSchema("screendump/arg-type/format/^png") ? "png" : "ppm";
	const path = join(run.paths.work, `screendump-${randomUUID()}`);
	try {
		await makeGuestFile(driver, path);
		await run.monitor.execute("screendump", { filename: path, ...where, ...(format === "png" ? { format } : {}) });
		const file = await open(path, "r");
		return { mime: MIME[format], image: file.createReadStream() };
	} finally {
		await unlink(path).catch(() => undefined);
	}
}

/** An empty file that QEMU may write. */
export async function makeGuestFile(driver: Driver, path: string): Promise<void> {
	try {
		await (await open(path, "wx", 0o600)).close();
		giveTo(driver, path);
	} catch (error) {
		throw systemError(`cannot make '${path}'`, error);
	}
}

/** How QEMU is told which screen; nothing for the first one. Throws OPERATION_INVALID where there is no such screen. */
function findScreen({ devices: { videos } }: DomainDef, screen: number): { device?: string; head?: number } {
	if (videos.length === 0) throw new VirtError("OPERATION_INVALID", "no screens to take screenshot from");
	if (screen === 0) return {};
	let head = screen;
	for (const { model, alias } of videos) {
		const heads = model.heads ?? 1;
		if (head < heads) return alias === undefined ? {} : { device: alias, head };
		head -= heads;
	}
	throw new VirtError("OPERATION_INVALID", "no such screen ID");
}
