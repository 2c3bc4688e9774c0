// The images below a disk's own: <backingStore>, one inside the other, and <mirror>, the target of a running copy.

import { oneOf, uint } from "@virtkit/xml/codec";
import { documentError } from "@virtkit/xml/read";
import { amountLeaf } from "@virtkit/xml/scaled";
import { attr, child, element, lazy, type Schema, special } from "@virtkit/xml/schema";
import { formatAttribute } from "@virtkit/xml/write";
import {
	type DiskSourceDef,
	diskSource,
	IMAGE_FORMATS,
	type ImageFormat,
	STORAGE_TYPES,
	type StorageType,
	sourcePath,
} from "./disk-source.ts";

/** How much of an image's metadata QEMU keeps in memory. */
export const metadataCache = element({
	max_size: amountLeaf("max_size", {
		unit: "bytes",
		doc: "Upper limit of the cache.",
		show: (self) => self.max_size !== 0,
	}),
});

const imageFormat = element({
	type: attr(oneOf(...IMAGE_FORMATS), { doc: "Format of the image." }),
	metadata_cache: child(metadataCache, { doc: "Cache of the format's metadata." }),
});

/** One image of a chain. Without a type it ends the chain: there is no image below. */
export interface BackingStoreDef {
	type?: StorageType | undefined;
	index?: number | undefined;
	format?:
		| { type?: ImageFormat | undefined; metadata_cache?: { max_size?: number | undefined } | undefined }
		| undefined;
	source?: DiskSourceDef | undefined;
	backingStore?: BackingStoreDef | undefined;
	/** Found by looking into the image rather than configured; not part of the configuration. */
	detected?: boolean | undefined;
}

const notEnd = (self: { readonly type?: unknown }): boolean => self.type !== undefined;

/** The image below another. */
export const backingStore: Schema<BackingStoreDef> = element(
	{
		type: attr(oneOf(...STORAGE_TYPES), { doc: "Storage type of the image; absent at the end of the chain." }),
		index: attr(uint, { live: true, absent: 0, doc: "Number of the image in the running guest's chain." }),
		format: child(imageFormat, { when: notEnd, doc: "Format of the image." }),
		source: child(diskSource, { when: notEnd, keepEmpty: false, doc: "Where the image is." }),
		backingStore: child(
			lazy<BackingStoreDef>(() => backingStore),
			{
				when: notEnd,
				keepEmpty: true,
				show: (self, o) => isConfigured(self, o.inactive),
				doc: "The image below this one.",
			},
		),
	},
	{
		onRead: (value, found) => {
			if (value.type === undefined) return;
			if (value.format?.type === undefined) throw documentError(found, "missing disk backing store format");
			if (value.source === undefined) throw documentError(found, "missing disk backing store source");
		},
	},
);

/** True where the backing store below `self` is written: in configurations, only if the user gave it. */
export function isConfigured(self: { readonly backingStore?: unknown }, inactive = false): boolean {
	const below = self.backingStore as BackingStoreDef | undefined;
	return !(inactive && below?.detected);
}

/** The target of a copy that runs, written in today's form and, for plain files, in the first one too. */
export const mirror = element(
	{
		type: attr(oneOf(...STORAGE_TYPES), { doc: "Storage type of the copy." }),
		plain: special<true>({
			doc: "File and format as attributes, as the first version of the element had them.",
			read: () => true,
			write: (_, __, ___, self) => ({ attributes: formatPlainMirror(self as MirrorDef) }),
			json: {},
			takes: { attributes: ["file", "format"] },
		}),
		job: attr(oneOf("copy", "active-commit"), { default: "copy", code: "CONFIG_UNSUPPORTED", doc: "What copies." }),
		ready: attr(oneOf("yes", "abort", "pivot"), { doc: "Whether the copy has caught up, or what ends it." }),
		format: child(imageFormat, { doc: "Format of the copy." }),
		source: child(diskSource, { doc: "Where the copy is." }),
		backingStore: child(backingStore, { keepEmpty: true, doc: "The image below the copy." }),
	},
	{
		onRead: (value, found) => {
			if (value.type !== undefined) {
				if (value.source === undefined) throw documentError(found, "mirror requires source element");
				return;
			}
			if (value.job !== "copy") throw documentError(found, "mirror without type only supported by copy job");
			if (found.attributes.file === undefined) throw documentError(found, "mirror requires file name");
			value.type = "file";
			value.source = { file: found.attributes.file, host: [], seclabels: [] };
			const format = IMAGE_FORMATS.find((known) => known === found.attributes.format);
			if (format) value.format = { type: format };
		},
	},
);

interface MirrorDef {
	type?: StorageType;
	job?: string;
	source?: DiskSourceDef;
	format?: { type?: ImageFormat };
}

function formatPlainMirror({ type, job, source, format }: MirrorDef): string {
	const path = sourcePath(source);
	if (type !== "file" || job !== "copy" || path === undefined) return "";
	return formatAttribute("file", path) + (format?.type === undefined ? "" : formatAttribute("format", format.type));
}
