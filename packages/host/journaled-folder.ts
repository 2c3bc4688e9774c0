// A folder of small files that survive a power cut at the price of one write to the disk each: a journal holds what the disk may not have yet.

import {
	closeSync,
	fdatasync,
	fdatasyncSync,
	fsync,
	fsyncSync,
	openSync,
	readFileSync,
	rmSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import {
	removeFileDurablySync,
	writeFileAtomicallySync,
	writeFileDurably,
	writeFileDurablySync,
} from "./atomic-file.ts";
import { systemError } from "./system-error.ts";

const syncData = promisify(fdatasync);
const sync = promisify(fsync);

/**
 * Bytes of each half of the journal; one is in use while the other is being emptied. Both are written whole once, so that
 * what follows changes no file's size: that is what makes it quick.
 */
const SIZE = 1024 * 1024;
/** Length and checksum before each record. */
const HEAD = 8;
/** Milliseconds without a write after which what the journal holds is brought to the disk. */
const REST_MS = 5000;

/** One change: a file's new content, or none where it is removed. */
interface Change {
	/** The boot of the machine it was made in. */
	readonly boot: string;
	/** Tells what was written since the journal was last emptied from what was there before. */
	readonly round: number;
	readonly name: string;
	readonly text: string | null;
}

/** A change, and whether its file has it. */
interface Pending extends Pick<Change, "name" | "text"> {
	made: boolean;
}

/**
 * See the opening sentence.
 *
 * Each change goes to the journal, which is synced, and then to its file, which is not. While the machine runs, the
 * files are what they should be whatever ends this process; after a power cut, `recover` makes them so.
 */
export class JournaledFolder {
	readonly #folder: string;
	readonly #journal: string;
	readonly #boot = bootId();
	/** Changes that are noted, or about to be, and that the disk may not have: an emptied journal holds them again. */
	readonly #pending = new Set<Pending>();
	#fd: number | undefined;
	#end = 0;
	#round = 0;
	#timer: NodeJS.Timeout | undefined;
	#settling: Promise<void> | undefined;
	/** Syncs that began before a record was written do not count for it. */
	#next: Promise<void> | undefined;
	#current: Promise<void> | undefined;

	/** The journal is best kept beside the folder, not in it. */
	constructor(folder: string, journal: string) {
		this.#folder = folder;
		this.#journal = journal;
	}

	/** Does again what a power cut may have undone. To be called before the folder is read. Returns the names of the files. */
	recover(): string[] {
		const changes = readJournal(this.#journal);
		const names = [...new Set(changes.map(({ name }) => name))];
		if (names.length === 0) return [];
		const undone = changes.filter(({ boot }) => boot !== this.#boot);
		const last = new Map(undone.map((change) => [change.name, change.text]));
		for (const [name, text] of last) {
			const path = join(this.#folder, name);
			if (text === null) removeFileDurablySync(path);
			else if (!holds(path, text)) writeFileDurablySync(path, text);
		}
		for (const name of names) syncQuietly(join(this.#folder, name));
		syncQuietly(this.#folder);
		removeJournal(this.#journal);
		return [...last.keys()];
	}

	/**
	 * Replaces the file's content; when this settles, the new content survives a power cut.
	 *
	 * @throws VirtError SYSTEM_ERROR naming the file, which is then as it was.
	 */
	async write(name: string, text: string): Promise<void> {
		const path = join(this.#folder, name);
		const change: Pending = { name, text, made: false };
		if (!(await this.#note(change))) return writeFileDurably(path, text);
		await this.#make(change, () => writeFileAtomicallySync(path, text));
	}

	/** Removes the file. */
	async remove(name: string): Promise<void> {
		const path = join(this.#folder, name);
		const change: Pending = { name, text: null, made: false };
		if (await this.#note(change)) await this.#make(change, () => removeIfThere(path));
		else removeFileDurablySync(path);
	}

	/** Brings everything to the disk, so that nothing depends on the journal. */
	async settle(): Promise<void> {
		while (this.#settling) await this.#settling;
		if (this.#end === 0) return;
		this.#settling = this.#settle();
		try {
			await this.#settling;
		} finally {
			this.#settling = undefined;
		}
	}

	/** The same, for the last time. */
	async close(): Promise<void> {
		clearTimeout(this.#timer);
		await this.settle();
		if (this.#fd === undefined) return;
		closeSync(this.#fd);
		this.#fd = undefined;
		rmSync(this.#journal, { force: true });
	}

	/** Makes a change that is noted. Where it cannot be made, the journal is emptied of it. */
	async #make(change: Pending, make: () => void): Promise<void> {
		try {
			make();
		} catch (error) {
			this.#pending.delete(change);
			await this.settle();
			throw error;
		}
		change.made = true;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => void this.settle().catch(() => undefined), REST_MS).unref();
	}

	/** Puts the change into the journal, durably; false where the journal cannot be had, whatever the reason. */
	async #note(change: Pending): Promise<boolean> {
		while (this.#settling) await this.#settling;
		const bytes = this.#encode(change);
		if (bytes.length > SIZE) return this.#without();
		while (this.#end + bytes.length > SIZE) await this.settle();
		this.#pending.add(change);
		try {
			this.#fd ??= createJournal(this.#journal);
			this.#append(this.#fd, this.#encode(change));
			await this.#synced(this.#fd);
			return true;
		} catch {
			this.#pending.delete(change);
			return this.#without();
		}
	}

	#append(fd: number, bytes: Buffer): void {
		writeSync(fd, bytes, 0, bytes.length, halfOf(this.#round) + this.#end);
		this.#end += bytes.length;
	}

	#encode({ name, text }: Pending): Buffer {
		return encode({ boot: this.#boot, round: this.#round, name, text });
	}

	/** A file that is written past the journal must not be overtaken by what the journal says of it. */
	async #without(): Promise<false> {
		await this.settle();
		return false;
	}

	/** Settles with a sync that began after this call; all that wait for one share it. */
	async #synced(fd: number): Promise<void> {
		this.#next ??= (async () => {
			await this.#current?.catch(() => undefined);
			this.#current = this.#next;
			this.#next = undefined;
			await syncData(fd);
		})();
		await this.#next;
	}

	async #settle(): Promise<void> {
		const made = [...this.#pending].filter((change) => change.made);
		const names = new Set(made.map(({ name }) => name));
		await Promise.all([...names].map((name) => syncPath(join(this.#folder, name))));
		await syncPath(this.#folder);
		for (const change of made) this.#pending.delete(change);
		this.#round++;
		this.#end = 0;
		if (this.#fd === undefined) return;
		// What came meanwhile is in the other half before it goes from this one.
		for (const change of this.#pending) this.#append(this.#fd, this.#encode(change));
		if (this.#end > 0) await syncData(this.#fd);
		writeSync(this.#fd, Buffer.alloc(HEAD), 0, HEAD, halfOf(this.#round - 1));
		await syncData(this.#fd);
	}
}

function removeIfThere(path: string): void {
	try {
		unlinkSync(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw systemError(`cannot remove file '${path}'`, error);
	}
}

function bootId(): string {
	try {
		return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
	} catch {
		return "";
	}
}

/** Empties the journal before it goes, so that it says nothing should a power cut bring it back. */
function removeJournal(path: string): void {
	const fd = openSync(path, "r+");
	try {
		for (const round of [0, 1]) writeSync(fd, Buffer.alloc(HEAD), 0, HEAD, halfOf(round));
		fdatasyncSync(fd);
	} finally {
		closeSync(fd);
	}
	rmSync(path);
}

function createJournal(path: string): number {
	const fd = openSync(path, "w", 0o600);
	try {
		writeSync(fd, Buffer.alloc(2 * SIZE));
		fdatasyncSync(fd);
		syncQuietly(dirname(path));
		return fd;
	} catch (error) {
		closeSync(fd);
		rmSync(path, { force: true });
		throw error;
	}
}

function encode(change: Change): Buffer {
	const body = Buffer.from(JSON.stringify(change));
	const bytes = Buffer.allocUnsafe(HEAD + body.length);
	bytes.writeUInt32LE(body.length, 0);
	bytes.writeUInt32LE(crc32(body), 4);
	body.copy(bytes, HEAD);
	return bytes;
}

/** Where the half begins that is in use in that round. */
const halfOf = (round: number): number => (round % 2) * SIZE;

/** The changes of both halves, in the order in which they were made. */
function readJournal(path: string): Change[] {
	let bytes: Buffer;
	try {
		bytes = readFileSync(path);
	} catch {
		return [];
	}
	const halves = [bytes.subarray(0, SIZE), bytes.subarray(SIZE)].map(readHalf);
	return halves.sort(([one], [other]) => (one?.round ?? 0) - (other?.round ?? 0)).flat();
}

/** The changes from the half's beginning up to the first that was not written whole, or belongs to an earlier round. */
function readHalf(bytes: Buffer): Change[] {
	const changes: Change[] = [];
	for (let at = 0; at + HEAD <= bytes.length; ) {
		const body = bytes.subarray(at + HEAD, at + HEAD + bytes.readUInt32LE(at));
		if (body.length === 0 || crc32(body) !== bytes.readUInt32LE(at + 4)) break;
		const change = JSON.parse(body.toString()) as Change;
		const [first] = changes;
		if (first && (first.round !== change.round || first.boot !== change.boot)) break;
		changes.push(change);
		at += HEAD + body.length;
	}
	return changes;
}

function holds(path: string, text: string): boolean {
	try {
		return readFileSync(path, "utf8") === text;
	} catch {
		return false;
	}
}

/** A file that is gone needs no sync: that it is gone is the folder's to remember. */
async function syncPath(path: string): Promise<void> {
	let fd: number;
	try {
		fd = openSync(path, "r");
	} catch {
		return;
	}
	try {
		await sync(fd);
	} finally {
		closeSync(fd);
	}
}

function syncQuietly(path: string): void {
	try {
		const fd = openSync(path, "r");
		try {
			fsyncSync(fd);
		} finally {
			closeSync(fd);
		}
	} catch {
		// It was removed since.
	}
}
