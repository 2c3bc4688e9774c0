// How a domain is named across layers.

/** A domain's identity at one moment: what libvirt's remote_nonnull_domain carries. */
export interface DomainRef {
	readonly name: string;
	/** Lower case with dashes. */
	readonly uuid: string;
	/** Number of the running instance, −1 when it does not run. */
	readonly id: number;
}
