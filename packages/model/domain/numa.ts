// The guest's own NUMA topology: cells, distances, caches, latencies and bandwidths between them.

import { formatNumberSet, parseNumberSet } from "@virtkit/xml/bitmap";
import type { Codec } from "@virtkit/xml/codec";
import { integer, oneOf, uint, ulong, yesNo } from "@virtkit/xml/codec";
import { formatElement } from "@virtkit/xml/format";
import { elementsOf, type XmlElement } from "@virtkit/xml/node";
import { documentError, type ReadContext, readElement } from "@virtkit/xml/read";
import { amountAttribute, readAmount } from "@virtkit/xml/scaled";
import { attr, child, element, type Infer, list, special } from "@virtkit/xml/schema";

const cpus: Codec<number[]> = {
	parse: parseNumberSet,
	format: formatNumberSet,
	allowed: "a set of numbers such as 0-3,^2,8",
	json: { type: "array", items: { type: "integer", minimum: 0 } },
};

/** Distance of a cell to itself (ACPI SLIT). */
const LOCAL_DISTANCE = 10;

const sized = (unit: string) =>
	element({
		value: special<number>({
			required: true,
			read: (node) => readAmount(node, { unit, assumed: unit }, node.attributes.value ?? ""),
			write: (value) => ({ attributes: ` value='${value}' unit='${unit === "b" ? "B" : unit}'` }),
			json: { type: "integer", minimum: 0 },
			takes: { attributes: ["value", "unit"] },
		}),
	});

const cache = element({
	level: attr(integer({ min: 1, max: 0xffffffff }), { required: true, doc: "Level of the memory-side cache." }),
	associativity: attr(oneOf("none", "direct", "full"), {
		required: true,
		absent: "none",
		doc: "How addresses map to its lines.",
	} as { required: true }),
	policy: attr(oneOf("none", "writeback", "writethrough"), {
		required: true,
		absent: "none",
		doc: "When writes reach memory.",
	} as { required: true }),
	size: child(sized("KiB"), { required: true, doc: "Size in KiB." }),
	line: child(sized("b"), { required: true, doc: "Size of a line in bytes." }),
});

const cell = element({
	id: attr(uint, { doc: "Number of the cell; its position where absent." }),
	cpus: attr(cpus, { code: "INVALID_ARG", doc: "Virtual CPUs of the cell." }),
	memory: amountAttribute("memory", { required: true, doc: "Memory of the cell in KiB." }),
	memAccess: attr(oneOf("shared", "private"), { doc: "Whether other processes can see the cell's memory." }),
	discard: attr(yesNo, { doc: "Whether contents are thrown away before the memory is given back." }),
	distances: child(
		element({
			sibling: list(
				element({
					id: attr(uint, { required: true, doc: "The other cell." }),
					value: attr(integer({ min: LOCAL_DISTANCE, max: 255 }), {
						required: true,
						doc: "How far it is; 10 is local.",
					}),
				}),
			),
		}),
		{ doc: "Distances to other cells." },
	),
	cache: list(cache, { doc: "Memory-side caches of the cell." }),
});

const interconnectFields = {
	initiator: attr(uint, { required: true, doc: "Cell that accesses." }),
	target: attr(uint, { required: true, doc: "Cell that is accessed." }),
	cache: attr(uint, { absent: 0, doc: "Level of the cache that is accessed." }),
	type: attr(oneOf("access", "read", "write"), { required: true, doc: "Kind of access." }),
};
const latency = element({
	...interconnectFields,
	value: attr(ulong, { required: true, doc: "Nanoseconds." }),
});
const bandwidth = element({
	...interconnectFields,
	value: amountAttribute("value", { required: true, doc: "KiB a second." }),
});

/** One statement about the way between two cells. */
export type InterconnectDef =
	| { readonly kind: "latency"; readonly of: Infer<typeof latency> }
	| { readonly kind: "bandwidth"; readonly of: Infer<typeof bandwidth> };

function readInterconnects(holder: XmlElement, context: ReadContext): InterconnectDef[] | undefined {
	const found = elementsOf(holder).flatMap((node): InterconnectDef[] =>
		node.name === "latency"
			? [{ kind: "latency", of: readElement(latency, node, context) }]
			: node.name === "bandwidth"
				? [{ kind: "bandwidth", of: readElement(bandwidth, node, context) }]
				: [],
	);
	return found.length === 0 ? undefined : found;
}

export const numa = element(
	{
		cell: list(cell, { doc: "One NUMA node of the guest." }),
		interconnects: special<InterconnectDef[]>({
			doc: "Latencies and bandwidths between cells.",
			read: (holder, context) => {
				const node = elementsOf(holder).find(({ name }) => name === "interconnects");
				return node && readInterconnects(node, context);
			},
			write: (value, indent, options) => {
				const pad = " ".repeat(indent);
				const lines = value.map((one) =>
					one.kind === "latency"
						? formatElement("latency", latency, one.of, options, indent + 2)
						: formatElement("bandwidth", bandwidth, one.of, options, indent + 2),
				);
				return `${pad}<interconnects>\n${lines.join("")}${pad}</interconnects>\n`;
			},
			json: { type: "array" },
			takes: { children: ["interconnects"] },
		}),
	},
	{
		onRead(value, node) {
			numberCells(value, node);
			mirrorDistances(value, node);
		},
	},
);

export type NumaDef = Infer<typeof numa>;
export type NumaCellDef = NumaDef["cell"][number];

function numberCells(value: NumaDef, node: XmlElement): void {
	const { cell: cells } = value;
	if (cells.length === 0) throw documentError(node, "NUMA topology defined without NUMA cells");
	for (const [index, one] of cells.entries()) {
		one.id ??= index;
		if (one.cpus?.length === 0) one.cpus = undefined;
		if (one.id >= cells.length)
			throw documentError(node, `NUMA cell ${one.id} of ${cells.length}: cells must be numbered from 0 without gaps`);
	}
	cells.sort((a, b) => (a.id ?? 0) - (b.id ?? 0));
	for (const [index, one] of cells.entries())
		if (one.id !== index) throw documentError(node, `Duplicate NUMA cell info for cell id '${one.id}'`);
	refuseOverlaps(cells, node);
}

function refuseOverlaps(cells: readonly NumaCellDef[], node: XmlElement): void {
	const owner = new Map<number, number>();
	for (const { id = 0, cpus: members = [] } of cells)
		for (const cpu of members) {
			const other = owner.get(cpu);
			if (other !== undefined)
				throw documentError(
					node,
					`NUMA cells ${other} and ${id} have overlapping vCPU ids: both have ${cpu}`,
					"CONFIG_UNSUPPORTED",
				);
			owner.set(cpu, id);
		}
}

/** Distances count both ways unless the way back is given; a cell's distance to itself is 10. */
function mirrorDistances(value: NumaDef, node: XmlElement): void {
	const { cell: cells } = value;
	const table = new Map<number, Map<number, number>>();
	const rowOf = (id: number): Map<number, number> => {
		let row = table.get(id);
		if (!row) table.set(id, (row = new Map([[id, LOCAL_DISTANCE]])));
		return row;
	};
	for (const { id = 0, distances } of cells) {
		if (distances && distances.sibling.length === 0)
			throw documentError(node, `NUMA distances of cell ${id} defined without siblings`);
		for (const { id: sibling, value: distance } of distances?.sibling ?? []) {
			if (sibling >= cells.length) throw documentError(node, `sibling '${sibling}' of NUMA cell ${id} is no cell`);
			if ((sibling === id) !== (distance === LOCAL_DISTANCE))
				throw documentError(node, `distance ${distance} from NUMA cell ${id} to ${sibling} is not allowed`);
			rowOf(id).set(sibling, distance);
			const back = rowOf(sibling);
			if (!back.has(id)) back.set(id, distance);
		}
	}
	for (const one of cells) {
		const row = table.get(one.id ?? 0);
		if (row)
			one.distances = {
				sibling: [...row].sort(([a], [b]) => a - b).map(([id, distance]) => ({ id, value: distance })),
			};
	}
}
