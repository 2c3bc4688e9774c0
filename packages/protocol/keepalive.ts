// Watching a silent peer: it is asked again and again, and given up when it does not answer.

export interface KeepaliveOptions {
	/** How long the peer may stay silent before it is asked, in milliseconds. */
	readonly interval: number;
	/** How many times it is asked. */
	readonly count: number;
	readonly ping: () => void;
	readonly dead: () => void;
}

/** libvirt's virKeepAlive: any message shows that the peer lives; after `count` pings into silence it is dead. */
export class Keepalive {
	readonly #options: KeepaliveOptions;
	#left: number;
	#heard = false;
	#timer: NodeJS.Timeout | undefined;

	constructor(options: KeepaliveOptions) {
		this.#options = options;
		this.#left = options.count;
	}

	/** Starts asking; does nothing when it was started before, or the interval is 0. */
	start(): void {
		if (this.#timer !== undefined || this.#options.interval <= 0) return;
		this.#timer = setInterval(() => this.#tick(), this.#options.interval);
		this.#timer.unref();
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	/** Something came from the peer. */
	heard(): void {
		this.#heard = true;
	}

	#tick(): void {
		if (this.#heard) {
			this.#heard = false;
			this.#left = this.#options.count;
			return;
		}
		if (this.#left === 0) {
			this.stop();
			this.#options.dead();
			return;
		}
		this.#left--;
		this.#options.ping();
	}
}
