// Disks: what the guest sees as a hard disk, CD-ROM or floppy drive, and where its bytes come from.

import { integer, oneOf, onOff, str, uint, ulong, yesNo } from "@virtkit/xml/codec";
import { documentError, positionOf } from "@virtkit/xml/read";
import {
	attr,
	child,
	element,
	flag,
	type Infer,
	type LeafField,
	type Loose,
	leaf,
	list,
	type Schema,
} from "@virtkit/xml/schema";
import { backingStore, isConfigured, metadataCache, mirror } from "./backing-store.ts";
import { bootDeviceInfo, virtioOptions } from "./device-common.ts";
import { type DiskSourceDef, diskSource, IMAGE_FORMATS, STORAGE_TYPES } from "./disk-source.ts";
import { type EncryptionDef, encryption } from "./encryption.ts";
import { queueThreads } from "./queue-threads.ts";
import { type AuthDef, auth } from "./secret-reference.ts";

/** What the guest takes the disk for. */
export const DISK_DEVICES = ["disk", "cdrom", "floppy", "lun"] as const;
/** Buses a disk can sit on. */
export const DISK_BUSES = ["ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"] as const;

/** `aio`, which Xen's documents say for raw images, and every format. */
const driverFormat = {
	...oneOf(...IMAGE_FORMATS),
	parse: (text: string) => oneOf(...IMAGE_FORMATS).parse(text === "aio" ? "raw" : text),
};

const onError = (...words: readonly ("stop" | "report" | "ignore" | "enospace")[]) =>
	oneOf("stop", "report", "ignore", "enospace", ...words);

const histogram = element({
	type: attr(oneOf("read", "write", "zone", "flush"), { doc: "Which operations; all where absent." }),
	bin: list(element({ start: attr(ulong, { required: true, doc: "Nanoseconds at which the bin begins." }) }), {
		doc: "One bin; the first begins at 0.",
	}),
});
const statistics = element({
	statistic: list(element({ interval: attr(uint, { required: true, doc: "Seconds." }) }), {
		doc: "An interval over which averages are taken.",
	}),
	"latency-histogram": list(histogram, { doc: "How many operations took how long." }),
});

const driver = element(
	{
		name: attr(str, { doc: "Which part of the hypervisor serves the disk: qemu." }),
		type: attr(driverFormat, { code: "CONFIG_UNSUPPORTED", doc: "Format of the image." }),
		cache: attr(oneOf("default", "none", "writethrough", "writeback", "directsync", "unsafe"), {
			absent: "default",
			doc: "How the host caches the image.",
		}),
		error_policy: attr(onError(), { doc: "What happens where writing fails." }),
		rerror_policy: attr(onError(), { doc: "What happens where reading fails." }),
		io: attr(oneOf("native", "threads", "io_uring"), { doc: "How QEMU does its input and output." }),
		ioeventfd: attr(onOff, { doc: "Whether the guest's notifications are handled outside its virtual CPU." }),
		event_idx: attr(onOff, { doc: "Whether interrupts and notifications are held back where possible." }),
		copy_on_read: attr(onOff, { doc: "Whether what is read from a backing image is copied into the image." }),
		discard: attr(oneOf("unmap", "ignore"), { doc: "Whether discards of the guest reach the image." }),
		iothread: attr(integer({ min: 1, max: 0xffffffff }), { doc: "Number of the I/O thread that serves the disk." }),
		detect_zeroes: attr(oneOf("off", "on", "unmap"), { doc: "Whether written zeroes are stored as holes." }),
		discard_no_unref: attr(onOff, { doc: "Whether a discarded cluster of a qcow2 image keeps its place." }),
		queues: attr(uint, { absent: 0, doc: "Virtqueues." }),
		queue_size: attr(uint, { absent: 0, doc: "Entries of each virtqueue." }),
		...virtioOptions,
		iothreads: child(queueThreads, { doc: "I/O threads that serve the disk's queues." }),
		statistics: child(statistics, { doc: "What QEMU counts over time." }),
		metadata_cache: child(metadataCache, { doc: "Cache of the format's metadata." }),
	},
	{
		onRead: (value, found) => {
			if (value.rerror_policy === "enospace")
				throw documentError(found, "Invalid disk read error policy: 'enospace'", "CONFIG_UNSUPPORTED");
		},
	},
);

const geometry = element({
	cyls: attr(uint, { default: 0, doc: "Cylinders." }),
	heads: attr(uint, { default: 0, doc: "Heads." }),
	secs: attr(uint, { default: 0, doc: "Sectors." }),
	trans: attr(oneOf("none", "auto", "lba"), { doc: "How the BIOS translates them." }),
});

const blockio = element({
	logical_block_size: attr(uint, { absent: 0, doc: "Bytes of a logical block." }),
	physical_block_size: attr(uint, { absent: 0, doc: "Bytes of a physical block." }),
	discard_granularity: attr(uint, { doc: "Bytes that the guest discards at once; 0 for no discards." }),
});

const target = element({
	dev: attr(str, { doc: "Name of the disk, vda, sda, hda, fda: a hint to the guest, unique in it." }),
	bus: attr(oneOf(...DISK_BUSES), { doc: "Bus the disk sits on." }),
	tray: attr(oneOf("closed", "open"), {
		absent: "closed",
		show: (_, __, parent) => parent?.device === "cdrom" || parent?.device === "floppy",
		doc: "Whether the tray is open.",
	}),
	removable: attr(onOff, { show: (self) => self.bus === "usb", doc: "Whether a USB disk says it is removable." }),
	rotation_rate: attr(uint, { absent: 0, doc: "Turns a minute; 1 for a solid state disk." }),
	dpofua: attr(onOff, { doc: "Whether a SCSI disk can be told to write through its cache." }),
});

/** A limit; 0 means none. */
const limit = (doc: string): LeafField<number, false> => leaf(ulong, { absent: 0, doc });

const iotune = element({
	total_bytes_sec: limit("Bytes a second, read and written."),
	read_bytes_sec: limit("Bytes read a second."),
	write_bytes_sec: limit("Bytes written a second."),
	total_iops_sec: limit("Operations a second, read and written."),
	read_iops_sec: limit("Reads a second."),
	write_iops_sec: limit("Writes a second."),
	total_bytes_sec_max: limit("Burst of bytes a second, read and written."),
	read_bytes_sec_max: limit("Burst of bytes read a second."),
	write_bytes_sec_max: limit("Burst of bytes written a second."),
	total_iops_sec_max: limit("Burst of operations a second, read and written."),
	read_iops_sec_max: limit("Burst of reads a second."),
	write_iops_sec_max: limit("Burst of writes a second."),
	size_iops_sec: limit("Bytes that count as one operation."),
	group_name: leaf(str, { doc: "Disks of one group share their limits." }),
	total_bytes_sec_max_length: limit("Seconds that total_bytes_sec_max may last."),
	read_bytes_sec_max_length: limit("Seconds that read_bytes_sec_max may last."),
	write_bytes_sec_max_length: limit("Seconds that write_bytes_sec_max may last."),
	total_iops_sec_max_length: limit("Seconds that total_iops_sec_max may last."),
	read_iops_sec_max_length: limit("Seconds that read_iops_sec_max may last."),
	write_iops_sec_max_length: limit("Seconds that write_iops_sec_max may last."),
});
export type IotuneDef = Infer<typeof iotune>;

/** A group of limits that disks refer to by its name. */
export const throttlegroup = iotune;

const throttleFilter = element({
	group: attr(str, { required: true, doc: "Name of a group of <throttlegroups>." }),
	index: attr(uint, {
		live: true,
		show: (_, { status }) => status === true,
		doc: "Number of the filter in the running guest.",
	}),
});

const transient = element({
	shareBacking: attr(yesNo, {
		show: (self) => self.shareBacking === true,
		doc: "Whether several guests share the image below the throw-away layer.",
	}),
});

const backenddomain = element({ name: attr(str, { absent: "", doc: "Xen domain that serves the disk." }) });

const DISK_MODELS = [
	"default",
	"virtio",
	"virtio-transitional",
	"virtio-non-transitional",
	"usb-storage",
	"usb-bot",
] as const;

const diskFields = element({
	type: attr(oneOf(...STORAGE_TYPES), { default: "file", doc: "Storage type of the image." }),
	device: attr(oneOf(...DISK_DEVICES), { default: "disk", doc: "What the guest takes the disk for." }),
	model: attr(oneOf(...DISK_MODELS), {
		absent: "default",
		doc: "Generation of the virtio device, or protocol of the USB device.",
	}),
	rawio: attr(yesNo, { doc: "Whether QEMU gets the right to send any SCSI command." }),
	sgio: attr(oneOf("filtered", "unfiltered"), { doc: "Whether the kernel filters SCSI commands of the guest." }),
	snapshot: attr(oneOf("no", "internal", "external", "manual"), {
		show: (self) => !(self.snapshot === "no" && self.readonly === true),
		doc: "How snapshots of the guest treat the disk.",
	}),
	driver: child(driver, { required: true, implied: true, doc: "How QEMU serves the disk." }),
	auth: child(auth, { doc: "Authentication towards the storage server, in its older place." }),
	source: child(diskSource, { doc: "Where the image is; absent in an empty drive." }),
	backingStore: child(backingStore, {
		keepEmpty: true,
		show: (self, options) => isConfigured(self, options.inactive),
		doc: "The image below.",
	}),
	backenddomain: child(backenddomain, { doc: "Xen's driver domain." }),
	geometry: child(geometry, {
		show: ({ geometry: g }) => Object.values(g as Loose).every((part) => part !== 0),
		doc: "Geometry that the guest is shown.",
	}),
	blockio: child(blockio, { doc: "Block sizes that the guest is shown." }),
	mirror: child(mirror, { live: true, doc: "The copy that is being made." }),
	target: child(target, { required: true, implied: true, doc: "Where the guest sees the disk." }),
	iotune: child(iotune, { doc: "Limits of throughput." }),
	throttlefilters: list(throttleFilter, {
		name: "throttlefilter",
		inside: "throttlefilters",
		doc: "Group of limits that the disk is under; each further one comes above those before.",
	}),
	readonly: flag({ doc: "The guest cannot write." }),
	shareable: flag({ doc: "Several guests may use the image at once." }),
	transient: child(transient, { keepEmpty: true, doc: "Changes are thrown away when the guest ends." }),
	serial: leaf(str, { doc: "Serial number." }),
	wwn: leaf(str, { doc: "World wide name: 16 hexadecimal digits." }),
	vendor: leaf(str, { doc: "Vendor of a SCSI disk, up to 8 characters." }),
	product: leaf(str, { doc: "Product of a SCSI disk, up to 16 characters." }),
	encryption: child(encryption, { keepEmpty: true, doc: "Encryption of the image, in its older place." }),
	...bootDeviceInfo,
});

/** A disk. */
export type DiskDef = Infer<typeof diskFields>;
export type DiskDevice = DiskDef["device"];
export type DiskBus = NonNullable<DiskDef["target"]["bus"]>;
/** The <disk> element. */
export const disk: Schema<DiskDef> = { ...diskFields, onRead: settleSource };

function settleSource(value: DiskDef): void {
	if (value.source === undefined) value.type = "file";
	for (const what of ["auth", "encryption"] as const)
		if (value[what] && value.source?.[what])
			throw documentError(
				positionOf(value),
				`an <${what}> definition already found for disk source`,
				"CONFIG_UNSUPPORTED",
			);
}

/** Authentication of the disk, in whichever place it stands. */
export function diskAuth({ auth: older, source }: DiskDef): AuthDef | undefined {
	return older ?? source?.auth;
}

/** Encryption of the disk's image, in whichever place it stands. */
export function diskEncryption({ encryption: older, source }: DiskDef): EncryptionDef | undefined {
	return older ?? source?.encryption;
}

/** True where there is no image: an empty drive. */
export function isEmptySource(source: DiskSourceDef | undefined): boolean {
	if (!source) return true;
	const { file, dev, dir, fdgroup, protocol, pool, path, namespace } = source;
	return [file, dev, dir, fdgroup, protocol, pool, path, namespace].every((part) => part === undefined);
}
