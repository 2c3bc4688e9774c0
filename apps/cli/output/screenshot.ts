// Screenshots into files.

import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const ENDINGS: Readonly<Record<string, string>> = {
	"image/x-portable-pixmap": ".ppm",
	"image/png": ".png",
	"image/jpeg": ".jpg",
};

/** A name with domain, time and the picture's kind in it, as virsh makes one. */
export function screenshotName(domain: string, mime: string, now = new Date()): string {
	const [day = "", time = ""] = now.toISOString().split("T");
	return `${domain}-${day}-${time.slice(0, 8)}${ENDINGS[mime] ?? ""}`;
}

export async function writeStream(stream: Readable, file: string): Promise<void> {
	await pipeline(stream, createWriteStream(file));
}
