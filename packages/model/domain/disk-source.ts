// Where a disk's bytes are: <source> of disks, backing stores and mirrors, one set of fields a storage type.

import { hex, integer, oneOf, str, uint, ulong, yesNo } from "@virtkit/xml/codec";
import type { XmlElement } from "@virtkit/xml/node";
import { documentError, positionOf, type ReadContext } from "@virtkit/xml/read";
import { attr, child, element, type Infer, type Loose, lazy, list, type Schema, text } from "@virtkit/xml/schema";
import { checkDeviceSeclabels, deviceSeclabels } from "./device-seclabel.ts";
import { encryption } from "./encryption.ts";
import { auth } from "./secret-reference.ts";

/** Storage types (virStorageType). */
export const STORAGE_TYPES = ["file", "block", "dir", "network", "volume", "nvme", "vhostuser", "vhostvdpa"] as const;
export type StorageType = (typeof STORAGE_TYPES)[number];

/** Image formats (virStorageFileFormat). */
export const IMAGE_FORMATS = [
	"raw",
	"dir",
	"bochs",
	"cloop",
	"dmg",
	"iso",
	"vpc",
	"vdi",
	"fat",
	"vhd",
	"ploop",
	"cow",
	"qcow",
	"qcow2",
	"qed",
	"vmdk",
] as const;
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Network storage protocols with the TCP port assumed where a host names none; 0 where there is none. */
export const STORAGE_PROTOCOLS = {
	nbd: 10809,
	rbd: 0,
	sheepdog: 7000,
	gluster: 24007,
	iscsi: 3260,
	http: 80,
	https: 443,
	ftp: 21,
	ftps: 990,
	tftp: 69,
	ssh: 22,
	vxhs: 9999,
	nfs: 0,
} as const;
export type StorageProtocol = keyof typeof STORAGE_PROTOCOLS;
const PROTOCOLS = Object.keys(STORAGE_PROTOCOLS) as StorageProtocol[];

/** A condition that holds in a source of that storage type; the type stands on the element around the source. */
const inType =
	(...types: readonly StorageType[]) =>
	(_: Loose, parent: Loose | undefined): boolean =>
		types.includes(parent?.type as StorageType);

/** A condition that holds in a network source of one of these protocols. */
const inProtocol =
	(...protocols: readonly StorageProtocol[]) =>
	(self: Loose): boolean =>
		protocols.includes(self.protocol as StorageProtocol);

/** A TCP port; blanks around it are passed over. */
const port = integer({ min: 0, max: 0xffff });

export const host = element(
	{
		name: attr(str, { doc: "Name or address of the server." }),
		port: attr(port, { absent: 0, code: "INVALID_ARG", doc: "TCP port." }),
		transport: attr(oneOf("tcp", "unix", "rdma"), {
			absent: "tcp",
			code: "CONFIG_UNSUPPORTED",
			doc: "How the server is reached.",
		}),
		socket: attr(str, { doc: "Path of the server's UNIX socket." }),
	},
	{ onRead: checkHost },
);
export type StorageHost = Infer<typeof host>;

function checkHost(value: {
	name?: string | undefined;
	port?: unknown;
	transport?: string | undefined;
	socket?: string | undefined;
}): void {
	const fail = (message: string): never => {
		throw documentError(positionOf(value), message);
	};
	if (value.transport === "unix") {
		if (value.socket === undefined) fail("missing socket for unix transport");
		delete value.name;
		delete value.port;
		return;
	}
	if (value.socket !== undefined) fail(`transport '${value.transport ?? "tcp"}' does not support socket attribute`);
	if (value.name === undefined) fail("missing name for host");
}

const identity = element({
	user: attr(str, { doc: "User that NFS sees." }),
	group: attr(str, { doc: "Group that NFS sees." }),
});

const sshIdentity = element({
	username: attr(str, { doc: "User on the server." }),
	keyfile: attr(str, { doc: "Path of the user's private key." }),
	agentsock: attr(str, { doc: "Socket of the user's SSH agent." }),
});

const cookie = element(
	{
		name: attr(str, { required: true, doc: "Name of the cookie." }),
		value: text(str, { required: true, doc: "Its value." }),
	},
	{ onRead: checkCookie },
);

const COOKIE_VALUE = /^[^\x01-\x1f ",;\\]*$/;
const COOKIE_NAME = /^[^\x01-\x1f ",;\\()<>@:/[\]?={}]+$/;

function checkCookie(value: { name: string; value: string }): void {
	const inner = /^"(.*)"$/s.exec(value.value)?.[1] ?? value.value;
	if (value.value === "") throw documentError(positionOf(value), `missing value for cookie '${value.name}'`);
	if (!COOKIE_NAME.test(value.name))
		throw documentError(positionOf(value), `cookie name '${value.name}' is empty or contains invalid characters`);
	if (!COOKIE_VALUE.test(inner))
		throw documentError(positionOf(value), `value of cookie '${value.name}' contains invalid characters`);
}

/** The host's PCI address of an NVMe drive. */
const nvmeAddress = element(
	{
		domain: attr(hex(4, 0xffffffff), { default: 0, doc: "PCI domain on the host." }),
		bus: attr(hex(2, 0xff), { default: 0, doc: "PCI bus." }),
		slot: attr(hex(2, 0x1f), { default: 0, doc: "PCI slot." }),
		function: attr({ ...hex(1, 7), format: (value: number) => `0x${value}` }, { default: 0, doc: "PCI function." }),
	},
	{ doc: "Where on the host the drive is." },
);

const slice = element({
	type: attr(str, { doc: "storage: a part of the container, not of the guest's data." }),
	offset: attr(ulong, { required: true, doc: "First byte." }),
	size: attr(ulong, { required: true, doc: "Bytes." }),
});

const reservations = element(
	{
		managed: attr(yesNo, { required: true, doc: "Whether the daemon runs the helper itself." }),
		source: child(
			element({
				type: attr(str, { doc: "unix." }),
				path: attr(str, { doc: "Socket of the helper." }),
				mode: attr(str, { doc: "client." }),
			}),
			{
				show: (self, options) => self.managed === false || !options.migratable,
				doc: "Where the helper listens.",
			},
		),
	},
	{
		onRead: ({ managed, source }, found) => {
			const { type, path, mode } = source ?? {};
			if (managed && type === undefined && path === undefined && mode === undefined) return;
			for (const [name, value] of Object.entries({ "connection type": type, path, "connection mode": mode }))
				if (value === undefined || value === "") throw documentError(found, `missing ${name} for <reservations/>`);
			if (type !== "unix") throw documentError(found, `unsupported connection type for <reservations/>: ${type}`);
			if (mode !== "client") throw documentError(found, `unsupported connection mode for <reservations/>: ${mode}`);
		},
	},
);

/** How a lost connection to a socket is made again. */
export const reconnect = element(
	{
		enabled: attr(yesNo, { doc: "Whether it is." }),
		timeout: attr(uint, { when: (self) => self.enabled === true, doc: "Seconds between attempts." }),
		delay: attr(uint, { absent: 0, doc: "Seconds that requests wait for a lost NBD server." }),
	},
	{
		onRead: (value, found) => {
			if (value.enabled && value.timeout === undefined)
				throw documentError(found, "Missing required attribute 'timeout' in element 'reconnect'");
		},
	},
);

const snapshot = element({ name: attr(str, { absent: "", doc: "Name of the snapshot." }) });
const config = element({ file: attr(str, { absent: "", doc: "Path of the file." }) });
const iqn = element({ name: attr(str, { absent: "", doc: "The name, iqn.…" }) });
export const initiator = element({ iqn: child(iqn, { doc: "iSCSI qualified name." }) });
const ssl = element({ verify: attr(yesNo, { doc: "Whether the server's certificate is checked." }) });
const cookies = element({ cookie: list(cookie, { doc: "One cookie." }) });
const readahead = element({ size: attr(ulong, { absent: 0, doc: "Bytes." }) });
const timeout = element({ seconds: attr(ulong, { absent: 0, doc: "Seconds." }) });
const slices = element(
	{ slice: list(slice, { doc: "One part." }) },
	{
		onRead: (value) => {
			value.slice = value.slice.filter(({ type }) => type === "storage").slice(0, 1);
		},
	},
);

const network = { when: inType("network") };
const remote = (...protocols: StorageProtocol[]) => ({ when: inProtocol(...protocols) });

/** The image that holds the data of a qcow2 image whose own file has the metadata alone. */
export interface DataStoreDef {
	type?: StorageType | undefined;
	format?: { type?: ImageFormat | undefined } | undefined;
	source?: DiskSourceDef | undefined;
}

const dataStore: Schema<DataStoreDef> = element({
	type: attr(oneOf(...STORAGE_TYPES), { doc: "Storage type of the image." }),
	format: child(element({ type: attr(oneOf(...IMAGE_FORMATS), { doc: "raw." }) }), { doc: "Format of the image." }),
	source: child(
		lazy<DiskSourceDef>(() => diskSource),
		{ doc: "Where the image is." },
	),
});

/** Where an image is, of every storage type: fields of other types than that of the element around it are absent. */
const sourceFields = element(
	{
		file: attr(str, { absent: "", when: inType("file"), doc: "Path of the image file." }),
		fdgroup: attr(str, { when: inType("file"), doc: "Name of descriptors that the client passed for the image." }),
		dev: attr(str, {
			absent: "",
			when: inType("block", "vhostvdpa"),
			doc: "Path of the block device, or of the vDPA device.",
		}),
		dir: attr(str, { absent: "", when: inType("dir"), doc: "Folder that is shown as a FAT volume." }),
		protocol: attr(oneOf(...PROTOCOLS), { ...network, doc: "Protocol of the storage server." }),
		name: attr(str, { absent: "", ...network, doc: "Image on that server; for rbd and gluster POOL/IMAGE." }),
		query: attr(str, { ...remote("http", "https"), doc: "Query part of the URL, without the question mark." }),
		tls: attr(yesNo, { ...network, doc: "Whether the connection is encrypted." }),
		tlsHostname: attr(str, { ...network, doc: "Name that the server's certificate must carry." }),
		pool: attr(str, { when: inType("volume"), doc: "Storage pool." }),
		volume: attr(str, { when: inType("volume"), doc: "Volume of that pool." }),
		mode: attr(oneOf("host", "direct"), {
			when: inType("volume"),
			code: "CONFIG_UNSUPPORTED",
			doc: "Whether an iSCSI volume is reached by the host's device or by QEMU itself.",
		}),
		type: attr(str, { when: inType("nvme", "vhostuser"), doc: "pci for NVMe, unix for vhost-user." }),
		managed: attr(yesNo, { when: inType("nvme"), doc: "Whether the drive is detached from the host automatically." }),
		namespace: attr(ulong, { when: inType("nvme"), doc: "NVMe namespace, from 1." }),
		path: attr(str, { when: inType("vhostuser"), doc: "Socket of the vhost-user server." }),
		startupPolicy: attr(oneOf("mandatory", "requisite", "optional"), {
			show: (_, __, parent) => parent?.type !== "network",
			doc: "What happens where the image is missing at start.",
		}),
		index: attr(uint, { live: true, absent: 0, doc: "Number of the image in the running guest's chain." }),
		host: list(host, { ...network, doc: "Servers." }),
		identity: child(identity, { ...remote("nfs"), doc: "Who NFS takes the client for." }),
		snapshot: child(snapshot, { ...network, doc: "Snapshot of the image that is used." }),
		config: child(config, { ...network, doc: "Configuration file of rbd." }),
		initiator: child(initiator, { ...network, doc: "Who the iSCSI server sees." }),
		ssl: child(ssl, { ...remote("https", "ftps"), doc: "TLS of the transfer." }),
		cookies: child(cookies, {
			...remote("http", "https"),
			show: (_, options) => options.secure === true,
			doc: "Cookies sent to the server.",
		}),
		readahead: child(readahead, {
			...remote("http", "https", "ftp", "ftps"),
			doc: "How much is read ahead.",
		}),
		timeout: child(timeout, {
			...remote("http", "https", "ftp", "ftps"),
			doc: "After how long a request fails.",
		}),
		address: child(nvmeAddress, { when: inType("nvme"), doc: "PCI address of the NVMe drive." }),
		reconnect: child(reconnect, {
			when: (self, parent) => inType("vhostuser")(self, parent) || self.protocol === "nbd",
			doc: "Whether a lost server is waited for.",
		}),
		knownHosts: child(element({ path: attr(str, { required: true, doc: "Path of the file." }) }), {
			...remote("ssh"),
			doc: "Keys of the hosts that are trusted.",
		}),
		sshIdentity: child(sshIdentity, { name: "identity", ...remote("ssh"), doc: "How SSH logs in." }),
		slices: child(slices, { doc: "Part of the container in use." }),
		dataStore: child(dataStore, { doc: "Image that holds the data of a qcow2 image." }),
		seclabels: { ...deviceSeclabels, show: (_, __, parent) => parent?.type !== "network" },
		auth: child(auth, {
			show: (_, __, parent) => parent?.type !== "volume",
			doc: "Authentication towards the server.",
		}),
		encryption: child(encryption, { keepEmpty: true, doc: "Encryption of the image." }),
		reservations: child(reservations, { doc: "SCSI persistent reservations." }),
	},
	{ doc: "Where the bytes of an image are." },
);

/** Where an image is. */
export type DiskSourceDef = Infer<typeof sourceFields>;
/** The <source> of disks, backing stores and mirrors. */
export const diskSource: Schema<DiskSourceDef> = { ...sourceFields, onRead: checkSource };

type SourceCheck = (source: DiskSourceDef, found: XmlElement, fail: (message: string) => never) => void;

/** What each storage type demands of its source. */
const CHECKS: Partial<Record<StorageType, SourceCheck>> = {
	network: (source, found, fail) => {
		const { protocol } = source;
		if (protocol === undefined) return fail("Missing required attribute 'protocol' in element 'source'");
		if (found.attributes.name === undefined && protocol !== "nbd") fail("missing name for disk source");
		if ((protocol === "rbd" || protocol === "gluster") && !/^[^/]+\//.test(source.name ?? ""))
			if (source.name !== undefined || found.attributes.name !== undefined)
				fail(`can't split path '${source.name ?? ""}' into pool name and image name`);
		for (const host of source.host)
			if (host.transport === undefined) host.port ??= STORAGE_PROTOCOLS[protocol] || undefined;
	},
	volume: ({ pool, volume }, _, fail) => {
		if ((pool === undefined) !== (volume === undefined))
			fail("'pool' and 'volume' must be specified together for 'pool' type source");
	},
	nvme: ({ type, namespace, address }, _, fail) => {
		if (type === undefined) fail("missing 'type' attribute to disk source");
		if (type !== "pci") fail(`unsupported source type '${type}', NVMe drives have 'pci'`);
		if (namespace === undefined) fail("missing 'namespace' attribute to disk source");
		if (address === undefined) fail("NVMe disk source is missing address");
	},
	vhostuser: ({ type, path }, _, fail) => {
		if (type === undefined) fail("missing 'type' attribute for vhostuser disk source");
		if (type !== "unix") fail(`invalid 'type' attribute '${type}' for vhostuser disk source, only 'unix' is`);
		if (path === undefined) fail("missing 'path' attribute for vhostuser disk source");
	},
};

function checkSource(source: DiskSourceDef, found: XmlElement, context: ReadContext): void {
	const fail = (message: string): never => {
		throw documentError(found, message);
	};
	CHECKS[context.parent?.type as StorageType]?.(source, found, fail);
	checkDeviceSeclabels(source.seclabels);
}

/** Path of the image, device or folder of a local source; the image's name on its server of a network source. */
export function sourcePath(source: DiskSourceDef | undefined): string | undefined {
	return source && (source.file ?? source.dev ?? source.dir ?? source.name);
}
