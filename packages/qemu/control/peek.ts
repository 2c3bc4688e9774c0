// A look into a running guest's memory, and into the image of a disk.

import { randomUUID } from "node:crypto";
import { open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DomainOperations } from "@virtkit/core/domain-operations";
import { systemError } from "@virtkit/host/system-error";
import { topImage } from "../devices/disk-image.ts";
import type { QemuDomain } from "../domain/domain.ts";
import { diskByName } from "../domain/find-device.ts";
import type { Driver } from "../driver-context.ts";
import { localPath } from "../facts/image-size.ts";
import { makeGuestFile } from "./screenshot.ts";

/** virDomainMemoryFlags: QEMU's command by the one flag that must be given. */
const COMMANDS: Readonly<Record<number, "memsave" | "pmemsave">> = { 1: "memsave", 2: "pmemsave" };

async function memoryPeek(
	driver: Driver,
	domain: QemuDomain,
	offset: bigint,
	size: number,
	flags: number,
): Promise<Uint8Array> {
	const command = COMMANDS[flags];
	if (command === undefined)
		throw new VirtError("INVALID_ARG", "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
	const run = domain.activeRun();
	const path = join(run.paths.work, `mem-${randomUUID()}`);
	try {
		await makeGuestFile(driver, path);
		// As text: addresses have more digits than JavaScript's numbers, and QEMU reads them as signed.
		const value = BigInt.asIntN(64, offset);
		const request = `{"execute":"${command}","arguments":{"val":${value},"size":${size},"filename":${JSON.stringify(path)}}}`;
		refuseError(await run.monitor.executeText(request));
		return await readPart(path, 0n, size);
	} finally {
		await unlink(path).catch(() => undefined);
	}
}

/** Throws what QEMU's answer complains of. */
function refuseError(answer: string): void {
	const { error } = JSON.parse(answer) as { error?: { desc?: string } };
	if (error)
		throw new VirtError("INTERNAL_ERROR", `unable to execute QEMU command: ${error.desc ?? "it does not say why"}`);
}

async function blockPeek(domain: QemuDomain, path: string, offset: bigint, size: number): Promise<Uint8Array> {
	const disk = diskByName(domain.current.def, path);
	if (!disk) throw new VirtError("INVALID_ARG", `invalid path ${path} not assigned to domain`);
	if (disk.type === "vhostuser")
		throw new VirtError("OPERATION_UNSUPPORTED", "peeking is not supported for vhostuser disk");
	if (disk.driver.type !== "raw")
		throw new VirtError(
			"OPERATION_UNSUPPORTED",
			`peeking is only supported for disk with 'raw' format not '${disk.driver.type ?? "none"}'`,
		);
	if (disk.source?.fdgroup !== undefined)
		throw new VirtError("OPERATION_UNSUPPORTED", "peeking is not supported for FD passed images");
	const file = localPath(topImage(disk));
	if (file === undefined)
		throw new VirtError(
			"INTERNAL_ERROR",
			`storage file reading is not supported for storage type ${disk.type}: only images on this host can be looked into`,
		);
	const found = await readPart(file, offset, size);
	if (found.length < size)
		throw new VirtError("INVALID_ARG", `'${path}' starting from ${offset} has only ${found.length} bytes available`);
	return found;
}

/** Up to `size` bytes of the file. */
async function readPart(path: string, offset: bigint, size: number): Promise<Uint8Array> {
	const buffer = Buffer.alloc(size);
	let length = 0;
	try {
		await using file = await open(path, "r");
		while (length < size) {
			const { bytesRead } = await file.read({
				buffer,
				offset: length,
				length: size - length,
				position: offset + BigInt(length),
			});
			if (bytesRead === 0) break;
			length += bytesRead;
		}
	} catch (error) {
		throw systemError(`cannot read '${path}'`, error);
	}
	return buffer.subarray(0, length);
}

export const peekOperations = (driver: Driver): Pick<DomainOperations<QemuDomain>, "memoryPeek" | "blockPeek"> => ({
	memoryPeek: (domain, offset, size, flags) => memoryPeek(driver, domain, offset, size, flags),
	blockPeek: (domain, path, offset, size) => blockPeek(domain, path, offset, size),
});
