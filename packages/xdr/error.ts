// The error that decoding or encoding of XDR data raises; a front-end turns it into a reply or a closed connection.

/** Data that is not what its codec declares: too short, too long, out of range, or with bytes left over. */
export class XdrError extends Error {
	override readonly name = "XdrError";
}
