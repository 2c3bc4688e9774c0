// A domain of the QEMU driver: who it is, what is stored of it, and its run while it has one.

import { VirtError } from "@virtkit/base/errors";
import { JobLock } from "@virtkit/base/job-lock";
import type { DomainHandle } from "@virtkit/core/domain-operations";
import type { DomainRef } from "@virtkit/core/domain-ref";
import type { DomainState, DomainStateName } from "@virtkit/core/domain-state";
import type { Definition, DefinitionFigures } from "./definition.ts";
import { FdGroups } from "./fd-groups.ts";
import type { Run } from "./run.ts";

/** Where a stored definition comes from when it is not in memory. */
export type LoadDefinition = (domain: QemuDomain) => Definition;

/** Waits for the guest agent as long as it takes (VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK). */
export const NO_AGENT_TIMEOUT = -2;

/** See the opening sentence. */
export class QemuDomain implements DomainHandle {
	readonly uuid: string;
	readonly lock = new JobLock();
	/** What clients passed for its disks. */
	readonly fdGroups = new FdGroups();
	name: string;
	/** Has a definition that stays when it does not run. */
	persistent = false;
	autostart = false;
	autostartOnce = false;
	/** Taken out of the registry, or about to be. */
	removing = false;
	/** True for a definition read from its file, which a former version of the driver may have completed. */
	stored = false;
	run: Run | undefined;
	state: DomainState = { state: "shutoff", reason: "unknown" };
	/** When the state was entered, in milliseconds of performance.now(). */
	stateSince = 0;
	/** How long the guest agent's answers are waited for: seconds, or one of virDomainAgentResponseTimeoutValues. */
	agentTimeout = NO_AGENT_TIMEOUT;
	/** Ends with autodestroy, or undefined. */
	autodestroy: Disposable | undefined;
	#config: Definition | undefined;
	#figures: DefinitionFigures | undefined;
	readonly #load: LoadDefinition;

	constructor(identity: { name: string; uuid: string }, load: LoadDefinition) {
		this.name = identity.name;
		this.uuid = identity.uuid;
		this.#load = load;
	}

	get id(): number {
		return this.run?.id ?? -1;
	}

	get stateName(): DomainStateName {
		return this.state.state;
	}

	/** Its identity at this moment, for events that outlive it. */
	get ref(): DomainRef {
		return { name: this.name, uuid: this.uuid, id: this.id };
	}

	setState(state: DomainState): void {
		this.state = state;
		this.stateSince = performance.now();
	}

	/** The stored definition; read from its file where memory has let go of it. Throws where the file is broken. */
	get config(): Definition {
		if (!this.persistent && this.#config === undefined && this.run !== undefined) return this.run.live;
		this.#config ??= this.#load(this);
		return this.#config;
	}

	/** The definition to store or stored; undefined lets go of it. */
	setConfig(definition: Definition | undefined): void {
		this.#config = definition;
		this.#figures = undefined;
	}

	/** Lets go of the stored definition's memory; it can be read again. */
	forgetConfig(): void {
		if (this.persistent) this.#config = undefined;
	}

	/** What the domain is now: the running guest's definition, else the stored one. */
	get current(): Definition {
		return this.run?.live ?? this.config;
	}

	get figures(): DefinitionFigures {
		if (this.run) return this.run.live.figures;
		this.#figures ??= this.config.figures;
		return this.#figures;
	}

	/** The run of a guest that is up. Throws OPERATION_INVALID where there is none. */
	activeRun(): Run {
		if (this.run === undefined || this.run.phase === "ended")
			throw new VirtError("OPERATION_INVALID", "domain is not running");
		return this.run;
	}
}
