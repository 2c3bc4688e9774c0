// The objects behind guest memory: RAM, files, huge pages or memfd, with the policy of where it comes from.

import { join } from "node:path";
import { VirtError } from "@virtkit/base/errors";
import type { DomainDef } from "@virtkit/model/domain/domain";
import type { BuildContext } from "../devices/entry.ts";
import type { JsonObject } from "./command-line.ts";

/** A piece of guest memory that gets an object of its own: all RAM, a NUMA cell, or a memory device. */
export interface MemoryPiece {
	/** Id of the object. */
	readonly id: string;
	/** Name of its file where it is backed by one. */
	readonly file: string;
	readonly kib: number;
	/** The guest NUMA node it belongs to. */
	readonly node?: number | undefined;
	/** Its own choice of page size in KiB. */
	readonly pageKib?: number | undefined;
	readonly hostNodes?: readonly number[] | undefined;
	readonly access?: "shared" | "private" | undefined;
	readonly discard?: boolean | undefined;
	/** Existing file or device that it is (nvdimm, virtio-pmem). */
	readonly path?: string | undefined;
	readonly pmem?: boolean | undefined;
	readonly alignKib?: number | undefined;
	/** `memory-backend-epc` for SGX. */
	readonly kind?: "epc" | "virtio-mem" | "virtio-pmem" | undefined;
	/** True for the RAM that `-machine memory-backend=` names. */
	readonly isSystem?: boolean | undefined;
}

/** An object for a piece of memory. */
export interface MemoryBackend {
	readonly object: JsonObject;
	/** Whether the piece needs an object, or plain `-numa node,mem=` would do as well. */
	readonly needed: boolean;
}

/** KiB of a page of the host. */
const HOST_PAGE_KIB = 4;

interface PageChoice {
	/** KiB of the huge pages to be used; undefined for ordinary ones. */
	readonly kib: number | undefined;
	/** Whether this piece was named, so that it must have an object. */
	readonly named: boolean;
}

function choosePages({ def, host }: BuildContext, piece: MemoryPiece): PageChoice {
	const { hugepages } = def.memoryBacking ?? {};
	const pages = hugepages ? (hugepages.page.length > 0 ? hugepages.page : [{ size: 0, nodeset: undefined }]) : [];
	const own = pages.find(({ nodeset }) => piece.node !== undefined && nodeset?.includes(piece.node));
	const master = pages.findLast(({ nodeset }) => !nodeset);
	const chosen = piece.pageKib ?? own?.size ?? master?.size;
	const named = piece.pageKib !== undefined || own !== undefined;
	if (chosen === undefined || chosen === HOST_PAGE_KIB) return { kib: undefined, named: false };
	if (chosen !== 0) return { kib: chosen, named };
	return { kib: defaultPageKib(host), named };
}

function defaultPageKib({ hugepages }: BuildContext["host"]): number {
	const page = hugepages.find(({ isDefault }) => isDefault) ?? hugepages[0];
	if (!page)
		throw new VirtError(
			"INTERNAL_ERROR",
			"hugetlbfs filesystem is not mounted or disabled by administrator config; mount one, or leave out <hugepages>",
		);
	return page.kib;
}

/** Folder of the guest's memory in the huge page file system of that page size. */
export function hugepagePath({ host, def }: BuildContext, kib: number): string {
	if (host.hugepages.length === 0) defaultPageKib(host);
	const page = host.hugepages.find((one) => one.kib === kib);
	if (!page) throw new VirtError("INTERNAL_ERROR", `Unable to find any usable hugetlbfs mount for ${kib} KiB`);
	return join(page.mount, "libvirt/qemu", shortName(def));
}

/** `ID-NAME`, as folders of a running guest are called; -1 for one that does not run. */
export function shortName(def: DomainDef): string {
	return `${def.id ?? -1}-${def.name}`;
}

/** The policy of memory that comes from named host nodes, by libvirt's words. */
const POLICIES: Readonly<Record<string, string>> = { strict: "bind", preferred: "preferred", interleave: "interleave" };

/**
 * Host nodes that the memory of guest node `node` (all memory where absent) comes from.
 *
 * Throws where numad would have to be asked and was not, and for nodes that the host has not.
 */
export function hostNodesOf({ def, host, autoNodes }: BuildContext, node?: number): readonly number[] | undefined {
	const { memnode = [], memory } = def.numatune ?? {};
	const own = memnode.find(({ cellid }) => cellid === node)?.nodeset;
	if (!own && memory?.placement === "auto" && !autoNodes)
		throw new VirtError("INTERNAL_ERROR", "Advice from numad is needed in case of automatic numa placement");
	const nodes = own ?? (memory?.placement === "auto" ? autoNodes : memory?.nodeset);
	checkHostNodes(nodes, host.numaNodes);
	return nodes;
}

function checkHostNodes(nodes: readonly number[] | undefined, present: readonly number[]): void {
	const missing = nodes?.find((node) => !present.includes(node));
	if (missing !== undefined)
		throw new VirtError(
			"CONFIG_UNSUPPORTED",
			`NUMA node ${missing} is unavailable; the host has ${present.join(", ")}`,
		);
}

function nodePolicy(context: BuildContext, piece: MemoryPiece): { nodes?: readonly number[]; policy?: string } {
	const { numatune } = context.def;
	const own = numatune?.memnode.find(({ cellid }) => cellid === piece.node);
	const mode = own?.mode ?? numatune?.memory?.mode ?? "strict";
	const nodes = piece.hostNodes ?? hostNodesOf(context, piece.node);
	checkHostNodes(nodes, context.host.numaNodes);
	const policy = POLICIES[mode];
	return nodes && policy ? { nodes, policy } : {};
}

/** The object of `piece`. */
export function memoryBackend(context: BuildContext, piece: MemoryPiece): MemoryBackend {
	const { def } = context;
	const cell = def.cpu?.numa?.cell[piece.node ?? -1];
	const access = piece.access ?? cell?.memAccess ?? def.memoryBacking?.access?.mode;
	const discard = piece.discard ?? cell?.discard ?? def.memoryBacking?.discard;
	const source = def.memoryBacking?.source?.type;
	const pages = choosePages(context, piece);
	const type = backendType(piece, source, pages.kib, access);
	const properties = type === "file" ? fileProperties(context, piece, pages.kib, discard) : {};
	const { nodes, policy } = nodePolicy(context, piece);
	const share = access === undefined ? undefined : access === "shared";
	const object: JsonObject = {
		"qom-type": `memory-backend-${type}`,
		id: piece.id,
		...(type === "memfd" ? { ...(pages.kib ? { hugetlb: true, hugetlbsize: pages.kib * 1024 } : {}), share } : {}),
		...(type === "file" ? { ...properties, share } : {}),
		...canonicalPath(context, piece, type),
		...preallocation(context, piece, pages.kib),
		size: piece.kib * 1024,
		...(piece.alignKib ? { align: piece.alignKib * 1024 } : {}),
		...(piece.pmem ? { pmem: true } : {}),
		...(nodes ? { "host-nodes": nodes, policy } : {}),
	};
	const hasOwnNodes = def.numatune?.memnode.some(({ cellid }) => cellid === piece.node) === true;
	const needed =
		pages.named ||
		piece.hostNodes !== undefined ||
		hasOwnNodes ||
		piece.path !== undefined ||
		access !== undefined ||
		source === "file" ||
		source === "memfd";
	return { object, needed };
}

function backendType(
	piece: MemoryPiece,
	source: string | undefined,
	hugeKib: number | undefined,
	access: string | undefined,
): "epc" | "memfd" | "file" | "ram" {
	if (piece.kind === "epc") return "epc";
	if (piece.path === undefined && source === "memfd") return "memfd";
	return hugeKib !== undefined || piece.path !== undefined || access !== undefined || source === "file"
		? "file"
		: "ram";
}

function fileProperties(
	context: BuildContext,
	piece: MemoryPiece,
	hugeKib: number | undefined,
	discard: boolean | undefined,
): JsonObject {
	const { settings, def } = context;
	if (piece.path !== undefined) return { "mem-path": piece.path };
	const path =
		hugeKib === undefined
			? join(context.paths.memory ?? join(settings.memoryBackingDir, shortName(def)), piece.file)
			: hugepagePath(context, hugeKib);
	return { "mem-path": path, "discard-data": discard };
}

/** RAM keeps the block id that it had before it became an object, so that guests migrate from older versions. */
function canonicalPath({ caps }: BuildContext, piece: MemoryPiece, type: string): JsonObject {
	const named = piece.isSystem && (type === "memfd" || type === "file");
	return named && caps.has(`memory-backend-${type}`, "x-use-canonical-path-for-ramblock-id")
		? { "x-use-canonical-path-for-ramblock-id": false }
		: {};
}

function preallocation({ def, caps }: BuildContext, piece: MemoryPiece, hugeKib: number | undefined): JsonObject {
	if (piece.kind === "virtio-mem") return caps.has("memory-backend-ram", "reserve") ? { reserve: false } : {};
	const { allocation } = def.memoryBacking ?? {};
	const real = piece.path !== undefined && !piece.pmem && piece.kind !== "virtio-pmem";
	const prealloc =
		piece.kind === "epc" ||
		allocation?.mode === "immediate" ||
		real ||
		(piece.path === undefined && hugeKib !== undefined);
	return {
		...(prealloc ? { prealloc: true } : {}),
		...(allocation?.threads ? { "prealloc-threads": allocation.threads } : {}),
	};
}
