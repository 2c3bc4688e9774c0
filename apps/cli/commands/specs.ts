// What the commands that make snapshots and checkpoints read of their options: disks and memory as lists of settings.

import { type XmlElement, xmlElement } from "@virtkit/xml/node";
import { CommandError } from "../context.ts";
import { splitList } from "./shell.ts";

/** Settings of a list `first,name=value,…`; `alone` tells which word needs no name. Nothing where one is unknown or repeated. */
function settings(words: readonly string[], names: readonly string[]): Record<string, string> | undefined {
	const found: Record<string, string> = {};
	for (const word of words) {
		const [name = "", value = ""] = word.split(/=(.*)/s);
		if (!names.includes(name) || found[name] !== undefined) return undefined;
		found[name] = value;
	}
	return found;
}

/** `<disk>` of a snapshot: `vda,snapshot=external,driver=qcow2,stype=file,file=/path`. Throws in virsh's words. */
export function snapshotDisk(spec: string): XmlElement {
	const [name = "", ...words] = splitList(spec);
	const found = settings(words, ["snapshot", "driver", "stype", "file"]);
	const complaint = `unable to parse diskspec: ${spec}`;
	if (!found) throw new CommandError(complaint);
	const { snapshot, driver, stype, file } = found;
	if (stype !== undefined && stype !== "block" && stype !== "file")
		throw new CommandError(`Unknown storage type: '${stype}'\nerror: ${complaint}`);
	return xmlElement("disk", { name, snapshot, type: stype }, [
		driver === undefined ? undefined : xmlElement("driver", { type: driver }),
		file === undefined ? undefined : xmlElement("source", { [stype === "block" ? "dev" : "file"]: file }),
	]);
}

/** `<memory>` of a snapshot: `/path` or `file=/path,snapshot=external`. Throws in virsh's words. */
export function snapshotMemory(spec: string): XmlElement {
	const words = splitList(spec).map((word) => (word.startsWith("/") ? `file=${word}` : word));
	const found = settings(words, ["snapshot", "file"]);
	if (!found) throw new CommandError(`unable to parse memspec: ${spec}`);
	return xmlElement("memory", found.snapshot === undefined ? found : { snapshot: found.snapshot, file: found.file });
}

/** `<disk>` of a checkpoint: `vda,checkpoint=bitmap,bitmap=name`. Throws in virsh's words. */
export function checkpointDisk(spec: string): XmlElement {
	const [name = "", ...words] = splitList(spec);
	const found = settings(words, ["checkpoint", "bitmap"]);
	if (!found) throw new CommandError(`unable to parse diskspec: ${spec}`);
	return xmlElement("disk", { name, checkpoint: found.checkpoint, bitmap: found.bitmap });
}

/** The document of a new snapshot or checkpoint. */
export function newDocument(
	root: string,
	{ name, description }: { readonly name?: string | undefined; readonly description?: string | undefined },
	memory: XmlElement | undefined,
	disks: readonly XmlElement[],
): XmlElement {
	const textElement = (tag: string, value: string | undefined): XmlElement | undefined =>
		value === undefined ? undefined : xmlElement(tag, {}, [value]);
	return xmlElement(root, {}, [
		textElement("name", name),
		textElement("description", description),
		memory,
		disks.length > 0 ? xmlElement("disks", {}, disks) : undefined,
	]);
}
