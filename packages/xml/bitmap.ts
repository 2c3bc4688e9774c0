// Sets of small numbers in libvirt's spelling, such as CPU sets: 0-3,^2,8.

const PART = /^(\^?)(\d+)(?:-(\d+))?$/;

/** The sorted numbers of `0-3,^2,8`; undefined when the text is not such a set. */
export function parseNumberSet(text: string): number[] | undefined {
	const members = new Set<number>();
	for (const part of text.split(",")) {
		const match = PART.exec(part.trim());
		if (!match) return undefined;
		const first = Number(match[2]);
		const last = match[3] === undefined ? first : Number(match[3]);
		if (last < first || last > 0xffff || (match[1] && match[3] !== undefined)) return undefined;
		for (let member = first; member <= last; member++) match[1] ? members.delete(member) : members.add(member);
	}
	return [...members].sort((a, b) => a - b);
}

/** The numbers as ranges: [0,1,3,8] becomes `0-1,3,8`. */
export function formatNumberSet(members: readonly number[]): string {
	const ranges: string[] = [];
	for (let start = 0; start < members.length; ) {
		let end = start;
		while (members[end + 1] === (members[end] ?? 0) + 1) end++;
		ranges.push(start === end ? `${members[start]}` : `${members[start]}-${members[end]}`);
		start = end + 1;
	}
	return ranges.join(",");
}
