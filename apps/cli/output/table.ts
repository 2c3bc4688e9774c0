// Tables in virsh's layout, and the same rows as JSON.

/** Characters a terminal shows `text` on: wide East Asian characters take two, combining marks none. */
export function displayWidth(text: string): number {
	// Most texts: the tables behind the expressions below need not be loaded.
	if (/^[\x20-\x7e]*$/.test(text)) return text.length;
	let width = 0;
	for (const character of text) {
		if (/\p{Mn}|\p{Me}|\p{Cf}/u.test(character)) continue;
		width +=
			/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]/u.test(
				character,
			)
				? 2
				: 1;
	}
	return width;
}

/** `rows` below `header`: a blank before each column, three blanks between columns, a rule below the header. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
	const widths = header.map((title, column) =>
		Math.max(displayWidth(title), ...rows.map((cells) => displayWidth(cells[column] ?? ""))),
	);
	const line = (cells: readonly string[]): string =>
		` ${cells.map((cell, column) => (column === cells.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - displayWidth(cell)))).join("   ")}`;
	const rule = "-".repeat(widths.reduce((sum, width) => sum + width + 3, 0));
	return `${[line(header), rule, ...rows.map(line)].join("\n")}\n`;
}
