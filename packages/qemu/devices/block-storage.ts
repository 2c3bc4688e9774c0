// The protocol layer of an image as a block node: where its bytes are, for each storage type and network protocol.

import { isIPv6 } from "node:net";
import { VirtError } from "@virtkit/base/errors";
import type { StorageHost, StorageProtocol, StorageType } from "@virtkit/model/domain/disk-source";
import { formatPciPlace } from "../addresses/pci-set.ts";
import type { JsonObject } from "../command-line/command-line.ts";
import { fdSetPath } from "../command-line/command-line.ts";
import type { DriverHost } from "../driver-host.ts";
import { cacheProps } from "./block-format.ts";
import { type DiskImage, storageNode, storageOwner } from "./disk-image.ts";
import { authSecret, cookieSecret, encryptionSecret } from "./disk-secrets.ts";
import type { DefineContext } from "./entry.ts";

/** Id of the helper that the driver itself runs for SCSI persistent reservations. */
export const MANAGED_RESERVATIONS = "pr-helper0";

type Render = (image: DiskImage, context: DefineContext) => JsonObject;

const BY_TYPE: Partial<Record<StorageType, Render>> = {
	file: (image) => fileProps(image, "file", image.source.file),
	block: (image) => fileProps(image, "host_device", image.source.dev),
	dir: ({ source, options, readonly }) => ({
		driver: "vvfat",
		dir: source.dir,
		floppy: options.floppy === true,
		rw: !readonly,
	}),
	nvme: ({ source }) => ({
		driver: "nvme",
		device: source.address && formatPciPlace(source.address),
		namespace: source.namespace,
	}),
	network: (image, context) => {
		const { protocol } = image.source;
		const render = protocol && BY_PROTOCOL[protocol];
		if (!render) throw new VirtError("INTERNAL_ERROR", `unexpected storage protocol '${protocol}'`);
		return { driver: protocol, ...render(image, context) };
	},
	vhostvdpa: ({ source }) => ({ driver: "virtio-blk-vhost-vdpa", path: source.dev }),
	volume: ({ source }) => {
		throw new VirtError("INTERNAL_ERROR", `volume '${source.volume}' of pool '${source.pool}' is not translated`);
	},
};

const BY_PROTOCOL: Partial<Record<StorageProtocol, Render>> = {
	nbd: (image) => ({
		server: socketAddress(onlyHost(image)),
		export: image.source.name,
		"tls-creds": image.source.tls ? tlsObject(image) : undefined,
		"tls-hostname": image.source.tlsHostname,
		"reconnect-delay": image.source.reconnect?.delay,
	}),
	rbd: rbdProps,
	iscsi: iscsiProps,
	gluster: (image) => {
		const [volume, path] = splitPool(image);
		return { volume, path, server: image.source.host.map(socketAddress), debug: GLUSTER_DEBUG };
	},
	sheepdog: (image) => ({ server: socketAddress(onlyHost(image)), vdi: image.source.name }),
	ssh: (image) => ({
		path: image.source.name,
		server: inetAddress(onlyHost(image)),
		user: image.source.sshIdentity?.username ?? image.auth?.username,
	}),
	vxhs: (image) => ({
		"tls-creds": image.source.tls ? tlsObject(image) : undefined,
		"vdisk-id": image.source.name,
		server: inetAddress(onlyHost(image)),
	}),
	nfs: nfsProps,
	http: curlProps,
	https: curlProps,
	ftp: curlProps,
	ftps: curlProps,
	tftp: curlProps,
};

/** libgfapi's log level that libvirt asks for. */
const GLUSTER_DEBUG = 4;

/** An image that is opened already: QEMU takes the descriptor out of its set. */
function fdSetProps(image: DiskImage, { imageDescriptors }: DefineContext): JsonObject {
	const passed = imageDescriptors?.get(image.source);
	return fileProps(image, "file", passed ? fdSetPath(passed) : image.source.file);
}

function fileProps(image: DiskImage, driver: string, filename: string | undefined): JsonObject {
	const { reservations } = image.source;
	const managed = reservations?.managed ? MANAGED_RESERVATIONS : reservationsObject(image);
	return { driver, filename, aio: image.options.io, "pr-manager": reservations && managed };
}

/** Id of the object that connects to a reservations helper of the user's own. */
export const reservationsObject = (image: DiskImage): string => `pr-helper-${storageOwner(image)}`;
/** Id of the object that holds the certificates of an encrypted connection. */
export const tlsObject = (image: DiskImage): string => `obj${storageOwner(image)}_tls0`;

function onlyHost({ source }: DiskImage): StorageHost {
	const [host, ...more] = source.host;
	if (!host || more.length > 0)
		throw new VirtError("INTERNAL_ERROR", `protocol '${source.protocol}' accepts only one host`);
	return host;
}

function socketAddress(host: StorageHost): JsonObject {
	if (host.transport === "unix") return { type: "unix", path: host.socket };
	return { type: "inet", ...inetAddress(host) };
}

function inetAddress({ transport, name, port = 0 }: StorageHost): JsonObject {
	if (transport === "rdma")
		throw new VirtError("INTERNAL_ERROR", `transport protocol '${transport}' is not yet supported`);
	if (transport !== undefined)
		throw new VirtError("INTERNAL_ERROR", "only TCP protocol can be converted to InetSocketAddress");
	return { host: name, port: String(port) };
}

/** `POOL/IMAGE` in its two parts. */
function splitPool({ source }: DiskImage): [pool: string, image: string] {
	const name = source.name ?? "";
	const slash = name.indexOf("/");
	return [name.slice(0, slash), name.slice(slash + 1)];
}

function rbdProps(image: DiskImage): JsonObject {
	const { source, auth, encryption } = image;
	const [pool, name] = splitPool(image);
	const encrypt =
		encryption?.engine === "librbd" ? { format: encryption.format, "key-secret": encryptionSecret(image) } : undefined;
	const deep = name.indexOf("/");
	return {
		pool,
		// POOL/NAMESPACE/IMAGE
		namespace: deep < 0 ? undefined : name.slice(0, deep),
		image: name.slice(deep + 1),
		snapshot: source.snapshot?.name,
		conf: source.config?.file,
		server: source.host.length > 0 ? source.host.map(inetAddress) : undefined,
		encrypt,
		user: auth?.username,
		"auth-client-required": auth && ["cephx", "none"],
		"key-secret": auth && authSecret(image),
	};
}

function iscsiProps(image: DiskImage): JsonObject {
	const { source, auth } = image;
	const [target = "", lun = "0"] = (source.name ?? "").split(/\/(.*)/s);
	if (!/^\d+$/.test(lun)) throw new VirtError("INTERNAL_ERROR", `cannot parse target for lunStr '${target}'`);
	const { name = "", port } = source.host[0] ?? {};
	return {
		portal: `${isIPv6(name) ? `[${name}]` : name}:${port}`,
		target,
		lun: Number(lun),
		transport: "tcp",
		user: auth?.username,
		"password-secret": auth && authSecret(image),
		"initiator-name": source.initiator?.iqn?.name,
	};
}

function nfsProps({ source }: DiskImage, { host }: DefineContext): JsonObject {
	const id = (name: string | undefined, kind: "user" | "group"): number | undefined =>
		name === undefined ? undefined : numericId(name, kind, host);
	return {
		server: { host: source.host[0]?.name, type: "inet" },
		path: source.name,
		user: id(source.identity?.user, "user"),
		group: id(source.identity?.group, "group"),
	};
}

/** `+1000` is a number as it stands; a name is looked up on the host. */
function numericId(name: string, kind: "user" | "group", host: DriverHost): number {
	if (/^\+?\d+$/.test(name)) return Number(name.replace("+", ""));
	const found = host.idOf?.(name, kind);
	if (found === undefined) throw new VirtError("INVALID_ARG", `Failed to parse ${kind} '${name}'`);
	return found;
}

function curlProps(image: DiskImage): JsonObject {
	const { source, auth } = image;
	return {
		url: formatUrl(image),
		username: auth?.username,
		"password-secret": auth && authSecret(image),
		sslverify: source.ssl?.verify,
		"cookie-secret": source.cookies?.cookie.length ? cookieSecret(image) : undefined,
		timeout: source.timeout?.seconds,
		readahead: source.readahead?.size,
	};
}

function formatUrl(image: DiskImage): string {
	const { source } = image;
	const host = onlyHost(image);
	const { protocol, name, query } = source;
	const scheme = host.transport === undefined ? protocol : `${protocol}+${host.transport}`;
	const server = host.name?.includes(":") ? `[${host.name}]` : (host.name ?? "");
	const port = host.port === undefined ? "" : `:${host.port}`;
	const path = name === undefined ? "" : escapePath(name.startsWith("/") ? name : `/${name}`);
	return `${scheme}://${server}${port}${path}${query === undefined ? "" : `?${query}`}`;
}

/** Escapes what RFC 2396 allows in no path. */
function escapePath(path: string): string {
	return path.replace(/[^A-Za-z0-9\-_.!~*'()/;@&=+$,:]/g, (character) => encodeURIComponent(character));
}

/** Where the bytes of `image` are, as QEMU's BlockdevOptions without what any node has. */
export function protocolProps(image: DiskImage, context: DefineContext): JsonObject {
	const render = image.source.fdgroup === undefined ? BY_TYPE[image.type] : fdSetProps;
	if (!render) throw new VirtError("INTERNAL_ERROR", `unable to create blockdev props for ${image.type} disk type`);
	return render(image, context);
}

/**
 * How the image may be opened: QEMU begins with reading and writes where it must, which a single descriptor cannot serve.
 */
function accessProps(image: DiskImage, { imageDescriptors }: DefineContext): JsonObject {
	const passed = imageDescriptors?.get(image.source);
	if (passed?.fds.length !== 1) return { "auto-read-only": true };
	return { "read-only": passed.writable ? false : image.readonly };
}

/** The protocol layer of `image` as QEMU's blockdev-add takes it. */
export function storageProps(image: DiskImage, context: DefineContext): JsonObject {
	return {
		...protocolProps(image, context),
		"node-name": storageNode(image),
		cache: cacheProps(image.options.cache),
		...accessProps(image, context),
		discard: "unmap",
	};
}
